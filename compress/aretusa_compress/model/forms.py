"""Linear layers that are more than one matrix: an adapter beside it, or two factors instead of it.

Their parameters are named as a checkpoint names them, so that a state dictionary is a checkpoint:
M.weight, M.adapter_in.weight, M.adapter_out.weight; M.low_rank_in.weight, M.low_rank_out.weight.
"""

from __future__ import annotations

from typing import Final, TypeVar

from torch import Tensor, nn

ADAPTER_IN: Final = ".adapter_in.weight"
ADAPTER_OUT: Final = ".adapter_out.weight"
LOW_RANK_IN: Final = ".low_rank_in.weight"
LOW_RANK_OUT: Final = ".low_rank_out.weight"
CODES: Final = ".codes"
SCALES: Final = ".scales"

Layer = TypeVar("Layer", bound=nn.Module)


class AdaptedLinear(nn.Linear):
    """y = x W^T + bias + (x A^T) B^T with A adapter_in [rank, in] and B adapter_out [out, rank]."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        setting = {"dtype": linear.weight.dtype, "device": linear.weight.device}
        self.adapter_in = nn.Linear(self.in_features, rank, bias=False, **setting)
        self.adapter_out = nn.Linear(rank, self.out_features, bias=False, **setting)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        branch: Tensor = self.adapter_out(self.adapter_in(x))
        return super().forward(x) + branch


class LowRankLinear(nn.Module):
    """y = (x A^T) B^T + bias, where A is low_rank_in [rank, in] and B low_rank_out [out, rank]."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        setting = {"dtype": linear.weight.dtype, "device": linear.weight.device}
        self.low_rank_in = nn.Linear(self.in_features, rank, bias=False, **setting)
        self.low_rank_out = nn.Linear(rank, self.out_features, bias=False, **setting)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        y: Tensor = self.low_rank_out(self.low_rank_in(x))
        return y if self.bias is None else y + self.bias


def adapt(network: nn.Module, name: str, rank: int) -> AdaptedLinear:
    """Give the linear layer of that name an adapter; one it has is replaced."""
    return _replaced(network, name, AdaptedLinear(network.get_submodule(name), rank))


def factor(network: nn.Module, name: str, rank: int) -> LowRankLinear:
    """Put two factors in the place of the linear layer of that name."""
    return _replaced(network, name, LowRankLinear(network.get_submodule(name), rank))


def _replaced(network: nn.Module, name: str, layer: Layer) -> Layer:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)
    return layer
