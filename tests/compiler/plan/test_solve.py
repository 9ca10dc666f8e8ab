"""The solver against every possible choice: nothing is better, and the bound holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aretusa.neureka.linear import Engine
from aretusa.plan.choice import Answer, Item, Load, Option, Problem
from aretusa.plan.classes import item_classes, spread
from aretusa.plan.greedy import first_fit
from aretusa.plan.solve import GOOD_GAP, first_answer, solve
from aretusa.target.description import MemoryId

MEMORIES: Final = (MemoryId.SRAM, MemoryId.MRAM, MemoryId.L3)
RING: Final = 64

cycles = st.integers(0, 5000)
loads = st.builds(
    Load, prefill_work=cycles, decode_work=cycles, prefill_link=cycles, decode_link=cycles
)


@st.composite
def options(draw: st.DrawFn) -> Option:
    memory = draw(st.sampled_from(MEMORIES))
    is_off_chip = memory is MemoryId.L3
    load = draw(loads)
    return Option(
        engine=draw(st.sampled_from((Engine.CLUSTER, Engine.NEUREKA_3X3))),
        engine_rows=0,
        homes=(("", memory),),
        usage=((memory, 32 * draw(st.integers(1, 6))),),
        load=load if is_off_chip else replace(load, prefill_link=0, decode_link=0),
        is_paged=is_off_chip and draw(st.booleans()),
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """At most five items of at most three roles; items of a role have the same options."""
    roles = draw(st.lists(st.lists(options(), min_size=1, max_size=4), min_size=1, max_size=3))
    numbers = draw(st.lists(st.integers(0, len(roles) - 1), min_size=1, max_size=5))
    return Problem(
        items=tuple(
            Item(name=f"item{index}", role=f"role{number}", options=tuple(roles[number]))
            for index, number in enumerate(numbers)
        ),
        free_bytes={memory: 32 * draw(st.integers(0, 16)) for memory in MEMORIES},
        page_ring=(MemoryId.SRAM, RING),
        fixed=draw(loads),
    )


def keeps_one_engine(problem: Problem, chosen: tuple[int, ...]) -> bool:
    engines: dict[str, set[Engine | None]] = {}
    for item, index in zip(problem.items, chosen, strict=True):
        engines.setdefault(item.role, set()).add(item.options[index].engine)
    return all(len(found) == 1 for found in engines.values())


def every_choice(problem: Problem) -> list[tuple[int, ...]]:
    """All that fit and keep each role on one engine."""
    numbers = [range(len(item.options)) for item in problem.items]
    return [
        chosen
        for chosen in product(*numbers)
        if problem.fits(chosen) and keeps_one_engine(problem, chosen)
    ]


def check(problem: Problem, answer: Answer) -> None:
    """What is promised of every answer."""
    assert problem.fits(answer.chosen)
    assert keeps_one_engine(problem, answer.chosen)
    assert answer.objective_cycles == problem.load(answer.chosen).cycles
    assert answer.bound_cycles <= answer.objective_cycles
    assert (answer.status == "optimal") is (answer.bound_cycles == answer.objective_cycles)
    assert 0 <= answer.gap <= 1
    if answer.first_fit_cycles is not None:
        assert answer.objective_cycles <= answer.first_fit_cycles


@settings(max_examples=150)
@given(problems())
def test_the_answer_is_the_least_of_all(problem: Problem) -> None:
    choices = every_choice(problem)
    answer = solve(problem)
    if answer is None:
        assert choices == []
        return
    check(problem, answer)
    least = min(problem.load(chosen).cycles for chosen in choices)
    assert answer.bound_cycles <= least
    assert least <= answer.objective_cycles
    assert answer.objective_cycles - least <= GOOD_GAP * answer.objective_cycles


@given(problems())
def test_the_first_answer_fits_and_knows_its_bound(problem: Problem) -> None:
    answer = first_answer(problem)
    choices = every_choice(problem)
    assert (answer is None) is (choices == [])
    if answer is not None:
        check(problem, answer)
        assert answer.bound_cycles <= min(problem.load(chosen).cycles for chosen in choices)


@given(problems(), st.sampled_from(MEMORIES), st.integers(1, 20))
def test_more_memory_never_gives_a_worse_answer(
    problem: Problem, memory: MemoryId, more: int
) -> None:
    free = dict(problem.free_bytes)
    free[memory] += 32 * more
    smaller, larger = solve(problem), solve(replace(problem, free_bytes=free))
    if smaller is None:
        return
    assert larger is not None
    assert larger.objective_cycles * (1 - GOOD_GAP) <= smaller.objective_cycles


@given(problems())
def test_equal_problems_get_equal_answers(problem: Problem) -> None:
    assert solve(problem) == solve(problem)


@given(problems())
def test_first_fit_fits(problem: Problem) -> None:
    chosen = first_fit(problem)
    if chosen is not None:
        assert problem.fits(chosen)
        assert keeps_one_engine(problem, chosen)


@given(problems(), st.data())
def test_members_of_a_class_may_change_places(problem: Problem, data: st.DataObject) -> None:
    """Only how many members take an option matters: what `spread` makes costs the same."""
    choices = every_choice(problem)
    if not choices:
        return
    chosen = data.draw(st.sampled_from(choices))
    classes = item_classes(problem)
    assert sorted(m for one in classes for m in one.members) == list(range(len(problem.items)))
    counts = [
        [[chosen[m] for m in one.members].count(index) for index in range(len(one.options))]
        for one in classes
    ]
    again = spread(problem, classes, counts)
    assert problem.usage(again) == problem.usage(chosen)
    assert problem.load(again) == problem.load(chosen)


def test_earlier_layers_get_earlier_options() -> None:
    pair = (option(MemoryId.MRAM), option(MemoryId.L3))
    items = tuple(Item(name=f"l{n}", role="w", options=pair) for n in range(4))
    problem = Problem(
        items=items, free_bytes={}, page_ring=(MemoryId.SRAM, 0), fixed=Load(prefill_work=1)
    )
    assert spread(problem, item_classes(problem), [[1, 3]]) == (0, 1, 1, 1)


def option(memory: MemoryId, work: int = 0, **changes: object) -> Option:
    plain = Option(
        engine=Engine.CLUSTER,
        engine_rows=0,
        homes=(("", memory),),
        usage=((memory, 32),),
        load=Load(decode_work=work),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_work_and_link_run_beside_each_other() -> None:
    load = Load(prefill_work=5, prefill_link=7, decode_work=30, decode_link=20)
    assert load.cycles == 7 + 30
    assert (load + load).cycles == load.times(2).cycles == 2 * (7 + 30)


def test_what_hides_behind_the_link_is_free() -> None:
    """Eight layers: as long as the link is the longer one, slow work on chip costs nothing."""
    far = option(MemoryId.L3, load=Load(decode_link=100))
    near = option(MemoryId.MRAM, load=Load(decode_work=90))
    items = tuple(Item(name=f"l{n}", role="w", options=(far, near)) for n in range(8))
    problem = Problem(
        items=items,
        free_bytes={MemoryId.MRAM: 8 * 32, MemoryId.L3: 8 * 32, MemoryId.SRAM: 0},
        page_ring=(MemoryId.SRAM, 0),
        fixed=Load(),
    )
    answer = solve(problem)
    assert answer is not None
    assert answer.objective_cycles == 400
    assert sorted(answer.chosen) == [0] * 4 + [1] * 4


def test_pages_need_their_ring() -> None:
    paged = option(MemoryId.L3, is_paged=True)
    problem = Problem(
        items=(Item(name="w", role="w", options=(paged,)),),
        free_bytes={MemoryId.SRAM: RING, MemoryId.L3: 32},
        page_ring=(MemoryId.SRAM, RING),
        fixed=Load(),
    )
    assert solve(problem) is not None
    assert problem.usage((0,)) == {MemoryId.SRAM: RING, MemoryId.L3: 32}
    short = replace(problem, free_bytes={MemoryId.SRAM: RING - 1, MemoryId.L3: 32})
    assert solve(short) is None
    assert first_fit(short) is None


@pytest.mark.parametrize("free", [0, 31])
def test_one_byte_less_than_the_only_option_is_refused(free: int) -> None:
    item = Item(name="w", role="w", options=(option(MemoryId.MRAM),))
    problem = Problem(
        items=(item,),
        free_bytes={MemoryId.MRAM: free},
        page_ring=(MemoryId.SRAM, 0),
        fixed=Load(),
    )
    assert solve(problem) is None
    assert solve(replace(problem, free_bytes={MemoryId.MRAM: 32})) is not None
