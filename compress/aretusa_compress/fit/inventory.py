"""The matrices of a model that get codes: those of its blocks, the embedding, the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from torch import nn

from aretusa_compress.fit.forms import Form, Matrix
from aretusa_compress.model.forms import AdaptedLinear
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.run.context import cannot_apply

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from aretusa_compress.fit.forms import Choice
    from aretusa_compress.model.loaded import Model

EMBEDDING: Final = "model.embed_tokens"
HEAD: Final = "lm_head"
_PER_BLOCK: Final = ("layer_types",)  # lists of config.json with a value per block


def matrices_of(model: Model) -> list[Matrix]:
    """All of them in the order of use. Raises UsageError E0508 for what has no plain matrices."""
    if model.shares_blocks:
        raise cannot_apply(
            "fit cannot choose widths for blocks that share their weights",
            "a width would count in several places",
            "Put fit before the stage that made them, or use gptq with group: channel",
        )
    found = [_matrix(EMBEDDING, model.body.get_submodule("embed_tokens"), None)]
    for index, block in enumerate(model.blocks):
        for name in MATRICES:
            layer = block.get_submodule(name)
            if not isinstance(layer, nn.Linear) or isinstance(layer, AdaptedLinear):
                raise cannot_apply(
                    f"block {index}'s {name} is no single matrix",
                    "an earlier stage has factored it or put an adapter beside it",
                    "Put fit in the place of that stage: it can choose factors by itself (shares)",
                )
            found.append(_matrix(f"model.layers.{index}.{name}", layer, index))
    if not is_tied(model):
        found.append(_matrix(HEAD, model.network.get_submodule(HEAD), None))
    return found


def is_tied(model: Model) -> bool:
    """Whether the embedding is the head, too."""
    return bool(model.network.config.tie_word_embeddings)


def forms_of(matrix: Matrix, forms: Sequence[Form]) -> list[Form]:
    """The forms that a matrix may take: factors only within blocks, and where they save bits."""
    plain = max(form.stored_bits(matrix.rows, matrix.depth) for form in forms if not form.share)
    return [
        form
        for form in forms
        if not form.share
        or (matrix.block is not None and form.stored_bits(matrix.rows, matrix.depth) < plain)
    ]


def configuration(
    config: dict[str, Any], matrices: Iterable[Matrix], choice: Choice, dropped: Collection[int]
) -> dict[str, Any]:
    """config.json of the model in which each matrix has the form that was chosen."""
    blocks = int(config["num_hidden_layers"])
    kept = [block for block in range(blocks) if block not in dropped]
    bits: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for matrix in matrices:
        if matrix.block in dropped:
            continue
        name, form = renamed(matrix, kept), choice[matrix.name]
        if form.share:
            ranks[name] = form.rank(matrix.rows, matrix.depth)
            bits |= {f"{name}.low_rank_in": form.bits, f"{name}.low_rank_out": form.bits}
        else:
            bits[name] = form.bits
    changed = {**config, "num_hidden_layers": len(kept)}
    for key in _PER_BLOCK:
        if isinstance(changed.get(key), list):
            changed[key] = [changed[key][block] for block in kept]
    changed[OWN_KEY] = {"version": 1, "bits": bits, **({"ranks": ranks} if ranks else {})}
    return changed


def renamed(matrix: Matrix, kept: Sequence[int]) -> str:
    """The name of a matrix in the model that consists of the blocks `kept`."""
    if matrix.block is None:
        return matrix.name
    return f"model.layers.{kept.index(matrix.block)}.{matrix.role}"


def _matrix(name: str, layer: nn.Module, block: int | None) -> Matrix:
    rows, depth = layer.weight.shape
    return Matrix(name, int(rows), int(depth), block)
