"""Weight images: header, checksums and data, read by code that is not the writer's."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import RandomConstants, lowered_graph, plan_of, runnable_config, write_build

from aretusa.codegen.images import ImageWriter, is_intact
from aretusa.frontend.llama_config import Family
from aretusa.manifest import read_manifest
from aretusa.quantization.layout import pack_matrix
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = runnable_config(Family.QWEN2)
GRAPH = lowered_graph(CONFIG, scheme="w8g32")
CHUNK_BYTES = 65536


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_build(GRAPH, tmp_path_factory.mktemp("images") / "build", CONFIG)


def crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial says."""
    table = []
    for start in range(256):
        word = start
        for _ in range(8):
            word = word >> 1 ^ (0x82F63B78 if word & 1 else 0)
        table.append(word)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def image_names(build: Path) -> list[str]:
    return [image.file_name for image in read_manifest(build).images]


def test_every_memory_with_constants_has_an_image(build: Path) -> None:
    plan = plan_of(GRAPH)
    expected = [f"{memory.key}.bin" for memory in MemoryId if plan.memory.constants(memory)]
    assert image_names(build) == expected == ["l2.bin", "sram.bin", "mram.bin"]


def test_the_header_says_what_follows(build: Path) -> None:
    manifest = read_manifest(build)
    for image in manifest.images:
        data = (build / image.file_name).read_bytes()
        magic, version, header_bytes, data_bytes, chunk_bytes, chunks = struct.unpack_from(
            "<4s5I", data
        )
        model_hash, memory, header_crc = struct.unpack_from("<32s2I", data, 24)
        assert (magic, version, chunk_bytes) == (b"ARTI", 1, CHUNK_BYTES)
        assert header_bytes % 64 == 0
        assert header_bytes + data_bytes == len(data) == image.size_bytes
        assert data_bytes % 4 == 0
        assert chunks == -(-data_bytes // CHUNK_BYTES)
        assert model_hash.hex() == manifest.model_hash
        assert MemoryId(memory).key == image.memory
        table = data[64 : 64 + 4 * chunks]
        assert header_crc == crc32c(data[:60] + table)
        assert not any(data[64 + 4 * chunks : header_bytes])


def test_every_chunk_has_its_checksum(build: Path) -> None:
    for name in image_names(build):
        data = (build / name).read_bytes()
        header_bytes, _, _, chunks = struct.unpack_from("<4I", data, 8)
        table = struct.unpack_from(f"<{chunks}I", data, 64)
        for chunk, crc in enumerate(table):
            start = header_bytes + chunk * CHUNK_BYTES
            assert crc == crc32c(data[start : start + CHUNK_BYTES])


def test_constants_lie_where_the_manifest_says(build: Path) -> None:
    manifest = read_manifest(build)
    constants = RandomConstants(GRAPH, CONFIG)

    def stored(name: str, size_bytes: int) -> bytes:
        region = manifest.region(name)
        with (build / f"{region.memory}.bin").open("rb") as file:
            file.seek(region.offset_bytes)
            return file.read(size_bytes)

    norm = constants.vector("model.norm.weight").astype("<f4").tobytes()
    assert stored("model.norm.weight", len(norm)) == norm
    cosine = constants.rope().cosine.astype("<f4").tobytes()
    assert stored("rope.cosine", len(cosine)) == cosine
    name = "model.embed_tokens.weight"  # only the cluster reads it: the head is another matrix
    codes = pack_matrix(constants.matrix(name)).codes.tobytes()
    assert stored(name, len(codes)) == codes


def test_the_first_constant_starts_right_behind_the_header(build: Path) -> None:
    manifest = read_manifest(build)
    for image in manifest.images:
        data = (build / image.file_name).read_bytes()
        (header_bytes,) = struct.unpack_from("<I", data, 8)
        first = min(
            region.offset_bytes
            for region in manifest.regions
            if region.memory == image.memory and region.kind in {"weight", "table", "tokenizer"}
        )
        assert first == header_bytes


def test_the_hash_is_that_of_graph_and_constants(build: Path, tmp_path: Path) -> None:
    again = write_build(GRAPH, tmp_path / "again", CONFIG)
    other = write_build(lowered_graph(CONFIG, scheme="w8g64"), tmp_path / "other", CONFIG)
    assert read_manifest(again).model_hash == read_manifest(build).model_hash
    assert read_manifest(other).model_hash != read_manifest(build).model_hash


def test_an_image_is_intact_until_one_bit_changes(build: Path, tmp_path: Path) -> None:
    image = build / "mram.bin"
    assert is_intact(image)
    data = image.read_bytes()
    random = np.random.default_rng(7)
    places = [0, 5, 9, 13, 30, 57, 61, 64, *(int(p) for p in random.integers(0, len(data), 24))]
    copy = tmp_path / "mram.bin"
    (header_bytes, _, _, chunks) = struct.unpack_from("<4I", data, 8)
    for place in places:
        if 64 + 4 * chunks <= place < header_bytes:
            continue  # padding
        changed = bytearray(data)
        changed[place] ^= 1 << int(random.integers(8))
        copy.write_bytes(changed)
        assert not is_intact(copy), f"bit of byte {place}"


@pytest.mark.parametrize("size", [0, 3, 63, 64, 100, 70_000])
def test_a_cut_image_is_not_intact(build: Path, tmp_path: Path, size: int) -> None:
    data = (build / "mram.bin").read_bytes()
    assert size < len(data)
    copy = tmp_path / "mram.bin"
    copy.write_bytes(data[:size])
    assert not is_intact(copy)
    copy.write_bytes(data + b"\0")
    assert not is_intact(copy)
    assert not is_intact(tmp_path / "absent.bin")


def test_progress_counts_every_byte_of_the_constants(tmp_path: Path) -> None:
    constants: Any = RandomConstants(GRAPH, CONFIG)
    plan = plan_of(GRAPH, tokenizer_bytes=5)
    counted: list[int] = []
    writer = ImageWriter(plan.graph, plan.memory, constants, b"12345")
    writer.write(tmp_path, "text", counted.append)
    regions = [region for region in plan.memory.regions if region.kind.is_constant]
    padding = 32 * 4 * len(regions)  # between the parts of a matrix
    total = sum(region.size_bytes for region in regions)
    assert total - padding <= sum(counted) <= total
