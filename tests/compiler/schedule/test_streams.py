"""Loads go to the slots of a ring in turn; long runs of them may be told by their ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.schedule.streams import Load, Pass, Streamed, StreamError, cuts, loads, period_of


def test_a_pass_fills_free_slots_in_turn() -> None:
    stream = Pass(2, [Streamed("a", 20, 8), Streamed("b", 8, 16)])
    first, last, other = Load("a", 0, 8), Load("a", 8, 8), Load("b", 0, 8)
    assert list(stream.fill()) == [(0, first), (1, last)]
    assert list(stream.fill()) == []
    assert (stream.take(), stream.take()) == (0, 1)
    assert stream.release() == 0
    assert list(stream.fill()) == [(0, Load("a", 16, 4))]
    assert stream.release() == 1
    assert list(stream.fill()) == [(1, other)]
    assert (stream.take(), stream.take()) == (0, 1)
    assert not stream.is_over
    assert (stream.release(), stream.release()) == (0, 1)
    assert stream.is_over


def test_what_would_stop_the_program_is_an_error() -> None:
    stream = Pass(1, [Streamed("a", 8, 8)])
    with pytest.raises(StreamError, match="never given"):
        stream.take()
    list(stream.fill())
    with pytest.raises(StreamError, match="not awaited"):
        stream.release()
    stream.take()
    with pytest.raises(StreamError, match="never given"):
        stream.take()
    with pytest.raises(StreamError, match="no row of b fits a slot"):
        list(loads([Streamed("b", 8, 0)]))


@given(rows=st.integers(1, 2000), load_rows=st.integers(1, 40), slots=st.integers(1, 16))
def test_what_is_left_out_is_whole_periods_in_the_middle(
    rows: int, load_rows: int, slots: int
) -> None:
    period = period_of(slots)
    whole = list(cuts(Streamed("a", rows, load_rows)))
    short = list(cuts(Streamed("a", rows, load_rows, period)))
    assert period % 2 == period % slots == 0
    assert [first for first, _, _ in whole] == list(range(0, rows, load_rows))
    assert {cut[:2] for cut in short} <= {cut[:2] for cut in whole}
    assert short[0][0] == 0
    assert [first for first, _, _ in short[1:]] == [until for _, _, until in short[:-1]]
    assert short[-1][2] == rows
    assert (len(whole) - len(short)) % period == 0
    assert len(short) < 4 * period
    assert short[: 2 * period - 1] == whole[: 2 * period - 1]
    assert short[-period:] == whole[-period:]
