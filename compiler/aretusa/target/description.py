"""Target: the facts of a chip as frozen records; every number knows its source and confidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aretusa.neureka.timing import NeurekaTiming
    from aretusa.target.energy import Energy


class Confidence(Enum):
    """How far a number can be trusted."""

    READ = "read"
    MEASURED = "measured"
    PUBLISHED = "published"
    DERIVED = "derived"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of a target file, and its range if it has one. The key ends in the unit."""

    key: str
    value: int | float
    source: str
    confidence: Confidence
    low: float | None = None
    high: float | None = None


class Kernels(Enum):
    """Which kernels the cores run: those in C, or for some of them what only these cores can do."""

    PORTABLE = "portable"
    XPULP = "xpulp"


class MemoryId(IntEnum):
    """The memories, numbered as in runtime/include/aretusa/platform.h."""

    L1 = 0
    L2 = 1
    SRAM = 2
    MRAM = 3
    L3 = 4

    @property
    def key(self) -> str:
        """Name in target files, image file names and JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One memory; `reserved_bytes` at its end belong to stacks and code.

    Cycles are those of one access from a cluster core, 0 where a core cannot reach it.
    """

    id: MemoryId
    size_bytes: int
    reserved_bytes: int
    base_address: int
    load_cycles: int
    store_cycles: int

    @property
    def capacity_bytes(self) -> int:
        """Bytes that weights and buffers may use."""
        return self.size_bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The worker cores and how they wait for each other."""

    cores: int
    barrier_cycles: int
    wake_cycles: int
    int8_macs_per_core_cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What an instruction of a worker core takes; those that are not named take one cycle.

    `load_use_cycles` are added where the next instruction needs what a load brings. The float units
    and dividers are shared: a core that finds its own busy waits.
    """

    load_use_cycles: int
    taken_branch_cycles: int
    jump_cycles: int
    multiply_cycles: int
    divide_cycles: int
    float_cycles: int
    float_units: int
    float_registers: int  # of floats alone; 0: they share the integer registers
    float_divide_cycles: int
    float_divide_units: int
    fetch_refill_cycles: int  # a line of code from the cluster's cache to the core's own
    code_line_cycles: int  # a line of code from L2 to the cluster's cache, for all cores together
    code_cache_lines: int  # of the cluster's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Dma:
    """MCHAN, between L1 and the other on-chip memories; cycles of the cluster clock."""

    bytes_per_cycle: int
    setup_cycles: int
    transfer_bytes_max: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OffChipLink:
    """uDMA and HyperBus, between L3 and L2; cycles of the peripheral clock.

    A transfer goes in chunks of `Offload.chunk_bytes`, each a transaction on the bus.
    """

    bytes_per_cycle: int
    setup_cycles: int  # of a transfer with its first chunk
    chunk_setup_cycles: int  # of each further chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """What it costs core 0 to give work to other units; cycles of the cluster clock."""

    register_cycles: int  # one access to a unit's registers
    transfer_registers: int  # accesses that give a transfer
    run_registers: int  # and those that are more if it has runs
    chunk_bytes: int  # of a transfer off the chip: the link may turn to something urgent after each


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the program runs around kernels, jobs and transfers, in cycles of the cores.

    All of it is of code that is in the cache, but for the lines that other code displaces.
    """

    call_cycles: int  # a kernel is called: where its arguments lie
    tile_cycles: int  # the cores find a tile
    transfer_cycles: int  # core 0 checks and notes a transfer, besides writing the registers
    token_cycles: int  # a token is taken, and the next step begins


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearControl:
    """The same around the jobs of a linear layer on N-EUREKA; lines are those of the whole path."""

    layer_cycles: int  # once: sizes, the first unit
    unit_cycles: int  # the cores find the next unit
    job_cycles: int  # core 0 prepares a job, before it writes the registers
    finish_cycles: int  # the cores find the arrays of a unit
    code_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """Memories of which several cores may want the same bank in one cycle."""

    word_bytes: int  # of a bank, in one cycle
    l1_banks: int
    l2_banks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Clock domains."""

    cluster_hz: int
    peripheral_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFeatures:
    """What this revision of N-EUREKA can do, and what giving it a job costs."""

    signed_input: int  # 1: inputs are int8; 0: they are given as code + 128 and corrected
    program_cycles: int  # of the core that writes a job's registers


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A chip. `memories` stand in the order of MemoryId; `facts` hold every number's source."""

    name: str
    memories: tuple[Memory, ...]
    cluster: Cluster
    core: Core
    dma: Dma
    off_chip: OffChipLink
    offload: Offload
    control: Control
    control_units: LinearControl  # of any layer
    control_token: LinearControl  # of one token, where the compiler prepares the jobs
    contention: Contention
    clock: Clock
    neureka: NeurekaTiming
    neureka_features: EngineFeatures
    energy: Energy
    facts: tuple[Fact, ...]
    kernels: Kernels = Kernels.PORTABLE

    def memory(self, memory: MemoryId) -> Memory:
        """The memory of that number."""
        return self.memories[memory]

    @property
    def has_signed_input(self) -> bool:
        """Whether N-EUREKA takes activations as int8."""
        return bool(self.neureka_features.signed_input)
