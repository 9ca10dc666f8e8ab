"""Whole networks through the drivers of the chip: the same bits as with the software queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from recorded_programs import HYPERBUS_READ_START, PACES, read_record, request_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recorded_programs import RecordedNetwork

PROMPT: Final = tuple(range(3, 279, 23))  # a full chunk and more
NEW_TOKENS: Final = 3
PROGRAMS: Final = ("chosen", "paged split")
DATA_BYTE: Final = -1000  # somewhere in the last chunk
HEADER_BYTE, TABLE_BYTE, HASH_BYTE, COUNT_BYTE = 9, 64, 24, 23
SLOW_PROGRAMS: Final = (
    "cluster",
    "3x3",
    "1x1",
    "split",
    "unsigned 1x1",
    "groups 3x3",
    "paged 3x3",
    "paged 1x1",
    "streamed",
)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize(
    "name", [*PROGRAMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_PROGRAMS)]
)
def test_a_network_gives_the_same_bits_whenever_the_units_work(
    name: str,
    pace: str,
    recorded_network: Callable[[str], RecordedNetwork],
    tmp_path: Path,
) -> None:
    network = recorded_network(name)
    request = request_of(PROMPT, NEW_TOKENS)
    expected = network.plain(request)
    log = tmp_path / "bus.log"
    assert network.recorded(request, pace, log) == expected
    assert len(expected) > 4 * NEW_TOKENS
    accesses = read_record(log)
    has_l3 = (network.build / "l3.bin").exists()
    assert any(access.address == HYPERBUS_READ_START for access in accesses) == has_l3
    if pace == "late":
        assert any(access.kind == "sleeps" for access in accesses)


@pytest.mark.parametrize(
    ("byte", "code", "message"),
    [
        (0, 10, "no image, or not an image: l3.bin"),
        (COUNT_BYTE, 11, "an impossible length in image l3.bin"),
        (HEADER_BYTE, 11, "a wrong header in image l3.bin"),
        (TABLE_BYTE, 12, "a wrong header in image l3.bin"),
        (HASH_BYTE, 12, "a wrong header in image l3.bin"),
        (DATA_BYTE, 12, "a wrong checksum in image l3.bin"),
    ],
)
def test_the_fabric_controller_refuses_a_damaged_image(
    byte: int,
    code: int,
    message: str,
    recorded_network: Callable[[str], RecordedNetwork],
    tmp_path: Path,
) -> None:
    network = recorded_network("paged split")
    image = bytearray((network.build / "l3.bin").read_bytes())
    image[byte] ^= 0x40
    ended = network.run_with_l3(request_of(PROMPT, 1), bytes(image), tmp_path / "place")
    assert ended == (code, f"\naretusa fault: {message}\n")


def test_the_fabric_controller_needs_the_whole_image(
    recorded_network: Callable[[str], RecordedNetwork], tmp_path: Path
) -> None:
    network = recorded_network("paged split")
    whole = (network.build / "l3.bin").read_bytes()
    request = request_of(PROMPT, 1)
    code, text = network.run_with_l3(request, whole[:-4], tmp_path / "short")
    assert (code, text) == (11, "\naretusa fault: an image that is too short: l3.bin\n")
    code, text = network.run_with_l3(request, None, tmp_path / "none")
    assert (code, text) == (
        10,
        "\naretusa fault: no image, or nobody who reads files: l3.bin\n",
    )
