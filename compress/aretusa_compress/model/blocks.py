"""Run a network block by block: what goes into the first, what each is called with, the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress


@dataclass(frozen=True, slots=True)
class Entry:
    """Hidden states [batch, length, hidden] before the first block, and each block's arguments."""

    hidden: Tensor
    arguments: list[dict[str, Any]]


class _Recorder(nn.Module):
    """Stands in the place of a block: notes what it is called with and passes it through."""

    def __init__(self, calls: list[tuple[Tensor, dict[str, Any]]], *, returns_tuple: bool) -> None:
        super().__init__()
        self.calls = calls
        self.returns_tuple = returns_tuple

    def forward(self, hidden: Tensor, **arguments: Any) -> Tensor | tuple[Tensor]:  # noqa: ANN401
        """The hidden states, unchanged."""
        self.calls.append((hidden, arguments))
        return (hidden,) if self.returns_tuple else hidden


def enter(model: Model, ids: Tensor) -> Entry:
    """What the blocks are given for token ids [batch, length], without running any of them.

    The network's own code makes masks and rotary angles, so that every family is right.
    """
    anatomy, body = model.anatomy, model.body
    blocks = body.get_submodule(anatomy.blocks)
    calls: list[tuple[Tensor, dict[str, Any]]] = []
    recorders = [_Recorder(calls, returns_tuple=anatomy.returns_tuple) for _ in model.blocks]
    setattr(body, anatomy.blocks, nn.ModuleList(recorders))
    try:
        body(input_ids=ids, use_cache=False)
    finally:
        setattr(body, anatomy.blocks, blocks)
    return Entry(calls[0][0], [arguments for _, arguments in calls])


def run_block(block: nn.Module, hidden: Tensor, arguments: dict[str, Any]) -> Tensor:
    """Hidden states after a block."""
    result: Tensor | tuple[Tensor, ...] = block(hidden, **arguments)
    return result if isinstance(result, Tensor) else result[0]


def run_blocks(
    blocks: Sequence[nn.Module], hidden: Tensor, arguments: Sequence[dict[str, Any]]
) -> Tensor:
    """Hidden states after several blocks."""
    for block, given in zip(blocks, arguments, strict=True):
        hidden = run_block(block, hidden, given)
    return hidden


def head_logits(model: Model, hidden: Tensor) -> Tensor:
    """Logits in binary32 from the hidden states behind the last block."""
    logits: Tensor = model.network.lm_head(model.norm(hidden))
    return logits.float()


def next_token_nats(model: Model, hidden: Tensor, ids: Tensor) -> Tensor:
    """Mean negative log-likelihood of all tokens but the first, from the last hidden states."""
    logits = head_logits(model, hidden[:, :-1])
    targets = ids[:, 1:].flatten().to(logits.device)  # of the last GPU, where there are several
    return cross_entropy(logits.flatten(0, 1), targets)


def windows_on(model: Model, windows: Tensor) -> list[Tensor]:
    """Windows of ids [count, length] as a list of [1, length] beside the weights."""
    device = next(model.network.parameters()).device
    return [window[None].to(device) for window in windows]


@torch.no_grad()
def mean_nats(model: Model, windows: Tensor, progress: Progress | None = None) -> float:
    """Mean nats per predicted token over windows [count, length]; each window stands alone."""
    total = 0.0
    for ids in windows_on(model, windows):
        entry = enter(model, ids)
        hidden = run_blocks(model.blocks, entry.hidden, entry.arguments)
        total += float(next_token_nats(model, hidden, ids))
        if progress is not None:
            progress.advance()
    return total / len(windows)
