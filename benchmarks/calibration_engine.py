"""Calibration: N-EUREKA's jobs against what was measured on models of the chip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibration_rows import Group, Row

from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.job import gemv_3x3, linear_1x1
from aretusa.neureka.registers import TILE_COLS, TILE_ROWS, Mode, WeightSource
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calibration_rows import Use

    from aretusa.neureka.job import JobShape

POINT, FULL, DEPTHWISE = Mode.DENSE_1X1, Mode.DENSE_3X3, Mode.DEPTHWISE_3X3
NAMES: Final = {POINT: "1x1", FULL: "3x3", DEPTHWISE: "depthwise"}
OPS_PER_MAC: Final = 2
GIGA: Final = 1e9
SILICON_GOPS: Final = {8: 698.0, 2: 1950.0}  # arXiv 2312.14750, by bits of a weight
PEAK_IN_TILES: Final = 4  # of the job with which we compare: the 8-bit figure chose it

# depth, rows, cycles at 8, 4 and 2 bits in 3x3 mode; in 1x1 mode without and with prefetch
PRODUCTS: Final = (
    (252, 64, (613, 339, 211), (1471, 931)),
    (504, 128, (2313, 1289, 777), (5805, 3477)),
    (576, 192, (5171, 2867, 1715), (9779, 5819)),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A square job with 8-bit results, 8-bit scales and biases, and its published cycles."""

    mode: Mode
    channels: tuple[int, int]  # of the input, of the output
    pixels: int  # of the output, each way
    bits: int
    published: int
    options: str = ""  # of wmem, prefetch, pad, sums: 32-bit sums without normalisation

    @property
    def work(self) -> EngineWork:
        """What the engine's time depends on."""
        has_sums, pad = "sums" in self.options, int("pad" in self.options)
        source = WeightSource.WEIGHT_MEMORY if "wmem" in self.options else WeightSource.L1
        return EngineWork(
            mode=self.mode,
            bits=self.bits,
            in_channels=self.channels[0],
            out_channels=self.channels[1],
            out_rows=self.pixels,
            out_cols=self.pixels,
            source=source,
            has_prefetch="prefetch" in self.options,
            has_8_bit_output=not has_sums,
            scale_bits=0 if has_sums else 8,
            has_bias=not has_sums,
            pad_bottom=pad,
            pad_right=pad,
        )

    @property
    def name(self) -> str:
        """As in the table."""
        size = f"{self.channels[0]} > {self.channels[1]}, {self.pixels}x{self.pixels}"
        options = f", {self.options}" if self.options else ""
        return f"{NAMES[self.mode]} {size}, {self.bits} bits{options}"


VIRTUAL: Final = (
    Case(POINT, (32, 32), 6, 8, 158),
    Case(POINT, (64, 64), 6, 8, 496),
    Case(POINT, (64, 64), 6, 2, 496, "wmem"),
    Case(POINT, (64, 64), 6, 8, 654, "wmem sums"),
    Case(POINT, (64, 64), 12, 8, 1984, "wmem"),
    Case(POINT, (64, 64), 12, 8, 1444, "wmem prefetch"),
    Case(POINT, (128, 128), 12, 8, 4528, "wmem prefetch"),
    Case(POINT, (128, 128), 24, 8, 17590, "wmem prefetch"),
    Case(POINT, (256, 256), 1, 8, 6024),
    Case(FULL, (28, 32), 6, 8, 405),
    Case(FULL, (28, 32), 6, 4, 277),
    Case(FULL, (56, 64), 12, 8, 5118, "wmem prefetch pad"),
    Case(FULL, (56, 64), 12, 4, 3072, "wmem prefetch pad"),
    Case(FULL, (56, 64), 12, 4, 3800, "wmem pad"),
    Case(FULL, (112, 128), 12, 8, 19151, "wmem prefetch pad"),
    Case(DEPTHWISE, (28, 28), 6, 8, 176),
    Case(DEPTHWISE, (28, 28), 6, 8, 400, "wmem"),
    Case(DEPTHWISE, (56, 56), 12, 8, 3086, "wmem pad"),
    Case(DEPTHWISE, (56, 56), 12, 8, 1742, "wmem prefetch pad"),
)
RTL: Final = (
    Case(POINT, (32, 32), 6, 8, 167),
    Case(POINT, (64, 64), 6, 8, 527),
    Case(POINT, (64, 64), 6, 8, 685, "sums"),
    Case(POINT, (64, 64), 12, 8, 2105),
    Case(POINT, (64, 64), 12, 8, 1515, "wmem prefetch"),
    Case(POINT, (128, 128), 12, 8, 4823, "wmem prefetch"),
    Case(POINT, (40, 40), 9, 8, 1877),
    Case(POINT, (256, 256), 1, 8, 6761),
    Case(FULL, (28, 32), 6, 8, 409),
    Case(FULL, (28, 32), 6, 4, 281),
    Case(FULL, (56, 64), 6, 8, 1495, "wmem"),
    Case(FULL, (56, 64), 6, 4, 983, "wmem"),
    Case(FULL, (28, 32), 12, 8, 1633, "pad"),
    Case(FULL, (56, 64), 12, 4, 3929, "wmem pad"),
    Case(FULL, (56, 64), 12, 8, 4927, "wmem prefetch pad"),
    Case(FULL, (56, 64), 12, 4, 2879, "wmem prefetch pad"),
    Case(DEPTHWISE, (28, 28), 6, 8, 186),
    Case(DEPTHWISE, (28, 28), 6, 4, 182),
    Case(DEPTHWISE, (56, 56), 12, 8, 1501, "wmem pad"),
    Case(DEPTHWISE, (56, 56), 12, 8, 1170, "wmem prefetch pad"),
)
# The next version of the engine has an array of 4x4: neureka-rtl, dev/bench/data.js at ff7090e.
SMALL: Final = (
    Case(POINT, (32, 32), 4, 8, 141),
    Case(POINT, (32, 32), 1, 8, 124),
    Case(POINT, (32, 32), 8, 8, 550),
    Case(POINT, (64, 64), 4, 8, 441),
    Case(FULL, (28, 32), 4, 8, 494),
    Case(DEPTHWISE, (28, 28), 4, 8, 167),
)
SMALL_SIDE: Final = 4


def engine_groups() -> Iterator[Group]:
    """Everything about jobs alone."""
    yield Group(
        title="N-EUREKA, matrix-vector products",
        source="firmware on GVSoC's siracusa target (c309b6c), from the commit to the core behind "
        "its sleep, 32-bit sums, weights in the weight memory",
        unit="cycles",
        rows=tuple(_products()),
    )
    yield Group(
        title="N-EUREKA, jobs on the virtual platform",
        source="GVSoC's siracusa target (c309b6c), engine cycles or polled by firmware",
        unit="cycles",
        rows=tuple(map(_virtual, VIRTUAL)),
    )
    yield Group(
        title="N-EUREKA, jobs on the RTL",
        source="pulp-platform/neureka 60bcc79 under Verilator, cycles of its busy signal; one "
        "version after the chip's, 32 input channels in 3x3 where the chip has 28",
        unit="cycles",
        rows=tuple(
            Row(what=case.name, published=case.published, ours=_engine(case)) for case in RTL
        ),
    )
    yield Group(
        title="N-EUREKA, the open RTL's own regression",
        source="pulp-platform/neureka ff7090e, dev/bench/data.js: an array of 4x4 and a weight "
        "port of 288 bits",
        unit="cycles",
        rows=tuple(map(_small, SMALL)),
    )
    yield Group(
        title="N-EUREKA, peak of the silicon",
        source="arXiv 2312.14750, at 360 MHz: 3x3 with prefetch, full tiles, 32-bit scales and "
        "biases",
        unit="GOp/s",
        rows=tuple(_peaks()),
    )


def _products() -> Iterator[Row]:
    for depth, rows, dense, points in PRODUCTS:
        for bits, cycles in zip((8, 4, 2), dense, strict=True):
            shape = gemv_3x3(rows, depth, bits)
            what = f"3x3, {depth} > {rows}, {bits} bits"
            yield Row(what=what, published=cycles, ours=_awaited(shape), use="same")
        for has_prefetch, cycles in zip((False, True), points, strict=True):
            shape = linear_1x1(rows, depth, 8, 1, has_prefetch=has_prefetch)
            what = f"1x1, {depth} > {rows}, {'' if has_prefetch else 'no '}prefetch"
            yield Row(what=what, published=cycles, ours=_awaited(shape), use="same")


def _awaited(shape: JobShape) -> int:
    """As the simulator has it: the job, and the core wakes up."""
    target = load_target()
    return job_cycles(shape, target.neureka).total + target.cluster.wake_cycles


def _engine(case: Case) -> int:
    return job_cycles(case.work, load_target().neureka).engine


def _virtual(case: Case) -> Row:
    is_contradicted = case.mode is DEPTHWISE and "wmem" in case.options
    use: Use = "context" if is_contradicted else "same"
    note = "it reads 28 times as many words as the RTL, which we follow" if is_contradicted else ""
    return Row(what=case.name, published=case.published, ours=_engine(case), use=use, note=note)


def _small(case: Case) -> Row:
    return Row(
        what=case.name,
        published=case.published,
        ours=_with_small_array(case.work),
        use="context",
        note="another engine: only the fixed overheads are alike",
    )


def _with_small_array(work: EngineWork) -> int:
    """Tiles of 4x4 pixels one after another, each without the pixels that a larger one has."""
    timing = load_target().neureka
    side = min(SMALL_SIDE, work.out_rows)
    tile = replace(work, out_rows=side, out_cols=side)
    cycles = job_cycles(tile, timing)
    missing = TILE_ROWS * TILE_COLS - SMALL_SIDE * SMALL_SIDE
    loads = tile.in_tiles * -(-tile.out_channels // tile.channel_tile)
    saved = missing * loads * timing.load_pixel_cycles if work.mode is POINT else 0
    tiles = (work.out_rows // side) * (work.out_cols // side)
    return tiles * (cycles.engine - saved)


def _peaks() -> Iterator[Row]:
    for bits, published in SILICON_GOPS.items():
        yield Row(
            what=f"{bits} bits, {PEAK_IN_TILES} tiles of input channels",
            published=published,
            ours=_tile_gops(bits),
            use="fit" if bits == 8 else "check",
            note="chose the number of input channels" if bits == 8 else "same job, other bits",
        )


def _tile_gops(bits: int) -> float:
    """What one more output tile costs in a job of many."""
    target, channels = load_target(), PEAK_IN_TILES * 28
    work = replace(
        Case(FULL, (channels, 32), TILE_ROWS, bits, 0, "wmem prefetch").work, scale_bits=32
    )
    longer, long = (
        job_cycles(replace(work, out_rows=rows * TILE_ROWS), target.neureka).total
        for rows in (4, 3)
    )
    macs = TILE_ROWS * TILE_COLS * 32 * channels * 9
    return OPS_PER_MAC * macs / (longer - long) * target.clock.cluster_hz / GIGA
