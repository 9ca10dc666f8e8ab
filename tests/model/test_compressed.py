"""Compressed checkpoints end to end: NumPy = ONNX Runtime = C on the host = C in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from compressed_checkpoints import CompressedModel, Gptq
from tiny_models import runnable_config

from aretusa.execution.firmware import Platform
from aretusa.frontend.llama_config import Family
from aretusa.neureka.linear import Engine
from aretusa.program import Program
from aretusa.verbs.executions import compiled_execution, numpy_execution, onnx_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENGINES: Final = (None, Engine.CLUSTER, Engine.NEUREKA_3X3, Engine.NEUREKA_1X1, Engine.SPLIT)
ALL: Final = (
    numpy_execution(8),
    numpy_execution(1),
    onnx_execution(8),
    compiled_execution(Platform.HOST, cores=8, chunk=8),
    compiled_execution(Platform.HOST, cores=1, chunk=3),
    compiled_execution(Platform.QEMU, cores=8, chunk=8),
)


def codes() -> CompressedModel:
    model = CompressedModel(runnable_config(Family.QWEN2))
    for index, module in enumerate(model.modules()):
        model.code(module, 2 + index % 7)
    model.code("lm_head", 6)
    model.code("model.embed_tokens", 3)
    return model


def gptq(**options: Any) -> CompressedModel:  # noqa: ANN401
    config = runnable_config(hidden_size=288, ffn_size=320, heads=9, kv_heads=3, head_dim=32)
    model = CompressedModel(config)
    for module in model.modules():
        model.gptq(module, Gptq(**options))
    return model


def pairs_and_adapters() -> CompressedModel:
    model = CompressedModel(runnable_config(Family.QWEN2))
    for module in model.modules():
        if ".0." in module or "mlp" in module:
            model.low_rank(module, 24)
        model.adapter(module, 8)
    model.low_rank("lm_head", 20)
    model.adapter("lm_head", 4)
    model.code("model.layers.0.self_attn.q_proj.low_rank_in", 3)
    model.code("model.layers.1.self_attn.v_proj", 5)
    return model


def shared_blocks() -> CompressedModel:
    model = CompressedModel(runnable_config(layers=4))
    model.keys["aretusa"] = {"version": 1, "layers": [0, 1, 1, 3, 0]}
    for index, module in enumerate(model.modules()):
        model.code(module, 2 + index % 7)
        model.adapter(module, 4)
    return model


def mixture() -> CompressedModel:
    """Layers of one kind with different forms: what they share must suit all of them."""
    config = runnable_config(
        layers=4, hidden_size=288, ffn_size=320, heads=9, kv_heads=3, head_dim=32
    )
    model = CompressedModel(config)
    for module in model.modules():
        if ".0." in module:
            model.code(module, 5)
        elif ".1." in module:
            model.gptq(module, Gptq(group_size=32))
        elif ".2." in module:
            model.gptq(module, Gptq(group_size=128, symmetric=False))
    model.keys["quantization_config"] = Gptq(symmetric=False).config
    return model


PATTERNS: Final = ((1, 2), (2, 4), (3, 4), (4, 8), (6, 8), (8, 16), (12, 16), (1, 8))


def zero_columns() -> CompressedModel:
    model = CompressedModel(runnable_config(Family.QWEN2, hidden_size=96, ffn_size=160, heads=6))
    for index, module in enumerate(model.modules()):
        if index % 2:
            model.code(module, 2 + index % 7)
        model.prune(module, *PATTERNS[index % len(PATTERNS)])
    model.prune("lm_head", 3, 4)
    return model


MODELS: Final[dict[str, Callable[[], CompressedModel]]] = {
    "codes": codes,
    "pairs and adapters": pairs_and_adapters,
    "shared blocks": shared_blocks,
    "mixture": mixture,
    "zero columns": zero_columns,
    "gptq": gptq,
    "gptq 128": lambda: gptq(group_size=128),
    "gptq zeros": lambda: gptq(group_size=64, symmetric=False),
    "gptq 3 bits": lambda: gptq(bits=3, group_size=128, symmetric=False, version=2),
    "gptq 2 bits": lambda: gptq(bits=2, group_size=32),
    "gptq 8 bits": lambda: gptq(bits=8, group_size=128),
    "gptq 8 bits zeros": lambda: gptq(bits=8, group_size=128, symmetric=False),
    "gptq rows": lambda: gptq(bits=4, group_size=-1),
    "gptq rows zeros": lambda: gptq(bits=4, group_size=-1, symmetric=False),
    "gptq 8 bits rows zeros": lambda: gptq(bits=8, group_size=-1, symmetric=False),
}


def check(build: Path) -> None:
    options = VerifyOptions(prompt_tokens=11, new_tokens=3, executions=ALL)
    result = verify_build(build, options)
    assert [one.mismatches for one in result.executions] == [0] * len(ALL)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODELS)
def test_forms_agree_in_every_bit(
    name: str, engine: Engine | None, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    model = MODELS[name]()
    build = build_of(model.write(tmp_path / "model"), engine=engine)
    program = Program.open(build)
    used = program.graph.weight_types().keys() & model.values.keys()
    assert used or not model.values
    for matrix in used:
        np.testing.assert_array_equal(program.weights.real_matrix(matrix), model.values[matrix])
    check(build)


def test_blocks_that_share_weights_store_them_once(
    tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    model = shared_blocks()
    build = build_of(model.write(tmp_path / "model"))
    manifest = Program.open(build).manifest
    names = [region.name for region in manifest.regions if region.kind == "weight"]
    assert len(names) == len(set(names))
    assert {name.split(".")[2] for name in names if ".layers." in name} == {"0", "1", "3"}
    caches = {region.name for region in manifest.regions if region.kind == "cache"}
    assert caches == {f"l{block}.{role}" for block in range(5) for role in ("keys", "values")}
