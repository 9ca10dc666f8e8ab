"""Networks as Deeploy schedules them, played on the simulator's engine: deeploy_schedules.toml.

One op after another, nothing side by side: for each tile its inputs come to L1, the cores or
N-EUREKA compute, its outputs go back to L2. Without tiles the cores work on L2.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deeploy_kernels import Name, Shape, kernel_cycles

from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.registers import TILE_COLS, TILE_ROWS, Mode, WeightSource
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.event import Extent, Queue, TransferStart
from aretusa_sim.durations import Durations
from aretusa_sim.engine import Timeline
from aretusa_sim.units import JOBS, Cause, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aretusa.target.description import Target

SCHEDULES: Final = Path(__file__).with_name("deeploy_schedules.toml")
CHIP: Final = Path(__file__).with_name("deeploy_chip.toml")
SCALE_BITS: Final = 32  # of their jobs, which have biases and 8-bit results
WEIGHT_BITS: Final = 8
SHAPE: Final = tuple(field.name for field in fields(Shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What their code around tiles costs, fitted to one row each."""

    op_cycles: int  # of core 0, with code that is not in the cache
    first_transfer_cycles: int  # the same for the transfers of an op's first tile


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """So many equal tiles in a row, and the transfers of each."""

    times: int
    shape: Shape
    in_bytes: tuple[int, ...] = ()
    out_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Op:
    """A kernel over all of its tiles."""

    kernel: Name
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What runs before the layers, each so many times, and one of equal layers."""

    layers: int
    first: tuple[tuple[int, Op], ...]
    layer: tuple[Op, ...]

    def ops(self) -> Iterator[Op]:
        """In their order."""
        for times, op in self.first:
            yield from (op,) * times
        for _ in range(self.layers):
            yield from self.layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Where the cycles of core 0 go; `total` is their sum."""

    kernels: int  # of the cores
    engine: int  # core 0 sleeps while N-EUREKA computes
    transfers: int  # or MCHAN moves
    around: int  # closures, giving work, barriers

    @property
    def total(self) -> int:
        """All of them."""
        return self.kernels + self.engine + self.transfers + self.around


class Deeploy:
    """The chip under Deeploy's software, from time 0 on."""

    def __init__(self, *, cores: int | None = None) -> None:
        """With all cores, or so many."""
        target = load_target(str(CHIP))
        if cores is not None:
            target = replace(target, cluster=replace(target.cluster, cores=cores))
        self.target: Target = target
        self.fitted = fitted()
        self.durations = Durations(target)
        self.timeline = Timeline(self.durations.costs)
        self._kernels = 0
        self._transfers = 0  # given

    def run(self, network: Network) -> Spent:
        """All ops of a network."""
        for op in network.ops():
            self.op(op)
        stalls = self.timeline.stalls
        waited = stalls[Cause.ENGINE] + stalls[Cause.DMA]
        return Spent(
            kernels=self._kernels,
            engine=stalls[Cause.ENGINE],
            transfers=stalls[Cause.DMA],
            around=self.timeline.now - self._kernels - waited,
        )

    def op(self, op: Op) -> list[TileCycles]:
        """One op; what its tiles took, equal ones once."""
        self.timeline.work(self.fitted.op_cycles, 0)
        found: list[TileCycles] = []
        for number, tile in enumerate(op.tiles):
            spent = self._tile(op.kernel, tile, is_first=number == 0)
            found.append(spent)
            for _ in range(tile.times - 1):
                self._tile(op.kernel, tile, is_first=False)
        return found

    def _tile(self, kernel: Name, tile: Tile, *, is_first: bool) -> TileCycles:
        start = self.timeline.now
        self._move(tile.in_bytes, is_in=True, is_first=is_first)
        loaded = self.timeline.now
        self._compute(kernel, tile)
        computed = self.timeline.now
        self._move(tile.out_bytes, is_in=False, is_first=is_first)
        return TileCycles(loaded - start, computed - loaded, self.timeline.now - computed)

    def _move(self, sizes: tuple[int, ...], *, is_in: bool, is_first: bool) -> None:
        """Transfers are given one after the other, and all of them awaited."""
        if not sizes:
            return
        if is_first:
            self.timeline.work(self.fitted.first_transfer_cycles, 0)
        for size in sizes:
            self._transfers += 1
            source = Extent("", MemoryId.L2 if is_in else MemoryId.L1, 0, size)
            end = Extent("", MemoryId.L1 if is_in else MemoryId.L2, 0, size)
            transfer = TransferStart(Queue.DMA, self._transfers, source, end)
            self.timeline.give(Queue.DMA, self.durations.transfer(transfer), 0)
        self.timeline.wait(Queue.DMA, 0)

    def _compute(self, kernel: Name, tile: Tile) -> None:
        """A job is given and awaited; other kernels run between a fork and a barrier."""
        timeline = self.timeline
        if kernel == "engine":
            cycles = job_cycles(job_of(tile.shape), self.target.neureka).total
            timeline.give(JOBS, ((int(Unit.ENGINE), cycles),), 0)
            timeline.wait(JOBS, 0)
            return
        memory = MemoryId.L1 if tile.in_bytes else MemoryId.L2
        cycles = kernel_cycles(kernel, tile.shape, self.target, memory)
        self._kernels += cycles
        timeline.barrier()
        timeline.work(cycles, 0)
        timeline.barrier()


@dataclass(frozen=True, slots=True)
class TileCycles:
    """One tile: until its inputs are there, its kernel is through, its outputs are back."""

    load: int
    kernel: int
    store: int


def job_of(shape: Shape) -> EngineWork:
    """A linear layer as a 1x1 convolution; pixels form the rectangle of fewest tiles."""
    pixels = shape.rows
    sides = [(rows, pixels // rows) for rows in range(1, pixels + 1) if pixels % rows == 0]
    rows, cols = min(sides, key=lambda side: ceil(side[0] / TILE_ROWS) * ceil(side[1] / TILE_COLS))
    return EngineWork(
        mode=Mode.DENSE_1X1,
        bits=WEIGHT_BITS,
        out_channels=shape.outs,
        in_channels=shape.depth,
        out_rows=rows,
        out_cols=cols,
        source=WeightSource.L1,  # words from the weight memory take as long
        has_8_bit_output=True,
        scale_bits=SCALE_BITS,
        has_bias=True,
    )


@cache
def fitted() -> Fitted:
    """The constants of deeploy_schedules.toml."""
    return Fitted(**_document()["fitted"])


@cache
def networks() -> Mapping[str, Network]:
    """By the names that deeploy_schedules.toml gives them."""
    return {
        name: Network(
            layers=table["layers"],
            first=tuple((entry["times"], _op(entry)) for entry in table["first"]),
            layer=tuple(map(_op, table["layer"])),
        )
        for name, table in _document()["network"].items()
    }


def _op(entry: Mapping[str, Any]) -> Op:
    return Op(entry["kernel"], tuple(map(_tile, entry["tiles"])))


def _tile(entry: Mapping[str, Any]) -> Tile:
    shape = {key: entry[key] for key in SHAPE if key in entry}
    return Tile(
        times=entry.get("times", 1),
        shape=Shape(**shape),
        in_bytes=tuple(entry.get("in_bytes", ())),
        out_bytes=tuple(entry.get("out_bytes", ())),
    )


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(SCHEDULES.read_text("utf-8"))
