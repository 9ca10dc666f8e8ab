"""CRC-32C of bytes equals the definition, and the runtime's table is the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aretusa.quantization.crc import BYTE_TABLES, POLYNOMIAL, crc32c, crc32c_chunks

RUNTIME_TABLE = Path(__file__).parents[3] / "runtime" / "src" / "crc32c_table.h"


def by_definition(data: bytes, crc: int = 0) -> int:
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_known_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


def test_known_values_of_rfc_3720() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(data=st.binary(max_size=700), crc=st.integers(0, 2**32 - 1))
def test_any_bytes(data: bytes, crc: int) -> None:
    assert crc32c(data, crc) == by_definition(data, crc)


@given(data=st.binary(max_size=400), cut=st.integers(0, 400))
def test_going_on_is_the_same_as_all_at_once(data: bytes, cut: int) -> None:
    assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)


def test_chunks_are_checked_one_by_one() -> None:
    data = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)
    for chunk_bytes in (4, 512, 1000, 4096, 8192):
        expected = [
            crc32c(data[first : first + chunk_bytes]) for first in range(0, 5000, chunk_bytes)
        ]
        assert crc32c_chunks(data, chunk_bytes).tolist() == expected
    assert crc32c_chunks(b"", 64).tolist() == []


def test_runtime_table_is_the_same() -> None:
    words = re.findall(r"0x[0-9a-f]{8}", RUNTIME_TABLE.read_text())
    assert [int(word, 16) for word in words] == BYTE_TABLES.reshape(-1).tolist()
