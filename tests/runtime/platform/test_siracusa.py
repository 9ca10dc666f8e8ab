"""The program for the chip itself: where its parts lie, how it starts, how it is run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from elftools.elf.elffile import ELFFile

from aretusa.errors import FirmwareError, UsageError
from aretusa.execution.firmware import Flavour, FloatRegisters, Platform, build_firmware
from aretusa.execution.request import IdSegment, RunRequest, TextSegment
from aretusa.execution.virtual_platform import program_with_request, run_gvsoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import FakeNetwork

    from aretusa.execution.address_map import MachineMap

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
HELLO: Final = [ord(c) - 31 for c in "Hello"]
CORES: Final = 8
PROBE, READ = 88, 0
FLOAT_ABI: Final = 6  # bits of an ELF file's flags; 0: floats in the integer registers, 2: single
pytestmark = pytest.mark.usefixtures("tools")

# Sources: gvsoc/gvsoc-pulp pulp/chips/siracusa; tried on the virtual platform.
FABRIC_CACHE, CLUSTER_CACHE, START, ENTRY = 0x1A108800, 0x10201400, 0x10200008, 0x10200040
TIMER, TRIGGER, TARGETS, ARRIVE = 0x10200400, 0x10204200, 0x1020420C, 0x1020421C
MASK_SET, STATUS = 0x10204008, 0x1A1040A0


def hello(max_new_tokens: int = 6, **options: object) -> RunRequest:
    return RunRequest(
        segments=(TextSegment("Hello"),),
        max_new_tokens=max_new_tokens,
        **{"ignore_stop": True, **options},
    )


@pytest.fixture(scope="module")
def program(fake_build: Path) -> Path:
    return build_firmware(fake_build, Platform.SIRACUSA).program


def loaded(program: Path) -> dict[int, tuple[bytes, int]]:
    """Content and size in memory of each part, by its address."""
    with program.open("rb") as file:
        segments = [part for part in ELFFile(file).iter_segments() if part["p_type"] == "PT_LOAD"]
        return {part["p_paddr"]: (part.data(), part["p_memsz"]) for part in segments}


@pytest.mark.clang
def test_images_are_loaded_where_the_chip_has_them(
    program: Path, fake_build: Path, machine_of_chip: MachineMap
) -> None:
    parts = loaded(program)

    sram, mram = (machine_of_chip.window(name).base_address for name in ("sram", "mram"))
    assert parts[sram][0] == (fake_build / "sram.bin").read_bytes()
    assert parts[mram + 4096][0] == (fake_build / "mram.bin").read_bytes()


@pytest.mark.clang
def test_nothing_is_loaded_outside_of_the_planned_places(
    program: Path, machine_of_chip: MachineMap
) -> None:
    areas = [machine_of_chip.program, machine_of_chip.state, *machine_of_chip.windows]

    for address, (_, size) in loaded(program).items():
        assert any(
            area.base_address <= address and address + size <= area.base_address + area.size_bytes
            for area in areas
        ), f"{size} bytes at {address:#x}"


@pytest.mark.clang
def test_the_state_of_core_0_lies_below_the_stacks(
    program: Path, machine_of_chip: MachineMap
) -> None:
    l1, state = machine_of_chip.window("l1"), machine_of_chip.state

    assert l1.end_address <= state.base_address
    assert state.end_address == machine_of_chip.stacks.base_address
    inside = [
        (len(content), size)
        for address, (content, size) in loaded(program).items()
        if state.base_address <= address < state.end_address
    ]
    constants, variables = sorted(inside, reverse=True)
    assert constants[0] == constants[1] > 0
    assert variables[0] == 0 < variables[1]


@pytest.mark.clang
def test_the_fabric_controller_starts_at_the_first_byte(
    program: Path, machine_of_chip: MachineMap
) -> None:
    with program.open("rb") as file:
        assert ELFFile(file)["e_entry"] == machine_of_chip.program.base_address


@pytest.mark.clang
@pytest.mark.parametrize(
    ("floats", "abi"), [(FloatRegisters.SHARED, 0), (FloatRegisters.SEPARATE, 2)]
)
def test_floats_are_where_the_cores_keep_them(
    floats: FloatRegisters, abi: int, fake_build: Path
) -> None:
    built = build_firmware(fake_build, Platform.SIRACUSA, Flavour(floats=floats)).program

    with built.open("rb") as file:
        assert ELFFile(file)["e_flags"] & FLOAT_ABI == abi


@pytest.mark.clang
def test_a_request_goes_into_its_window_and_nowhere_else(program: Path) -> None:
    block = hello().encode(CORES)
    before, after = program.read_bytes(), program_with_request(program, block)

    changed = [i for i, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]
    assert after.count(block) == 1
    start = after.index(block)
    assert start <= min(changed)
    assert max(changed) < start + len(block)


@pytest.mark.clang
def test_make_puts_the_same_request_there(own_build: Path) -> None:
    block = hello().encode(CORES)
    (own_build / "request.bin").write_bytes(block)
    build_firmware(own_build, Platform.SIRACUSA)

    subprocess.run(["make", "-s", "-C", own_build, "aretusa-gvsoc.elf"], check=True)

    by_make = loaded(own_build / "aretusa-gvsoc.elf")
    patched = own_build / "patched.elf"
    patched.write_bytes(program_with_request(own_build / "aretusa-siracusa.elf", block))
    assert by_make == loaded(patched)


@pytest.mark.clang
def test_a_request_that_is_larger_than_its_window_is_refused(program: Path) -> None:
    request = RunRequest(segments=(IdSegment(tuple(range(5000))),), max_new_tokens=1)

    with pytest.raises(UsageError, match="more than the chip's 16,384") as caught:
        program_with_request(program, request.encode(CORES))
    assert caught.value.code == "E0010"


@pytest.fixture(scope="module")
def boot_log(
    fake_build: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[str]]:
    """What the start of the program does to the chip's registers."""
    runtime = ROOT / "runtime"
    folder = runtime / "src" / "platform" / "siracusa"
    built = tmp_path_factory.mktemp("boot") / "boot"
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-DSIRACUSA_RECORDED", "-no-pie"]
    includes = [f"-I{runtime / 'include'}", f"-I{runtime / 'src'}", f"-I{fake_build}"]
    sources = [HERE / "boot_log.c", folder / "boot.c", folder / "core.c"]
    subprocess.run([*command, *includes, *map(str, sources), "-o", str(built)], check=True)

    def log(*arguments: str) -> list[str]:
        done = subprocess.run([built, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    return log


def written(log: list[str], address: int) -> list[int]:
    """What was written to a register, in order."""
    lines = [line.split() for line in log]
    return [int(w[2], 16) for w in lines if w[0] == "write" and int(w[1], 16) == address]


def test_the_fabric_controller_starts_core_0_alone(boot_log: Callable[..., list[str]]) -> None:
    log = boot_log()

    assert written(log, FABRIC_CACHE) == written(log, CLUSTER_CACHE) == [0xFFFFFFFF]
    entries = [written(log, ENTRY + 4 * core) for core in range(CORES)]
    assert entries[0][0] != 0
    assert entries == [entries[0]] * CORES
    assert written(log, START) == [1]
    start = log.index(f"write {START:08x} 00000001")
    assert all(
        log.index(f"write {ENTRY + 4 * core:08x} {entries[0][0]:08x}") < start
        for core in range(CORES)
    )
    assert log.index("off chip") < start
    assert log[-1] == "serve"


def test_core_0_prepares_what_the_others_need_and_starts_them(
    boot_log: Callable[..., list[str]],
) -> None:
    log = boot_log("core", "0")

    assert written(log, TRIGGER) == written(log, TARGETS) == written(log, START) == [0xFF]
    assert written(log, TIMER) == [0x80000003]
    start = log.index(f"write {START:08x} 000000ff")
    before = [
        f"write {TRIGGER:08x} 000000ff",
        f"write {TARGETS:08x} 000000ff",
        "engine",
        "transfers",
    ]
    assert all(log.index(line) < start for line in before)
    assert log.index(f"write {MASK_SET:08x} 00010000") < log.index("program 0 of 8")


def test_the_machine_ends_with_core_0_when_all_have_arrived(
    boot_log: Callable[..., list[str]],
) -> None:
    log = boot_log("core", "0")

    end = log.index("program 0 of 8")
    assert log[end + 1 :] == [f"wait {ARRIVE:08x}", "close", f"write {STATUS:08x} 8000000e", "idle"]


def test_a_worker_leaves_the_registers_of_others_alone(boot_log: Callable[..., list[str]]) -> None:
    assert boot_log("core", "5") == [
        f"write {MASK_SET:08x} 00010000",
        "program 5 of 8",
        f"wait {ARRIVE:08x}",
        "idle",
    ]


def put_platform(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program that stands for the virtual platform; $work and $binary are its arguments."""
    tool = folder / "gvsoc"
    tool.write_text(
        '#!/bin/sh\nfor argument in "$@"; do\n  case $argument in\n'
        "  --work-dir=*) work=${argument#*=} ;;\n  --binary=*) binary=${argument#*=} ;;\n"
        f"  esac\ndone\n{script}\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.clang
def test_text_streams_and_records_are_found(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = tmp_path / "record.bin"
    records.write_bytes(
        b"".join(word.to_bytes(4, "little") for word in (4, 32, 3, 5, 0, 0, 9, 0, 7, 0))
    )
    put_platform(tmp_path, monkeypatch, f'printf abc; cp {records} "$work/record.bin"')
    pieces: list[bytes] = []

    outcome = run_gvsoc(fake_build, hello(), on_text=pieces.append)

    assert b"".join(pieces) == outcome.console == b"abc"
    assert outcome.records is not None
    assert outcome.records.stop.prompt_tokens == 5
    assert outcome.records.stop.boot_instructions == 9
    assert not list(fake_build.glob("run-*"))


@pytest.mark.clang
def test_the_programs_exit_code_is_in_a_message(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "Input error: Platform returned an error (exitcode: 12)"
    put_platform(tmp_path, monkeypatch, f"echo 'aretusa fault: x'; echo '{message}' >&2; exit 1")

    with pytest.raises(FirmwareError) as caught:
        run_gvsoc(fake_build, hello())
    assert caught.value.code == "E0803"
    assert caught.value.why == "x"


@pytest.mark.clang
def test_a_tokenizer_that_no_core_reads_says_so(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_platform(tmp_path, monkeypatch, "echo '(exitcode: 19)' >&2; exit 1")

    with pytest.raises(FirmwareError, match="do not reach") as caught:
        run_gvsoc(fake_build, hello())
    assert caught.value.code == "E0811"


@pytest.mark.clang
def test_an_access_that_leads_nowhere_is_quoted(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "printf 'text\\n9: [\\033[31m/pe0\\033[0m]   Invalid access at 0x1234\\n'"
    messages = f"{said}; echo '(exitcode: 1)' >&2; exit 1"
    put_platform(tmp_path, monkeypatch, messages)

    with pytest.raises(FirmwareError, match=r"9: \[/pe0\] Invalid access at 0x1234") as caught:
        run_gvsoc(fake_build, hello())
    assert caught.value.code == "E0847"


@pytest.mark.clang
def test_cores_with_registers_for_floats_get_a_program_for_them(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offset 36 of an ELF file holds its flags."""
    flags = '$(od -An -tu1 -j36 -N1 "$binary")'
    wrong = "echo '(exitcode: 18)' >&2; exit 1"
    put_platform(
        tmp_path,
        monkeypatch,
        f"if [ $(( {flags} & {FLOAT_ABI} )) = 0 ]; then {wrong}; fi; echo two",
    )

    outcome = run_gvsoc(fake_build, hello(record=False))

    assert outcome.console == b"two\n"


@pytest.mark.gvsoc
@pytest.mark.clang
@pytest.mark.parametrize("cores", [1, 2, 8])
def test_the_virtual_platform_chooses_the_same_tokens(
    cores: int, fake_build: Path, fake_network: FakeNetwork
) -> None:
    outcome = run_gvsoc(fake_build, hello(20, logits=True), cores=cores)

    assert outcome.records is not None
    tokens = [record.token for record in outcome.records.tokens]
    assert tokens == fake_network.greedy(HELLO, 20)
    for record in outcome.records.logits:
        known = [*HELLO, *tokens][: record.position + 1]
        assert record.logits.tolist() == fake_network.logits(known)
    assert outcome.records.stop.prefill_instructions > 0


@pytest.mark.gvsoc
@pytest.mark.clang
def test_the_virtual_platform_stops_where_there_is_no_memory(fake_build: Path) -> None:
    ids = (PROBE, 0, READ, *(int(digit, 16) for digit in "50000000"))

    with pytest.raises(FirmwareError, match="50000000") as caught:
        run_gvsoc(fake_build, RunRequest(segments=(IdSegment(ids),), max_new_tokens=1))
    assert caught.value.code == "E0847"


@pytest.mark.gvsoc
@pytest.mark.clang
def test_the_virtual_platform_sees_a_damaged_image(own_build: Path) -> None:
    image = own_build / "sram.bin"
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)

    with pytest.raises(FirmwareError) as caught:
        run_gvsoc(own_build, hello())
    assert caught.value.code == "E0803"


def test_without_the_virtual_platform_it_says_what_to_do(
    fake_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("gvsoc") is None

    with pytest.raises(Exception, match="gvsoc is not installed"):
        run_gvsoc(fake_build, hello())
