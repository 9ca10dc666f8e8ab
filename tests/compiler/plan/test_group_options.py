"""Matrices with groups along the depth: where they may run, and the numbers in the reason."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from aretusa.ir import ops
from aretusa.ir.types import DenseType, DType, TensorType, Value
from aretusa.mapping.linear import engine_choices
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.plan.goal import Goal
from aretusa.plan.linear_options import Setting, linear_options
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from aretusa.plan.choice import Option

MATRIX: Final = DenseType(rows=252, depth=252, bits=4, group=32, zero=8)
RINGS: Final = {
    "tiles": Ring(memory=MemoryId.L1, slots=2, slot_bytes=8192),
    "pages": Ring(memory=MemoryId.SRAM, slots=2, slot_bytes=1 << 18),
}


def options_of(matrix: DenseType, engine: Engine | None = None) -> tuple[Option, ...]:
    op = ops.Linear(
        layer=0,
        src=Value("src", TensorType(("tokens", matrix.depth), DType.Q8)),
        weight="w",
        bias=None,
        residual=None,
        out=Value("out", TensorType(("tokens", matrix.rows), DType.F32)),
    )
    setting = Setting(
        target=load_target(),
        goal=Goal(prefill_tokens=8, decode_tokens=8),
        working=WorkingSet(chunk=4, **RINGS),
    )
    return linear_options(op, matrix, setting, engine)


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


@pytest.mark.parametrize("engine", [Engine.NEUREKA_3X3, Engine.NEUREKA_1X1, Engine.SPLIT])
def test_an_engine_that_is_asked_for_runs_groups(engine: Engine) -> None:
    assert {option.engine for option in options_of(MATRIX, engine)} == {engine}


def test_the_choice_is_open_and_says_what_it_costs() -> None:
    found = {
        option.engine: option
        for option in options_of(MATRIX)
        if option.homes[0][1] is MemoryId.MRAM
    }
    assert set(found) == {Engine.NEUREKA_3X3, Engine.NEUREKA_1X1, Engine.CLUSTER}
    jobs, groups, cycles, size, there, _, bits, folded, *_ = numbers(
        found[Engine.NEUREKA_1X1].reason
    )
    assert (jobs, groups, bits) == (8, 8, 8)
    assert cycles * 8 == found[Engine.NEUREKA_1X1].load.decode_work
    assert there * 8 == found[Engine.CLUSTER].load.decode_work
    assert folded < cycles < there
    assert size == dict(found[Engine.NEUREKA_1X1].usage)[MemoryId.MRAM]
    assert "round anew" in found[Engine.CLUSTER].reason
    assert f"{there:,} cycles" in found[Engine.CLUSTER].reason


@pytest.mark.parametrize("obstacle", ["is_table", "is_unsigned"])
def test_what_cannot_be_stays_on_the_cluster(obstacle: str) -> None:
    for engine in (None, Engine.NEUREKA_1X1):
        (mapping,) = engine_choices(MATRIX, engine, **{obstacle: True})
        assert mapping.engine is Engine.CLUSTER
        assert mapping.reason
    whole = replace(MATRIX, group=0)
    assert len(engine_choices(whole, None, **{obstacle: True})) > 1
