from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from aretusa.cost.code_cache import Code, CodeCache
from aretusa.target.load import load_target

LINES: Final = 100
LINE_CYCLES: Final = 15
CORE: Final = replace(load_target().core, code_cache_lines=LINES, code_line_cycles=LINE_CYCLES)
CODES: Final[list[tuple[Code, float]]] = [(("kernel", f"phase {n}"), 10.0 * n) for n in range(1, 8)]


def _fetched(cache: CodeCache, number: int) -> int:
    return cache.run([CODES[number]])


def test_code_that_is_there_costs_nothing() -> None:
    cache = CodeCache(CORE)
    assert cache.run(CODES[:3]) == 60 * LINE_CYCLES
    assert cache.run(CODES[:3]) == 0


def test_what_was_run_longest_ago_goes_first() -> None:
    cache = CodeCache(CORE)
    for number in (3, 2, 0, 3):  # 40, 30, 10 lines, and the first ones again
        _fetched(cache, number)
    assert _fetched(cache, 4) == 50 * LINE_CYCLES  # 130 lines: the 30 go
    assert [_fetched(cache, number) for number in (3, 0)] == [0, 0]
    assert _fetched(cache, 2) == 30 * LINE_CYCLES


def test_more_of_a_code_brings_the_rest() -> None:
    cache, code = CodeCache(CORE), ("kernel", "phase")
    assert cache.run([(code, 20.0)]) == 20 * LINE_CYCLES
    assert cache.run([(code, 32.0)]) == 12 * LINE_CYCLES
    assert cache.run([(code, 20.0)]) == 0


def test_code_longer_than_the_cache_is_there_till_something_else_runs() -> None:
    cache = CodeCache(CORE)
    long = (("kernel", "long"), 2.0 * LINES)
    assert cache.run([long]) == 2 * LINES * LINE_CYCLES
    assert _fetched(cache, 0) == 10 * LINE_CYCLES
    assert cache.run([long]) == 2 * LINES * LINE_CYCLES


@given(order=st.lists(st.integers(0, len(CODES) - 1)))
def test_a_larger_cache_never_fetches_more_and_its_content_can_be_put_back(
    order: list[int],
) -> None:
    small, large = CodeCache(CORE), CodeCache(replace(CORE, code_cache_lines=2 * LINES))
    again = CodeCache(CORE)
    for number in order:
        again.replace(small.content)
        assert _fetched(again, number) == _fetched(small, number) >= _fetched(large, number)
