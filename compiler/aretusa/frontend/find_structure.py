"""find_structure(): which matrices are low-rank pairs or have adapters, which block is where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.errors import ModelError
from aretusa.frontend.compression_config import malformed
from aretusa.frontend.printable import printable, printable_list
from aretusa.frontend.structure import (
    ADAPTER,
    IN,
    LOW_RANK,
    OUT,
    WEIGHT,
    ModelStructure,
)
from aretusa.frontend.tensor_shapes import linear_modules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.compression_config import CompressionConfig
    from aretusa.frontend.llama_config import LlamaConfig

    Shapes = Mapping[str, tuple[int, ...]]

_ENDINGS: Final = tuple(kind + side for kind in (LOW_RANK, ADAPTER) for side in (IN, OUT))


def declared_structure(
    config: LlamaConfig, compression: CompressionConfig, config_path: Path
) -> ModelStructure:
    """What the configuration alone says; E0145 for a module that the model does not have."""
    structure = ModelStructure(
        layer_map=compression.layers or tuple(range(config.layers)),
        ranks=compression.ranks,
        adapters=compression.adapters,
        sparsity=compression.sparsity,
    )
    known = {*linear_modules(config, structure)}
    for key, modules in (("ranks", compression.ranks), ("adapters", compression.adapters)):
        _check_known(key, modules, known, structure, config_path)
    _check_known("sparsity", compression.sparsity, known, structure, config_path)
    parts = {module + ending for module in known for ending in ("", *_ENDINGS)}
    parts.add("model.embed_tokens")
    _check_known("bits", compression.bits, parts, structure, config_path)
    return structure


def find_structure(
    config: LlamaConfig, compression: CompressionConfig, shapes: Shapes, config_path: Path
) -> ModelStructure:
    """What the tensors say; E0140 for half a pair, E0145 where the configuration contradicts."""
    declared = declared_structure(config, compression, config_path)
    found = ModelStructure(
        layer_map=declared.layer_map,
        ranks=_ranks(shapes, LOW_RANK, config_path),
        adapters=_ranks(shapes, ADAPTER, config_path),
        sparsity=declared.sparsity,
    )
    for key, said, seen in (
        ("ranks", declared.ranks, found.ranks),
        ("adapters", declared.adapters, found.adapters),
    ):
        for module, rank in said.items():
            if seen.get(module) != rank:
                raise malformed(
                    f"gives '{printable(module)}' the {key} {rank}",
                    config_path,
                    f"the weights have {seen.get(module, 'none')}",
                )
    return found


def _ranks(shapes: Shapes, kind: str, file: Path) -> dict[str, int]:
    """Rank of each pair of factors by module."""
    inner, outer = kind + IN, kind + OUT
    pairs: dict[str, int] = {}
    modules = dict.fromkeys(
        name.removesuffix(ending + WEIGHT)
        for name in shapes
        for ending in (inner, outer)
        if name.endswith(ending + WEIGHT)
    )
    for module in modules:
        halves = [shapes.get(module + ending + WEIGHT) for ending in (inner, outer)]
        if halves[0] is None or halves[1] is None:
            missing = module + (inner if halves[0] is None else outer)
            raise ModelError(
                "E0140",
                f"one of the two factors of '{printable(module)}' is missing",
                file=file,
                why=f"there is no '{printable(missing)}'",
                fix="Download all parts of the checkpoint, or write it again.",
            )
        if len(halves[0]) != 2 or len(halves[1]) != 2 or halves[0][0] != halves[1][1]:
            raise ModelError(
                "E0141",
                f"the factors of '{printable(module)}' do not fit each other",
                file=file,
                why=f"{list(halves[0])} and {list(halves[1])}, expected [r, depth], [rows, r]",
                fix="Write the checkpoint again.",
            )
        pairs[module] = halves[0][0]
    return pairs


def _check_known(
    key: str,
    modules: Mapping[str, object],
    known: set[str],
    structure: ModelStructure,
    file: Path,
) -> None:
    strangers = [
        module
        for module in modules
        if module not in known and not structure.leaves_out(f"{module}.")
    ]
    if strangers:
        raise malformed(
            f"names {len(strangers)} matrices under '{key}' that the model does not have",
            file,
            printable_list(strangers),
        )
