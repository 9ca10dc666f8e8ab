"""Every engine mapping and width gives the bits of the reference, on the host and in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from tiny_models import compile_tiny, runnable_config, write_gguf_model, write_model

from aretusa.execution.firmware import Platform
from aretusa.frontend.llama_config import Family
from aretusa.ir import ops
from aretusa.neureka.linear import Engine
from aretusa.program import Program
from aretusa.quantization.schemes import SCHEMES
from aretusa.verbs.executions import compiled_execution, numpy_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.quantization.schemes import QuantisedMatrix

EXECUTIONS: Final = (
    numpy_execution(8),
    compiled_execution(Platform.HOST, cores=8, chunk=8),
    compiled_execution(Platform.HOST, cores=1, chunk=3),
)
QEMU: Final = (compiled_execution(Platform.QEMU, cores=8, chunk=8),)
OPTIONS: Final = {"prompt_tokens": 11, "new_tokens": 3}
# A head of its own, biases, and widths that fill no tile: 100 columns are 12 channels of 9 taps.
ODD: Final = runnable_config(Family.QWEN2, ffn_size=100)
NEUREKA: Final = [engine for engine in Engine if engine is not Engine.CLUSTER]


def engines_of(build: Path) -> set[str | None]:
    graph = Program.open(build).graph
    return {op.engine for op in graph.ops if type(op).__name__ == "Linear"}


@pytest.mark.parametrize("engine", NEUREKA)
def test_an_engine_agrees_on_the_host(
    engine: Engine, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    build = build_of(write_model(tmp_path / "model", ODD), engine=engine, weights="w4")
    assert engine.value in engines_of(build)
    result = verify_build(build, VerifyOptions(executions=EXECUTIONS, **OPTIONS))
    assert result.mismatches == 0


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("engine", Engine)
def test_every_engine_and_width_agrees(
    engine: Engine, bits: int, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    build = build_of(write_model(tmp_path / "model", ODD), engine=engine, weights=f"w{bits}")
    result = verify_build(build, VerifyOptions(executions=(*EXECUTIONS, *QEMU), **OPTIONS))
    assert result.mismatches == 0


def grouped_model(folder: Path, scheme: str) -> Path:
    """A model whose matrices have groups; of 100 columns the last group has few."""
    if scheme in SCHEMES:
        return write_model(folder / "model", ODD)
    return write_gguf_model(folder / "model.gguf", runnable_config(), matrix_type=scheme)


@pytest.mark.parametrize(
    ("engine", "scheme"),
    [
        (Engine.NEUREKA_3X3, "w4g32"),
        (Engine.NEUREKA_1X1, "Q4_1"),
        (Engine.SPLIT, "w8g64"),
        (None, "Q4_1"),
    ],
)
def test_groups_agree_on_the_host(
    engine: Engine | None, scheme: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    """The engine runs a job for each group, and its terms are added in the order of the cluster."""
    options = {"weights": scheme} if scheme in SCHEMES else {}
    build = build_of(grouped_model(tmp_path, scheme), engine=engine, **options)
    found = engines_of(build)
    assert found - {None, "cluster"}
    assert engine is None or engine.value in found
    result = verify_build(build, VerifyOptions(executions=EXECUTIONS, **OPTIONS))
    assert result.mismatches == 0


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("scheme", ["w4g32", "w4g64", "w4g128", "w8g32", "Q4_0", "Q4_1", "Q8_0"])
@pytest.mark.parametrize("engine", NEUREKA)
def test_every_engine_and_group_agrees(
    engine: Engine, scheme: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    options = {"weights": scheme} if scheme in SCHEMES else {}
    build = build_of(grouped_model(tmp_path, scheme), engine=engine, **options)
    assert engine.value in engines_of(build)
    result = verify_build(build, VerifyOptions(executions=(*EXECUTIONS, *QEMU), **OPTIONS))
    assert result.mismatches == 0


@pytest.mark.parametrize("engine", NEUREKA)
@pytest.mark.parametrize("scheme", ["w4g32", "w8g64", "Q4_1"])
def test_images_give_grouped_matrices_back(
    engine: Engine, scheme: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    """A matrix unpacked from the engine's layout is the one unpacked from the cluster's."""
    options = {"weights": scheme} if scheme in SCHEMES else {}
    model = grouped_model(tmp_path, scheme)
    matrices = [
        compiled_matrices(compile_tiny(model, tmp_path / choice.value, engine=choice, **options))
        for choice in (engine, Engine.CLUSTER)
    ]
    for name, matrix in matrices[0].items():
        other = matrices[1][name]
        assert matrix.codes.dtype == other.codes.dtype
        np.testing.assert_array_equal(matrix.dequantise(), other.dequantise(), err_msg=name)


def compiled_matrices(build: Path) -> dict[str, QuantisedMatrix]:
    program = Program.open(build)
    names = [op.weight for op in program.graph.ops if isinstance(op, ops.Linear)]
    return {name: program.weights.matrix(name) for name in names}
