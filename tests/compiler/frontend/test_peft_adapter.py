"""Adapters that peft saved: scaled branches beside the matrices, and clear refusals."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import ml_dtypes
import numpy as np
import pytest
from checkpoints import safetensors_bytes
from compressed_checkpoints import CompressedModel, Gptq

from aretusa.errors import AretusaError, UnsupportedError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.outline import open_outline
from aretusa.frontend.weights import FloatWeight
from aretusa.quantization.schemes import Scheme
from aretusa.quantization.store import DeclaredWeights, QuantisedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

Q_PROJ: Final = "model.layers.0.self_attn.q_proj"
DOWN: Final = "model.layers.1.mlp.down_proj"
PREFIX: Final = "base_model.model."
OPTIONS: Final = {"peft_type": "LORA", "r": 4, "lora_alpha": 6, "bias": "none", "use_dora": False}


def branches(prefix: str = PREFIX, dtype: Any = np.float32) -> dict[str, NDArray[Any]]:  # noqa: ANN401
    random = np.random.default_rng(5)
    shapes = {Q_PROJ: (64, 64, 4), DOWN: (64, 96, 3)}
    found = {}
    for module, (rows, depth, rank) in shapes.items():
        found[f"{prefix}{module}.lora_A.weight"] = random.standard_normal((rank, depth))
        found[f"{prefix}{module}.lora_B.weight"] = random.standard_normal((rows, rank))
    return {name: values.astype(dtype) for name, values in found.items()}


def write_adapter(
    path: Path, tensors: dict[str, NDArray[Any]] | None = None, **options: object
) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "adapter_config.json").write_text(json.dumps(OPTIONS | options))
    data = safetensors_bytes(branches() if tensors is None else tensors)
    (path / "adapter_model.safetensors").write_bytes(data)
    return path


def outer_factors(model: Path, adapter: Path) -> dict[str, NDArray[np.float32]]:
    """The second factor of each branch as it is compiled."""
    checkpoint = open_checkpoint(model, adapter)
    found = {}
    for module in (Q_PROJ, DOWN):
        weight = checkpoint.load(f"{module}.adapter_out.weight")
        assert isinstance(weight, FloatWeight)
        found[module] = weight.values
    return found


@pytest.mark.parametrize("prefix", [PREFIX, ""])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_branches_stand_beside_the_matrices(tmp_path: Path, prefix: str, dtype: object) -> None:
    tensors = branches(prefix, dtype)
    model = CompressedModel().write(tmp_path / "model")
    adapter = write_adapter(tmp_path / "adapter", tensors)
    checkpoint = open_checkpoint(model, adapter)
    assert checkpoint.structure.adapters == {Q_PROJ: 4, DOWN: 3}
    assert open_outline(model, adapter).structure == checkpoint.structure
    for module, rank in checkpoint.structure.adapters.items():
        inner = checkpoint.load(f"{module}.adapter_in.weight")
        outer = checkpoint.load(f"{module}.adapter_out.weight")
        assert isinstance(inner, FloatWeight)
        assert isinstance(outer, FloatWeight)
        stored = [tensors[f"{prefix}{module}.lora_{side}.weight"] for side in "AB"]
        np.testing.assert_array_equal(inner.values, stored[0].astype(np.float32))
        scaled = stored[1].astype(np.float32) * np.float32(6 / rank)
        np.testing.assert_array_equal(outer.values, scaled)


def test_the_scale_follows_the_options(tmp_path: Path) -> None:
    model = CompressedModel().write(tmp_path / "model")
    plain = branches()
    down = plain[f"{PREFIX}{DOWN}.lora_B.weight"]
    stabilised = write_adapter(tmp_path / "stabilised", use_rslora=True)
    found = outer_factors(model, stabilised)[DOWN]
    np.testing.assert_array_equal(found, down * np.float32(6 / math.sqrt(3)))
    own = write_adapter(tmp_path / "own", alpha_pattern={"mlp.down_proj": 9, "k_proj": 1})
    np.testing.assert_array_equal(outer_factors(model, own)[DOWN], down * np.float32(3))


def test_an_adapter_changes_the_fingerprint(tmp_path: Path) -> None:
    model = CompressedModel().write(tmp_path / "model")
    adapter = write_adapter(tmp_path / "adapter")
    before = open_checkpoint(model).fingerprint()
    with_it = open_checkpoint(model, adapter).fingerprint()
    write_adapter(adapter, lora_alpha=7)
    assert len({before, with_it, open_checkpoint(model, adapter).fingerprint()}) == 3


def test_adapters_keep_8_bits_unless_a_rule_says_otherwise(tmp_path: Path) -> None:
    compressed = CompressedModel()
    compressed.gptq(DOWN, Gptq())
    adapter = write_adapter(tmp_path / "adapter")
    checkpoint = open_checkpoint(compressed.write(tmp_path / "model"), adapter)
    source = QuantisedCheckpoint(checkpoint=checkpoint, scheme=Scheme(4), context=16)
    assert source.matrix(f"{DOWN}.adapter_in.weight").bits == 8
    assert source.matrix(f"{DOWN}.weight").group == 32
    assert DeclaredWeights(scheme=Scheme(4)).scheme_of(f"{Q_PROJ}.weight") == Scheme(4)


def edit(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    tensors: dict[str, Any] = branches()
    change(tensors)
    return tensors


DAMAGE: Final[list[tuple[dict[str, Any], dict[str, Any] | None, str]]] = [
    ({"peft_type": "PREFIX_TUNING"}, None, "PREFIX_TUNING"),
    ({"use_dora": True}, None, "use_dora"),
    ({"bias": "all"}, None, "bias"),
    ({"fan_in_fan_out": True}, None, "fan_in_fan_out"),
    ({"modules_to_save": ["lm_head"]}, None, "modules_to_save"),
    ({"alpha_pattern": {".*proj": 2}}, None, "pattern"),
    ({}, edit(lambda t: t.pop(f"{PREFIX}{DOWN}.lora_B.weight")), "do not fit"),
    ({}, edit(lambda t: t.update(other=np.ones(3, np.float32))), "'other'"),
    ({}, edit(lambda t: t.clear()), "nothing"),
    (
        {},
        edit(lambda t: t.update({f"{PREFIX}{DOWN}.lora_A.weight": np.ones((3, 64), np.float32)})),
        "wrong shape",
    ),
    (
        {},
        edit(lambda t: t.update({f"{PREFIX}{DOWN}.lora_A.weight": np.ones((2, 96), np.float32)})),
        "do not fit",
    ),
    ({}, {name.replace("down", "sideways"): v for name, v in branches().items()}, "no matrix"),
]


@pytest.mark.parametrize(("options", "tensors", "says"), DAMAGE)
def test_what_is_no_plain_branch_is_refused(
    tmp_path: Path, options: dict[str, Any], tensors: dict[str, Any] | None, says: str
) -> None:
    model = CompressedModel().write(tmp_path / "model")
    adapter = write_adapter(tmp_path / "adapter", tensors, **options)
    with pytest.raises(AretusaError, match=says) as caught:
        open_checkpoint(model, adapter)
    assert caught.value.code == "E0146"


def test_a_second_adapter_is_refused(tmp_path: Path) -> None:
    model = CompressedModel()
    model.adapter(DOWN, 4)
    with pytest.raises(AretusaError, match="already") as caught:
        open_checkpoint(model.write(tmp_path / "model"), write_adapter(tmp_path / "adapter"))
    assert caught.value.code == "E0146"


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_both_files_are_needed(tmp_path: Path, missing: str) -> None:
    model = CompressedModel().write(tmp_path / "model")
    adapter = write_adapter(tmp_path / "adapter")
    (adapter / missing).unlink()
    with pytest.raises(AretusaError, match=missing) as caught:
        open_checkpoint(model, adapter)
    assert caught.value.code == "E0146"


def test_pickles_and_files_are_refused(tmp_path: Path) -> None:
    model = CompressedModel().write(tmp_path / "model")
    adapter = write_adapter(tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(UnsupportedError) as caught:
        open_checkpoint(model, adapter)
    assert caught.value.code == "E0124"
    with pytest.raises(AretusaError) as missing:
        open_checkpoint(model, tmp_path / "nowhere")
    assert missing.value.code == "E0001"
