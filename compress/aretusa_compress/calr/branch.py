"""CorrectedLinear: a truncated layer with a corrective branch beside it, both products of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from aretusa_compress.calr.options import Start
from aretusa_compress.solvers.low_rank import Factors

if TYPE_CHECKING:
    from aretusa_compress.svd.decompositions import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """value = main.expand() + corrective.expand(); the corrective branch may be missing."""

    main: Factors
    corrective: Factors | None

    def joined(self) -> Factors:
        """One product of the sum of both ranks, which computes the same."""
        if self.corrective is None:
            return self.main
        return Factors(
            inner=torch.cat([self.main.inner, self.corrective.inner]),
            outer=torch.cat([self.main.outer, self.corrective.outer], dim=1),
        )


def split(
    parts: Parts, rank: int, corrective: int, start: Start, generator: torch.Generator
) -> Branches:
    """A layer of `rank` in all: at least one component in the main branch, the others beside it.

    From zero, the outer factor of the branch is nothing and the inner one random, with rows about
    as long as those of the main branch.
    """
    whole = parts.truncated(rank)
    beside = min(corrective, rank - 1)
    if beside <= 0:
        return Branches(main=whole, corrective=None)
    main = parts.truncated(rank - beside)
    if start is Start.RESIDUAL:
        branch = Factors(
            inner=whole.inner[rank - beside :].clone(),
            outer=whole.outer[:, rank - beside :].clone(),
        )
    else:
        depth, rows = whole.inner.shape[1], whole.outer.shape[0]
        inner = torch.randn(beside, depth, generator=generator) / depth**0.5
        scale = float(main.inner.norm(dim=1).mean())
        branch = Factors(inner=inner * scale, outer=torch.zeros(rows, beside))
    return Branches(main=main, corrective=branch)


class CorrectedLinear(nn.Module):
    """y = (x A^T) B^T + (x C^T) D^T + bias, with A, C inner and B, D outer factors."""

    def __init__(self, original: nn.Linear, branches: Branches) -> None:
        super().__init__()
        self.in_features, self.out_features = original.in_features, original.out_features
        device = original.weight.device

        def parameter(value: Tensor) -> nn.Parameter:
            return nn.Parameter(value.to(device, torch.float32).clone(), requires_grad=False)

        self.main_in = parameter(branches.main.inner)
        self.main_out = parameter(branches.main.outer)
        self.has_branch = branches.corrective is not None
        if branches.corrective is not None:
            self.corrective_in = parameter(branches.corrective.inner)
            self.corrective_out = parameter(branches.corrective.outer)
        self.bias = original.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        y = linear(linear(x, self.main_in), self.main_out, self.bias)
        if not self.has_branch:
            return y
        return y + linear(linear(x, self.corrective_in), self.corrective_out)

    def branches(self) -> Branches:
        """The factors as they are, on the CPU."""

        def value(one: Tensor) -> Tensor:
            return one.detach().to("cpu", torch.float32).clone()

        main = Factors(inner=value(self.main_in), outer=value(self.main_out))
        if not self.has_branch:
            return Branches(main=main, corrective=None)
        beside = Factors(inner=value(self.corrective_in), outer=value(self.corrective_out))
        return Branches(main=main, corrective=beside)

    def trained(self, *, factors: bool) -> dict[str, nn.Parameter]:
        """The parameters that training changes: those of the branch, or all."""
        names = ["corrective_in", "corrective_out"] if self.has_branch else []
        if factors:
            names += ["main_in", "main_out"]
        return {name: getattr(self, name) for name in names}
