"""The files that describe the machine to compiler, linker, QEMU and make."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from required_tools import skip_or_fail

from aretusa.codegen.render import render
from aretusa.execution.address_map import MIB, MachineMap, MemoryNeed, machine_map
from aretusa.execution.firmware import target_flavour
from aretusa.execution.machine_files import (
    MACHINE_FILES,
    ImagePlace,
    machine_values,
    runtime_files,
)
from aretusa.target.load import load_target

ROOT = Path(__file__).parents[3]
USED = {"l1": 8192, "l2": MIB, "sram": 0, "mram": 3 * MIB, "l3": 9 * MIB}
CONSTANT = {"l1": 0, "l2": 10000, "sram": 0, "mram": 3 * MIB, "l3": 0}
IMAGES = (ImagePlace(memory="l2", offset_bytes=4096), ImagePlace(memory="mram"))


@pytest.fixture(scope="module")
def machine() -> MachineMap:
    return machine_map(
        [
            MemoryNeed(
                memory=memory.id.key,
                base_address=memory.base_address,
                size_bytes=memory.size_bytes,
                reserved_bytes=memory.reserved_bytes,
                used_bytes=USED[memory.id.key],
                constant_bytes=CONSTANT[memory.id.key],
            )
            for memory in load_target().memories
        ]
    )


@pytest.fixture(scope="module")
def texts(machine: MachineMap) -> dict[str, str]:
    values = machine_values(machine, IMAGES)
    return {name: render(f"{name}.j2", values) for name in MACHINE_FILES}


def test_every_file_ends_with_one_newline(texts: dict[str, str]) -> None:
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in texts.values())


def test_images_are_loaded_into_the_ram_behind_their_memory(
    texts: dict[str, str], machine: MachineMap
) -> None:
    text = texts["machine.cfg"]

    l2 = machine.window("l2").ram_address + 4096
    assert f'file = "l2.bin"\n  addr = "{l2:#010x}"' in text
    assert f'file = "mram.bin"\n  addr = "{machine.window("mram").ram_address:#010x}"' in text
    assert f'file = "request.bin"\n  addr = "{machine.request.ram_address:#010x}"' in text
    assert "sram.bin" not in text
    assert f'size = "{machine.ram_bytes // MIB}M"' in text


def test_the_header_says_addresses_sizes_and_rights(texts: dict[str, str]) -> None:
    text = texts["memory_map.h"]

    assert "#define ART_L1_BASE 0x10000000\n#define ART_L1_BYTES 8192\n" in text
    assert "#define ART_L2_BYTES 1048576\n#define ART_L2_READ_ONLY_BYTES 8192\n" in text
    assert "#define ART_MRAM_BYTES 3145728\n#define ART_MRAM_READ_ONLY_BYTES 3145728\n" in text
    assert "#define ART_SRAM_BYTES 0\n" in text
    assert "#define ART_L3_BASE 0x40000000\n#define ART_L3_BYTES 9437184\n" in text
    assert "#define ART_STACK_BYTES 4096\n" in text


def test_the_program_is_linked_where_the_chip_has_it(
    texts: dict[str, str], machine: MachineMap
) -> None:
    program = machine.program

    assert (
        f"PROGRAM : ORIGIN = {program.base_address:#010x}, LENGTH = {program.size_bytes}\n"
    ) in texts["link.ld"]
    assert f"program_to_ram = {program.ram_address:#010x} - ORIGIN(PROGRAM);" in texts["link.ld"]


def test_the_header_is_formatted(texts: dict[str, str], tmp_path: Path) -> None:
    formatter = Path(sys.executable).with_name("clang-format")
    if not formatter.exists() and shutil.which("clang-format") is None:
        skip_or_fail("clang-format is not installed")
    header = tmp_path / "memory_map.h"
    header.write_text(texts["memory_map.h"])

    subprocess.run(
        [formatter, f"--style=file:{ROOT / '.clang-format'}", "--dry-run", "-Werror", header],
        check=True,
    )


def test_an_image_outside_its_memory_is_a_bug(machine: MachineMap) -> None:
    with pytest.raises(AssertionError, match="the image of sram starts outside it"):
        machine_values(machine, (ImagePlace(memory="sram"),))


def test_the_runtime_is_shipped_whole() -> None:
    files = runtime_files()

    assert {
        "runtime/include/aretusa/platform.h",
        "runtime/src/generate.c",
        "runtime/src/platform/host.c",
        "runtime/src/platform/qemu_virt/program.S",
        "runtime/src/platform/qemu_virt/monitor/start.S",
    } <= set(files)
    assert list(files) == sorted(files)


@pytest.mark.parametrize(
    ("float_registers", "has_own_kernels", "lines"),
    [
        (0, False, {"FLOATS ?= shared", "XPULP ?="}),
        (32, True, {"FLOATS ?= separate", "XPULP ?= 1"}),
    ],
)
def test_the_makefile_knows_the_cores_of_the_target(
    machine: MachineMap,
    float_registers: int,
    lines: set[str],
    tmp_path: Path,
    *,
    has_own_kernels: bool,
) -> None:
    values = machine_values(
        machine, IMAGES, float_registers=float_registers, has_own_kernels=has_own_kernels
    )
    text = render("Makefile.j2", values)
    assert lines <= set(text.splitlines())
    (tmp_path / "runtime").mkdir()
    for name in (*MACHINE_FILES, "network.c", "network.h"):
        (tmp_path / name).write_text(text)
    flavour = target_flavour(tmp_path)
    assert flavour.xpulp is has_own_kernels
    assert flavour.floats.value == ("separate" if float_registers else "shared")
