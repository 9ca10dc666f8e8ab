"""How far the logits of a changed model are from those of the original."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from torch.nn.functional import cosine_similarity, cross_entropy, kl_div, log_softmax

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_ROWS: Final = 64  # logits of so many tokens are compared at once


@dataclass(frozen=True, slots=True)
class Divergence:
    """Means over the predicted tokens of some windows."""

    tokens: int
    cosine: float  # of the logits of a token
    mse: float  # of a logit
    kl: float  # KL(original || changed), nats
    nats: float  # negative log-likelihood of the text under the changed model

    @property
    def perplexity(self) -> float:
        """E to the nats."""
        return math.exp(min(self.nats, 700.0))  # e^700 is close to the largest double


def divergence(expected: Tensor, found: Tensor, targets: Tensor) -> Divergence:
    """Of logits [tokens, vocabulary] and the tokens that follow in the text [tokens]."""
    sums = [0.0] * 4
    for start in range(0, len(targets), _ROWS):
        rows = slice(start, start + _ROWS)
        before, after = expected[rows].double(), found[rows].double()
        logs = log_softmax(after, dim=-1)
        divergent = kl_div(logs, log_softmax(before, dim=-1), log_target=True, reduction="sum")
        sums[0] += float(cosine_similarity(before, after, dim=-1).sum())
        sums[1] += float((before - after).square().mean(dim=-1).sum())
        sums[2] += float(divergent)
        sums[3] += float(cross_entropy(after, targets[rows], reduction="sum"))
    count = len(targets)
    return Divergence(count, *(total / count for total in sums))


def pooled(parts: Iterable[Divergence]) -> Divergence:
    """The means over all windows of the parts."""
    every = list(parts)
    count = sum(one.tokens for one in every)

    def mean(name: str) -> float:
        total = math.fsum(one.tokens * float(getattr(one, name)) for one in every)
        return total / count

    return Divergence(count, mean("cosine"), mean("mse"), mean("kl"), mean("nats"))
