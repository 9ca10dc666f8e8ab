"""Kernel calls with their arrays and the results that the NumPy reference expects of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from aretusa.memory.scratch import quantise_scratch_bytes
from aretusa.quantization.crc import crc32c
from aretusa.quantization.layout import code_sums, pack_matrix
from aretusa.quantization.schemes import QuantisedMatrix
from aretusa.reference import arithmetic
from aretusa.reference.linear import linear
from aretusa.reference.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]
    Array = NDArray[Any]

JUNK = 0x5A  # what results and scratch hold before


class Kernel(IntEnum):
    """enum case_kernel."""

    EMBED = 1
    LINEAR = 2
    RMSNORM_QUANTISE = 3
    QUANTISE = 4
    SILU_MUL_QUANTISE = 5
    HEADS_QUANTISE = 6
    CACHE_APPEND = 7
    ATTENTION = 8
    SAMPLE = 9
    CRC32C = 10
    CHECK_IMAGE = 11
    SCRATCH_BYTES = 12
    FUNCTIONS = 13
    STEPS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call: parameters, arrays by number (None is a null pointer), and expected results.

    `memories` tells which array is the content of a memory, by the memory's number.
    """

    name: str
    kernel: Kernel
    params: Sequence[int]
    arrays: Sequence[Array | None]
    expected: dict[int, Array] = field(default_factory=dict)
    macs: int = 0
    memories: dict[int, int] = field(default_factory=dict)


def bits(value: float) -> int:
    """A binary32 parameter as the word that carries it."""
    return int(np.float32(value).view(np.uint32))


def junk(shape: tuple[int, ...], dtype: type[np.generic]) -> Array:
    """An array whose content nobody may rely on."""
    return np.full((int(np.prod(shape)) * np.dtype(dtype).itemsize,), JUNK, np.uint8).view(dtype)


def random_rows(rng: np.random.Generator, rows: int, depth: int) -> tuple[I8, F32]:
    """Quantised activations: codes -127..127 with both ends present, and scales."""
    codes = rng.integers(-127, 128, (rows, depth)).astype(np.int8)
    codes[:, 0] = np.where(np.arange(rows) % 2 == 0, 127, -127)
    return codes, rng.uniform(1e-4, 1e-1, rows).astype(np.float32)


def random_matrix(
    rng: np.random.Generator,
    shape: tuple[int, int],
    width: int,
    group: int = 0,
    *,
    minimums: bool = False,
) -> QuantisedMatrix:
    """Codes over the whole range of their type; group scales of both signs, some subnormal."""
    rows, depth = shape
    groups = -(-depth // group) if group else 1
    low, high = (-128, 128) if width == 8 else (0, 16)
    half = rng.normal(0, 0.01, (rows, groups)).astype(np.float16)
    half[rng.random(half.shape) < 0.05] = np.float16(6e-8)
    codes = rng.integers(low, high, shape)
    return QuantisedMatrix(
        codes=codes.astype(np.int8) if width == 8 else codes.astype(np.uint8),
        scales=half if group else rng.uniform(1e-4, 1e-2, rows).astype(np.float32),
        minimums=rng.normal(0, 0.05, half.shape).astype(np.float16) if minimums else None,
        bits=width,
        group=group,
        zero=0 if width == 8 or minimums else 8,
    )


def sparse_matrix(
    rng: np.random.Generator, shape: tuple[int, int], width: int, pattern: tuple[int, int]
) -> QuantisedMatrix:
    """The same with scales per row, where n of every m columns of each row are zero."""
    zeros, columns = pattern
    matrix = random_matrix(rng, shape, width)
    runs = matrix.codes.reshape(shape[0], -1, columns)
    order = rng.permuted(np.broadcast_to(np.arange(columns), runs.shape), axis=-1)
    np.put_along_axis(runs, order[..., :zeros], matrix.zero, axis=-1)
    return matrix


def linear_case(
    matrix: QuantisedMatrix,
    codes: I8,
    scales: F32,
    *,
    bias: F32 | None = None,
    residual: F32 | None = None,
    in_place: bool = False,
    pattern: tuple[int, int] | None = None,
) -> Case:
    """art_linear; in_place passes out as the residual, a pattern leaves zero columns out."""
    packed = pack_matrix(matrix, bias, pattern)
    tokens, depth = codes.shape
    out = junk((tokens, matrix.rows), np.float32)
    if in_place and residual is not None:
        out = residual.copy()
    params = [matrix.rows, depth, matrix.group, packed.form, matrix.zero, tokens, int(in_place)]
    zeros, columns = pattern or (0, 0)
    params += [int(matrix.zeros is not None), columns - zeros, columns]
    sums = code_sums(codes)
    offsets = packed.minimums if packed.zeros is None else packed.zeros
    weights = [packed.codes, packed.scales, offsets, packed.bias]
    return Case(
        name=f"linear w{matrix.bits} group {matrix.group} zero {matrix.zero} "
        f"{matrix.rows}x{depth} tokens {tokens}",
        kernel=Kernel.LINEAR,
        params=params,
        arrays=[*weights, codes, scales, sums, residual, out],
        expected={8: linear(matrix, codes, scales, bias, residual)},
        macs=tokens * matrix.rows * depth,
    )


def _rows_case(kernel: Kernel, src: F32, other: F32 | None, real: F32, eps: float = 0.0) -> Case:
    tokens, depth = src.shape
    codes, scales = arithmetic.quantise(real)
    sums = code_sums(codes)
    scratch = junk((quantise_scratch_bytes(tokens=tokens, depth=depth),), np.uint8)
    out = [junk(a.shape, a.dtype.type) for a in (codes, scales, sums)]
    return Case(
        name=f"{kernel.name.lower()} {tokens}x{depth}",
        kernel=kernel,
        params=[tokens, depth, bits(eps)],
        arrays=[src, other, scratch, *out],
        expected={3: codes, 4: scales, 5: sums},
    )


def quantise_case(src: F32) -> Case:
    """art_quantise."""
    return _rows_case(Kernel.QUANTISE, src, None, src)


def rmsnorm_case(src: F32, weight: F32, eps: float) -> Case:
    """art_rmsnorm_quantise."""
    real = arithmetic.rms_norm(src, weight, np.float32(eps))
    return _rows_case(Kernel.RMSNORM_QUANTISE, src, weight, real, eps)


def silu_mul_case(gate: F32, up: F32) -> Case:
    """art_silu_mul_quantise."""
    return _rows_case(Kernel.SILU_MUL_QUANTISE, gate, up, arithmetic.silu_mul(gate, up))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadTransform:
    """struct art_head_transform."""

    norm_weight: F32 | None = None
    norm_eps: float = 0.0
    cosine: F32 | None = None
    sine: F32 | None = None

    def apply(self, src: F32, position: int) -> F32:
        """What the reference makes of src [tokens, heads, dim]."""
        rows = src
        if self.norm_weight is not None:
            rows = arithmetic.rms_norm(rows, self.norm_weight, np.float32(self.norm_eps))
        if self.cosine is not None and self.sine is not None:
            at = slice(position, position + src.shape[0])
            rows = arithmetic.rope(rows, self.cosine[at, None], self.sine[at, None])
        return rows


def heads_case(src: F32, transform: HeadTransform, position: int) -> Case:
    """art_heads_quantise."""
    tokens, heads, dim = src.shape
    codes, scales = arithmetic.quantise(transform.apply(src, position))
    tables = [transform.norm_weight, transform.cosine, transform.sine]
    out = [junk(codes.shape, np.int8), junk(scales.shape, np.float32)]
    return Case(
        name=f"heads_quantise {tokens}x{heads}x{dim} at {position}",
        kernel=Kernel.HEADS_QUANTISE,
        params=[tokens, heads, dim, position, bits(transform.norm_eps)],
        arrays=[*tables, src, *out],
        expected={4: codes, 5: scales},
    )


def sample_case(logits: F32, temperature: float, top_p: float, state: int, draws: int) -> Case:
    """art_sample, several times."""
    sampler = Sampler(temperature, top_p, state)
    chosen = np.array([sampler.sample(logits) for _ in range(draws)], np.int32)
    after = np.array([sampler.state & 0xFFFFFFFF, sampler.state >> 32], np.uint32)
    words = [bits(temperature), bits(top_p), state & 0xFFFFFFFF, state >> 32]
    return Case(
        name=f"sample {logits.size} temperature {temperature} top_p {top_p}",
        kernel=Kernel.SAMPLE,
        params=[*words, logits.size, draws],
        arrays=[logits, junk((draws,), np.int32), junk((2,), np.uint32)],
        expected={1: chosen, 2: after},
    )


def functions_case(values: F32, halves: NDArray[np.float16]) -> Case:
    """art_exp of values, art_square_root of their magnitudes, art_widen_half of halves."""
    expected = {
        2: arithmetic.exp(values),
        3: np.sqrt(np.abs(values)),
        4: halves.astype(np.float32),
    }
    out = [junk(array.shape, np.float32) for array in expected.values()]
    return Case(
        name="functions",
        kernel=Kernel.FUNCTIONS,
        params=[values.size, halves.size],
        arrays=[values, halves, *out],
        expected=expected,
    )


def crc_case(data: NDArray[np.uint8], start: int, count: int, crc: int) -> Case:
    """art_crc32c of count bytes from start on."""
    found = np.array([crc32c(data[start : start + count], crc)], np.uint32)
    return Case(
        name=f"crc32c of {count} bytes at {start}",
        kernel=Kernel.CRC32C,
        params=[crc, start, count],
        arrays=[data, junk((1,), np.uint32)],
        expected={1: found},
    )


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> F32:
    """Normal binary32 numbers."""
    return (rng.standard_normal(shape) * scale).astype(np.float32)
