"""Layers whose weights are codes times a scale of their row, with scales that can learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from aretusa_compress.model.forms import AdaptedLinear


class CodedMatrix(nn.Module):
    """codes [rows, depth] and scales [rows] = stored scales * e^t; t is 0 at first.

    The layers that read a matrix hold it: a tied head and its embedding the very same one.
    """

    codes: Tensor
    stored: Tensor

    def __init__(self, codes: Tensor, scales: Tensor, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("codes", codes.to(device, torch.float32), persistent=False)
        self.register_buffer("stored", scales.to(device, torch.float32), persistent=False)
        self.change = nn.Parameter(torch.zeros_like(self.stored))

    def scales(self) -> Tensor:
        """[rows]; a row of scale 0 keeps it."""
        return self.stored * self.change.exp()


class CodedLinear(nn.Module):
    """y = (x codes^T) * scales + bias, and what an adapter beside it adds."""

    def __init__(self, original: nn.Linear, matrix: CodedMatrix) -> None:
        super().__init__()
        self.in_features, self.out_features = original.in_features, original.out_features
        self.matrix = matrix
        self.bias = original.bias
        is_adapted = isinstance(original, AdaptedLinear)
        self.adapter_in = original.adapter_in if is_adapted else None
        self.adapter_out = original.adapter_out if is_adapted else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        y = linear(x, self.matrix.codes) * self.matrix.scales()
        if self.bias is not None:
            y = y + self.bias
        if self.adapter_in is None or self.adapter_out is None:
            return y
        branch: Tensor = self.adapter_out(self.adapter_in(x))
        return y + branch


class CodedEmbedding(nn.Module):
    """Row of codes times its scale, for each id."""

    def __init__(self, matrix: CodedMatrix) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [...] to [..., depth]."""
        rows = embedding(ids, self.matrix.codes)
        return rows * embedding(ids, self.matrix.scales()[:, None])


class TunedNorm(nn.Module):
    """A norm whose gains are multiplied by e^t; t is 0 at first."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.change = nn.Parameter(torch.zeros_like(norm.get_parameter("weight")))

    def forward(self, x: Tensor) -> Tensor:
        """[..., hidden] to the same; the gains come last in a root mean square norm."""
        y: Tensor = self.norm(x)
        return y * self.change.exp()

    def gains(self) -> Tensor:
        """[hidden]."""
        return self.norm.get_parameter("weight") * self.change.exp()
