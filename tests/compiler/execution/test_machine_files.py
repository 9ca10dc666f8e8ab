"""The files that describe the machine to compiler, linker, QEMU and make."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aretusa.execution.address_map import MIB, qemu_windows
from aretusa.execution.machine_files import ImagePlace, machine_files, runtime_files

ROOT = Path(__file__).parents[3]
SIZES = {"l1": 256 * 1024, "l2": 2 * MIB, "sram": 4 * MIB, "mram": 4 * MIB, "l3": 9 * MIB}
IMAGES = (ImagePlace(memory="l2", offset_bytes=4096), ImagePlace(memory="mram"))


def test_all_files_are_made() -> None:
    files = machine_files(qemu_windows(SIZES), IMAGES)

    assert set(files) == {"memory_map.h", "link.ld", "machine.cfg", "Makefile"}
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in files.values())


def test_images_are_loaded_where_their_headers_belong() -> None:
    windows = {window.memory: window for window in qemu_windows(SIZES)}

    text = machine_files(qemu_windows(SIZES), IMAGES)["machine.cfg"]

    assert (
        'file = "l2.bin"\n  addr = "0x80201000"'.replace(
            "80201000", f"{windows['l2'].base_address + 4096:08x}"
        )
        in text
    )
    assert f'file = "mram.bin"\n  addr = "0x{windows["mram"].base_address:08x}"' in text
    assert "sram.bin" not in text


def test_the_header_says_sizes_guards_and_rights() -> None:
    text = machine_files(qemu_windows(SIZES), IMAGES)["memory_map.h"]

    assert "#define ART_L3_BYTES 9437184\n#define ART_L3_GUARD_BYTES 16777216\n" in text
    assert "#define ART_L1_WRITABLE 1\n" in text
    assert "#define ART_MRAM_WRITABLE 0\n" in text


def test_the_header_is_formatted(tmp_path: Path) -> None:
    formatter = Path(sys.executable).with_name("clang-format")
    if not formatter.exists() and shutil.which("clang-format") is None:
        pytest.skip("clang-format is not installed")
    header = tmp_path / "memory_map.h"
    header.write_text(machine_files(qemu_windows(SIZES), IMAGES)["memory_map.h"])

    subprocess.run(
        [formatter, f"--style=file:{ROOT / '.clang-format'}", "--dry-run", "-Werror", header],
        check=True,
    )


def test_an_image_outside_its_memory_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="the image of l3 starts outside it"):
        machine_files(qemu_windows({"l1": 4096}), (ImagePlace(memory="l3"),))


def test_the_runtime_is_shipped_whole() -> None:
    files = runtime_files()

    assert {
        "runtime/include/aretusa/platform.h",
        "runtime/src/generate.c",
        "runtime/src/platform/host.c",
        "runtime/src/platform/qemu_virt/start.S",
    } <= set(files)
    assert list(files) == sorted(files)
