"""How much a model would miss each of its blocks: one number per block, small is expendable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cosine_similarity

from aretusa_compress.depth.options import Importance
from aretusa_compress.model.blocks import (
    enter,
    next_token_nats,
    run_block,
    run_blocks,
    windows_on,
)
from aretusa_compress.model.finite import check_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState


def importance(
    kind: Importance,
    model: Model,
    candidates: Sequence[int],
    windows: Tensor | None,
    *,
    state: StageState,
    key: str,
    progress: Progress,
) -> dict[int, float]:
    """Importance of each candidate block. `windows` are ids [count, length] of calibration text.

    What is measured window after window is kept in `state` under `key`.
    """
    if kind is Importance.MAGNITUDE:
        return {index: _weight_sum(model.blocks[index]) for index in candidates}
    assert windows is not None, "the runner asks for calibration text before the work begins"
    if kind is Importance.TAYLOR:
        return _taylor(model, candidates, windows, progress)
    measured = _without_each if kind is Importance.PERPLEXITY else _influence
    kept = state.read_json(key) or {"windows": 0, "sums": [0.0] * len(candidates)}
    sums = [float(value) for value in kept["sums"]]
    every = windows_on(model, windows)
    progress.start(f"importance of {len(candidates)} blocks, {kind}", len(every))
    progress.advance(kept["windows"])
    for index in range(kept["windows"], len(every)):
        found = measured(model, candidates, every[index])
        sums = [total + value for total, value in zip(sums, found, strict=True)]
        state.write_json(key, {"windows": index + 1, "sums": sums})
        progress.advance()
    return {block: total / len(every) for block, total in zip(candidates, sums, strict=True)}


def _weight_sum(block: nn.Module) -> float:
    """Sum of |W| over the matrices of a block (L1)."""
    matrices = [weight for weight in block.parameters() if weight.ndim == 2]
    return sum(float(weight.detach().double().abs().sum()) for weight in matrices)


@torch.no_grad()
def _without_each(model: Model, candidates: Sequence[int], ids: Tensor) -> list[float]:
    """Nats per token without each candidate; perplexity is their exponential.

    Blocks before the candidate are run once for all: what goes into it goes into the one after it.
    """
    entry, blocks = enter(model, ids), model.blocks
    hidden = entry.hidden
    found: dict[int, float] = {}
    for index, block in enumerate(blocks):
        if index in candidates:
            rest = run_blocks(blocks[index + 1 :], hidden, entry.arguments[index + 1 :])
            found[index] = float(next_token_nats(model, rest, ids))
            check_loss(found[index], model, ids, f"measuring without block {index}")
        hidden = run_block(block, hidden, entry.arguments[index])
    return [found[index] for index in candidates]


@torch.no_grad()
def _influence(model: Model, candidates: Sequence[int], ids: Tensor) -> list[float]:
    """Block Influence: one minus the mean cosine between a block's input and its output."""
    entry = enter(model, ids)
    hidden = entry.hidden
    found: dict[int, float] = {}
    for index, block in enumerate(model.blocks):
        after = run_block(block, hidden, entry.arguments[index])
        cosine = cosine_similarity(hidden.double(), after.double(), dim=-1)
        found[index] = 1.0 - float(cosine.mean())
        check_loss(found[index], model, ids, f"measuring block {index}")
        hidden = after
    return [found[index] for index in candidates]


def _taylor(
    model: Model, candidates: Sequence[int], windows: Tensor, progress: Progress
) -> dict[int, float]:
    """Sum of |gradient * weight| over the matrices of a block, the gradient over all windows."""
    model.network.requires_grad_(requires_grad=False)
    matrices = {
        index: [weight for weight in model.blocks[index].parameters() if weight.ndim == 2]
        for index in candidates
    }
    for weight in (one for group in matrices.values() for one in group):
        weight.requires_grad_(requires_grad=True)
    every = windows_on(model, windows)
    progress.start("gradients of the blocks", len(every))
    for step, ids in enumerate(every):
        entry = enter(model, ids)
        hidden = run_blocks(model.blocks, entry.hidden, entry.arguments)
        loss = next_token_nats(model, hidden, ids) / len(every)
        check_loss(float(loss.detach()), model, ids, f"the gradient of window {step}")
        loss.backward()
        progress.advance()
    found = {
        index: sum(float((one.grad.double() * one.detach().double()).abs().sum()) for one in group)
        for index, group in matrices.items()
    }
    model.network.zero_grad(set_to_none=True)
    model.network.requires_grad_(requires_grad=False)
    return found
