"""Matrices with zero columns: dense or without them, by bytes and cycles; the report says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compressed_checkpoints import CompressedModel
from rich.console import Console
from tiny_models import runnable_config

from aretusa.ir import ops
from aretusa.ir.types import DenseType, DType, TensorType, Value
from aretusa.mapping.linear import engine_choices
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.plan.goal import Goal
from aretusa.plan.linear_options import Setting, linear_options
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.ui_plan import print_plan
from aretusa.verbs.plan import PlanRequest, plan_model

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from aretusa.plan.choice import Option

SPARSE = DenseType(rows=256, depth=576, bits=8, pattern=(2, 4))


def options_of(matrix: DenseType) -> tuple[Option, ...]:
    tiles = Ring(memory=MemoryId.L1, slots=2, slot_bytes=8192)
    pages = Ring(memory=MemoryId.SRAM, slots=2, slot_bytes=65536)
    working = WorkingSet(chunk=1, tiles=tiles, pages=pages)
    goal = Goal(prefill_tokens=1, decode_tokens=1)
    op = ops.Linear(
        layer=0,
        src=Value("src", TensorType((1, matrix.depth), DType.Q8)),
        weight="w",
        bias=None,
        residual=None,
        out=Value("out", TensorType((1, matrix.rows), DType.F32)),
    )
    setting = Setting(target=load_target("siracusa"), goal=goal, working=working)
    return linear_options(op, matrix, setting, None)


def test_off_chip_fewer_bytes_are_fewer_cycles() -> None:
    found = options_of(SPARSE)
    away = [option for option in found if option.usage[0][0] is MemoryId.L3]
    packed = min((o for o in away if o.is_packed), key=lambda o: o.load.decode_link)
    dense = min((o for o in away if not o.is_packed), key=lambda o: o.load.decode_link)
    assert packed.usage[0][1] < 0.7 * dense.usage[0][1]
    assert packed.load.decode_link < 0.7 * dense.load.decode_link
    near = [option for option in found if option.usage[0][0] is MemoryId.MRAM]
    assert not min(near, key=lambda o: o.load.decode_work).is_packed


def test_without_a_pattern_there_is_no_such_option() -> None:
    plain = DenseType(rows=256, depth=576, bits=8)
    assert not any(option.is_packed for option in options_of(plain))
    assert not any(choice.is_packed for choice in engine_choices(SPARSE, None, is_table=True))
    assert not any(choice.is_packed for choice in engine_choices(SPARSE, Engine.NEUREKA_3X3))


def test_the_plan_shows_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = CompressedModel(runnable_config(hidden_size=96, ffn_size=160, heads=6))
    for module in model.modules():
        model.prune(module, 6, 8)
    options = CompileOptions(engine=Engine.CLUSTER, context=64, chunk=8)
    report = plan_model(model.write(tmp_path), PlanRequest(options=options))
    sparse = [row for row in report.layers if row.sparsity]
    assert {row.sparsity for row in sparse} == {"6:8"}
    assert {row.engine for row in sparse} == {"cluster"}
    assert any("14 of them are stored so" in note for note in report.notes)
    print_plan(report, Console(width=200))
    assert "w8 6:8" in capsys.readouterr().out
