"""What a network learns from another one in the place of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import kl_div, log_softmax

from aretusa_compress.texts.windows import NO_TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def divergence_from(teacher: Any) -> Callable[[Any, Tensor, Tensor], Tensor]:  # noqa: ANN401
    """KL(teacher || network) in nats, summed over the places whose next token is a target."""

    def objective(network: Any, ids: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401
        with torch.no_grad():
            expected = teacher(input_ids=ids, use_cache=False).logits[:, :-1]
        found = network(input_ids=ids, use_cache=False).logits[:, :-1]
        is_judged = targets[:, 1:] != NO_TARGET
        wanted = log_softmax(expected[is_judged].float(), dim=-1)
        logs = log_softmax(found[is_judged].float(), dim=-1)
        return kl_div(logs, wanted, log_target=True, reduction="sum")

    return objective
