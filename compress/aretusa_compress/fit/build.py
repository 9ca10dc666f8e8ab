"""The checkpoint of a choice: rounded in order, each matrix for what the ones before it give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from aretusa_compress.fit.rounding import Kept, round_in_order
from aretusa_compress.model.guard import WEIGHTS
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.model.save import coded_tensors, save_model, stored_tensors
from aretusa_compress.run.fingerprint import fingerprint
from aretusa_compress.svd.decompositions import Place
from aretusa_compress.svd.store import dequantised, put_factors

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from torch import Tensor

    from aretusa_compress.fit.bank import Bank
    from aretusa_compress.fit.forms import Choice, Matrix
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.solvers.grid import Codes


def rounded_model(
    model: Model,
    bank: Bank,
    choice: Choice,
    dropped: Collection[int],
    *,
    progress: Progress,
) -> dict[str, Codes]:
    """Let `model`, which holds its own weights, become the one that was chosen.

    Returns the codes by their names in the checkpoint. Tables come first, since all blocks read
    what they give; dropped blocks are gone before any block is rounded.
    """
    codes: dict[str, Codes] = {}
    for matrix in bank.matrices:
        if matrix.block is None:
            codes[matrix.name] = bank.codes(matrix, choice[matrix.name])
            _put(model, matrix.name, codes[matrix.name].dequantise())
    places = _places(model, bank.matrices, dropped)
    factored = {matrix: place for matrix, place in places.items() if choice[matrix.name].share}
    for matrix, place in factored.items():
        _put(model, place.name, bank.weight(matrix, choice[matrix.name]))
    name = fingerprint({matrix: form.label for matrix, form in choice.items()})[:16]
    found = round_in_order(
        model,
        bank.windows,
        {
            (place.block, place.matrix): choice[matrix.name].bits
            for matrix, place in places.items()
            if matrix not in factored
        },
        bank.solver,
        kept=Kept(bank.state, f"final-{name}"),
        progress=progress,
    )
    codes |= {f"model.layers.{block}.{role}": one for (block, role), one in found.items()}
    return codes | _factors(model, bank, choice, factored)


def _places(
    model: Model, matrices: Sequence[Matrix], dropped: Collection[int]
) -> dict[Matrix, Place]:
    """Where the matrices of blocks are when the dropped blocks are gone, as they then are."""
    kept = [block for block in range(len(model.blocks)) if block not in dropped]
    if len(kept) < len(model.blocks):
        model.keep_layer_types(kept)
        model.set_blocks([model.blocks[block] for block in kept], range(len(kept)))
    return {
        matrix: Place(kept.index(matrix.block), matrix.role, model.anatomy.prefix)
        for matrix in matrices
        if matrix.block is not None and matrix.block in kept
    }


def _factors(
    model: Model, bank: Bank, choice: Choice, factored: dict[Matrix, Place]
) -> dict[str, Codes]:
    """Codes of factors, which stand in the network from now on."""
    codes: dict[str, Codes] = {}
    for matrix, place in factored.items():
        pair = bank.factors(matrix, choice[matrix.name])
        put_factors(model, place, dequantised(pair))
        codes |= {f"{place.name}.low_rank_in": pair[0], f"{place.name}.low_rank_out": pair[1]}
    return codes


def write_checkpoint(model: Model, codes: dict[str, Codes], source: Path, output: Path) -> None:
    """Codes and configuration into `output`; `source` has the tokenizer."""
    bits = {name: one.bits for name, one in codes.items()}
    zeros = (model.config.get(OWN_KEY) or {}).get("sparsity", {})
    kept = {name: pattern for name, pattern in zeros.items() if name in codes}
    save_model(model, source, output, {"bits": bits, "sparsity": kept or None})
    tensors = coded_tensors(stored_tensors(model), codes)
    save_file(tensors, output / WEIGHTS, metadata={"format": "pt"})


@torch.no_grad()
def _put(model: Model, name: str, values: Tensor) -> None:
    model.network.get_parameter(f"{name}.weight").copy_(values)
