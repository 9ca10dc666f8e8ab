"""The kernels as a program of a team of cores, compiled by clang for the chip's cores."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from instruction_set import READ, WRITE, Machine, Memory, Program, Run, stacks
from kernel_programs import (
    C_FLAGS,
    CASE_ARRAYS,
    CASE_PARAMS,
    CASE_WORDS,
    RUNTIME,
    WRAPPED,
    _includes,
    _sources,
    check_blob,
    write_blob,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel_cases import Case

HERE: Final = Path(__file__).resolve().parent
CLANG: Final = "clang-19"
LINKER: Final = "ld.lld-19"
# Floats live in the integer registers. The compiler may call no function that is not there.
ZFINX_FLAGS: Final = [
    "--target=riscv32-unknown-elf",
    "-march=rv32imc_zfinx_zicsr",
    "-mabi=ilp32",
    "-mno-relax",
    "-ffreestanding",
]
BLOB: Final = 0x8400_0000
PORTABLE, XPULP = "portable", "xpulp"
SYMBOLS: Final = 2  # the type of a section
JUNK: Final = 0xA5  # in what nobody has written


def is_available() -> bool:
    """Whether compiler and linker are installed."""
    return shutil.which(CLANG) is not None and shutil.which(LINKER) is not None


def variant_of(source: str, kernels: str) -> str:
    """Of a kernel's file the one to compile: X_xpulp.c beside X.c, if there is one."""
    fast = Path(source).with_name(f"{Path(source).stem}_xpulp.c")
    return str(fast) if kernels == XPULP and fast.exists() else source


@dataclass(frozen=True, slots=True)
class TeamProgram:
    """The kernels with their harness, and the machine that runs them."""

    program: Program
    machine: Machine
    elf: Path

    @classmethod
    def build(cls, folder: Path, kernels: str, machine: Machine) -> TeamProgram:
        """Compile with the strict warnings as errors."""
        elf = folder / f"{kernels}.elf"
        objects = [_compile(folder, variant_of(one, kernels)) for one in _sources()]
        harness = [_compile(folder, str(HERE / name)) for name in ("team.c", "team_start.S")]
        own = _compile(folder, str(RUNTIME / "src" / "platform" / "rv32" / "freestanding.c"))
        wrap = [f"--wrap={name}" for name in WRAPPED]
        command = [LINKER, "-T", str(HERE / "team.ld"), *wrap, "-o", str(elf)]
        subprocess.run([*command, *objects, *harness, own], check=True)
        known = symbols(elf)
        counted = (known["counted_first"], known["counted_last"])
        return cls(Program.read(elf, counted), machine, elf)

    def rooms(self) -> list[Memory]:
        """The stacks, full of junk."""
        memory = stacks()
        memory.data[:] = JUNK
        return [memory]

    def run(self, cases: Sequence[Case], cores: int, *, is_backward: bool = False) -> Run:
        """Run the cases and compare every result with what its case expects."""
        blob = write_blob(cases, gap_bytes=64)
        blob[4:8] = np.uint32(cores).tobytes()
        memory = memory_of(blob, len(cases))
        run = self.machine.run(
            self.program,
            [memory, *self.rooms()],
            cores=cores,
            is_backward=is_backward,
        )
        check_blob(memory.data.tobytes(), cases)
        return run


def build_single(folder: Path, source: str, kernels: str) -> Program:
    """A program of one core from a file here, the elements of rows, and what the compiler calls."""
    elements = variant_of(str(RUNTIME / "src" / "kernels" / "elements.c"), kernels)
    freestanding = str(RUNTIME / "src" / "platform" / "rv32" / "freestanding.c")
    table = str(RUNTIME / "src" / "kernels" / "exp_table.c")
    own = [str(HERE / name) for name in (source, "team_start.S")]
    objects = [_compile(folder, one) for one in (elements, table, freestanding, *own)]
    elf = folder / "single.elf"
    subprocess.run([LINKER, "-T", str(HERE / "team.ld"), "-o", str(elf), *objects], check=True)
    return Program.read(elf)


def build_bare_metal(folder: Path) -> Path:
    """The portable kernels on one core with the harness that QEMU runs too."""
    kernels = RUNTIME.parent / "tests" / "runtime" / "kernels"
    own = [str(kernels / name) for name in ("bare_metal.c", "start.S")]
    freestanding = str(RUNTIME / "src" / "platform" / "rv32" / "freestanding.c")
    objects = [_compile(folder, one) for one in (*_sources(), *own, freestanding)]
    elf = folder / "bare_metal.elf"
    wrap = [f"--wrap={name}" for name in WRAPPED]
    script = str(kernels / "bare_metal.ld")
    subprocess.run([LINKER, "-T", script, *wrap, "-o", str(elf), *objects], check=True)
    return elf


def assemble(folder: Path, text: str) -> Program:
    """A program of a few instructions, which starts at _start."""
    source, elf = folder / "snippet.S", folder / "snippet.elf"
    source.write_text(text, "utf-8")
    built = str(folder / "snippet.o")
    subprocess.run([CLANG, *ZFINX_FLAGS, "-c", str(source), "-o", built], check=True)
    subprocess.run([LINKER, "-T", str(HERE / "team.ld"), "-o", str(elf), built], check=True)
    return Program.read(elf)


def memory_of(blob: bytearray, cases: int) -> Memory:
    """The blob, of which nothing but the cases and their arrays may be touched."""
    data = np.frombuffer(blob, np.uint8)
    access = np.zeros(data.size, np.uint8)
    words = 4 + cases * CASE_WORDS
    access[: 4 * words] = READ
    table = np.frombuffer(blob, np.uint32, words)[4:].reshape(cases, CASE_WORDS)
    places = table[:, 2 + CASE_PARAMS :][:, : 2 * CASE_ARRAYS].reshape(cases, 2, CASE_ARRAYS)
    for first, size in places.transpose(0, 2, 1).reshape(-1, 2):
        access[first : first + size] = READ | WRITE
    return Memory(first=BLOB, data=data, access=access)


def _compile(folder: Path, source: str) -> str:
    """Kernels are told from their harness by the names of their objects."""
    is_kernel = (RUNTIME / "src") in Path(source).parents
    stem = f"{'kernel_' if is_kernel else ''}{Path(source).stem}"
    built = folder / f"{stem}.o"
    if not built.exists():
        flags = [] if source.endswith(".S") else C_FLAGS
        command = [CLANG, *ZFINX_FLAGS, *flags, *_includes(), "-c", source, "-o", str(built)]
        subprocess.run(command, check=True)
    return str(built)


def symbols(elf: Path) -> dict[str, int]:
    """Names and values of the symbol table."""
    data = elf.read_bytes()
    (table,) = struct.unpack_from("<I", data, 32)
    size, count = struct.unpack_from("<HH", data, 46)
    sections = [struct.unpack_from("<10I", data, table + i * size) for i in range(count)]
    _, _, _, _, first, length, strings, *_ = next(one for one in sections if one[1] == SYMBOLS)
    names = sections[strings][4]
    found: dict[str, int] = {}
    for at in range(first, first + length, 16):
        name, value = struct.unpack_from("<II", data, at)
        found[data[names + name : data.index(b"\0", names + name)].decode("ascii")] = value
    return found
