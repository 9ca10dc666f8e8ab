"""What one step of a linear layer costs: cycles of work, bytes over each link, its bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.cost.control import transfer_cycles
from aretusa.cost.products import linear_call
from aretusa.cost.transfers import dma_cycles
from aretusa.memory.linear_plan import tile_bytes
from aretusa.plan.engine_cost import engine_cost
from aretusa.plan.link import link_cycles
from aretusa.quantization.schemes import container_bits
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.target.description import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearCost:
    """One step. `link_cycles` of the off-chip link run beside the rest."""

    cycles: int
    engine_cycles: int = 0
    cluster_cycles: int = 0
    dma_cycles: int = 0
    link_cycles: int = 0
    weight_port_bytes: int = 0
    dma_bytes: int = 0
    off_chip_bytes: int = 0

    @property
    def bound(self) -> str:
        """The unit that takes longest."""
        units = {
            "off-chip": self.link_cycles,
            "engine": self.engine_cycles,
            "dma": self.dma_cycles,
            "cluster": self.cluster_cycles,
        }
        return max(units, key=lambda unit: units[unit])


def linear_cost(
    plan: LinearPlan,
    tokens: int,
    target: Target,
    *,
    engine_home: MemoryId | None,
    rest_home: MemoryId | None,
) -> LinearCost:
    """Tiles come in while the cores multiply, beside the engine's first unit."""
    rest = LinearCost(cycles=0)
    if rest_home is not None:
        rest = _cluster(plan, tokens, target, rest_home)
    if engine_home is None:
        return rest
    total = _engine(plan, tokens, target, engine_home, rest.cycles)
    if rest_home is not None:
        total = LinearCost(
            cycles=total.cycles,
            engine_cycles=total.engine_cycles,
            cluster_cycles=total.cluster_cycles + rest.cluster_cycles,
            dma_cycles=rest.dma_cycles,
            link_cycles=total.link_cycles + rest.link_cycles,
            weight_port_bytes=total.weight_port_bytes,
            dma_bytes=rest.dma_bytes,
            off_chip_bytes=total.off_chip_bytes + rest.off_chip_bytes,
        )
    return total


def _engine(
    plan: LinearPlan, tokens: int, target: Target, home: MemoryId, tiles_cycles: int
) -> LinearCost:
    piece = plan.pieces[0]
    found = engine_cost(plan, piece, tokens, target, home, tiles_cycles=tiles_cycles)
    paged = piece.size_bytes if home is MemoryId.L3 else 0
    pages = -(-piece.rows // plan.slice_rows) if paged else 0
    arrays = 2 + piece.has_bias + piece.is_unsigned + piece.has_minimum
    giving = pages * arrays * transfer_cycles(target)
    return LinearCost(
        cycles=found.cycles + giving,
        engine_cycles=found.engine_cycles,
        cluster_cycles=max(0, found.cycles - tiles_cycles - found.engine_cycles),
        weight_port_bytes=found.weight_bytes,
        off_chip_bytes=paged,
        link_cycles=link_cycles(target, paged, transfers=pages),
    )


def _cluster(plan: LinearPlan, tokens: int, target: Target, home: MemoryId) -> LinearCost:
    matrix = plan.rests[0]
    tiles, last = divmod(matrix.rows, plan.tile_rows) if plan.tile_rows else (0, matrix.rows)
    shapes = [(tiles, plan.tile_rows)] if tiles else []
    shapes += [(1, last)] if last else []
    parts = 2 + matrix.has_minimum + plan.has_bias
    work = copied = moved = 0
    for count, rows in shapes:
        tile = replace(matrix, rows=rows, bits=container_bits(matrix.bits))
        size = tile_bytes(matrix, rows, has_bias=plan.has_bias)
        call = linear_call(
            target.cluster.cores, tile, tokens=tokens, has_bias=plan.has_bias, has_residual=True
        )
        around = target.control.tile_cycles + 2 * target.cluster.barrier_cycles
        work += count * (call.cycles(target) + around + parts * transfer_cycles(target))
        moved += count * size
        copied += count * dma_cycles(target, size)
    is_off_chip = home is MemoryId.L3  # tiles from there pass through L2
    link = link_cycles(target, moved, transfers=tiles + 1) if is_off_chip else 0
    return LinearCost(
        cycles=max(work, copied),
        cluster_cycles=work,
        dma_cycles=copied,
        link_cycles=link,
        dma_bytes=moved,
        off_chip_bytes=moved if is_off_chip else 0,
    )
