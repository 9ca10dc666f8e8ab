"""The request block, byte by byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import UsageError
from aretusa.execution.request import IdSegment, RunRequest, TextSegment

SEGMENTS = st.lists(
    st.one_of(
        st.builds(TextSegment, st.text(max_size=20), st.booleans(), st.booleans()),
        st.builds(IdSegment, st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5).map(tuple)),
    ),
    max_size=4,
).map(tuple)


def test_a_block_is_the_c_struct_and_its_segments() -> None:
    request = RunRequest(
        segments=(TextSegment("héj", special=True, begin=True), IdSegment((1, -1))),
        max_new_tokens=7,
        chunk=3,
        temperature=0.5,
        top_p=0.25,
        seed=(2 << 32) + 5,
        logits=True,
        ignore_stop=True,
    )

    block = request.encode(4)

    assert block[:24] == b"ARTQ" + struct.pack("<5I", len(block), 4, 1 + 2 + 8, 7, 3)
    assert block[24:44] == struct.pack("<2f3I", 0.5, 0.25, 5, 2, 2)
    assert block[44:56] == struct.pack("<2I", 5, 4) + "héj".encode()
    assert block[56:] == struct.pack("<2I2i", 2, 8, 1, -1)


@given(SEGMENTS)
def test_segments_can_be_walked(segments: tuple[TextSegment | IdSegment, ...]) -> None:
    block = RunRequest(segments=segments, max_new_tokens=1).encode(1)

    at = 44
    for segment in segments:
        kind, size = struct.unpack_from("<2I", block, at)
        payload = block[at + 8 : at + 8 + size]
        if isinstance(segment, IdSegment):
            assert struct.unpack(f"<{size // 4}i", payload) == segment.ids
        else:
            assert kind == segment.special + 4 * segment.begin
            assert payload.decode() == segment.text
        at += 8 + -(-size // 4) * 4
    assert at == len(block) == struct.unpack_from("<I", block, 4)[0]


def test_records_are_implied_by_what_needs_them() -> None:
    request = RunRequest(segments=(), max_new_tokens=0, record=False, profile=True)

    assert request.wants_records
    assert struct.unpack_from("<I", request.encode(1), 12) == (1 + 4,)


@pytest.mark.parametrize(
    ("options", "cores", "what"),
    [
        ({}, 0, "cores is 0"),
        ({}, 9, "cores is 9"),
        ({"max_new_tokens": -1}, 1, "max_new_tokens is -1"),
        ({"chunk": 2**32}, 1, "chunk is 4294967296"),
        ({"temperature": -0.5}, 1, "temperature is -0.5"),
        ({"temperature": float("nan")}, 1, "temperature is nan"),
        ({"top_p": 0.0}, 1, "top_p is 0.0"),
        ({"top_p": 1.5}, 1, "top_p is 1.5"),
        ({"seed": 2**64}, 1, "seed is 18446744073709551616"),
        ({"segments": (IdSegment((2**31,)),)}, 1, "2147483648 is no token id"),
        ({"segments": (TextSegment("x" * 2**20),)}, 1, "the request has 1,048,628 bytes"),
    ],
)
def test_what_no_firmware_could_do_is_refused(
    options: dict[str, object], cores: int, what: str
) -> None:
    request = RunRequest(**{"segments": (), "max_new_tokens": 1, **options})

    with pytest.raises(UsageError) as caught:
        request.encode(cores)
    assert what in caught.value.what


def test_a_lone_surrogate_is_a_question_mark() -> None:
    block = RunRequest(segments=(TextSegment("a\ud800"),), max_new_tokens=1).encode(1)

    assert block[52:54] == b"a?"
