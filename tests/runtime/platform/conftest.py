"""A build directory of the fake network, and the weight images that it reads."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from aretusa.execution.address_map import qemu_windows
from aretusa.execution.machine_files import ImagePlace, machine_files, runtime_files

HERE = Path(__file__).parent
MODEL_HASH = bytes(range(32))
WEIGHT_BYTES = 4096
CHUNK_BYTES = 1024
SRAM, MRAM = 2, 3
SIZES = {"l1": 65536, "l2": 65536, "sram": 65536, "mram": 65536}
# The fake tokenizer's letters for ids 0 ..; then anything.
LETTERS = b"T" + bytes(range(31, 127))


def crc32c(data: bytes) -> int:
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def make_image(memory: int, data: bytes, model_hash: bytes = MODEL_HASH) -> bytes:
    chunks = [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)]
    table = struct.pack(f"<{len(chunks)}I", *map(crc32c, chunks))
    header_bytes = -(-(64 + len(table)) // 64) * 64
    head = struct.pack("<4s5I", b"ARTI", 1, header_bytes, len(data), CHUNK_BYTES, len(chunks))
    head += model_hash + struct.pack("<I", memory)
    image = head + struct.pack("<I", crc32c(head + table)) + table
    return image.ljust(header_bytes, b"\0") + data


def weight_bytes(seed: int, start: bytes = b"") -> bytes:
    return start + np.random.default_rng(seed).bytes(WEIGHT_BYTES - len(start))


def write_build(build: Path) -> None:
    """The fake network's build directory, as the driver would write a real one."""
    build.mkdir()
    images = (ImagePlace(memory="sram"), ImagePlace(memory="mram", offset_bytes=4096))
    for name, text in machine_files(qemu_windows(SIZES), images).items():
        (build / name).write_text(text)
    for name, content in runtime_files().items():
        if "/kernels/" not in name and "/tokenizer/" not in name:
            path = build / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for name in ("exp.h", "exp_table.c", "float_bits.h"):
        source = f"runtime/src/kernels/{name}"
        (build / source).parent.mkdir(exist_ok=True)
        (build / source).write_bytes(runtime_files()[source])
    shutil.copy(HERE / "fake_network.c", build / "network.c")
    shutil.copy(HERE / "fake_tokenizer.c", build)
    shutil.copy(HERE / "network.h", build)
    (build / "sram.bin").write_bytes(make_image(SRAM, weight_bytes(1)))
    (build / "mram.bin").write_bytes(make_image(MRAM, weight_bytes(2, LETTERS)))


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip without the tools, but never in CI."""
    wanted = ("make", "riscv64-unknown-elf-gcc", "qemu-system-riscv32")
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{missing[0]} is not installed")


@pytest.fixture(scope="session")
def fake_build(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build directory that tests only read."""
    build = tmp_path_factory.mktemp("fake network") / "build"
    write_build(build)
    return build
