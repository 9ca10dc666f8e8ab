"""The machine of machine.h: RV32IMC with Zfinx and some of Xpulp, in a library of this process."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
CORES_MAX: Final = 8
REGIONS_MAX: Final = 16
LINE_WORDS: Final = 512
PRINTED_MAX: Final = 1 << 16
READ, WRITE, EXECUTE = 1, 2, 4
PASSED, FAULT = 0, 2
LOADABLE: Final = 1  # program header
STACKS: Final = (0x8030_0000, 0x8040_0000)
STACK_STRIDE: Final = 1 << 16  # of two cores' stacks
STACK_BYTES: Final = 16 << 10
INSTRUCTIONS_MAX: Final = 4_000_000_000
SOURCES: Final = (
    "machine",
    "decode",
    "decode_floats",
    "compressed",
    "execute",
    "floats",
    "memory",
    "counts",
)
COUNTS: Final = (
    "case_number",
    "core",
    "instructions",
    "load_uses",
    "taken_branches",
    "jumps",
    "multiplies",
    "divides",
    "float_operations",
    "float_divides",
    "fetch_refills",
)
EVENTS: Final = np.dtype(
    [
        *((name, np.uint32) for name in COUNTS),
        ("loads", np.uint32, (REGIONS_MAX,)),
        ("stores", np.uint32, (REGIONS_MAX,)),
        ("lines", np.uint32, (LINE_WORDS,)),
    ]
)


class _Memory(ctypes.Structure):
    _fields_ = (
        ("first", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
        ("access", ctypes.c_void_p),
    )


class _Setting(ctypes.Structure):
    _fields_ = (
        ("cores", ctypes.c_uint32),
        ("is_backward", ctypes.c_uint32),
        ("entry", ctypes.c_uint32),
        ("counted_first", ctypes.c_uint32),
        ("counted_last", ctypes.c_uint32),
        ("memories", ctypes.c_uint32),
        ("regions", ctypes.c_uint32),
        ("turns_max", ctypes.c_uint64),
    )


class _Result(ctypes.Structure):
    _fields_ = (
        ("retired", ctypes.c_uint64 * CORES_MAX),
        ("outcome", ctypes.c_uint32),
        ("core", ctypes.c_uint32),
        ("pc", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("printed", ctypes.c_uint32),
        ("rows", ctypes.c_uint32),
        ("reason", ctypes.c_char * 64),
    )


class MachineError(AssertionError):
    """The program did what no program may, or says itself that it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A piece of memory; `access` says of each byte what is allowed (READ, WRITE, EXECUTE)."""

    first: int
    data: NDArray[np.uint8]
    access: NDArray[np.uint8]

    @classmethod
    def of(cls, first: int, data: NDArray[np.uint8], access: int) -> Memory:
        """All of it with the same access."""
        return cls(first=first, data=data, access=np.full(data.size, access, np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An ELF32 file of RISC-V: its image, which holds no stack, and the code that is counted."""

    entry: int
    first: int
    image: bytes = field(repr=False)
    written_from: int  # what lies before it is code and constants
    counted: tuple[int, int]

    @classmethod
    def read(cls, path: Path, counted: tuple[int, int] = (0, 0)) -> Program:
        """Every loadable segment at its address; zeros between and behind them."""
        elf = path.read_bytes()
        assert elf[:5] == b"\x7fELF\x01", f"{path} is no ELF32 file"
        entry, table = struct.unpack_from("<II", elf, 24)
        size, count = struct.unpack_from("<HH", elf, 42)
        headers = [struct.unpack_from("<8I", elf, table + i * size) for i in range(count)]
        loaded = [header for header in headers if header[0] == LOADABLE and header[5] > 0]
        first = min(address for _, _, address, *_ in loaded)
        image = bytearray(max(header[2] + header[5] for header in loaded) - first)
        for _, offset, address, _, file_bytes, *_ in loaded:
            at = address - first
            image[at : at + file_bytes] = elf[offset : offset + file_bytes]
        written = [header[2] for header in loaded if header[6] & 2]
        return cls(
            entry=entry,
            first=first,
            image=bytes(image),
            written_from=min(written, default=first + len(image)),
            counted=counted,
        )

    def memory(self) -> Memory:
        """The image with code that cannot be written and data that cannot be executed."""
        data = np.frombuffer(bytearray(self.image), np.uint8)
        access = np.full(data.size, READ | EXECUTE, np.uint8)
        access[self.written_from - self.first :] = READ | WRITE
        return Memory(first=self.first, data=data, access=access)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run left: the events of each turn in their order, and what was printed."""

    retired: tuple[int, ...]
    printed: str
    events: NDArray[np.void]


def stacks() -> Memory:
    """16 KiB for each core with nothing between them."""
    first, last = STACKS
    access = np.zeros(last - first, np.uint8)
    for core in range(CORES_MAX):
        end = last - first - core * STACK_STRIDE
        access[end - STACK_BYTES : end] = READ | WRITE
    return Memory(first=first, data=np.zeros(last - first, np.uint8), access=access)


class Machine:
    """The library."""

    def __init__(self, path: Path) -> None:
        self.call = ctypes.CDLL(str(path)).machine_run
        self.call.restype = None

    @classmethod
    def build(cls, folder: Path) -> Machine:
        """Compile with warnings as errors."""
        path = folder / "machine.so"
        command = ["gcc", "-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
        command += ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
        sources = [str(HERE / f"{name}.c") for name in SOURCES]
        subprocess.run([*command, *sources, "-o", str(path), "-lm"], check=True)
        return cls(path)

    def run(
        self,
        program: Program,
        memories: Sequence[Memory],
        *,
        cores: int = 1,
        is_backward: bool = False,
        regions: NDArray[np.uint32] | None = None,
        rows_max: int = 0,
    ) -> Run:
        """Run to the end; `regions` are [case, region, first and last address].

        Raises:
            MachineError: the program failed, or did what no program may.
        """
        every = [program.memory(), *memories]
        table = (_Memory * len(every))(
            *(
                _Memory(m.first, m.data.size, m.data.ctypes.data, m.access.ctypes.data)
                for m in every
            )
        )
        setting = _Setting(
            cores=cores,
            is_backward=is_backward,
            entry=program.entry,
            counted_first=program.counted[0],
            counted_last=program.counted[1],
            memories=len(every),
            regions=0 if regions is None else regions.shape[1],
            turns_max=INSTRUCTIONS_MAX,
        )
        spans = np.ascontiguousarray(np.zeros((1, 1, 2), np.uint32) if regions is None else regions)
        rows = np.zeros(max(rows_max, 1), EVENTS)
        printed = ctypes.create_string_buffer(PRINTED_MAX)
        result = _Result()
        self.call(
            ctypes.byref(setting),
            table,
            ctypes.c_void_p(spans.ctypes.data),
            printed,
            ctypes.c_uint32(PRINTED_MAX),
            ctypes.c_void_p(rows.ctypes.data),
            ctypes.c_uint32(rows_max),
            ctypes.byref(result),
        )
        text = printed.raw[: result.printed].decode("ascii")
        if result.outcome != PASSED:
            raise MachineError(_complaint(result, text))
        assert result.rows < max(rows_max, 1), "no room for the events of all turns"
        return Run(retired=tuple(result.retired[:cores]), printed=text, events=rows[: result.rows])


def _complaint(result: _Result, printed: str) -> str:
    if result.outcome == FAULT:
        reason = result.reason.decode("ascii")
        where = f"core {result.core} at pc {result.pc:#x}, address {result.address:#x}"
        return f"{reason}: {where}"
    return f"the program says that it failed{': ' if printed else ''}{printed}"
