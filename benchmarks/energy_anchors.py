"""Published energies beside what the target's constants give for the same work.

Run it for the tables of docs/energy.md. Two anchors fitted constants, the others check them. What
the papers do not say about the work is assumed here, in one place, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markdown_text import table

from aretusa.neureka.cycles import EngineWork, job_cycles
from aretusa.neureka.registers import Mode, WeightSource
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa_sim.activity import Activity
from aretusa_sim.energy import EnergyModel
from aretusa_sim.timing import RowTiming
from aretusa_sim.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.target.description import Target
    from aretusa_sim.energy_results import EnergyResult

WORD_BYTES: Final = 32  # of the weight port
# The layer that runs at the published peaks of 1.95 TOp/s (2 bits) and 698 GOp/s (8 bits).
PEAK_OUT, PEAK_IN, PEAK_PIXELS = 64, 140, 12
OPS_PER_MAC: Final = 2

# Deeploy: 340 token/s at the target's clock. Eight layers of four 64x64 and three 64x256 matrices.
TOKENS_PER_SECOND: Final = 340
DEEPLOY_SHAPES: Final = 8 * [*4 * [(64, 64)], (256, 64), (256, 64), (64, 256)]
# Cores: 16.1 M cycles on one, 3.1 M on eight, so 5.2 of eight work; 0.8 instructions in a cycle.
BUSY_CORES: Final = 16.1 / 3.1
INSTRUCTIONS_PER_CYCLE: Final = 0.8
L1_BYTES_PER_INSTRUCTION: Final = 1.4  # an access of 4 bytes in a third of the instructions

# Eight chips: 0.54 ms; one of them 26.1 times as long. One block of the model passes from L3.
CHIPS: Final = 8
CHIPS_SECONDS: Final = 0.54e-3
ONE_CHIP_SECONDS: Final = 26.1 * CHIPS_SECONDS
BLOCK_BYTES: Final = 4 * 512 * 512 + 3 * 512 * 1376


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A published figure and ours; `unit` is that of all four numbers."""

    name: str
    role: str
    unit: str
    published: float
    nominal: float
    least: float
    most: float

    @property
    def error(self) -> float:
        """Relative, of the nominal figure."""
        return self.nominal / self.published - 1

    @property
    def is_within(self) -> bool:
        """Whether the published figure lies in our range."""
        return self.least <= self.published <= self.most


def anchors(target: Target) -> list[Anchor]:
    """All of them; an efficiency is least where energies are high."""
    fit, check = "fit", "check"
    return [
        _efficiency("N-EUREKA from MRAM, 2 bits", fit, 8.84, target, MemoryId.MRAM),
        _efficiency("N-EUREKA from SRAM, 2 bits", fit, 9.9, target, MemoryId.SRAM),
        _energy("token of Deeploy's network", fit, 490.0, deeploy_token(target)),
        _energy("8 chips, weights stay there", check, 640.0, eight_chips(target, l3_bytes=0)),
        _energy("8 chips, a block from L3", check, 640.0, eight_chips(target)),
        _energy("one chip, a block from L3", check, 640.0 * 27.2 / 26.1, one_chip(target)),
    ]


def peak(target: Target, bits: int, memory: MemoryId) -> EnergyResult:
    """N-EUREKA at its best, the cores asleep: energy of `peak_macs()` products."""
    work = EngineWork(
        mode=Mode.DENSE_3X3,
        bits=bits,
        out_channels=PEAK_OUT,
        in_channels=PEAK_IN,
        out_rows=PEAK_PIXELS,
        out_cols=PEAK_PIXELS,
        source=WeightSource.WEIGHT_MEMORY,
        has_prefetch=True,
        has_8_bit_output=True,
        scale_bits=32,
        has_bias=True,
    )
    cycles = job_cycles(work, target.neureka).total
    tiles, outs, ins = (PEAK_PIXELS // 6) ** 2, PEAK_OUT // 32, PEAK_IN // 28
    weights = tiles * outs * ins * 32 * bits * WORD_BYTES
    activity = Activity(
        macs={(Unit.ENGINE, bits): peak_macs()},
        busy_cycles={Unit.ENGINE: cycles},
        moved_bytes={Unit.ENGINE: weights},
        read_bytes={memory: weights, MemoryId.L1: tiles * outs * 64 * PEAK_IN + 8 * PEAK_OUT},
        written_bytes={MemoryId.L1: PEAK_PIXELS**2 * PEAK_OUT},
    )
    return _energy_of(target, RowTiming(cycles=cycles, activity=activity), is_3x3=True)


def peak_macs() -> int:
    """Of the layer at the published peak."""
    return PEAK_PIXELS**2 * PEAK_OUT * PEAK_IN * 9


def deeploy_token(target: Target) -> EnergyResult:
    """Cores at work but while N-EUREKA runs the linear layers in 1x1 mode, one after another."""
    cycles = round(target.clock.cluster_hz / TOKENS_PER_SECOND)
    jobs = [_linear_cycles(target, rows, depth) for rows, depth in DEEPLOY_SHAPES]
    weights = sum(_linear_bytes(rows, depth) for rows, depth in DEEPLOY_SHAPES)
    activity = _core_work(cycles)
    activity.macs[Unit.ENGINE, 8] = sum(rows * depth for rows, depth in DEEPLOY_SHAPES)
    activity.busy_cycles[Unit.ENGINE] = sum(jobs)
    activity.moved_bytes[Unit.ENGINE] = weights
    activity.read_bytes[MemoryId.MRAM] = weights
    row = RowTiming(cycles=cycles, working=cycles - sum(jobs), activity=activity)
    return _energy_of(target, row, is_3x3=False)


def eight_chips(target: Target, l3_bytes: int = BLOCK_BYTES) -> EnergyResult:
    """All cores of all chips at work. The abstract has stationary weights, L3 is a worse case."""
    cycles = round(CHIPS * CHIPS_SECONDS * target.clock.cluster_hz)
    return _block(target, cycles=cycles, working=cycles, l3_bytes=l3_bytes)


def one_chip(target: Target) -> EnergyResult:
    """The same work; the other time is spent waiting for L3."""
    working = round(CHIPS * CHIPS_SECONDS * target.clock.cluster_hz)
    cycles = round(ONE_CHIP_SECONDS * target.clock.cluster_hz)
    return _block(target, cycles=cycles, working=working, l3_bytes=BLOCK_BYTES)


def _block(target: Target, *, cycles: int, working: int, l3_bytes: int) -> EnergyResult:
    activity = _core_work(working)
    activity.use(Unit.LINK, 0, l3_bytes)
    activity.copy_bytes(MemoryId.L3, MemoryId.L2, l3_bytes)
    activity.use(Unit.DMA_IN, 0, BLOCK_BYTES)
    activity.copy_bytes(MemoryId.L2, MemoryId.L1, BLOCK_BYTES)
    row = RowTiming(cycles=cycles, working=working, activity=activity)
    return _energy_of(target, row, is_3x3=False)


def _core_work(cycles: int) -> Activity:
    instructions = round(cycles * BUSY_CORES * INSTRUCTIONS_PER_CYCLE)
    accessed = round(instructions * L1_BYTES_PER_INSTRUCTION)
    return Activity(instructions=instructions, read_bytes={MemoryId.L1: accessed})


def _linear_cycles(target: Target, rows: int, depth: int) -> int:
    work = EngineWork(
        mode=Mode.DENSE_1X1,
        bits=8,
        out_channels=rows,
        in_channels=depth,
        out_rows=1,
        out_cols=1,
        source=WeightSource.WEIGHT_MEMORY,
        has_8_bit_output=True,
        scale_bits=32,
        has_bias=True,
    )
    return job_cycles(work, target.neureka).total


def _linear_bytes(rows: int, depth: int) -> int:
    return rows * depth  # 1x1 layout: eight planes of whole groups of channels


def _energy_of(target: Target, row: RowTiming, *, is_3x3: bool) -> EnergyResult:
    model = EnergyModel(target)
    return model.energy(model.counts(row, "3x3" if is_3x3 else "1x1"))


def _efficiency(name: str, role: str, published: float, target: Target, memory: MemoryId) -> Anchor:
    energy = peak(target, 2, memory)
    mega_ops = OPS_PER_MAC * peak_macs() / 1e6  # operations over microjoules: TOp/J
    return Anchor(
        name=name,
        role=role,
        unit="TOp/J",
        published=published,
        nominal=mega_ops / energy.nominal_uj,
        least=mega_ops / energy.high_uj,
        most=mega_ops / energy.low_uj,
    )


def _energy(name: str, role: str, published: float, energy: EnergyResult) -> Anchor:
    return Anchor(
        name=name,
        role=role,
        unit="uJ",
        published=published,
        nominal=energy.nominal_uj,
        least=energy.low_uj,
        most=energy.high_uj,
    )


def _lines(target: Target) -> Iterator[str]:
    yield from table(
        ("figure", "role", "published", "ours", "range", "error"),
        [
            (
                one.name,
                one.role,
                f"{one.published:,.4g} {one.unit}",
                f"{one.nominal:,.4g}",
                f"{one.least:,.3g} to {one.most:,.3g}",
                f"{100 * one.error:+.0f} %",
            )
            for one in anchors(target)
        ],
    )
    rows = []
    for bits in (2, 4, 8):
        for memory in (MemoryId.MRAM, MemoryId.SRAM):
            energy = peak(target, bits, memory)
            ops = OPS_PER_MAC * peak_macs() / 1e6
            ends = f"{ops / energy.high_uj:.2g} to {ops / energy.low_uj:.2g}"
            rows.append((str(bits), memory.key, f"{ops / energy.nominal_uj:.2f} TOp/J", ends))
    yield from table(("bits", "weights in", "ours", "range"), rows)
    for name, energy in (
        ("token of Deeploy's network", deeploy_token(target)),
        ("8 chips, weights stay there", eight_chips(target, l3_bytes=0)),
        ("one chip, a block from L3", one_chip(target)),
    ):
        parts = energy.components
        yield from table((name, "uJ"), [(key, f"{parts[key].nominal_uj:.1f}") for key in parts])


if __name__ == "__main__":
    print("\n".join(_lines(load_target())))
