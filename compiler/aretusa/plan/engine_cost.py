"""Cycles of a linear layer's rows on N-EUREKA: its units one after another, finished beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from aretusa.cost.control import linear_control
from aretusa.cost.groups import add_group_call, finish_totals_call
from aretusa.cost.kernels import finish_sums_call
from aretusa.ir.types import SUM_RUN
from aretusa.memory.linear_plan import group_pixels, group_tokens, unit_rows
from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.layout import gemv_3x3_channels
from aretusa.neureka.linear import engine_bytes
from aretusa.neureka.registers import TILE_COLS, Mode, WeightSource
from aretusa.quantization.schemes import CHANNEL
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.neureka.timing import NeurekaTiming
    from aretusa.target.description import LinearControl, Target


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows and tokens of one group of the depth: they run as one job (or two).

    Behind the last group of its rows and tokens the results are finished.
    """

    rows: int
    tokens: int
    length: int
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class EngineCost:
    """Cycles of all units: of the engine alone, and until the last result is stored."""

    engine_cycles: int
    cycles: int
    weight_bytes: int  # read from the weight memory
    jobs: int


@dataclass(frozen=True, slots=True)
class UnitCost:
    """The engine's cycles, those of core 0 to give the jobs, those of the cores to finish."""

    length: int
    jobs: int
    program: int
    finish: int
    weight_bytes: int


def units(plan: LinearPlan, piece: EnginePiece, tokens: int, *, is_paged: bool) -> Iterator[Unit]:
    """In the order in which the program gives them to the engine."""
    page = plan.slice_rows if is_paged else piece.rows
    run = min(page, piece.band_rows or page)
    most = unit_rows(plan, piece, tokens, is_paged=is_paged)
    shared = group_tokens(piece, tokens) if plan.input_bytes or _reads_pixels(piece) else 1
    lengths = piece.group_lengths
    for first in range(0, piece.rows, run):
        here = min(run, piece.rows - first)
        for row in range(0, here, most):
            for token in range(0, tokens, shared):
                rows, together = min(most, here - row), min(shared, tokens - token)
                for group, length in enumerate(lengths, 1):
                    yield Unit(rows, together, length, group == len(lengths))


def engine_cost(
    plan: LinearPlan,
    piece: EnginePiece,
    tokens: int,
    target: Target,
    home: MemoryId,
    *,
    tiles_cycles: int = 0,
) -> EngineCost:
    """One step of `tokens` tokens with weights at `home` (L3: paged into the SRAM).

    The cores turn to their own rows, which take `tiles_cycles`, when the first unit is given.
    """
    is_paged = home is MemoryId.L3
    channels = MemoryId.SRAM if is_paged else home
    control = linear_control(
        target, tokens=tokens, group=piece.group, is_unsigned=piece.is_unsigned, home=home
    )
    known: dict[Unit, UnitCost] = {}
    found: list[UnitCost] = []
    for unit in units(plan, piece, tokens, is_paged=is_paged):
        if unit not in known:
            known[unit] = _unit_cost(unit, piece, target, channels, control)
        found.append(known[unit])
    return EngineCost(
        engine_cycles=sum(unit.length for unit in found),
        cycles=_pipelined(found, target, control, tiles_cycles),
        weight_bytes=sum(unit.weight_bytes for unit in found),
        jobs=sum(unit.jobs for unit in found),
    )


def _pipelined(
    found: list[UnitCost], target: Target, control: LinearControl, tiles_cycles: int
) -> int:
    """Cycles until the last result is stored.

    A unit's jobs are given once the sums of the unit before the last are read, and before the cores
    turn to those of the last one. The unit behind it is found before.
    """
    barrier = target.cluster.barrier_cycles
    now = control.layer_cycles + (found[0].program if found else 0)
    engine_end = now + (found[0].length if found else 0)
    now += tiles_cycles
    for number, (unit, following) in enumerate(zip_longest(found, found[1:])):
        now += control.unit_cycles + (barrier if number else 0)
        own_end = engine_end
        if following is not None:
            now += following.program
            engine_end = max(engine_end, now) + following.length
        now = max(now, own_end) + barrier + unit.finish
    return now


def _unit_cost(
    unit: Unit, piece: EnginePiece, target: Target, channels: MemoryId, control: LinearControl
) -> UnitCost:
    length, jobs, passes = unit_cycles(unit, piece, target)
    row_bytes = engine_bytes(piece.engine, 1, unit.length, piece.bits)
    return UnitCost(
        length=length,
        jobs=jobs,
        program=jobs * (control.job_cycles + target.neureka_features.program_cycles),
        finish=_finish(unit, piece, target, channels) + control.finish_cycles,
        weight_bytes=passes * unit.rows * row_bytes,
    )


def _finish(unit: Unit, piece: EnginePiece, target: Target, channels: MemoryId) -> int:
    """The cores scale what a unit left; scales and biases lie in the memory `channels`."""
    cores = target.cluster.cores
    if piece.group == CHANNEL:
        return finish_sums_call(
            cores,
            rows=unit.rows,
            tokens=unit.tokens,
            has_bias=piece.has_bias,
            has_residual=True,
            scales=channels,
        ).cycles(target)
    runs = -(-unit.length // SUM_RUN) if piece.has_minimum else 0
    cycles = add_group_call(
        cores, rows=unit.rows, tokens=unit.tokens, code_runs=runs, scales=channels
    ).cycles(target)
    if unit.is_last:
        cycles += finish_totals_call(
            cores,
            rows=unit.rows,
            tokens=unit.tokens,
            has_bias=piece.has_bias,
            has_residual=True,
            scales=channels,
        ).cycles(target)
    return cycles


def _reads_pixels(piece: EnginePiece) -> bool:
    return piece.engine.mode is Mode.DENSE_1X1


def unit_cycles(unit: Unit, piece: EnginePiece, target: Target) -> tuple[int, int, int]:
    """Cycles of the engine, number of jobs, and times that the weights are read."""
    works = list(_works(unit, piece))
    cycles = sum(_job(work, target.neureka) for work in works)
    tiles = sum(-(-work.out_rows // 6) * -(-work.out_cols // 6) for work in works)
    return cycles, len(works), tiles


def _works(unit: Unit, piece: EnginePiece) -> Iterator[EngineWork]:
    if piece.engine.mode is Mode.DENSE_1X1:
        rows, rest = divmod(unit.tokens, TILE_COLS)
        shapes = [(rows, TILE_COLS)] if rows else []
        shapes += [(1, rest)] if rest else []
        channels = unit.length
    else:
        pixels = group_pixels(piece, unit.tokens)
        shapes = [{1: (1, 1), 4: (1, 4), 16: (4, 4)}[pixels]]
        channels = gemv_3x3_channels(unit.length)
    for out_rows, out_cols in shapes:
        yield EngineWork(
            mode=piece.engine.mode,
            bits=piece.bits,
            out_channels=unit.rows,
            in_channels=channels,
            out_rows=out_rows,
            out_cols=out_cols,
            source=WeightSource.WEIGHT_MEMORY,
            has_prefetch=True,
        )


@cache
def _job(work: EngineWork, timing: NeurekaTiming) -> int:
    return job_cycles(work, timing).total
