"""Every engine mapping and width gives the bits of the reference, on the host and in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tiny_models import runnable_config, write_model

from aretusa.execution.firmware import Platform
from aretusa.frontend.llama_config import Family
from aretusa.neureka.linear import Engine
from aretusa.program import Program
from aretusa.verbs.executions import compiled_execution, numpy_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def test_groups_stay_on_the_cluster(tmp_path: Path, build_of: Callable[..., Path]) -> None:
    model = write_model(tmp_path / "model", ODD)
    build = build_of(model, engine=Engine.NEUREKA_3X3, weights="w4g32")
    assert engines_of(build) <= {None, "neureka-3x3"}
    assert Program.open(build).graph.ops[2].engine is None  # type: ignore[union-attr]
