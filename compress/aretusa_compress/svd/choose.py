"""choose_ranks(): the rank of every matrix that a recipe means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa_compress.run.context import cannot_apply
from aretusa_compress.svd.options import Method, Weigh
from aretusa_compress.svd.patterns import last_match, without_effect
from aretusa_compress.svd.ranks import (
    Candidate,
    distribute,
    fixed_rank,
    least_parameters,
    rank_for_share,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from aretusa_compress.svd.decompositions import Parts
    from aretusa_compress.svd.options import Ranks
    from aretusa_compress.svd.ranks import Size


def choose_ranks(
    options: Ranks,
    parts: dict[str, Parts],
    gradients: dict[str, float] | None,
    *,
    stay: Collection[str] = (),
) -> dict[str, int | None]:
    """The rank of each matrix by its short name; None: it stays as it is.

    `gradients` are the mean squares of the loss's gradient at the outputs of each matrix, for a
    budget that is weighed by the loss where the components are not; matrices of `stay` stay, at the
    cost of the others' budget. Raises UsageError E0508 for a budget or names that do not suit the
    model.
    """
    slips = without_effect(options.ranks, parts)
    if slips:
        raise cannot_apply(
            f"ranks names '{slips[0]}', which is none of the chosen matrices",
            "matrices and dense choose them",
            "Correct ranks",
        )
    sizes = {name: replace(one.size, tile=options.tile) for name, one in parts.items()}
    found: dict[str, int | None] = dict.fromkeys(stay)
    found |= {
        name: fixed_rank(sizes[name], asked, options.multiple)
        for name in parts
        if name not in found and (asked := last_match(options.ranks, name)) is not None
    }
    rest = {name: one for name, one in parts.items() if name not in found}
    if options.budget is not None:
        return found | _by_budget(options, sizes, rest, found, gradients)
    for name in rest:
        if options.rank is not None:
            found[name] = fixed_rank(sizes[name], options.rank, options.multiple)
        elif options.share is not None:
            found[name] = rank_for_share(sizes[name], options.share, options.multiple)
        else:
            found[name] = None
    return found


def _by_budget(
    options: Ranks,
    sizes: dict[str, Size],
    rest: dict[str, Parts],
    found: dict[str, int | None],
    gradients: dict[str, float] | None,
) -> dict[str, int | None]:
    """Distribute what the budget leaves to the matrices without a rank of their own."""
    assert options.budget is not None
    spent = sum(_parameters(sizes[name], rank) for name, rank in found.items())
    total = sum(size.parameters for size in sizes.values())
    left = int(options.budget * total) - spent
    candidates = {
        name: Candidate(sizes[name], _gains(options, name, one, gradients))
        for name, one in rest.items()
    }
    least = least_parameters(candidates, options.multiple)
    if left < least:
        raise cannot_apply(
            f"a budget of {options.budget} is too small",
            f"{least:,} parameters are needed for rank {options.multiple} everywhere, "
            f"{max(left, 0):,} are left",
            f"Raise budget to {(least + spent) / total:.4f} or more, or lower multiple",
        )
    return distribute(candidates, left, options.multiple)


def _parameters(size: Size, rank: int | None) -> int:
    return size.parameters if rank is None else size.factored(rank)


def _gains(
    options: Ranks, name: str, one: Parts, gradients: dict[str, float] | None
) -> list[float]:
    """What each component takes off the error of the outputs, as it counts."""
    squares = one.values.double().square()
    match options.weigh:
        case Weigh.OUTPUT:
            factor = 1.0
        case Weigh.RELATIVE:
            factor = 1.0 / float(squares.sum().clamp_min(1e-300))
        case Weigh.LOSS if options.method is Method.KFAC:
            factor = 1.0  # the values are those of the loss already
        case Weigh.LOSS:
            assert gradients is not None, "the caller measures them for this weighing"
            factor = gradients[name]
    return (squares * factor).tolist()  # type: ignore[no-any-return]
