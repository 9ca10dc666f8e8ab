"""Cycles of a linear layer's rows on N-EUREKA: its units one after another, finished beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aretusa.cost.kernels import finish_sums_call
from aretusa.memory.linear_plan import group_pixels, group_tokens, unit_rows
from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.layout import gemv_3x3_channels
from aretusa.neureka.registers import TILE_COLS, Mode, WeightSource
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.neureka.timing import NeurekaTiming
    from aretusa.target.description import Target


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows and tokens that run as one job (or two) and are finished together."""

    rows: int
    tokens: int


@dataclass(frozen=True, slots=True)
class EngineCost:
    """Cycles of all units: of the engine alone, and until the last result is stored."""

    engine_cycles: int
    cycles: int
    weight_bytes: int  # read from the weight memory


def units(plan: LinearPlan, piece: EnginePiece, tokens: int, *, is_paged: bool) -> Iterator[Unit]:
    """In the order in which the program gives them to the engine."""
    page = plan.slice_rows if is_paged else piece.rows
    most = unit_rows(plan, piece, tokens, is_paged=is_paged)
    group = group_tokens(piece, tokens) if plan.input_bytes or _reads_pixels(piece) else 1
    for first in range(0, piece.rows, page):
        here = min(page, piece.rows - first)
        for row in range(0, here, most):
            for token in range(0, tokens, group):
                yield Unit(min(most, here - row), min(group, tokens - token))


def engine_cost(
    plan: LinearPlan, piece: EnginePiece, tokens: int, target: Target, home: MemoryId
) -> EngineCost:
    """One step of `tokens` tokens with weights at `home` (L3: paged into the SRAM)."""
    is_paged = home is MemoryId.L3
    channels = MemoryId.SRAM if is_paged else home
    known: dict[Unit, tuple[int, int, int]] = {}
    finishes: dict[Unit, int] = {}
    engine_end = finish_end = previous_finish = busy = weight_bytes = 0
    for unit in units(plan, piece, tokens, is_paged=is_paged):
        if unit not in known:
            known[unit] = unit_cycles(unit, piece, target)
            finishes[unit] = _finish(unit, piece, target, channels)
        length, jobs, passes = known[unit]
        finish = finishes[unit]
        # A unit's jobs are given once the sums of the unit before the last are read.
        start = max(engine_end, previous_finish + jobs * target.neureka_features.program_cycles)
        previous_finish = finish_end
        engine_end = start + length
        finish_end = max(finish_end, engine_end) + finish + target.cluster.barrier_cycles * 2
        busy += length
        weight_bytes += passes * unit.rows * piece.row_bytes
    return EngineCost(engine_cycles=busy, cycles=finish_end, weight_bytes=weight_bytes)


def _finish(unit: Unit, piece: EnginePiece, target: Target, channels: MemoryId) -> int:
    """The cores scale what a unit left; scales and biases lie in the memory `channels`."""
    call = finish_sums_call(
        target.cluster.cores,
        rows=unit.rows,
        tokens=unit.tokens,
        has_bias=piece.has_bias,
        has_residual=True,
        scales=channels,
    )
    return call.cycles(target)


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
        channels = piece.depth
    else:
        pixels = group_pixels(piece, unit.tokens)
        shapes = [{1: (1, 1), 4: (1, 4), 16: (4, 4)}[pixels]]
        channels = gemv_3x3_channels(piece.depth)
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
