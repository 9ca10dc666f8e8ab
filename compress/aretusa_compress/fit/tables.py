"""Embedding and head: large tables whose rows are looked up, multiplied with, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aretusa_compress.solvers.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from aretusa_compress.model.loaded import Model


def table_moment(model: Model, hidden: Sequence[Tensor]) -> Tensor:
    """E[x x^T] of what the head reads, [hidden, hidden], from states behind the last block.

    Where the table is the embedding, too, a row also is a token's vector, all of whose values count
    alike: that adds the mean power to the diagonal.
    """
    moments = Moments(depth=hidden[0].shape[-1])
    with torch.no_grad():
        for states in hidden:
            moments.add(model.norm(states))
    mean = moments.mean
    if model.network.config.tie_word_embeddings:
        mean.diagonal().add_(mean.diagonal().mean())
    return mean
