"""The image checks name what is wrong, and read nothing outside the capacity."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kernel_cases import Case, Kernel, junk

from aretusa.quantization.crc import crc32c, crc32c_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_programs import HostLibrary, SanitizedProgram
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

HASH = hashlib.sha256(b"model").digest()
MEMORY = 3
CHUNK_BYTES = 256


class Exit(IntEnum):
    """enum art_exit."""

    OK = 0
    MAGIC = 10
    LENGTH = 11
    CRC = 12
    MODEL = 13


class Word(IntEnum):
    """Words of the header."""

    MAGIC = 0
    VERSION = 1
    HEADER_BYTES = 2
    DATA_BYTES = 3
    CHUNK_BYTES = 4
    CHUNK_COUNT = 5
    HASH = 6
    MEMORY = 14
    CRC = 15


def sign(image: Words) -> Words:
    """Put in the header's CRC for whatever the header says."""
    count = min(int(image[Word.CHUNK_COUNT]), image.size - 16)
    crc = crc32c(image[: Word.CRC].view(np.uint8))
    image[Word.CRC] = crc32c(image[16 : 16 + count].view(np.uint8), crc)
    return image


def image_of(data_bytes: int) -> Words:
    """A sound image of random data."""
    data = np.random.default_rng(1).integers(0, 256, data_bytes, dtype=np.uint8)
    crcs = crc32c_chunks(data, CHUNK_BYTES)
    header_bytes = -(-(64 + 4 * len(crcs)) // 64) * 64
    image = np.zeros((header_bytes + data_bytes) // 4, np.uint32)
    image[: Word.HASH] = [0x49545241, 1, header_bytes, data_bytes, CHUNK_BYTES, len(crcs)]
    image[Word.HASH : Word.MEMORY] = np.frombuffer(HASH, np.uint32)
    image[Word.MEMORY] = MEMORY
    image[16 : 16 + len(crcs)] = crcs
    image[header_bytes // 4 :] = data.view(np.uint32)
    return sign(image)


def check_case(
    image: Words, header: Exit, chunks: list[Exit], *, hash_text: str = HASH.hex()
) -> Case:
    """art_image_check_header, then the chunks that each of len(chunks) cores checks."""
    found: NDArray[Any] = np.array([header, *chunks], np.uint32)
    return Case(
        name=f"image that is {header.name}",
        kernel=Kernel.CHECK_IMAGE,
        params=[image.nbytes, MEMORY],
        arrays=[
            image,
            np.frombuffer(hash_text.encode() + b"\0", np.uint8),
            junk(found.shape, np.uint32),
        ],
        expected={2: found},
    )


def changed(word: int, value: int, *, signed: bool = True) -> Words:
    image = image_of(1000)
    image[word] = value
    return sign(image) if signed else image


def damaged_headers() -> list[Case]:
    """Headers that are wrong in one word, most of them with a CRC that fits."""
    wrong = {
        Exit.MAGIC: [changed(Word.MAGIC, 0), changed(Word.VERSION, 2)],
        Exit.LENGTH: [
            changed(word, value)
            for word, value in (
                (Word.HEADER_BYTES, 0),
                (Word.HEADER_BYTES, 64),  # no room for the table
                (Word.HEADER_BYTES, 100),
                (Word.HEADER_BYTES, 0xFFFFFFC0),
                (Word.DATA_BYTES, 1004),  # past the capacity
                (Word.DATA_BYTES, 998),
                (Word.DATA_BYTES, 0xFFFFFFFC),
                (Word.CHUNK_BYTES, 0),
                (Word.CHUNK_BYTES, 255),
                (Word.CHUNK_BYTES, 65540),
                (Word.CHUNK_COUNT, 0),
                (Word.CHUNK_COUNT, 5),
                (Word.CHUNK_COUNT, 0xFFFFFFFF),
            )
        ],
        Exit.CRC: [changed(Word.CRC, 1, signed=False), changed(17, 0, signed=False)],
        Exit.MODEL: [changed(Word.HASH + 7, 0), changed(Word.MEMORY, 2)],
    }
    return [
        check_case(image, exit_, [exit_]) for exit_, images in wrong.items() for image in images
    ]


def short_images() -> list[Case]:
    """Capacities that end inside the header."""
    whole = image_of(1000)
    return [
        check_case(whole[:15].copy(), Exit.MAGIC, [Exit.MAGIC]),
        check_case(whole[:16].copy(), Exit.LENGTH, [Exit.LENGTH]),
        check_case(whole[:-1].copy(), Exit.LENGTH, [Exit.LENGTH]),
    ]


@pytest.mark.parametrize("data_bytes", [4, 256, 1000, 20000])
@pytest.mark.parametrize("cores", [1, 2, 8])
def test_sound_images_pass(host: HostLibrary, data_bytes: int, cores: int) -> None:
    host.check([check_case(image_of(data_bytes), Exit.OK, [Exit.OK] * cores)], cores)


def test_each_damage_has_its_exit_code(host: HostLibrary) -> None:
    host.check([*damaged_headers(), *short_images()], 1)


def test_wrong_hash_is_another_model(host: HostLibrary) -> None:
    image = image_of(1000)
    for text in (HASH.hex()[:-1] + "g", HASH.hex().upper(), "0" * 64):
        host.check([check_case(image, Exit.MODEL, [Exit.MODEL], hash_text=text)], 1)


def test_the_core_of_a_broken_chunk_reports_it(host: HostLibrary) -> None:
    image = image_of(1000)
    header_words = int(image[Word.HEADER_BYTES]) // 4
    image[header_words + 2 * CHUNK_BYTES // 4] ^= 1 << 31
    host.check([check_case(image, Exit.OK, [Exit.OK, Exit.OK, Exit.CRC, Exit.OK])], 4)


@pytest.mark.slow
def test_checks_read_nothing_past_the_capacity(sanitized: SanitizedProgram, tmp_path: Path) -> None:
    sanitized.check([*damaged_headers(), *short_images()], 1, tmp_path)
