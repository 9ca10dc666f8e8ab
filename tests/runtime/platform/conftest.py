"""A build directory of the fake network, and the weight images that it reads."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from required_tools import skip_or_fail

from aretusa.codegen.render import render
from aretusa.execution.address_map import MemoryNeed, machine_map
from aretusa.execution.firmware import Platform, build_firmware
from aretusa.execution.machine_files import (
    MACHINE_FILES,
    ImagePlace,
    machine_values,
    runtime_files,
)
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.execution.address_map import MachineMap

HERE = Path(__file__).parent
MODEL_HASH = bytes(range(32))
WEIGHT_BYTES = 4096
CHUNK_BYTES = 1024
SRAM, MRAM = 2, 3
USED_BYTES = 65536  # of each memory; of L3 the first two pages are constant
CONSTANT_BYTES = {"l1": 0, "l2": 0, "sram": USED_BYTES, "mram": USED_BYTES, "l3": 8192}
# The fake tokenizer's letters for ids 0 ..; then anything.
LETTERS = b"T" + bytes(range(31, 127))


def crc32c(data: bytes) -> int:
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def image_of(memory: int, data: bytes, model_hash: bytes = MODEL_HASH) -> bytes:
    chunks = [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)]
    table = struct.pack(f"<{len(chunks)}I", *map(crc32c, chunks))
    header_bytes = -(-(64 + len(table)) // 64) * 64
    head = struct.pack("<4s5I", b"ARTI", 1, header_bytes, len(data), CHUNK_BYTES, len(chunks))
    head += model_hash + struct.pack("<I", memory)
    image = head + struct.pack("<I", crc32c(head + table)) + table
    return image.ljust(header_bytes, b"\0") + data


def weight_bytes(seed: int, start: bytes = b"") -> bytes:
    return start + np.random.default_rng(seed).bytes(WEIGHT_BYTES - len(start))


def map_of_chip() -> MachineMap:
    """The fake network on the real chip."""
    return machine_map(
        [
            MemoryNeed(
                memory=memory.id.key,
                base_address=memory.base_address,
                size_bytes=memory.size_bytes,
                reserved_bytes=memory.reserved_bytes,
                used_bytes=USED_BYTES,
                constant_bytes=CONSTANT_BYTES[memory.id.key],
            )
            for memory in load_target().memories
        ]
    )


def write_build(build: Path) -> None:
    """The fake network's build directory, as the driver would write a real one."""
    build.mkdir()
    images = (ImagePlace(memory="sram"), ImagePlace(memory="mram", offset_bytes=4096))
    values = machine_values(map_of_chip(), images)
    for name in MACHINE_FILES:
        (build / name).write_text(render(f"{name}.j2", values))
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
    for name in ("fake_tokenizer.c", "network.h", "probe.c", "probe.h"):
        shutil.copy(HERE / name, build)
    (build / "sram.bin").write_bytes(image_of(SRAM, weight_bytes(1)))
    (build / "mram.bin").write_bytes(image_of(MRAM, weight_bytes(2, LETTERS)))


def _mix(state: int, value: int) -> int:
    state = (state ^ value) * 0x9E37_79B1 & 0xFFFF_FFFF
    return state ^ state >> 15


class FakeNetwork:
    """The fake network once more, written from its description and not from its code."""

    vocabulary = 96
    context = 40
    stop_tokens = (7, 11)

    def __init__(self, weights: tuple[bytes, ...]) -> None:
        words = [struct.unpack(f"<{len(data) // 4}I", data) for data in weights]
        terms = (_mix(i, word) for part in words for i, word in enumerate(part))
        self.sum = sum(terms) & 0xFFFF_FFFF

    def logits(self, tokens: list[int]) -> list[float]:
        """The logits after the last token."""
        state = self.sum
        for position, token in enumerate(tokens):
            state = _mix(state, _mix(token, position))
        return [(_mix(state, i) >> 20) / 256 for i in range(self.vocabulary)]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The most likely tokens, whatever they are."""
        tokens = list(prompt)
        for _ in range(count):
            logits = self.logits(tokens)
            tokens.append(logits.index(max(logits)))
        return tokens[len(prompt) :]


@pytest.fixture(scope="session")
def fake_network() -> FakeNetwork:
    return FakeNetwork((weight_bytes(1), weight_bytes(2, LETTERS)))


@pytest.fixture(scope="session")
def machine_of_chip() -> MachineMap:
    return map_of_chip()


@pytest.fixture(scope="session")
def tools() -> None:
    """What every test here needs; the marker `qemu` asks for the rest."""
    if shutil.which("make") is None or shutil.which("cc") is None:
        skip_or_fail("make and cc are not both installed; make setup installs them")


@pytest.fixture(scope="session")
def fake_build(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build directory that tests only read; its programs are built."""
    build = tmp_path_factory.mktemp("fake network") / "build"
    write_build(build)
    build_firmware(build, Platform.HOST)
    if shutil.which("riscv64-unknown-elf-gcc") is not None:
        build_firmware(build, Platform.QEMU)
    if shutil.which("clang-19") is not None and shutil.which("ld.lld-19") is not None:
        build_firmware(build, Platform.QEMU_ZFINX)
    return build


@pytest.fixture(scope="session")
def make_image() -> Callable[..., bytes]:
    """Image of a memory number, its data and, if not the fake network's, its model hash."""
    return image_of


@pytest.fixture
def own_build(fake_build: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; what is compiled already is not compiled again."""
    return shutil.copytree(fake_build, tmp_path / "build", symlinks=True)
