"""Memories of a case, and calls of the kernels that work on key and value caches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from kernel_cases import Case, HeadTransform, Kernel, bits, junk, random_rows

from aretusa.memory.scratch import (
    append_scratch_bytes,
    attention_scratch_bytes,
    quantise_scratch_bytes,
)
from aretusa.reference import arithmetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]
    U8 = NDArray[np.uint8]
    Array = NDArray[Any]

ALIGN_BYTES: Final = 32
KEY_FORMS: Final = {8: 0, 4: 2}  # enum art_cache_form
VALUE_FORMS: Final = {8: 0, 4: 1}
BEFORE_BYTES: Final = 32  # junk in front of everything, so that no offset is 0


class Memory(IntEnum):
    """enum art_memory."""

    L1 = 0
    L2 = 1
    SRAM = 2
    MRAM = 3
    L3 = 4


class Contents:
    """The memories of a case while they are filled; they end with the last block."""

    def __init__(self) -> None:
        self._bytes: dict[Memory, bytearray] = {}

    def put(self, memory: Memory, *arrays: Array) -> int:
        """Append arrays back to back; the offset of the first, which is aligned."""
        content = self._bytes.setdefault(memory, bytearray(junk((BEFORE_BYTES,), np.uint8)))
        content.extend(junk((-len(content) % ALIGN_BYTES,), np.uint8).tobytes())
        offset = len(content)
        for array in arrays:
            content.extend(array.tobytes())
        return offset

    def scratch(self, size_bytes: int) -> int:
        """Room at the end of L1, so that sanitizers see a step beyond it."""
        return self.put(Memory.L1, junk((size_bytes,), np.uint8))

    def arrays(self) -> list[U8]:
        """What each memory holds."""
        return [np.frombuffer(bytes(content), np.uint8) for content in self._bytes.values()]

    def numbers(self, first: int) -> dict[int, int]:
        """Number of the array of each memory, counted from `first`."""
        return {int(memory): first + index for index, memory in enumerate(self._bytes)}


def row_bytes(dim: int, bits: int) -> int:
    """Codes of one head and position."""
    return dim if bits == 8 else 4 * -(-dim // 8)


def cache_arrays(codes: I8, scales: F32) -> list[Array]:
    """A cache as it lies: codes, padding to 4, scales."""
    return [codes, junk((-codes.size % 4,), np.uint8), scales]


def stored(codes: I8, scales: F32, bits: int, *, are_keys: bool) -> tuple[I8, F32]:
    """Codes and scales as a cache of so many bits holds them."""
    if bits == 8:
        return codes, scales
    if not are_keys:
        return pack_nibbles(codes), scales
    offset = 8 - np.minimum(codes.min(axis=-1, keepdims=True), 0)
    words = scales.astype(np.float32).view(np.uint32) | (offset[..., 0] & 15).astype(np.uint32)
    return pack_nibbles(codes, offset), words.view(np.float32)


def pack_nibbles(codes: I8, offset: I8 | int = 0) -> I8:
    """Words of eight codes: elements 0 .. 3 in the lower halves of the bytes, 4 .. 7 above.

    An offset is added to each of them, modulo 16.
    """
    dim = codes.shape[-1]
    words = -(-dim // 8)
    padded = np.zeros((*codes.shape[:-1], 8 * words), np.int8)
    padded[..., :dim] = codes
    halves = ((padded + offset) & 15).astype(np.uint8).reshape(*codes.shape[:-1], words, 2, 4)
    packed: I8 = (halves[..., 0, :] | halves[..., 1, :] << 4).view(np.int8)
    return packed.reshape(*codes.shape[:-1], 4 * words)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """struct art_attention_shape, and where the caches lie."""

    tokens: int
    heads: int
    kv_heads: int
    dim: int
    position: int
    context: int
    tile_positions: int = 64
    scores_bytes: int = 32768
    keys: Memory = Memory.L2
    values: Memory = Memory.L2
    key_bits: int = 8
    value_bits: int = 8

    @property
    def inverse(self) -> np.float32:
        """1 / sqrt(dim)."""
        return np.float32(1 / np.sqrt(self.dim))

    @property
    def params(self) -> list[int]:
        """The parameters of a case."""
        sizes = [self.tokens, self.heads, self.kv_heads, self.dim, self.position, self.context]
        forms = [KEY_FORMS[self.key_bits], VALUE_FORMS[self.value_bits]]
        return [*sizes, self.tile_positions, self.scores_bytes, bits(float(self.inverse)), *forms]

    @property
    def scratch_bytes(self) -> int:
        """Scratch of attention."""
        return attention_scratch_bytes(
            tokens=self.tokens,
            heads=self.heads,
            kv_heads=self.kv_heads,
            dim=self.dim,
            context=self.context,
            row_bytes=max(row_bytes(self.dim, bits) for bits in (self.key_bits, self.value_bits)),
            tile_positions=self.tile_positions,
            scores_bytes=self.scores_bytes,
        )

    def append_bytes(self, bits: int) -> int:
        """Scratch of appending keys or values of so many bits."""
        size = row_bytes(self.dim, bits)
        return append_scratch_bytes(tokens=self.tokens, heads=self.kv_heads, row_bytes=size)


def quantised(rows: F32, bits: int, *, are_keys: bool) -> tuple[I8, F32]:
    """Codes and scales of keys or values."""
    if are_keys and bits == 4:
        return arithmetic.quantise_from_zero(rows)
    return arithmetic.quantise(rows, bits)


def append_case(
    src: F32,
    transform: HeadTransform,
    position: int,
    context: int,
    home: Memory = Memory.L2,
    *,
    width: int = 8,
    are_keys: bool = False,
) -> Case:
    """art_cache_append: rows outside the appended ones keep what they held."""
    tokens, heads, dim = src.shape
    size = row_bytes(dim, width)
    codes, scales = quantised(transform.apply(src, position), width, are_keys=are_keys)
    old_codes = junk((heads, context, size), np.int8).reshape(heads, context, size)
    old_scales = junk((heads, context), np.float32).reshape(heads, context)
    new_codes, new_scales = old_codes.copy(), old_scales.copy()
    codes, scales = stored(codes, scales, width, are_keys=are_keys)
    new_codes[:, position : position + tokens] = codes.transpose(1, 0, 2)
    new_scales[:, position : position + tokens] = scales.T
    before, after = Contents(), Contents()
    after.put(home, *cache_arrays(new_codes, new_scales))
    at = before.put(home, *cache_arrays(old_codes, old_scales))
    scratch = before.scratch(append_scratch_bytes(tokens=tokens, heads=heads, row_bytes=size))
    tables = [transform.norm_weight, transform.cosine, transform.sine]
    return Case(
        name=f"cache_append {tokens}x{heads}x{dim} of {width} bits{' from zero' * are_keys} at "
        f"{position} of {context} in {home.name}",
        kernel=Kernel.CACHE_APPEND,
        params=[
            *(tokens, heads, dim, position, bits(transform.norm_eps), context),
            *(home, at, scratch, (KEY_FORMS if are_keys else VALUE_FORMS)[width]),
        ],
        arrays=[*tables, src, *before.arrays()],
        expected={4: after.arrays()[0]},
        memories=before.numbers(4),
    )


def attention_rows(
    shape: AttentionShape, query: tuple[I8, F32], keys: tuple[I8, F32], values: tuple[I8, F32]
) -> F32:
    """Reference for query [tokens, heads, dim] and caches [kv_heads, context, dim]."""
    out = np.empty((shape.tokens, shape.heads, shape.dim), np.float32)
    for token in range(shape.tokens):
        seen = slice(0, shape.position + token + 1)
        for head in range(shape.heads):
            kv = head // (shape.heads // shape.kv_heads)
            sums = keys[0][kv, seen].astype(np.int64) @ query[0][token, head].astype(np.int64)
            factor = query[1][token, head] * shape.inverse
            scores = (sums.astype(np.float32) * factor) * keys[1][kv, seen]
            visible = np.ones(scores.shape, np.bool_)
            row = arithmetic.attend(scores, visible, values[0][kv, seen], values[1][kv, seen])
            out[token, head] = row
    return out


def attention_case(
    shape: AttentionShape, query: tuple[I8, F32], keys: tuple[I8, F32], values: tuple[I8, F32]
) -> Case:
    """art_attention; query [tokens, heads, dim], keys and values [kv_heads, context, dim]."""
    out = attention_rows(shape, query, keys, values)
    stored_keys = stored(*keys, shape.key_bits, are_keys=True)
    stored_values = stored(*values, shape.value_bits, are_keys=False)
    contents = Contents()
    places = [
        *(shape.keys, contents.put(shape.keys, *cache_arrays(*stored_keys))),
        *(shape.values, contents.put(shape.values, *cache_arrays(*stored_values))),
    ]
    scratch = contents.scratch(shape.scratch_bytes)
    seen_total = sum(shape.position + token + 1 for token in range(shape.tokens))
    return Case(
        name=f"attention {shape}",
        kernel=Kernel.ATTENTION,
        params=[*shape.params, *places, scratch],
        arrays=[*query, junk(out.shape, np.float32), *contents.arrays()],
        expected={2: out},
        macs=2 * seen_total * shape.heads * shape.dim,
        memories=contents.numbers(3),
    )


def random_attention_case(rng: np.random.Generator, shape: AttentionShape) -> Case:
    """Attention over random codes, with scores that differ by several units."""

    def rows(*sizes: int) -> tuple[I8, F32]:
        codes, scales = random_rows(rng, int(np.prod(sizes)), shape.dim)
        return codes.reshape(*sizes, shape.dim), scales.reshape(sizes) * np.float32(0.2)

    query = rows(shape.tokens, shape.heads)
    keys, values = (rows(shape.kv_heads, shape.context) for _ in range(2))
    if shape.key_bits == 4:
        keys = narrow_keys(rng, *keys)
    if shape.value_bits == 4:
        values = (rng.integers(-8, 8, values[0].shape).astype(np.int8), values[1])
    return attention_case(shape, query, keys, values)


def narrow_keys(rng: np.random.Generator, codes: I8, scales: F32) -> tuple[I8, F32]:
    """Codes of every span and zero point, and scales of 20 bits."""
    lowest = rng.integers(-15, 1, scales.shape)
    spread = rng.integers(0, 16, codes.shape) * rng.integers(0, 2, (*scales.shape, 1))
    found = np.where(spread == 0, 0, lowest[..., None] + spread)
    return found.astype(np.int8), shortened(scales)


def shortened(scales: F32) -> F32:
    """Scales with room for zero points."""
    short: F32 = (scales.view(np.uint32) & np.uint32(0xFFFFFFF0)).view(np.float32)
    return short


def steps_case(rng: np.random.Generator, shape: AttentionShape, chunk: int) -> Case:
    """Attention over what was appended, `chunk` tokens at a time, into caches of junk."""

    def src(heads: int) -> F32:
        rows = rng.standard_normal((shape.tokens, heads, shape.dim)) * 3
        return rows.astype(np.float32)

    def cache(rows: F32, bits: int, *, are_keys: bool) -> tuple[I8, F32]:
        codes, scales = quantised(rows, bits, are_keys=are_keys)
        return codes.transpose(1, 0, 2), scales.T

    def empty(bits: int) -> list[Array]:
        rows = shape.kv_heads * shape.context
        codes = junk((rows, row_bytes(shape.dim, bits)), np.int8)
        return cache_arrays(codes, junk((rows,), np.float32))

    query, keys, values = src(shape.heads), src(shape.kv_heads), src(shape.kv_heads)
    cached_keys = cache(keys, shape.key_bits, are_keys=True)
    cached_values = cache(values, shape.value_bits, are_keys=False)
    out = attention_rows(shape, arithmetic.quantise(query), cached_keys, cached_values)
    contents = Contents()
    places = [
        *(shape.keys, contents.put(shape.keys, *empty(shape.key_bits))),
        *(shape.values, contents.put(shape.values, *empty(shape.value_bits))),
    ]
    step = replace(shape, tokens=min(chunk, shape.tokens))
    appended = (step.append_bytes(bits) for bits in (shape.key_bits, shape.value_bits))
    scratch = contents.scratch(max(step.scratch_bytes, *appended))
    codes = junk((step.tokens, shape.heads, shape.dim), np.int8)
    scales = junk((step.tokens, shape.heads), np.float32)
    return Case(
        name=f"steps of {chunk}: {shape}",
        kernel=Kernel.STEPS,
        params=[*shape.params, *places, scratch, chunk],
        arrays=[
            *(query, keys, values, codes, scales, junk(out.shape, np.float32)),
            *contents.arrays(),
        ],
        expected={5: out},
        memories=contents.numbers(6),
    )


def scratch_case(shape: AttentionShape) -> Case:
    """The functions that tell scratch sizes; the row kernels get tokens and dim."""
    found = [
        quantise_scratch_bytes(tokens=shape.tokens, depth=shape.dim),
        shape.scratch_bytes,
        shape.append_bytes(shape.value_bits),
    ]
    return Case(
        name=f"scratch bytes of {shape}",
        kernel=Kernel.SCRATCH_BYTES,
        params=shape.params,
        arrays=[junk((len(found),), np.uint32)],
        expected={0: np.array(found, np.uint32)},
    )
