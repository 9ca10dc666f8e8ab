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
