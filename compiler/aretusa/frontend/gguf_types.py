"""Element types of GGUF tensors: sizes, and block bytes -> codes and scales, unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aretusa.frontend.hf_store import widen
from aretusa.frontend.weights import CodedWeight, CodeForm, FloatWeight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.frontend.weights import StoredWeight

_GROUP = 32


@dataclass(frozen=True, slots=True)
class ElementType:
    """`block` elements along the depth take `block_bytes`; `form` is that of codes with scales."""

    name: str
    block: int
    block_bytes: int
    form: CodeForm | None = None

    @property
    def is_coded(self) -> bool:
        """Whether the elements are codes with scales."""
        return self.form is not None


_Q4_0 = CodeForm(bits=4, group=_GROUP, zero=8, has_minimum=False)
_Q4_1 = CodeForm(bits=4, group=_GROUP, zero=0, has_minimum=True)
_Q8_0 = CodeForm(bits=8, group=_GROUP, zero=0, has_minimum=False)
ELEMENT_TYPES = {
    0: ElementType("F32", 1, 4),
    1: ElementType("F16", 1, 2),
    2: ElementType("Q4_0", _GROUP, 2 + 16, _Q4_0),
    3: ElementType("Q4_1", _GROUP, 2 + 2 + 16, _Q4_1),
    8: ElementType("Q8_0", _GROUP, 2 + 32, _Q8_0),
    30: ElementType("BF16", 1, 2),
}

_FOREIGN_NAMES = {
    6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
    15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
    21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64",
    28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


def type_name(type_id: int) -> str:
    """The name of a type that cannot be read."""
    return _FOREIGN_NAMES.get(type_id, f"type {type_id}")


def decode_tensor(raw: bytes, element: ElementType, shape: tuple[int, ...]) -> StoredWeight:
    """The weight that the bytes of one tensor stand for; matrices only for coded types."""
    if element.form is None:
        return FloatWeight(widen(raw, element.name).reshape(shape))
    return _decode_blocks(_blocks(raw, element, shape), element.form, shape)


def _decode_blocks(
    blocks: NDArray[np.uint8], form: CodeForm, shape: tuple[int, ...]
) -> CodedWeight:
    """A block is its scale, its minimum if it has one, then its codes."""
    begin = 4 if form.has_minimum else 2
    packed = blocks[:, :, begin:]
    return CodedWeight(
        codes=packed.view(np.int8).reshape(shape) if form.bits == 8 else _nibbles(packed, shape),
        scales=_halves(blocks, 0),
        minimums=_halves(blocks, 2) if form.has_minimum else None,
        bits=form.bits,
        group=form.group,
        zero=form.zero,
    )


def _blocks(raw: bytes, element: ElementType, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Bytes as [rows, blocks of a row, bytes of a block]."""
    rows, depth = shape
    return np.frombuffer(raw, np.uint8).reshape(rows, depth // _GROUP, element.block_bytes)


def _halves(blocks: NDArray[np.uint8], at: int) -> NDArray[np.float16]:
    """The binary16 number at one place of every block."""
    return np.ascontiguousarray(blocks[:, :, at : at + 2]).view("<f2")[:, :, 0].astype(np.float16)


def _nibbles(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Elements 0..15 of a block are the low nibbles, 16..31 the high ones."""
    codes: NDArray[np.uint8] = np.concatenate((packed & 0x0F, packed >> 4), axis=-1)
    return codes.reshape(shape)
