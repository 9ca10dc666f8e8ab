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
    """y = (x A^T) B^T + (x C^T) D^T + bias, with A, C inner and B, D outer factors.

    While it learns, both factors of a component are about equally long: Adam moves all values by
    about the same, and factors of a truncation may differ in length by orders of magnitude.
    """

    def __init__(self, original: nn.Linear, branches: Branches) -> None:
        super().__init__()
        self.in_features, self.out_features = original.in_features, original.out_features
        device = original.weight.device

        self._stretches: dict[str, Tensor] = {}

        def learned(name: str, factors: Factors) -> list[nn.Parameter]:
            self._stretches[name] = _stretch(factors)
            found = _stretched(factors, self._stretches[name])
            values = [one.to(device, torch.float32) for one in (found.inner, found.outer)]
            return [nn.Parameter(value, requires_grad=False) for value in values]

        self.main_in, self.main_out = learned("main", branches.main)
        self.has_branch = branches.corrective is not None
        if branches.corrective is not None:
            beside = learned("corrective", branches.corrective)
            self.corrective_in, self.corrective_out = beside
        self.bias = original.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        y = linear(linear(x, self.main_in), self.main_out, self.bias)
        if not self.has_branch:
            return y
        return y + linear(linear(x, self.corrective_in), self.corrective_out)

    def branches(self) -> Branches:
        """The factors on the CPU, divided between inner and outer as those given."""

        def factors(name: str) -> Factors:
            inner, outer = getattr(self, f"{name}_in"), getattr(self, f"{name}_out")
            found = Factors(
                inner=inner.detach().to("cpu", torch.float32),
                outer=outer.detach().to("cpu", torch.float32),
            )
            return _stretched(found, 1 / self._stretches[name])

        corrective = factors("corrective") if self.has_branch else None
        return Branches(main=factors("main"), corrective=corrective)

    def trained(self, *, factors: bool) -> dict[str, nn.Parameter]:
        """The parameters that training changes: those of the branch, or all."""
        names = ["corrective_in", "corrective_out"] if self.has_branch else []
        if factors:
            names += ["main_in", "main_out"]
        return {name: getattr(self, name) for name in names}


def _stretch(factors: Factors) -> Tensor:
    """For each component, by what the inner factor is to be multiplied to be as long as the outer.

    The nearest power of two, so that the way there and back changes no bit; 1 where either is
    nothing. [rank]
    """
    inner, outer = factors.inner.norm(dim=1), factors.outer.norm(dim=0)
    is_there = (inner > 0) & (outer > 0)
    halves = torch.where(is_there, (outer / inner).log2() / 2, torch.zeros_like(inner))
    return halves.round().exp2()


def _stretched(factors: Factors, stretch: Tensor) -> Factors:
    """The same product with component i divided by stretch[i] outside, multiplied inside."""
    return Factors(inner=factors.inner * stretch[:, None], outer=factors.outer / stretch)
