"""Calls of every kernel, as cases that run and as calls whose cycles are predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from cache_cases import AttentionShape, append_case, attention_case, shortened
from case_catalogue import rope_tables
from embed_cases import BlockRows, EngineRows, Memory, embed_case
from kernel_cases import (
    Case,
    HeadTransform,
    heads_case,
    linear_case,
    normal,
    quantise_case,
    random_matrix,
    random_rows,
    rmsnorm_case,
    sample_case,
    silu_mul_case,
    sparse_matrix,
)

from aretusa.cost import attention, groups, kernels, products
from aretusa.ir.types import DenseType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kernel_cases import Kernel

    from aretusa.cost.calls import KernelCall
    from aretusa.neureka.linear import Engine

FINISH_SUMS: Final = 100  # the cases of team.c
ADD_GROUP_SUMS: Final = 101
FINISH_TOTALS: Final = 102


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One call: `call(cores)` is the prediction; `operands` are the names of the case's arrays."""

    case: Case
    call: Callable[[int], KernelCall]
    operands: Mapping[int, str]


# Arrays behind those named here are memories; the cores touch none but L1.
LINEAR: Final = dict(enumerate(("codes", *["scales"] * 3, *["src"] * 3, "residual", "out")))
EMBED: Final = {0: "own", 1: "out"}
ROWS: Final = {0: "src", 1: "weight", 2: "own", **dict.fromkeys((3, 4, 5), "out")}
GATED_ROWS: Final = {**ROWS, 1: "src"}
HEADS: Final = {**dict.fromkeys((0, 1, 2), "tables"), 3: "src", 4: "out", 5: "out"}
APPEND: Final = {**dict.fromkeys((0, 1, 2), "tables"), 3: "src"}
ATTENTION: Final = {0: "query", 1: "query", 2: "out"}
LOGITS: Final = {0: "logits", 1: "own", 2: "own"}
GROUP_SUMS: Final = {0: "sums", 1: "scales", 2: "scales", 3: "own", 4: "totals"}
TOTALS: Final = {0: "totals", 1: "scales", 2: "own", 3: "residual", 4: "out"}
SUMS: Final = {0: "sums", 1: "scales", 2: "scales", 3: "own", 4: "residual", 5: "out"}


def linear_sample(
    rows: int,
    depth: int,
    tokens: int,
    form: tuple[int, int, bool],
    *,
    has_bias: bool = False,
    has_residual: bool = False,
) -> Sample:
    """art_linear."""
    rng = np.random.default_rng(rows + depth)
    bits, group, minimums = form
    matrix = random_matrix(rng, (rows, depth), bits, group, minimums=minimums)
    dense = DenseType.of(matrix)
    case = linear_case(
        matrix,
        *random_rows(rng, tokens, depth),
        bias=normal(rng, rows) if has_bias else None,
        residual=normal(rng, tokens, rows) if has_residual else None,
    )
    return Sample(
        case=case,
        call=lambda cores: products.linear_call(
            cores, dense, tokens=tokens, has_bias=has_bias, has_residual=has_residual
        ),
        operands=LINEAR,
    )


def kept_sample(
    rows: int, depth: int, tokens: int, bits: int, pattern: tuple[int, int], *, options: int
) -> Sample:
    """art_linear with zero columns left out; `options` has bit 0 for a bias, 1 for a residual."""
    rng = np.random.default_rng(rows + depth)
    matrix = sparse_matrix(rng, (rows, depth), bits, pattern)
    kind = replace(DenseType.of(matrix), pattern=pattern, is_packed=True)
    has_bias, has_residual = bool(options & 1), bool(options & 2)
    case = linear_case(
        matrix,
        *random_rows(rng, tokens, depth),
        bias=normal(rng, rows) if has_bias else None,
        residual=normal(rng, tokens, rows) if has_residual else None,
        pattern=pattern,
    )
    return Sample(
        case=case,
        call=lambda cores: products.linear_call(
            cores, kind, tokens=tokens, has_bias=has_bias, has_residual=has_residual
        ),
        operands=LINEAR,
    )


def finish_sample(rows: int, tokens: int, *, has_bias: bool, has_residual: bool) -> Sample:
    """art_finish_sums."""
    rng = np.random.default_rng(rows)
    sums = rng.integers(-(10**6), 10**6, (tokens, rows)).astype(np.int32)
    arrays = [
        sums,
        normal(rng, rows),
        normal(rng, rows) if has_bias else None,
        normal(rng, tokens),
        normal(rng, tokens, rows) if has_residual else None,
        normal(rng, tokens, rows),
    ]
    return Sample(
        case=Case(
            name=f"finish_sums {tokens}x{rows}",
            kernel=cast("Kernel", FINISH_SUMS),
            params=[rows, tokens],
            arrays=arrays,
        ),
        call=lambda cores: kernels.finish_sums_call(
            cores, rows=rows, tokens=tokens, has_bias=has_bias, has_residual=has_residual
        ),
        operands=SUMS,
    )


def add_group_sample(rows: int, tokens: int, count: int, code_runs: int) -> Sample:
    """art_add_group_sums of a group that is not the first."""
    rng = np.random.default_rng(rows)
    numbers = rng.uniform(0, 1, (2, rows, count)).astype(np.float16)
    arrays = [
        rng.integers(-(10**6), 10**6, (tokens, rows)).astype(np.int32),
        numbers[0],
        numbers[1] if code_runs else None,
        rng.integers(-(10**3), 10**3, (tokens, max(code_runs, 1))).astype(np.int32),
        normal(rng, tokens, rows),
    ]
    return Sample(
        case=Case(
            name=f"add_group_sums {tokens}x{rows}",
            kernel=cast("Kernel", ADD_GROUP_SUMS),
            params=[rows, tokens, count, code_runs],
            arrays=arrays,
        ),
        call=lambda cores: groups.add_group_call(
            cores, rows=rows, tokens=tokens, code_runs=code_runs
        ),
        operands=GROUP_SUMS,
    )


def totals_sample(rows: int, tokens: int, *, has_bias: bool, has_residual: bool) -> Sample:
    """art_finish_totals."""
    rng = np.random.default_rng(rows)
    arrays = [
        normal(rng, tokens, rows),
        normal(rng, rows) if has_bias else None,
        normal(rng, tokens),
        normal(rng, tokens, rows) if has_residual else None,
        normal(rng, tokens, rows),
    ]
    return Sample(
        case=Case(
            name=f"finish_totals {tokens}x{rows}",
            kernel=cast("Kernel", FINISH_TOTALS),
            params=[rows, tokens],
            arrays=arrays,
        ),
        call=lambda cores: groups.finish_totals_call(
            cores, rows=rows, tokens=tokens, has_bias=has_bias, has_residual=has_residual
        ),
        operands=TOTALS,
    )


def finish_samples(rows: int, tokens: int) -> Iterator[Sample]:
    """What follows the jobs of the engine."""
    for option in range(4):
        yield finish_sample(rows, tokens, has_bias=option > 1, has_residual=option % 2 == 1)
        yield totals_sample(rows, tokens, has_bias=option > 1, has_residual=option % 2 == 1)
    for runs in (0, 1, 2, 4):
        yield add_group_sample(rows, tokens, 5, runs)


def embed_sample(depth: int, tokens: int, form: tuple[int, int, bool]) -> Sample:
    """art_embed_planned of rows in the cluster's layout."""
    bits, group, minimums = form
    rng = np.random.default_rng(depth)
    matrix = random_matrix(rng, (21, depth), bits, group, minimums=minimums)
    ids = [int(one) for one in rng.integers(0, 21, tokens)]
    return Sample(
        case=embed_case(None, BlockRows(matrix=matrix, home=Memory.L2), ids),
        call=lambda cores: kernels.embed_call(
            cores, tokens=tokens, depth=depth, bits=bits, group=group, has_minimum=minimums
        ),
        operands=EMBED,
    )


def engine_embed_sample(depth: int, tokens: int, bits: int, engine: Engine) -> Sample:
    """art_embed_planned of rows in the engine's layout."""
    rng = np.random.default_rng(depth)
    limit = 1 << (bits - 1)
    rows = EngineRows(
        codes=rng.integers(-limit, limit, (21, depth)).astype(np.int8),
        scales=normal(rng, 21),
        bits=bits,
        engine=engine,
        home=Memory.MRAM,
        channels_home=Memory.MRAM,
    )
    ids = [int(one) for one in rng.integers(0, 21, tokens)]
    return Sample(
        case=embed_case(rows, None, ids),
        call=lambda cores: kernels.embed_call(
            cores, tokens=tokens, depth=depth, bits=bits, group=0, mode=engine.mode
        ),
        operands=EMBED,
    )


def row_samples(depth: int, tokens: int) -> Iterator[Sample]:
    """The kernels that quantise rows."""
    rng = np.random.default_rng(depth)
    src, other = normal(rng, tokens, depth), normal(rng, tokens, depth)
    yield Sample(
        case=quantise_case(src),
        call=lambda cores: kernels.quantise_call(cores, tokens=tokens, depth=depth),
        operands=ROWS,
    )
    yield Sample(
        case=rmsnorm_case(src, normal(rng, depth), 1e-5),
        call=lambda cores: kernels.rmsnorm_quantise_call(cores, tokens=tokens, depth=depth),
        operands=ROWS,
    )
    yield Sample(
        case=silu_mul_case(src, other),
        call=lambda cores: kernels.silu_mul_quantise_call(cores, tokens=tokens, depth=depth),
        operands=GATED_ROWS,
    )


def head_samples(
    tokens: int, heads: int, dim: int, *, has_norm: bool, has_rope: bool
) -> Iterator[Sample]:
    """The kernels that quantise heads."""
    rng = np.random.default_rng(dim)
    cosine, sine = rope_tables(tokens + 3, dim) if has_rope else (None, None)
    weight = normal(rng, dim) if has_norm else None
    transform = HeadTransform(norm_weight=weight, norm_eps=1e-6, cosine=cosine, sine=sine)
    src = normal(rng, tokens, heads, dim)
    sizes = {"tokens": tokens, "heads": heads, "dim": dim}
    yield Sample(
        case=heads_case(src, transform, 2),
        call=lambda cores: kernels.heads_quantise_call(
            cores, **sizes, has_norm=has_norm, has_rope=has_rope
        ),
        operands=HEADS,
    )
    yield Sample(
        case=append_case(src, transform, 2, tokens + 3),
        call=lambda cores: kernels.cache_append_call(
            cores, **sizes, has_norm=has_norm, has_rope=has_rope
        ),
        operands=APPEND,
    )
    for are_keys in (False, True):
        yield Sample(
            case=append_case(src, transform, 2, tokens + 3, width=4, are_keys=are_keys),
            call=lambda cores, are_keys=are_keys: kernels.cache_append_call(
                cores, **sizes, has_norm=has_norm, has_rope=has_rope, bits=4, has_zeros=are_keys
            ),
            operands=APPEND,
        )


def attention_sample(*sizes: int, bits: tuple[int, int] = (8, 8)) -> Sample:
    """art_attention with weights that are all alike: no position is skipped.

    `bits` are those of keys and of values.
    """
    names = ("tokens", "heads", "kv_heads", "dim", "position", "context", "tile_positions")
    names += ("scores_bytes",)
    shape = dict(zip(names, sizes, strict=False)) | dict(
        zip(("key_bits", "value_bits"), bits, strict=True)
    )
    rng = np.random.default_rng(sizes[4])

    def rows(*counts: int) -> tuple[np.ndarray, np.ndarray]:
        codes, scales = random_rows(rng, int(np.prod(counts)), shape["dim"])
        return codes.reshape(*counts, -1), scales.reshape(counts)

    def cached(width: int) -> tuple[np.ndarray, np.ndarray]:
        codes, scales = rows(shape["kv_heads"], shape["context"])
        return codes if width == 8 else codes // 16, scales

    query = rows(shape["tokens"], shape["heads"])
    keys, values = cached(shape["key_bits"]), cached(shape["value_bits"])
    flat = np.full_like(values[1], 0.01)
    small = shortened(keys[1] * np.float32(1e-6))
    case = attention_case(AttentionShape(**shape), query, (keys[0], small), (values[0], flat))
    return Sample(
        case=case,
        call=lambda cores: attention.attention_call(cores, attention.AttentionShape(**shape)),
        operands=ATTENTION,
    )


def logit_samples(count: int) -> Iterator[Sample]:
    """Greedy choice, and a draw from logits as a trained model gives them."""
    logits = normal(np.random.default_rng(count), count, scale=3)
    yield Sample(
        case=sample_case(logits, 0.0, 1.0, 1, 1),
        call=lambda _: kernels.argmax_call(count=count),
        operands=LOGITS,
    )
    yield Sample(
        case=sample_case(logits, 0.8, 0.95, 1, 1),
        call=lambda _: kernels.sample_call(count=count),
        operands=LOGITS,
    )
