"""The machine does what QEMU does, what the manual says of Xpulp, and stops at what is wrong."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import case_catalogue
import numpy as np
import placed_catalogue
import pytest
from instruction_set import READ, WRITE, Machine, MachineError, Memory, Program
from kernel_programs import QEMU, check_blob, write_blob
from required_tools import skip_or_fail
from team_programs import BLOB, assemble, build_bare_metal, is_available

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.clang
STACK: Final = Memory.of(0x83F0_0000, np.zeros(1 << 20, np.uint8), READ | WRITE)
ZFINX: Final = ["-cpu", "rv32,f=off,d=off,zfinx=on"]

# Code and its results in a0 and a1, with a2 = 0x84000000, where the words of WORDS lie.
WORDS: Final = (0x80FF7F01, 0x02FE0380, 0x7F80FF03, 40, 0x3F800000)
BYTES: Final = 1 * -128 + 127 * 3 + -1 * -2 + -128 * 2  # products of the first two words
LOOP: Final = "li a3, 5; .balign 4; .option norvc; .insn i 0x7B, 4, x0, a3, 4"
TWO_WORDS: Final = "lw a3, 0(a2); lw a4, 4(a2)"
SNIPPETS: Final = {
    "p.lw": (".insn i 0x0B, 2, a0, 4(a2); lw a1, 0(a2)", WORDS[0], WORDS[1]),
    "p.lw by": ("li a3, 8; .insn r 0x0B, 7, 0x10, a0, a2, a3; lw a1, 0(a2)", WORDS[0], WORDS[2]),
    "p.lw at": ("li a3, 12; .insn r 0x03, 7, 0x10, a0, a2, a3; lw a1, 0(a2)", 40, WORDS[0]),
    "p.sb": ("li a0, 5; .insn s 0x2B, 0, a0, 1(a2); lw a0, -1(a2)", 0x80FF7F05, 0),
    "p.sw": ("li a0, 5; .insn s 0x2B, 2, a0, 4(a2); lw a0, -4(a2); lw a1, 0(a2)", 5, WORDS[1]),
    "p.sw by": ("li a0, 5; li a3, 8; .insn r 0x2B, 6, 0, a3, a2, a0; lw a1, 0(a2)", 5, WORDS[2]),
    "p.mac": ("li a0, 7; li a3, -3; li a4, 5; .insn r 0x33, 0, 0x21, a0, a3, a4", -8, 0),
    "p.max": ("li a3, -3; li a4, 5; .insn r 0x33, 6, 2, a0, a3, a4", 5, 0),
    "pv.dotsp.b": (f"{TWO_WORDS}; .insn r 0x57, 1, 0x4C, a0, a3, a4", BYTES, 0),
    "pv.sdotsp.b": (f"li a0, 9; {TWO_WORDS}; .insn r 0x57, 1, 0x5C, a0, a3, a4", 9 + BYTES, 0),
    "pv.sll.sci.b": (
        "lw a3, 0(a2); .insn r 0x57, 7, 0x28, a0, a3, x2; .insn r 0x57, 7, 0x29, a1, a3, x1",
        0x00F0F010,
        0x00F8F808,
    ),
    "p.lb at": ("li a3, 3; .insn r 0x03, 7, 0, a0, a2, a3; lw a1, 0(a2)", -128, WORDS[0]),
    "p.extractu": (
        "lw a3, 0(a2); .insn r 0x33, 1, 0x63, a0, a3, x8; .insn r 0x33, 1, 0x67, a1, a3, x28",
        15,
        8,
    ),
    "p.extract": (
        "lw a3, 0(a2); .insn r 0x33, 0, 0x63, a0, a3, x8; .insn r 0x33, 0, 0x67, a1, a3, x28",
        -1,
        -8,
    ),
    "lp.setup": (f"{LOOP}; addi a0, a0, 1; addi a1, a1, 2", 5, 10),
    "fmadd.s": ("lw a3, 16(a2); fadd.s a4, a3, a3; fmadd.s a0, a4, a4, a3", 0x40A00000, 0),
    "fnmsub.s": ("lw a3, 16(a2); fadd.s a4, a3, a3; fnmsub.s a0, a4, a4, a3", 0xC0400000, 0),
    "fsqrt.s": ("lw a3, 16(a2); fadd.s a4, a3, a3; fsqrt.s a0, a4", 0x3FB504F3, 0),
    "fmax.s": ("lw a3, 16(a2); fneg.s a4, a3; fmax.s a0, a3, a4", 0x3F800000, 0),
}
WRONG: Final = {
    "illegal instruction": ".word 0xffffffff",
    "misaligned load": "lw a0, 2(a2)",
    "misaligned store": "sh a0, 1(a2)",
    "load from where nothing may be read": "lw a0, 20(a2)",
    "store to where nothing may be written": "la a3, _start; sw a0, 0(a3)",
    "jump to where no code is": "jr a2",
    "hardware loop without a turn": ".balign 4; .insn i 0x7B, 4, x0, x0, 4; nop; nop",
    "read of an unknown register": "csrr a0, 0x123",
}


@pytest.fixture(autouse=True)
def _tools() -> None:
    if not is_available():
        skip_or_fail("needs clang-19 and lld-19")


def run_snippet(machine: Machine, folder: Path, code: str) -> tuple[int, int]:
    """a0 and a1 after the code."""
    results = "li a3, 0x84001000; sw a0, 0(a3); sw a1, 4(a3)"
    end = "li a3, 0x00100000; li a4, 0x5555; sw a4, 0(a3)"
    text = ".globl _start\n_start: li a0, 0; li a1, 0; lui a2, 0x84000\n"
    text += ".option push\n" + code.replace(";", "\n") + "\n.option pop\n"
    program = assemble(folder, text + f"{results}\n{end}\n".replace(";", "\n"))
    words = Memory.of(BLOB, np.array(WORDS, np.uint32).view(np.uint8), READ | WRITE)
    found = Memory.of(BLOB + 0x1000, np.zeros(8, np.uint8), READ | WRITE)
    machine.run(program, [words, found])
    a0, a1 = (int(word) for word in found.data.view(np.uint32))
    return a0, a1


@pytest.mark.parametrize("name", SNIPPETS)
def test_an_instruction_does_what_the_manual_says(
    machine: Machine, tmp_path: Path, name: str
) -> None:
    code, a0, a1 = SNIPPETS[name]
    assert run_snippet(machine, tmp_path, code) == (a0 % 2**32, a1 % 2**32)


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_wrong_ends_the_run(machine: Machine, tmp_path: Path, reason: str) -> None:
    with pytest.raises(MachineError, match=reason):
        run_snippet(machine, tmp_path, WRONG[reason])


@pytest.mark.slow
@pytest.mark.zfinx
def test_qemu_finds_the_same_results_with_the_same_instructions(
    machine: Machine, tmp_path: Path
) -> None:
    """Checksums and counts of retired instructions of every case of the portable kernels."""
    if shutil.which(QEMU) is None:
        skip_or_fail("needs qemu-system-riscv32")
    cases = [*case_catalogue.catalogue(), *placed_catalogue.catalogue()[::5]]
    elf = build_bare_metal(tmp_path)
    blob = write_blob(cases)
    (tmp_path / "blob").write_bytes(blob)
    board = ["-M", "virt", "-m", "512M", "-bios", "none", "-nographic", "-icount", "shift=0"]
    loader = ["-device", f"loader,file={tmp_path / 'blob'},addr={BLOB:#x},force-raw=on"]
    done = subprocess.run(
        [QEMU, *board, *ZFINX, "-kernel", str(elf), *loader],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    memory = Memory.of(BLOB, np.frombuffer(blob, np.uint8), READ | WRITE)
    run = machine.run(Program.read(elf), [memory, STACK])
    check_blob(memory.data.tobytes(), cases)
    assert done.stdout.split() == run.printed.split()
    assert len(run.printed.split()) == 2 * len(cases)
