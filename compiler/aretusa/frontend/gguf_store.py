"""The tensors of a GGUF file under their Hugging Face names and in Hugging Face row order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aretusa.errors import UnsupportedError
from aretusa.frontend.gguf_types import decode_tensor
from aretusa.frontend.llama_config import Family
from aretusa.frontend.printable import printable
from aretusa.frontend.tensor_shapes import EMBEDDING, FINAL_NORM, HEAD
from aretusa.frontend.weights import CodedWeight, FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.gguf_file import GgufFile, GgufTensor
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.weights import CodeForm, StoredWeight

_MODEL_NAMES = {
    "token_embd.weight": EMBEDDING,
    "output_norm.weight": FINAL_NORM,
    "output.weight": HEAD,
}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_LAYER_PATTERN = re.compile(r"blk\.(0|[1-9][0-9]{0,5})\.([a-z_]+)\.(weight|bias)", re.ASCII)


@dataclass(frozen=True, slots=True)
class GgufStore:
    """Tensors by Hugging Face name."""

    file: GgufFile
    config: LlamaConfig
    tensors: dict[str, GgufTensor]

    @property
    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.file.mapped.path,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every stored tensor."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    @property
    def forms(self) -> dict[str, CodeForm]:
        """Form of every tensor that its maker quantised."""
        elements = {name: tensor.element for name, tensor in self.tensors.items()}
        return {name: one.form for name, one in elements.items() if one.form is not None}

    @property
    def labels(self) -> dict[str, str]:
        """What the file holds of every tensor that its maker quantised, in words."""
        return {name: _label(form) for name, form in self.forms.items()}

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""
        assert name in self.tensors, name
        return self.file.mapped.path

    def read(self, name: str) -> StoredWeight:
        """One tensor with codes and scales as stored, rows in Hugging Face order."""
        tensor = self.tensors[name]
        if tensor.element.is_coded and len(tensor.shape) != 2:
            raise UnsupportedError(
                "E0133",
                f"tensor '{printable(tensor.name)}' is no matrix, yet quantised as "
                f"{tensor.element.name}",
                file=self.file.mapped.path,
                fix="Convert the model again; norms and biases are stored as F32.",
            )
        weight = decode_tensor(self.file.raw(tensor.name), tensor.element, tensor.shape)
        heads = _paired_heads(name, self.config)
        if heads is None:
            return weight
        return _take_rows(weight, half_split_rows(heads, self.config.head_dim))


def open_gguf_store(file: GgufFile, config: LlamaConfig) -> GgufStore:
    """Give the tensors of a file their Hugging Face names; unknown ones keep their own."""
    tensors = {huggingface_name(name): tensor for name, tensor in file.tensors.items()}
    return GgufStore(file, config, tensors)


def huggingface_name(name: str) -> str:
    """What Hugging Face calls a GGUF tensor; the name itself if it has no counterpart."""
    if name in _MODEL_NAMES:
        return _MODEL_NAMES[name]
    match = _LAYER_PATTERN.fullmatch(name)
    if match is None or match[2] not in _LAYER_NAMES:
        return f"gguf:{name}"
    return f"model.layers.{match[1]}.{_LAYER_NAMES[match[2]]}.{match[3]}"


def half_split_rows(heads: int, head_dim: int) -> NDArray[np.intp]:
    """Rows of llama.cpp's query and key matrices in the order of Hugging Face.

    llama.cpp rotates neighbours (2i, 2i + 1) of a head, Hugging Face i and i + head_dim / 2.
    """
    rows = np.arange(heads * head_dim).reshape(heads, head_dim // 2, 2)
    return rows.swapaxes(1, 2).reshape(-1)


def _label(form: CodeForm) -> str:
    minimum = " with minimum" if form.has_minimum else ""
    return f"{form.bits} bits, groups of {form.group}{minimum}"


def _paired_heads(name: str, config: LlamaConfig) -> int | None:
    """Heads of a tensor whose rows are stored in neighbour order, None for all others."""
    # The converter reorders the llama architecture only; Qwen is rotated in halves there too.
    if config.family is not Family.LLAMA:
        return None
    if name.endswith("self_attn.q_proj.weight"):
        return config.heads
    if name.endswith("self_attn.k_proj.weight"):
        return config.kv_heads
    return None


def _take_rows(weight: StoredWeight, rows: NDArray[np.intp]) -> StoredWeight:
    match weight:
        case FloatWeight(values):
            return FloatWeight(values[rows])
        case CodedWeight():
            minimums = None if weight.minimums is None else weight.minimums[rows]
            return CodedWeight(
                weight.codes[rows],
                weight.scales[rows],
                minimums,
                bits=weight.bits,
                group=weight.group,
                zero=weight.zero,
            )
