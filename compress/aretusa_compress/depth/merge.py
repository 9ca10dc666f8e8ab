"""LaCo: later blocks folded into an earlier one while the model's last states stay similar.

Layer Collapse (Yang, Cao, Zhao 2024): the weights of the `span` - 1 blocks after block l are added
to it as differences, W_l + sum over k of (W_l+k - W_l), and the blocks themselves go. A merge is
kept if the mean cosine between last hidden states of the original and the merged model stays above
a threshold.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cosine_similarity

from aretusa_compress.model.blocks import Entry, enter, run_blocks, windows_on

if TYPE_CHECKING:
    from torch import Tensor, nn

    from aretusa_compress.depth.options import MergeOptions
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress


@dataclass(slots=True)
class Collapsed:
    """Blocks after merging; `groups` has for each the numbers of the original blocks in it.

    `tried` has the similarity of merges that these blocks were tried with, by place and number of
    blocks: a later pass asks the same again with a lower threshold.
    """

    blocks: list[nn.Module]
    groups: list[list[int]]
    threshold: float
    similarity: float
    tried: dict[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """Calibration windows at the door of the blocks, and where the original model takes them."""

    entries: list[Entry]
    states: list[Tensor]


@torch.no_grad()
def collapse(
    model: Model,
    windows: Tensor,
    *,
    remove: int,
    span: range,
    options: MergeOptions,
    progress: Progress,
) -> Collapsed:
    """Merge until `remove` blocks are gone; only blocks of `span` take part.

    One pass goes from the last blocks to the first ones; passes follow, each with a threshold that
    is lower by `threshold_step`, until enough blocks are gone.
    """
    entries = [enter(model, ids) for ids in windows_on(model, windows)]
    reference = Reference(entries, [_last(model, model.blocks, entry) for entry in entries])
    groups = [[index] for index in range(len(model.blocks))]
    state = Collapsed(model.blocks, groups, options.threshold, 1.0)
    goal = len(model.blocks) - remove
    progress.start("merging blocks", remove)
    while len(state.blocks) > goal:
        before = len(state.blocks)
        _one_pass(model, state, reference, goal=goal, span=span, options=options)
        progress.advance(before - len(state.blocks))
        if len(state.blocks) > goal:
            state.threshold -= options.threshold_step
    return state


def _one_pass(
    model: Model,
    state: Collapsed,
    reference: Reference,
    *,
    goal: int,
    span: range,
    options: MergeOptions,
) -> None:
    """Try each place once, from the last one that has `span` - 1 blocks behind it."""
    end = span.stop - (len(model.blocks) - len(state.blocks))
    place = max(span.start, end - options.span)
    while place >= span.start and len(state.blocks) > goal:
        more = min(options.span - 1, end - place - 1, len(state.blocks) - goal)
        if more > 0 and _try(model, state, reference, place, more):
            end -= more
            place = min(place - options.interval, end - options.span)
        else:
            place -= 1


def _try(model: Model, state: Collapsed, reference: Reference, place: int, more: int) -> bool:
    """Fold `more` blocks into the one at `place`, if the outcome stays similar enough."""
    if (place, more) not in state.tried:
        blocks = _merged(state.blocks, place, more)
        state.tried[place, more] = _similarity(model, blocks, reference)
    similarity = state.tried[place, more]
    if similarity <= state.threshold:
        return False
    state.blocks, state.similarity = _merged(state.blocks, place, more), similarity
    state.tried.clear()
    taken = [index for group in state.groups[place : place + more + 1] for index in group]
    state.groups[place : place + more + 1] = [taken]
    return True


def _merged(blocks: list[nn.Module], place: int, more: int) -> list[nn.Module]:
    """The blocks with `more` of them folded into the one at `place`, which is a copy."""
    merged = copy.deepcopy(blocks[place])
    later = [dict(block.named_parameters()) for block in blocks[place + 1 : place + more + 1]]
    for name, weight in merged.named_parameters():
        own = dict(blocks[place].named_parameters())[name].float()
        total = own + sum(other[name].float() - own for other in later)
        weight.copy_(total.to(weight.dtype))
    return [*blocks[:place], merged, *blocks[place + more + 1 :]]


def _last(model: Model, blocks: list[nn.Module], entry: Entry) -> Tensor:
    """Last hidden states [tokens, hidden] in binary64."""
    hidden = run_blocks(blocks, entry.hidden, entry.arguments[: len(blocks)])
    return model.norm(hidden)[0].double()


def _similarity(model: Model, blocks: list[nn.Module], reference: Reference) -> float:
    """Mean cosine between last hidden states, over all tokens."""
    found = [
        float(cosine_similarity(_last(model, blocks, entry), before, dim=-1).mean())
        for entry, before in zip(reference.entries, reference.states, strict=True)
    ]
    return sum(found) / len(found)
