"""The integer program against trying everything."""

from __future__ import annotations

import itertools
import random

import pytest

from aretusa_compress.fit.forms import Form
from aretusa_compress.fit.program import Limit, Program, least_cost, solve

FORMS = [Form(bits) for bits in (2, 4, 8)]


def random_program(seed: int, *, drop: int = 0) -> Program:
    """Six matrices in three blocks, two limits."""
    draw = random.Random(seed)  # noqa: S311 - numbers to try with
    names = [f"{block}.{part}" for block in range(3) for part in "ab"]
    losses = {name: {form: draw.uniform(0, 1) / form.bits for form in FORMS} for name in names}
    of = {(name, form): form.bits * draw.uniform(1, 3) for name in names for form in FORMS}
    other = {key: draw.uniform(0, 5) for key in of}
    blocks = {block: [f"{block}.a", f"{block}.b"] for block in range(3)}
    return Program(
        losses=losses,
        limits=[
            Limit(most=50, of=of, blocks=dict.fromkeys(blocks, 2.0)),
            Limit(most=17, of=other),
        ],
        blocks=blocks,
        drop_losses={block: draw.uniform(0.1, 1) for block in blocks} if drop else {},
        drop=drop,
    )


def best_by_trying(program: Program) -> float | None:
    """The least loss of all choices within the limits."""
    names = list(program.losses)
    best: float | None = None
    gone = [
        set(some)
        for count in range(program.drop + 1)
        for some in itertools.combinations(program.drop_losses, count)
    ]
    for dropped, forms in itertools.product(gone, itertools.product(FORMS, repeat=len(names))):
        away = {name for block in dropped for name in program.blocks[block]}
        chosen = {n: f for n, f in zip(names, forms, strict=True) if n not in away}
        if all(
            sum(limit.of[key] for key in chosen.items())
            + sum(cost for block, cost in limit.blocks.items() if block not in dropped)
            <= limit.most
            for limit in program.limits
        ):
            loss = sum(program.losses[n][f] for n, f in chosen.items())
            loss += sum(program.drop_losses[block] for block in dropped)
            best = loss if best is None else min(best, loss)
    return best


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drop", [0, 1])
def test_no_choice_is_better_and_the_bound_says_so(seed: int, drop: int) -> None:
    program = random_program(seed, drop=drop)
    expected = best_by_trying(program)
    found = solve(program)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.objective == pytest.approx(expected, rel=2e-4)
    assert found.bound <= found.objective
    assert found.gap < 2e-4
    assert set(found.choice) == {
        name
        for name in program.losses
        if not any(name in program.blocks[block] for block in found.dropped)
    }


def test_without_a_choice_there_is_no_answer() -> None:
    losses = {"m": dict.fromkeys(FORMS, 1.0)}
    limit = Limit(most=1.0, of={("m", form): float(form.bits) for form in FORMS})
    assert solve(Program(losses=losses, limits=[limit])) is None


@pytest.mark.parametrize("drop", [0, 1, 2])
def test_the_least_cost_is_that_of_the_cheapest_choice(drop: int) -> None:
    program = random_program(7, drop=drop)
    limit = program.limits[0]
    least = least_cost(program, limit)
    free = Program(
        losses=program.losses,
        limits=[Limit(most=least * (1 + 1e-5), of=limit.of, blocks=limit.blocks)],
        blocks=program.blocks,
        drop_losses=program.drop_losses,
        drop=drop,
    )
    assert solve(free) is not None
    tight = Limit(most=least * 0.999, of=limit.of, blocks=limit.blocks)
    assert (
        solve(
            Program(
                losses=free.losses,
                limits=[tight],
                blocks=free.blocks,
                drop_losses=free.drop_losses,
                drop=drop,
            )
        )
        is None
    )
