"""How many cycles N-EUREKA takes for a job: the sum of its phases.

The phases and their order are those of gvsoc/gvsoc-pulp pulp/neureka/src/neureka_fsm.cpp at
c309b6c, which lies within 6 % of the public RTL for dense jobs with full tiles. Their lengths come
from the target file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from aretusa.neureka.layout import CHANNELS_1X1, CHANNELS_3X3, tiles
from aretusa.neureka.registers import (
    KERNEL_BORDER,
    TILE_CHANNELS,
    TILE_COLS,
    TILE_ROWS,
    Mode,
    WeightSource,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.neureka.job import JobShape
    from aretusa.neureka.timing import NeurekaTiming

SUMS_PER_BEAT = 8  # 32-bit results or biases in one beat of 256 bits
NARROW_SCALES_PER_BEAT = 4  # 8-bit scales are read 32 bits at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWork:
    """What a job's length depends on. Our own jobs need only the upper half."""

    mode: Mode
    bits: int
    out_channels: int
    in_channels: int
    out_rows: int
    out_cols: int
    source: WeightSource
    has_prefetch: bool = False

    has_8_bit_output: bool = False
    scale_bits: int = 0  # 8 or 32; 0 is no normalisation
    has_bias: bool = False
    has_channel_shifts: bool = False
    has_stream_in: bool = False
    pad_bottom: int = 0  # input pixels that are not loaded
    pad_right: int = 0

    @classmethod
    def of(cls, shape: JobShape) -> EngineWork:
        """The work of a job of ours."""
        return cls(
            mode=shape.mode,
            bits=shape.bits,
            out_channels=shape.out_channels,
            in_channels=shape.in_channels,
            out_rows=shape.out_rows,
            out_cols=shape.out_cols,
            source=shape.source,
            has_prefetch=shape.has_prefetch,
        )

    @property
    def channel_tile(self) -> int:
        """Output channels of a tile."""
        return CHANNELS_3X3 if self.mode is Mode.DEPTHWISE_3X3 else TILE_CHANNELS

    @property
    def in_tiles(self) -> int:
        """Input tiles of one output tile."""
        match self.mode:
            case Mode.DENSE_3X3:
                return tiles(self.in_channels, CHANNELS_3X3)
            case Mode.DENSE_1X1:
                return tiles(self.in_channels, CHANNELS_1X1)
            case Mode.DEPTHWISE_3X3:
                return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCycles:
    """Where the cycles of a job go."""

    start_end: int = 0
    stream_in: int = 0
    load: int = 0  # of activations, with the preparation
    setup: int = 0
    multiply: int = 0  # what no load hides
    normalise: int = 0
    write: int = 0

    @property
    def engine(self) -> int:
        """Cycles in the phases, as the engine's own trace counts them."""
        return self.total - self.start_end

    @property
    def total(self) -> int:
        """Cycles from the commit to the event."""
        return sum(asdict(self).values())

    def plus(self, other: JobCycles, times: int = 1) -> JobCycles:
        """This and so many times the other."""
        one, two = asdict(self), asdict(other)
        return JobCycles(**{name: one[name] + times * two[name] for name in one})


@dataclass(frozen=True, slots=True)
class _PixelTile:
    """Output pixels of a tile, and the input pixels that are loaded for them."""

    rows: int
    cols: int
    in_pixels: int
    is_last: bool

    @property
    def slots(self) -> int:
        """Writes of one beat: rows before the last take as long as if they were full."""
        return (self.rows - 1) * TILE_COLS + self.cols


def job_cycles(work: EngineWork | JobShape, timing: NeurekaTiming) -> JobCycles:
    """The cycles of a job, by phase."""
    job = work if isinstance(work, EngineWork) else EngineWork.of(work)
    groups = tiles(job.out_channels, job.channel_tile)
    last = job.out_channels - (groups - 1) * job.channel_tile
    start_end = JobCycles(start_end=timing.job_start_cycles + timing.job_end_cycles)
    cycles = start_end.plus(_Group(job, timing, last, is_last=True).cycles())
    if groups > 1:
        full = _Group(job, timing, job.channel_tile, is_last=False)
        cycles = cycles.plus(full.cycles(), groups - 1)
    return cycles


class _Group:
    """All output pixels of one tile of output channels: the engine's outermost loop."""

    def __init__(
        self, work: EngineWork, timing: NeurekaTiming, channels: int, *, is_last: bool
    ) -> None:
        self.work = work
        self.timing = timing
        self.channels = channels
        self.is_last = is_last
        self.hidden = 0  # cycles of the multiplication that the next load hides

    def cycles(self) -> JobCycles:
        total = JobCycles()
        for tile in _pixel_tiles(self.work):
            total = total.plus(self._tile(tile))
        return total

    def _tile(self, tile: _PixelTile) -> JobCycles:
        total = JobCycles(
            stream_in=self._stream_in(), normalise=self._normalise(), write=self._write(tile)
        )
        in_tiles = self.work.in_tiles
        for index in range(in_tiles):
            is_exposed = tile.is_last and index == in_tiles - 1
            total = total.plus(self._input_tile(tile, is_exposed=is_exposed))
        return total

    def _input_tile(self, tile: _PixelTile, *, is_exposed: bool) -> JobCycles:
        """Load, set-up, multiplication. With prefetch the next load hides all but the last one."""
        timing, has_prefetch = self.timing, self.work.has_prefetch
        load = self._load(tile)
        lead = timing.prefetch_lead_cycles + load
        waited = max(0, self.hidden - lead) if has_prefetch else 0
        setup = self._setup()
        multiply = self._multiply(is_exposed=is_exposed)
        self.hidden = 0
        if has_prefetch and not is_exposed:
            waited += self._depthwise_wait(setup, lead)
            self.hidden = self._hidden(setup, multiply)
            multiply = 0
        return JobCycles(
            load=timing.load_prepare_cycles + load, setup=setup, multiply=waited + multiply
        )

    def _load(self, tile: _PixelTile) -> int:
        """A 1x1 tile takes the time of 36 pixels however few it has."""
        timing = self.timing
        if self.work.mode is Mode.DENSE_1X1:
            return TILE_ROWS * TILE_COLS * timing.load_pixel_cycles + timing.load_1x1_tail_cycles
        return tile.in_pixels * timing.load_pixel_cycles

    def _setup(self) -> int:
        match self.work.mode:
            case Mode.DENSE_3X3:
                return self.timing.setup_3x3_cycles
            case Mode.DEPTHWISE_3X3:
                return self.timing.setup_depthwise_cycles
            case Mode.DENSE_1X1 if self.work.has_prefetch:
                return self.timing.setup_1x1_prefetch_cycles
            case Mode.DENSE_1X1:
                return self.timing.setup_1x1_cycles

    def _multiply(self, *, is_exposed: bool) -> int:
        timing, work = self.timing, self.work
        word = timing.weight_word_cycles
        match work.mode:
            case Mode.DENSE_3X3:
                return self.channels * work.bits * word + timing.drain_3x3_cycles
            case Mode.DENSE_1X1:
                is_drained = work.has_prefetch and is_exposed
                return self.channels * word + is_drained * timing.drain_1x1_prefetch_cycles
            case Mode.DEPTHWISE_3X3:
                return self._depthwise_passes() * work.bits * word

    def _depthwise_passes(self) -> int:
        is_l1 = self.work.source is WeightSource.L1
        timing = self.timing
        passes = (
            timing.depthwise_word_passes_l1 if is_l1 else timing.depthwise_word_passes_weight_memory
        )
        return min(passes, self.channels)

    def _hidden(self, setup: int, multiply: int) -> int:
        """What the next load hides: in a depthwise tile only the words of its last channel."""
        if self.work.mode is Mode.DEPTHWISE_3X3 and self.channels > 1:
            return self.work.bits * self.timing.weight_word_cycles
        return setup + multiply

    def _depthwise_wait(self, setup: int, lead: int) -> int:
        """The second channel of a depthwise tile waits for set-up and words of the first."""
        if self.work.mode is not Mode.DEPTHWISE_3X3 or self.channels == 1:
            return 0
        return max(0, setup + self.work.bits * self.timing.weight_word_cycles - lead)

    def _stream_in(self) -> int:
        """Old sums are read for all 36 pixels, whether they exist or not."""
        if not self.work.has_stream_in:
            return 0
        beats = TILE_ROWS * TILE_COLS * tiles(self.channels, SUMS_PER_BEAT)
        return beats * self.timing.stream_in_beat_cycles + self.timing.stream_in_tail_cycles

    def _normalise(self) -> int:
        work, timing = self.work, self.timing
        if not work.scale_bits:
            return 0
        is_partial = self.is_last and self.channels != TILE_CHANNELS
        scaled = self.channels if is_partial else TILE_CHANNELS
        beats = scaled if work.scale_bits == 32 else tiles(scaled, NARROW_SCALES_PER_BEAT)
        shifts = timing.shift_load_cycles if work.has_channel_shifts else 0
        biases = TILE_CHANNELS // SUMS_PER_BEAT if work.has_bias else 0
        return (
            shifts
            + beats * timing.scale_beat_cycles
            + timing.scale_tail_cycles
            + biases * timing.bias_beat_cycles
            + timing.bias_tail_cycles
        )

    def _write(self, tile: _PixelTile) -> int:
        timing, work = self.timing, self.work
        beats = 1 if work.has_8_bit_output else tiles(self.channels, SUMS_PER_BEAT)
        tail = timing.write_1x1_tail_cycles if work.mode is Mode.DENSE_1X1 else 0
        return tile.slots * beats * timing.write_beat_cycles + tail


def _pixel_tiles(work: EngineWork) -> Iterator[_PixelTile]:
    border = 0 if work.mode is Mode.DENSE_1X1 else KERNEL_BORDER
    for top in range(0, work.out_rows, TILE_ROWS):
        rows = min(TILE_ROWS, work.out_rows - top)
        is_bottom = top + rows == work.out_rows
        in_rows = rows + border - is_bottom * work.pad_bottom
        for left in range(0, work.out_cols, TILE_COLS):
            cols = min(TILE_COLS, work.out_cols - left)
            is_right = left + cols == work.out_cols
            in_cols = cols + border - is_right * work.pad_right
            yield _PixelTile(rows, cols, in_rows * in_cols, is_bottom and is_right)
