"""Put factors in the place of matrices: in a network as numbers, in a checkpoint also as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from aretusa_compress.model import forms
from aretusa_compress.model.guard import WEIGHTS
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.model.save import coded_tensors, save_model, stored_tensors
from aretusa_compress.solvers.grid import Codes
from aretusa_compress.solvers.low_rank import Factors
from aretusa_compress.svd.decompositions import inner_codes, rounded
from aretusa_compress.svd.options import Method

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.svd.decompositions import Parts, Place
    from aretusa_compress.svd.options import SvdOptions

PairOfCodes = tuple[Codes, Codes]  # of low_rank_in and low_rank_out


def truncated(parts: Parts, rank: int, options: SvdOptions) -> tuple[Factors, PairOfCodes | None]:
    """Factors of a matrix, and their codes where the options ask for some."""
    if options.bits is None:
        return parts.truncated(rank), None
    knows_inputs = options.method is not Method.PLAIN
    pair = _code_parts(parts, rank, options.bits, knows_inputs=knows_inputs)
    return dequantised(pair), pair


def _code_parts(parts: Parts, rank: int, bits: int, *, knows_inputs: bool) -> PairOfCodes:
    """Codes of both factors. Where inputs are known, middle values have the variances `values`."""
    assert parts.codes is not None, "the decomposer was asked for codes"
    inner = Codes(codes=parts.codes.codes[:rank], scales=parts.codes.scales[:rank], bits=bits)
    importance = parts.values[:rank] if knows_inputs else torch.ones(rank)
    return inner, rounded(parts.outer[:, :rank], importance, bits)


def code_factors(factors: Factors, bits: int) -> PairOfCodes:
    """Codes of factors about whose inputs nothing is known."""
    rank = factors.inner.shape[0]
    return inner_codes(factors.inner, None, bits), rounded(factors.outer, torch.ones(rank), bits)


def dequantised(pair: PairOfCodes) -> Factors:
    """What the codes stand for."""
    return Factors(inner=pair[0].dequantise(), outer=pair[1].dequantise())


@torch.no_grad()
def put_factors(model: Model, place: Place, factors: Factors) -> None:
    """Put factors into every block that uses the matrix."""
    shared: forms.LowRankLinear | None = None
    for index, stored in enumerate(model.layer_map):
        if stored != place.block:
            continue
        name = f"{place.prefix}.{index}.{place.matrix}"
        layer = forms.factor(model.network, name, factors.inner.shape[0])
        if shared is not None:
            layer.low_rank_in.weight = shared.low_rank_in.weight
            layer.low_rank_out.weight = shared.low_rank_out.weight
            continue
        layer.low_rank_in.weight.copy_(factors.inner)
        layer.low_rank_out.weight.copy_(factors.outer)
        shared = layer


def layer_with(original: nn.Linear, factors: Factors) -> forms.LowRankLinear:
    """A layer to stand in for the original one for a while."""
    layer = forms.LowRankLinear(original, factors.inner.shape[0])
    with torch.no_grad():
        layer.low_rank_in.weight.copy_(factors.inner)
        layer.low_rank_out.weight.copy_(factors.outer)
    layer.requires_grad_(requires_grad=False)
    return layer


def save_with_codes(
    model: Model, source: Path, output: Path, codes: dict[str, PairOfCodes]
) -> None:
    """Write the model; matrices in `codes`, by their whole names, get codes for their factors."""
    flat = {
        f"{name}.{side}": one
        for name, pair in codes.items()
        for side, one in zip(("low_rank_in", "low_rank_out"), pair, strict=True)
    }
    own = model.config.get(OWN_KEY) or {}
    bits = {**own.get("bits", {}), **{name: one.bits for name, one in flat.items()}}
    tensors = stored_tensors(model)
    # A matrix that is no more has no pattern of zeros either.
    zeros = {n: kept for n, kept in own.get("sparsity", {}).items() if f"{n}.weight" in tensors}
    save_model(model, source, output, {"bits": bits or None, "sparsity": zeros or None})
    if flat:
        save_file(coded_tensors(tensors, flat), output / WEIGHTS, metadata={"format": "pt"})
