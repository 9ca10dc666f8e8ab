"""The program reaches its regions of the chip's memories, to the byte, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from aretusa.errors import FirmwareError
from aretusa.execution.address_map import STACK_BYTES
from aretusa.execution.machine import run_qemu
from aretusa.execution.request import IdSegment, RunRequest

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.execution.address_map import MachineMap

FAULT_STACK: Final = 92
PROBE: Final = 88
READ, WRITE, JUMP, PRINT, BREAK, CONTROL, CALL = range(7)
TEXTS: Final = {READ: "load fault", WRITE: "store fault", JUMP: "fetch fault", PRINT: "load fault"}
CAUSES: Final = {READ: 13, WRITE: 15, JUMP: 12, PRINT: 13}
MEMORIES: Final = ("l1", "l2", "sram", "mram", "l3")
REPORT: Final = re.compile(
    r"trap on hart (\d): ([a-z ]+), mcause 0x(\w{8}), mepc 0x(\w{8}), mtval 0x(\w{8})(.*)"
)
pytestmark = [pytest.mark.usefixtures("tools"), pytest.mark.qemu]


class Trap(NamedTuple):
    hart: int
    text: str
    cause: int
    pc: int
    value: int
    place: str


def prompt_of(operation: int, address: int, hart: int) -> RunRequest:
    digits = tuple(int(digit, 16) for digit in f"{address:08x}")
    segment = IdSegment((PROBE, hart, operation, *digits))
    return RunRequest(segments=(segment,), max_new_tokens=2, ignore_stop=True)


class Chip(NamedTuple):
    """The fake network's build and where everything lies."""

    build: Path
    machine: MachineMap

    def run(self, operation: int, address: int, hart: int) -> bytes:
        """The console of a probe that does no harm."""
        return run_qemu(self.build, prompt_of(operation, address, hart), timeout_s=60).console

    def trap(self, request: RunRequest) -> Trap:
        with pytest.raises(FirmwareError) as caught:
            run_qemu(self.build, request, timeout_s=60)
        assert caught.value.code == "E0847"
        found = REPORT.fullmatch(caught.value.why)
        assert found, caught.value.why
        hart, text, cause, pc, value, place = found.groups()
        return Trap(int(hart), text, int(cause, 16), int(pc, 16), int(value, 16), place)

    def check(self, operation: int, address: int, place: str, hart: int = 3) -> None:
        """A probe traps on its hart, at its address, with a report that names the place."""
        trap = self.trap(prompt_of(operation, address, hart))

        assert (trap.hart, trap.text, trap.cause) == (hart, TEXTS[operation], CAUSES[operation])
        assert (f"{trap.value:#010x}", trap.place) == (f"{address:#010x}", place)
        if operation == JUMP:
            assert trap.pc == address
        else:
            assert self.machine.program.base_address <= trap.pc < self.machine.program.end_address


@pytest.fixture
def chip(fake_build: Path, machine_of_chip: MachineMap) -> Chip:
    return Chip(fake_build, machine_of_chip)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("operation", [READ, WRITE])
def test_the_first_byte_after_a_memory_traps(operation: int, memory: str, chip: Chip) -> None:
    window = chip.machine.window(memory)
    kind = " image" if window.read_only_bytes == window.size_bytes else ""

    place = f", past the end of {memory}{kind}"
    chip.check(operation, window.end_address, place)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_last_byte_before_a_memory_traps(memory: str, chip: Chip) -> None:
    window = chip.machine.window(memory)
    kind = " image" if window.read_only_bytes else ""

    place = f", below {memory}{kind}"
    chip.check(WRITE, window.base_address - 1, place, hart=0)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_last_byte_of_a_memory_does_not(memory: str, chip: Chip) -> None:
    window = chip.machine.window(memory)
    operation = READ if window.read_only_bytes == window.size_bytes else WRITE

    chip.run(operation, window.end_address - 1, 7)


@pytest.mark.parametrize("memory", ["sram", "mram", "l3"])
def test_an_image_is_read_only_from_its_first_to_its_last_byte(memory: str, chip: Chip) -> None:
    window = chip.machine.window(memory)
    for offset in (0, window.read_only_bytes - 1):
        address = window.base_address + offset
        chip.check(WRITE, address, f", in {memory} image", hart=1)


def test_what_follows_an_image_is_writable(chip: Chip) -> None:
    window = chip.machine.window("l3")
    address = window.base_address + window.read_only_bytes

    chip.run(WRITE, address, 7)


def test_the_request_is_read_only_and_ends(chip: Chip) -> None:
    request = chip.machine.request

    chip.check(WRITE, request.base_address, ", in request")
    chip.check(READ, request.end_address, ", past the end of request")


def test_a_null_pointer_traps(chip: Chip) -> None:
    chip.check(READ, 0, "")
    chip.check(WRITE, 16, "", hart=0)
    chip.check(JUMP, 0, "", hart=7)


def test_code_is_read_only_and_nothing_else_is_code(chip: Chip) -> None:
    program = chip.machine.program

    chip.check(WRITE, program.base_address, ", in code")
    chip.check(READ, program.base_address - 1, ", below code")
    chip.check(READ, program.end_address, "")
    for memory in ("l1", "l2"):
        window = chip.machine.window(memory)
        chip.check(JUMP, window.base_address, f", in {memory}")
    sram = chip.machine.window("sram")
    chip.check(JUMP, sram.base_address, ", in sram image")


def stack_base(machine: MachineMap, hart: int) -> int:
    return machine.stacks.end_address - (hart + 1) * STACK_BYTES


@pytest.mark.parametrize("hart", [0, 1, 7])
def test_a_stack_overflow_traps_on_every_hart(hart: int, chip: Chip) -> None:
    segment = IdSegment((FAULT_STACK, 50, hart))

    trap = chip.trap(RunRequest(segments=(segment,), max_new_tokens=1))

    base = stack_base(chip.machine, hart)
    assert trap.hart == hart
    assert trap.cause in {CAUSES[READ], CAUSES[WRITE]}
    assert base - 1024 <= trap.value < base
    assert trap.place == ", below stack"


def test_a_stack_is_its_hart_s_own(chip: Chip) -> None:
    top = stack_base(chip.machine, 3) + STACK_BYTES

    chip.check(READ, top, ", past the end of stack")
    chip.check(WRITE, stack_base(chip.machine, 6), "")
    chip.check(JUMP, top - 4, ", in stack")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(0x0010_0000, id="finisher"),
        pytest.param(0x0200_0000, id="event lines"),
        pytest.param(0x0C00_0000, id="interrupt controller"),
        pytest.param(0x8000_0000, id="monitor"),
        pytest.param(0x1020_1000, id="registers of N-EUREKA"),
        pytest.param(0xFFFF_FFFF, id="last byte"),
    ],
)
def test_the_board_and_the_chip_s_devices_are_out_of_reach(address: int, chip: Chip) -> None:
    chip.check(WRITE, address, "")


def test_the_ram_behind_a_memory_is_out_of_reach(chip: Chip) -> None:
    chip.check(READ, chip.machine.window("l1").ram_address, "")


def test_the_address_of_the_uart_is_the_first_byte_of_l1(chip: Chip) -> None:
    uart = 0x1000_0000
    assert chip.machine.window("l1").base_address == uart

    nothing = chip.run(READ, uart, 0)
    written = chip.run(WRITE, uart, 0)

    assert b"A" not in written[: len(written) - len(nothing)]
    assert len(written) == len(nothing)


def test_the_monitor_looks_where_the_program_may_look(chip: Chip) -> None:
    l1 = chip.machine.window("l1")
    first_after = l1.end_address

    chip.run(PRINT, first_after - 16, 0)
    trap = chip.trap(prompt_of(PRINT, first_after - 8, 0))
    assert (trap.text, trap.value, trap.place) == (
        "load fault",
        first_after,
        ", past the end of l1",
    )
    chip.check(PRINT, 0x8000_0000, "", hart=0)
    chip.check(PRINT, 0xFFFF_FFF8, "", hart=0)


def test_a_text_may_lie_in_image_and_memory(chip: Chip) -> None:
    l3 = chip.machine.window("l3")
    middle = l3.base_address + l3.read_only_bytes

    console = chip.run(PRINT, middle - 8, 0)

    assert console.startswith(bytes(16))


@pytest.mark.parametrize(
    ("operation", "text", "cause"),
    [
        pytest.param(BREAK, "breakpoint", 3, id="call of the host"),
        pytest.param(CONTROL, "illegal instruction", 2, id="another address space"),
        pytest.param(CALL, "unknown call", 8, id="unknown call"),
    ],
)
def test_the_program_cannot_help_itself(operation: int, text: str, cause: int, chip: Chip) -> None:
    trap = chip.trap(prompt_of(operation, 0, 5))

    assert (trap.hart, trap.text, trap.cause, trap.place) == (5, text, cause, "")
