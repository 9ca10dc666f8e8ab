"""What kernels execute, core by core between two barriers, counted in QEMU by a plugin."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from kernel_programs import (
    C_FLAGS,
    CASE_ARRAYS,
    CASE_PARAMS,
    CASE_WORDS,
    CROSS_GCC,
    QEMU,
    RV32_FLAGS,
    WRAPPED,
    BareMetal,
    _includes,
    _sources,
    write_blob,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kernel_cases import Case
    from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
OBJDUMP: Final = CROSS_GCC.replace("gcc", "objdump")
BLOB: Final = 0x8400_0000
IMAGE: Final = (0x8000_0000, 0x8002_0000)  # where a program of at most 128 KiB lies
REGIONS: Final = 16  # of mix_plugin.c, of which we name the arrays of a case and the table of exp
LINE_BYTES: Final = 16  # of the instruction caches
QEMU_SECONDS: Final = 600

LOADS: Final = {"lb", "lbu", "lh", "lhu", "lw", "flw", "lwsp", "flwsp"}
STORES: Final = {"sb", "sh", "sw", "fsw", "swsp", "fswsp"}
BRANCHES: Final = {"beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez"}
JUMPS: Final = {"j", "jal", "jr", "jalr"}
DIVIDES: Final = {"div", "divu", "rem", "remu"}
# Moves between register files, which the chip's cores do not have two of.
MOVES: Final = {"fmv.x.w", "fmv.w.x"}
# Two-operand forms of RVC whose first operand is a source too.
UPDATES: Final = {"add", "addi", "sub", "and", "andi", "or", "xor", "slli", "srli", "srai"}
LINE: Final = re.compile(r"^([0-9a-f]+):\t[0-9a-f ]+\t(\S+)(?:\t(\S+))?")
LABEL: Final = re.compile(r"^[0-9a-f]+ <(.+)>:$")
EXP_TABLE: Final = re.compile(r"^([0-9a-f]+) .*\t([0-9a-f]+) art_exp_table$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of the program."""

    name: str  # without the prefix of its compressed form
    function: str
    target: str  # register that it writes, or ""
    sources: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What one core executed in one phase; accesses by number of the array, or by region."""

    instructions: int
    load_uses: int
    taken_branches: int
    jumps: int
    multiplies: int
    divides: int
    float_operations: int
    float_divides: int
    fetch_refills: int
    code_lines: frozenset[int]
    loads: Mapping[str, int]
    stores: Mapping[str, int]


def row_type() -> np.dtype[np.void]:
    """struct row of mix_plugin.c."""
    regions = (np.uint32, (REGIONS,))
    names = ("address", "count", "taken", "refills")
    fields = [(name, np.uint32) for name in names]
    return np.dtype([*fields, ("loads", *regions), ("stores", *regions)])


class MixCounter:
    """The kernels with their harness, and the plugin that counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.elf = _build_program(folder)
        self.plugin = _build_plugin(folder)
        self.program = _disassemble(self.elf, _names_of_the_harness(folder))
        self.exp_table = _exp_table(self.elf)

    def count(self, cases: Sequence[Case], cores: int) -> list[list[list[Mix]]]:
        """For each case and each phase what each core of the team executed."""
        blob = write_blob(cases)
        blob[4:8] = np.uint32(cores).tobytes()
        (self.folder / "blob").write_bytes(blob)
        regions = _regions(blob, len(cases), self.exp_table)
        (self.folder / "regions").write_bytes(regions.tobytes())
        self._run(cores)
        found: list[list[list[Mix]]] = [[] for _ in cases]
        for case, rows in _turns((self.folder / "turns").read_bytes()):
            if not found[case] or len(found[case][-1]) == cores:
                found[case].append([])
            found[case][-1].append(self._mix(rows))
        return found

    def _run(self, cores: int) -> None:
        image = ":".join(f"{address:x}" for address in IMAGE)
        files = f"out={self.folder / 'turns'},regions={self.folder / 'regions'}"
        command = [QEMU, "-M", "virt", "-m", "512M", "-bios", "none", "-nographic"]
        command += ["-icount", "shift=0,sleep=off", "-kernel", str(self.elf)]
        command += ["-device", f"loader,file={self.folder / 'blob'},addr={BLOB},force-raw=on"]
        command += ["-plugin", f"{self.plugin},{files},cores={cores},image={image}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=QEMU_SECONDS)

    def _mix(self, rows: NDArray[np.void]) -> Mix:
        pairs = [(self.program.get(int(row["address"])), row) for row in rows]
        known = [(one, row) for one, row in pairs if one is not None]

        def total(names: set[str], column: str = "count") -> int:
            return sum(int(row[column]) for (one, _), row in known if one.name in names)

        floats = {
            one.name for (one, _), _ in known if one.name.endswith(".s") or one.name[:4] == "fcvt"
        }
        return Mix(
            instructions=sum(int(row["count"]) for _, row in known),
            load_uses=sum(
                int(row["count"])
                for (one, following), row in known
                if one.name in LOADS and one.target in following.sources
            ),
            taken_branches=total(BRANCHES, "taken"),
            jumps=total(JUMPS),
            multiplies=total({"mul"}),
            divides=total(DIVIDES),
            float_operations=total(floats - MOVES - {"fdiv.s"}),
            float_divides=total({"fdiv.s"}),
            fetch_refills=sum(int(row["refills"]) for _, row in known),
            code_lines=frozenset(int(row["address"]) // LINE_BYTES for _, row in known),
            loads=_accesses([row["loads"] for _, row in known]),
            stores=_accesses([row["stores"] for _, row in known]),
        )


def _accesses(rows: list[NDArray[np.uint32]]) -> dict[str, int]:
    """Literals count as the core's own: where floats share the integers' registers there are none.

    There, one or two instructions build such a number.
    """
    names = [*(str(array) for array in range(CASE_ARRAYS)), "exp_table"]
    sums = np.sum([np.zeros(REGIONS, np.uint32), *rows], axis=0)
    found = {name: int(count) for name, count in zip(names, sums, strict=False)}
    found["own"] = int(sums[len(names) :].sum())
    return {name: count for name, count in found.items() if count}


def _turns(data: bytes) -> Iterator[tuple[int, NDArray[np.void]]]:
    kind = row_type()
    at = 0
    while at < len(data):
        case, rows = (int(word) for word in np.frombuffer(data, np.uint32, 2, at))
        yield case, np.frombuffer(data, kind, rows, at + 8)
        at += 8 + rows * kind.itemsize


def _regions(blob: bytearray, cases: int, exp_table: tuple[int, int]) -> NDArray[np.uint32]:
    """First and last address of each array and of the table, for each case."""
    words = np.frombuffer(blob, np.uint32, 4 + cases * CASE_WORDS)
    table = words[4:].reshape(cases, CASE_WORDS)[:, 2 + CASE_PARAMS :]
    first = table[:, :CASE_ARRAYS] + BLOB
    ranges = np.stack([first, first + table[:, CASE_ARRAYS : 2 * CASE_ARRAYS]], axis=2)
    ranges = np.hstack([ranges.reshape(cases, -1), np.tile(exp_table, (cases, 1))])
    return np.append(CASE_ARRAYS + 1, ranges).astype(np.uint32)


def _exp_table(elf: Path) -> tuple[int, int]:
    listed = subprocess.run([OBJDUMP, "-t", str(elf)], capture_output=True, text=True, check=True)
    found = EXP_TABLE.search(listed.stdout)
    assert found, "the program has no table of exp"
    first = int(found[1], 16)
    return first, first + int(found[2], 16)


def _harness() -> list[str]:
    names = ("start.S", "mix_switch.S", "mix_harness.c")
    return [str(HERE / name) for name in names]


def _compiler() -> list[str]:
    return [CROSS_GCC, *C_FLAGS, *RV32_FLAGS, *_includes()]


def _build_program(folder: Path) -> Path:
    elf = folder / "kernels.elf"
    link = ["-nostdlib", "-nostartfiles", "-static", "-T", str(HERE / "bare_metal.ld")]
    link += [f"-Wl,--wrap={name}" for name in WRAPPED]
    own = [*_harness(), *_sources(), BareMetal._library(folder), "-lgcc", "-o", str(elf)]
    subprocess.run([*_compiler(), *link, *own], check=True)
    return elf


def _build_plugin(folder: Path) -> Path:
    plugin = folder / "plugin.so"
    command = ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    own = ["-fvisibility=hidden", str(HERE / "mix_plugin.c"), "-o", str(plugin)]
    subprocess.run([*command, *own], check=True)
    return plugin


def _names_of_the_harness(folder: Path) -> set[str]:
    """Functions that are no part of a kernel."""
    names: set[str] = set()
    of_tests = [source for source in _sources() if Path(source).parent == HERE]
    for source in (*_harness(), *of_tests):
        file = folder / "harness.o"
        subprocess.run([*_compiler(), "-c", source, "-o", str(file)], check=True)
        listed = subprocess.run(
            [OBJDUMP, "-d", str(file)], capture_output=True, text=True, check=True
        ).stdout
        names |= {found[1] for line in listed.split("\n") if (found := LABEL.match(line))}
    return names


def _disassemble(elf: Path, others: set[str]) -> dict[int, tuple[Instruction, Instruction]]:
    """Address -> instruction and the one behind it, of the kernels only."""
    listed = subprocess.run(
        [OBJDUMP, "-d", "-M", "no-aliases", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    function = ""
    all_of_them: list[tuple[int, Instruction]] = []
    for line in listed.split("\n"):
        if label := LABEL.match(line):
            function = label[1]
        elif found := LINE.match(line):
            one = _instruction(found[2], found[3] or "", function)
            all_of_them.append((int(found[1], 16), one))
    following = [one for _, one in all_of_them[1:]] + [all_of_them[-1][1]]
    return {
        address: (one, behind)
        for (address, one), behind in zip(all_of_them, following, strict=True)
        if one.function not in others
    }


def _instruction(name: str, operands: str, function: str) -> Instruction:
    short = name.removeprefix("c.")
    registers = [word for word in re.split(r"[,()]", operands) if word]
    writes_nothing = short in STORES | BRANCHES or short in {"j", "jr"}
    target = "" if writes_nothing or not registers else registers[0]
    sources = registers if writes_nothing else registers[1:]
    if name != short and short in UPDATES:
        sources = registers
    return Instruction(short, function, target, frozenset(sources))
