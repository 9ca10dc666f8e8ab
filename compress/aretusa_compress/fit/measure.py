"""Reference: a model on a few windows, and how far the same network with other weights is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import log_softmax

from aretusa_compress.fit.options import Objective
from aretusa_compress.model.blocks import enter, head_logits, run_block, run_blocks, windows_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from aretusa_compress.model.loaded import Model

_ROWS = 128  # tokens whose logits are compared at once


@dataclass(frozen=True, slots=True)
class Deviation:
    """Means over the predicted tokens of the windows, in nats."""

    kl: float  # KL(original || changed)
    nats: float  # of the text under the changed model

    def loss(self, objective: Objective, original: Deviation) -> float:
        """What is made small: 0 for the original."""
        return self.kl if objective is Objective.KL else self.nats - original.nats


@dataclass(frozen=True, slots=True)
class _Window:
    ids: Tensor
    arguments: list[dict[str, Any]]
    states: list[Tensor]  # before each block, and behind the last
    logs: Tensor  # log-probabilities [length - 1, vocabulary] of the original


class Reference:
    """The original's states and predictions; made while the model holds its own weights."""

    @torch.no_grad()
    def __init__(self, model: Model, windows: Tensor) -> None:
        self.model = model
        self._windows = [self._window(ids) for ids in windows_on(model, windows)]
        self.original = self.measure(range(len(model.blocks)), start=len(model.blocks))

    def _window(self, ids: Tensor) -> _Window:
        entry = enter(self.model, ids)
        states = [entry.hidden]
        for block, arguments in zip(self.model.blocks, entry.arguments, strict=True):
            states.append(run_block(block, states[-1], arguments))
        logits = head_logits(self.model, states[-1])[0, :-1]
        return _Window(ids, entry.arguments, states, log_softmax(logits, dim=-1))

    def measure(self, kept: Sequence[int] | None = None, *, start: int = 0) -> Deviation:
        """Of the network as it is now; blocks before `start` and embedding are the original's.

        `kept` are the blocks that are run, all of them without it. With `start` 0 everything is
        run, the embedding too.
        """
        return self._deviation(lambda window: self._logits(window, kept, start))

    def measure_other(self, model: Model) -> Deviation:
        """Of another network with the same vocabulary."""

        def logits(window: _Window) -> Tensor:
            entry = enter(model, window.ids)
            states = run_blocks(model.blocks, entry.hidden, entry.arguments)
            return head_logits(model, states)[0, :-1]

        return self._deviation(logits)

    def _deviation(self, logits_of: Callable[[_Window], Tensor]) -> Deviation:
        kl = nats = 0.0
        count = 0
        for window in self._windows:
            with torch.no_grad():
                logits = logits_of(window)
            targets = window.ids[0, 1:]
            for first in range(0, len(targets), _ROWS):
                rows = slice(first, first + _ROWS)
                logs = log_softmax(logits[rows], dim=-1)
                before = window.logs[rows]
                kl += float((before.exp() * (before - logs)).sum(dtype=torch.float64))
                nats -= float(logs.gather(1, targets[rows, None]).sum(dtype=torch.float64))
            count += len(targets)
        return Deviation(kl / count, nats / count)

    def _logits(self, window: _Window, kept: Sequence[int] | None, start: int) -> Tensor:
        blocks = self.model.blocks
        run = range(len(blocks)) if kept is None else kept
        places = [place for place in run if place >= start]
        states = enter(self.model, window.ids).hidden if start == 0 else window.states[start]
        states = run_blocks(
            [blocks[place] for place in places],
            states,
            [window.arguments[place] for place in places],
        )
        return head_logits(self.model, states)[0, :-1]
