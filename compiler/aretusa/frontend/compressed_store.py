"""Tensors of a directory under the names of the model's matrices, however these are stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.code_tensors import CODES, CodesTensor
from aretusa.frontend.gptq import G_IDX, QWEIGHT, QZEROS, SCALES
from aretusa.frontend.gptq_parts import gptq_tensor
from aretusa.frontend.hf_store import refuse_other_dtypes
from aretusa.frontend.printable import printable
from aretusa.frontend.structure import WEIGHT
from aretusa.frontend.tensor_shapes import EMBEDDING, has_bias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.compression_config import CompressionConfig
    from aretusa.frontend.gptq import GptqTensor
    from aretusa.frontend.hf_store import SafetensorsStore
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.weights import CodeForm, StoredWeight

BIAS: Final = ".bias"
_OWN_PARTS: Final = (CODES, SCALES)
_GPTQ_PARTS: Final = (QWEIGHT, QZEROS, SCALES, G_IDX)
_PARTS: Final = (CODES, QWEIGHT, QZEROS, SCALES, G_IDX)


@dataclass(frozen=True, slots=True)
class CompressedStore:
    """Real tensors of `raw`, and matrices of codes by the name of the tensor they stand for."""

    raw: SafetensorsStore
    reals: tuple[str, ...]
    coded: Mapping[str, CodesTensor | GptqTensor]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors."""
        return self.raw.files

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, a matrix of codes as what it stands for."""
        stored = self.raw.shapes
        reals = {name: stored[name] for name in self.reals}
        return reals | {name: tensor.shape for name, tensor in self.coded.items()}

    @property
    def forms(self) -> dict[str, CodeForm]:
        """Form of every matrix of codes; E0143 and E0144 for one that has none here."""
        return {name: tensor.form for name, tensor in self.coded.items()}

    @property
    def labels(self) -> dict[str, str]:
        """What the checkpoint holds of every matrix of codes, in words."""
        return {name: tensor.label for name, tensor in self.coded.items()}

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self.coded[name].file if name in self.coded else self.raw.file_of(name)

    def read(self, name: str) -> StoredWeight:
        """One tensor; its values are not checked yet."""
        return self.coded[name].read() if name in self.coded else self.raw.read(name)

    def are_equal(self, one: str, two: str) -> bool:
        """Whether two tensors of equal shape hold the same real numbers, bit by bit."""
        if one in self.coded or two in self.coded:
            return False
        return self.raw.are_equal(one, two)


def compressed_store(
    raw: SafetensorsStore,
    config: LlamaConfig,
    compression: CompressionConfig,
    config_path: Path,
) -> CompressedStore:
    """Put the parts of each matrix together; E0140, E0141 and E0145 where they do not fit."""
    parts: dict[str, set[str]] = defaultdict(set)
    for name in raw.holders:
        module, dot, ending = name.rpartition(".")
        if dot + ending in _PARTS:
            parts[module].add(dot + ending)
    coded = {
        module + WEIGHT: _tensor(module, found, raw, compression, config_path)
        for module, found in parts.items()
    }
    taken = {module + part for module, found in parts.items() for part in found}
    reals = tuple(name for name in raw.holders if name not in taken)
    refuse_other_dtypes(raw, reals)
    idle = {
        module + BIAS
        for module, found in parts.items()
        if QWEIGHT in found and not has_bias(config, module)
    }
    reals = tuple(name for name in reals if not (name in idle and _is_zero(raw, name)))
    return CompressedStore(raw=raw, reals=reals, coded=coded)


def _tensor(
    module: str,
    found: set[str],
    raw: SafetensorsStore,
    compression: CompressionConfig,
    config_path: Path,
) -> CodesTensor | GptqTensor:
    """One matrix of codes, from all of its parts."""
    is_gptq = bool(found & {QWEIGHT, QZEROS, G_IDX})
    needed = set(_GPTQ_PARTS[:3] if is_gptq else _OWN_PARTS)
    some = raw.holders[module + min(found)].mapped.path
    if missing := sorted(needed - found):
        names = ", ".join(module + part for part in missing)
        raise _incomplete(module, f"lacks {printable(names, 200)}", some)
    if (CODES in found and is_gptq) or module + WEIGHT in raw.holders:
        raise _incomplete(module, "is stored twice, in two layouts", some)
    if is_gptq and module + WEIGHT == EMBEDDING:
        raise UnsupportedError(
            "E0126",
            "the embedding is stored as GPTQ codes",
            file=some,
            why="only linear layers are imported from GPTQ",
            fix="Quantise again without the embedding.",
        )
    if is_gptq:
        holders = {part: raw.holders[module + part] for part in found}
        return gptq_tensor(module, holders, compression.gptq)
    bits = compression.bits.get(module)
    if bits is None:
        raise _without_width(module, config_path)
    tensor = CodesTensor(
        module=module,
        codes=raw.holders[module + CODES],
        scales=raw.holders[module + SCALES],
        bits=bits,
    )
    tensor.check()
    return tensor


def _is_zero(raw: SafetensorsStore, name: str) -> bool:
    """Whether a tensor holds nothing but zeros, as the biases do that AutoGPTQ adds."""
    return not raw.read(name).values.any()


def _incomplete(module: str, what: str, file: Path) -> ModelError:
    return ModelError(
        "E0140",
        f"the matrix '{printable(module)}' {what}",
        file=file,
        fix="Download all parts of the checkpoint, or write it again.",
    )


def _without_width(module: str, config_path: Path) -> ModelError:
    return ModelError(
        "E0140",
        f"the codes of '{printable(module)}' have no width",
        file=config_path,
        why="the key 'aretusa' has no entry for it under 'bits'",
        fix='Add it: "aretusa": {"version": 1, "bits": {"NAME": 4}}.',
    )
