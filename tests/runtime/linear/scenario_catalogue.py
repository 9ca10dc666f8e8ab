"""Scenarios that differ in all that a plan decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from layer_weights import ClusterPart, EnginePart
from linear_scenarios import Memory, OpSpec, Residual, Scenario, ScenarioSpec, build_scenario

from aretusa.neureka.registers import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMS: Final = (
    (8, 0, False),
    (8, 32, False),
    (8, 64, True),
    (4, 0, False),
    (4, 32, False),
    (4, 32, True),
    (4, 128, False),
)
TOKENS: Final = (1, 2, 3, 4, 5, 8, 9, 13, 36, 37, 6, 7, 35)
HOMES: Final = (Memory.L2, Memory.SRAM, Memory.MRAM, Memory.L3)
ENGINE_HOMES: Final = (Memory.MRAM, Memory.SRAM, Memory.L3)
SCENARIOS: Final = 78
GROUPED: Final = 48  # scenarios behind those, in which every engine has groups along the depth
MACS: Final = 1 << 21  # of one op, at most


def _homes(rng: np.random.Generator, count: int, among: Sequence[Memory]) -> tuple[Memory, ...]:
    return tuple(among[int(i)] for i in rng.integers(0, len(among), count))


def _one_of(rng: np.random.Generator, *numbers: int) -> int:
    return numbers[int(rng.integers(0, len(numbers)))]


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """Both ends included."""
    return int(rng.integers(low, high + 1))


def _cluster(rng: np.random.Generator, index: int, rows: int) -> ClusterPart:
    return ClusterPart(rows=rows, form=FORMS[index % len(FORMS)], has_bias=rng.random() < 0.5)


def _engine(rng: np.random.Generator, index: int, rows: int) -> EnginePart:
    return EnginePart(
        rows=rows,
        mode=Mode.DENSE_1X1 if index % 2 else Mode.DENSE_3X3,
        bits=2 + index % 7,
        has_bias=rng.random() < 0.5,
        is_unsigned=index % 5 == 0,
    )


def _grouped(rng: np.random.Generator, index: int, rows: int) -> EnginePart:
    """With minimums now and then; bands of one tile, of two, or of all rows."""
    return EnginePart(
        rows=rows,
        mode=Mode.DENSE_1X1 if index % 2 else Mode.DENSE_3X3,
        bits=(4, 8, 4)[index // 2 % 3],
        has_bias=rng.random() < 0.5,
        group=(32, 64, 128)[index // 3 % 3],
        has_minimum=index // 2 % 3 == 2,
        band_rows=32 * _one_of(rng, 1, 2, -(-rows // 32)),
    )


def _tile_rows(rng: np.random.Generator, rows: int) -> int:
    """From one block to all rows, which need not be whole blocks."""
    blocks = -(-rows // 8)
    return 8 * _one_of(rng, 1, min(2, blocks), _between(rng, 1, blocks), blocks)


def _sums_bytes(rng: np.random.Generator, engine: EnginePart, tokens: int) -> int:
    """Room for 32 rows of the largest group, for all rows, or for something between."""
    least, most = min(32, engine.rows), engine.rows
    return 4 * engine.pixels(tokens) * _one_of(rng, least, most, _between(rng, least, most))


def _slice_rows(rng: np.random.Generator, engine: EnginePart | None) -> int:
    """Tiles of output channels, or bands."""
    step = 32 if engine is None or not engine.group else engine.band_rows
    return step * _between(rng, 1, 4)


def op_spec(
    rng: np.random.Generator,
    index: int,
    kind: int,
    layers: int,
    tokens: int,
    *,
    has_groups: bool = False,
) -> OpSpec:
    """A layer on the engine, on the cluster, or on both."""
    place = index % 3
    depth = _one_of(rng, _between(rng, 1, 40), _between(rng, 40, 330), 252, 288)
    limit = max(40, min(110, MACS // (depth * tokens)))
    make = _grouped if has_groups else _engine
    engine = make(rng, index, _between(rng, 1, limit)) if place != 0 else None
    cluster = _cluster(rng, index, _between(rng, 1, limit)) if place != 1 else None
    return OpSpec(
        kind=kind,
        depth=depth,
        engine=engine,
        cluster=cluster,
        engine_memories=() if engine is None else _homes(rng, layers, ENGINE_HOMES),
        cluster_memories=() if cluster is None else _homes(rng, layers, HOMES),
        tile_rows=0 if cluster is None else _tile_rows(rng, cluster.rows),
        slice_rows=_slice_rows(rng, engine),
        block_rows=32 * _one_of(rng, 1, 2, 8),
        sums_bytes=0 if engine is None else _sums_bytes(rng, engine, tokens),
        input_bytes=0 if engine is None else engine.input_bytes(tokens, depth),
    )


def scenario_spec(index: int) -> ScenarioSpec:
    """One or two kinds of one to three ops, in three or four layers, decoded after a chunk."""
    has_groups = index >= SCENARIOS
    rng = np.random.default_rng(index)
    tokens = TOKENS[index % len(TOKENS)]
    layers = ((0, 0), (1, 0), (0, 1), (1, 1))[: 3 + index % 2]
    if index % 3 == 0:
        layers = ((0, 0), (0, 1), (0, 2))
    kinds = sorted({kind for kind, _ in layers})
    count = {kind: sum(1 for other, _ in layers if other == kind) for kind in kinds}
    ops = [
        op_spec(rng, index + 5 * kind + nth, kind, count[kind], tokens, has_groups=has_groups)
        for kind in kinds
        for nth in range(1 + (index + kind) % 3)
    ]
    return ScenarioSpec(
        name=f"scenario {index}: {tokens} tokens",
        ops=tuple(ops),
        layers=layers,
        tokens=(tokens, 1) if tokens > 1 else (1, 1, 1),
        tile_slots=1 + index % 4,
        page_slots=1 + index // 2 % 3,
        residual=Residual(index % 3),
    )


def catalogue(step: int = 1) -> list[Scenario]:
    """Every step-th scenario."""
    return [
        build_scenario(scenario_spec(index), index) for index in range(0, SCENARIOS + GROUPED, step)
    ]
