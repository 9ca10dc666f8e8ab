"""Second moments of a layer's inputs: all that the solvers know about the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(slots=True, kw_only=True)
class Moments:
    """The sum of x x^T over the input rows of one layer, in binary64 on the CPU.

    `depth` is the length of a row. Calibration passes add rows batch by batch; binary64 makes the
    sum of some ten thousand rows independent of how they were cut into batches, to well below the
    noise of the data.
    """

    depth: int
    rows: int = 0
    total: Tensor = field(init=False)
    absolute: Tensor = field(init=False)  # sum of |x|, [depth]

    def __post_init__(self) -> None:
        self.absolute = torch.zeros(self.depth, dtype=torch.float64)
        self.total = torch.zeros(self.depth, self.depth, dtype=torch.float64)

    def add(self, inputs: Tensor) -> None:
        """Count inputs [..., depth]."""
        flat = inputs.detach().reshape(-1, self.depth).to(torch.float32)
        self.total += (flat.T @ flat).to("cpu", torch.float64)
        self.absolute += flat.abs().sum(dim=0).to("cpu", torch.float64)
        self.rows += flat.shape[0]

    @property
    def mean(self) -> Tensor:
        """E[x x^T], [depth, depth] in binary64."""
        assert self.rows > 0, "no input was counted"
        return self.total / self.rows

    @property
    def magnitudes(self) -> Tensor:
        """E|x|, [depth] in binary64."""
        assert self.rows > 0, "no input was counted"
        return self.absolute / self.rows

    @property
    def norms(self) -> Tensor:
        """The Euclidean norm of each input over all rows, [depth] in binary64."""
        return self.total.diagonal().clamp_min(0).sqrt()
