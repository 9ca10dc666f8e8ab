"""Record files: what the firmware writes, and what a full disk leaves of it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import FirmwareError
from aretusa.execution.records import (
    ProfileRow,
    StopReason,
    StopRecord,
    TokenRecord,
    parse_records,
)


def record(tag: int, payload: bytes) -> bytes:
    return struct.pack("<2I", tag, len(payload)) + payload


PROMPT = record(1, struct.pack("<3i", 1, 2, 3))
TOKENS = record(2, struct.pack("<iIQ", 9, 3, 1 << 40)) + record(2, struct.pack("<iIQ", 8, 4, 5))
LOGITS = record(3, struct.pack("<I3f", 2, 0.5, -1.0, float("nan")))
STOP = record(4, struct.pack("<4I2Q", 3, 3, 2, 0, 10, 20))
PROFILE = record(5, struct.pack("<4Q", 100, 1, 200, 2))
FILE = PROMPT + TOKENS + LOGITS + STOP + PROFILE


def test_every_kind_is_read() -> None:
    records = parse_records(FILE)

    assert records.prompt == (1, 2, 3)
    assert records.tokens == (TokenRecord(9, 3, 1 << 40), TokenRecord(8, 4, 5))
    assert records.logits[0].position == 2
    assert np.array_equal(records.logits[0].logits, np.float32([0.5, -1.0, np.nan]), equal_nan=True)
    assert records.stop == StopRecord(StopReason.TOKEN_BUDGET, 3, 2, 10, 20)
    assert records.profile == (ProfileRow(100, 1), ProfileRow(200, 2))


def test_counts_of_kernels_grow_with_the_tokens() -> None:
    def counts(instructions: int, calls: int) -> bytes:
        return record(5, struct.pack("<2Q", instructions, calls))

    tokens = [record(2, struct.pack("<iIQ", 9, 3 + i, 5)) for i in range(2)]

    records = parse_records(
        PROMPT + tokens[0] + counts(10, 1) + tokens[1] + counts(30, 2) + STOP + counts(31, 3)
    )

    assert records.profiles == ((ProfileRow(10, 1),), (ProfileRow(30, 2),))
    assert records.profile == (ProfileRow(31, 3),)


def test_a_token_may_have_no_company() -> None:
    assert parse_records(STOP).tokens == ()


@pytest.mark.parametrize("size", range(len(PROMPT + TOKENS + LOGITS + STOP)))
def test_a_cut_file_is_damaged(size: int) -> None:
    with pytest.raises(FirmwareError) as caught:
        parse_records(FILE[:size])
    assert caught.value.code == "E0809"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(STOP + STOP, id="two ends"),
        pytest.param(STOP + record(6, b""), id="unknown tag"),
        pytest.param(STOP + record(2, b"1234"), id="short token"),
        pytest.param(STOP + record(3, b""), id="empty logits"),
        pytest.param(STOP + record(3, b"123456"), id="torn float"),
        pytest.param(STOP + record(5, b"12345678"), id="torn row"),
        pytest.param(record(4, struct.pack("<4I2Q", 9, 3, 2, 0, 1, 2)), id="unknown reason"),
    ],
)
def test_a_malformed_record_is_damage(data: bytes) -> None:
    with pytest.raises(FirmwareError) as caught:
        parse_records(data)
    assert caught.value.code == "E0809"


@given(st.binary(max_size=200), st.integers(0, len(FILE)))
def test_noise_is_read_or_refused(noise: bytes, where: int) -> None:
    try:
        parse_records(FILE[:where] + noise + FILE[where:])
    except FirmwareError as error:
        assert error.code == "E0809"  # noqa: PT017 - a parse that succeeds is right, too
