"""The cases of attention, of appends to its caches, and of embedding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import cycle, product
from typing import TYPE_CHECKING, Final

import numpy as np
from cache_cases import (
    AttentionShape,
    Memory,
    append_case,
    attention_case,
    random_attention_case,
    scratch_case,
    steps_case,
)
from case_catalogue import FORMS, rope_tables
from embed_cases import BlockRows, EngineRows, embed_case
from kernel_cases import Case, HeadTransform, normal, random_matrix

from aretusa.neureka.linear import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

HOMES: Final = (Memory.L2, Memory.SRAM, Memory.L3)
NO_SCORES: Final = 0  # the least room for scores: those of one token and one kv head
ENGINES: Final = (Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)
NARROW: Final = ((4, 4), (8, 4), (4, 8))  # bits of keys and of values
# tokens, heads, kv heads, head size, position of the first token, context
SHAPES: Final = (
    (1, 1, 1, 8, 0, 1),
    (1, 4, 2, 16, 6, 9),
    (3, 9, 3, 64, 0, 16),
    (7, 6, 6, 48, 30, 41),
    (1, 9, 3, 64, 199, 256),
    (2, 3, 1, 20, 40, 64),
    (5, 6, 3, 7, 100, 105),
    (4, 8, 2, 32, 511, 600),
    (2, 2, 2, 8, 2046, 2048),
)


def shape_of(sizes: tuple[int, ...], **options: int) -> AttentionShape:
    """Sizes in the order of SHAPES."""
    tokens, heads, kv_heads, dim, position, context = sizes
    return AttentionShape(
        tokens=tokens,
        heads=heads,
        kv_heads=kv_heads,
        dim=dim,
        position=position,
        context=context,
        tile_positions=options.get("tile_positions", 64),
        scores_bytes=options.get("scores_bytes", 32768),
        keys=Memory(options.get("keys", Memory.L2)),
        values=Memory(options.get("values", Memory.L2)),
        key_bits=options.get("key_bits", 8),
        value_bits=options.get("value_bits", 8),
    )


def tilings(sizes: tuple[int, ...]) -> Iterator[AttentionShape]:
    """Small tiles to whole contexts of all heads, little and much room, homes that vary along."""
    kv_heads, context = sizes[2], sizes[5]
    whole = -(-context // 8) * 8
    homes = cycle(product(HOMES, HOMES))
    for tile_positions in sorted({8, 24, 64, whole, kv_heads * whole}):
        if context // tile_positions > 100:
            continue
        for scores_bytes in (NO_SCORES, 4 * context * 5, 32768):
            keys, values = next(homes)
            yield shape_of(
                sizes,
                tile_positions=tile_positions,
                scores_bytes=scores_bytes,
                keys=keys,
                values=values,
            )


def attention_cases() -> list[Case]:
    """Few and many positions, grouped heads, odd head sizes, several passes, tiles and homes."""
    rng = np.random.default_rng(6)
    shapes = [shape for sizes in SHAPES for shape in tilings(sizes)]
    widths = cycle(NARROW)
    narrow = [
        replace(shape, key_bits=keys, value_bits=values)
        for shape, (keys, values) in zip(shapes, widths, strict=False)
    ]
    return [
        *(random_attention_case(rng, shape) for shape in (*shapes, *narrow)),
        *extreme_attention_cases(),
    ]


def extreme_attention_cases() -> list[Case]:
    """Equal scores over 4096 positions with the largest codes; value scales of zero; one spike."""
    shape = shape_of((1, 1, 1, 8, 4095, 4096), tile_positions=512)
    query = (np.full((1, 1, 8), 127, np.int8), np.full((1, 1), 0.5, np.float32))
    keys = (np.full((1, 4096, 8), -127, np.int8), np.full((1, 4096), 0.5, np.float32))
    values = (np.full((1, 4096, 8), -127, np.int8), np.full((1, 4096), 2.0, np.float32))
    none = (values[0], np.zeros((1, 4096), np.float32))
    spike = (keys[0].copy(), keys[1])
    spike[0][0, 77] = 127
    narrow = replace(shape, key_bits=4, value_bits=4)
    lowest = np.full_like(keys[0], -15), np.full_like(values[0], -8)
    return [
        attention_case(narrow, query, (lowest[0], keys[1]), (lowest[1], values[1])),
        attention_case(shape, query, keys, values),
        attention_case(shape, query, keys, none),
        attention_case(shape, query, spike, values),
    ]


def append_cases() -> list[Case]:
    """With and without norm and rotation, into every home."""
    rng = np.random.default_rng(5)
    cases = []
    for tokens, heads, dim, position in (
        (1, 1, 2, 0),
        (3, 5, 64, 4),
        (1, 3, 7, 19),
        (2, 9, 48, 13),
        (7, 2, 256, 1),
    ):
        src = normal(rng, tokens, heads, dim, scale=4)
        transforms = [HeadTransform()]
        if dim % 2 == 0:
            cosine, sine = rope_tables(20, dim)
            weight = normal(rng, dim)
            transforms.append(
                HeadTransform(norm_weight=weight, norm_eps=1e-6, cosine=cosine, sine=sine)
            )
        cases += [
            append_case(src, transform, position, 20, home, width=width, are_keys=are_keys)
            for transform, home in product(transforms, HOMES)
            for width, are_keys in ((8, False), (4, False), (4, True))
        ]
    return cases


def steps_cases() -> list[Case]:
    """Tokens one by one and in chunks, the last of which may be short."""
    rng = np.random.default_rng(10)
    return [
        steps_case(
            rng,
            shape_of(
                (tokens, heads, kv_heads, dim, 0, tokens + spare),
                tile_positions=tile_positions,
                scores_bytes=scores_bytes,
                keys=keys,
                values=values,
                key_bits=key_bits,
                value_bits=value_bits,
            ),
            chunk,
        )
        for (tokens, heads, kv_heads, dim, spare), chunk, (keys, values, tile_positions) in product(
            ((37, 6, 3, 16, 0), (21, 2, 2, 7, 5), (9, 8, 1, 32, 100)),
            (1, 4, 16, 64),
            ((Memory.L2, Memory.L2, 64), (Memory.SRAM, Memory.L3, 8), (Memory.L3, Memory.L3, 32)),
        )
        for scores_bytes, key_bits, value_bits in (
            (NO_SCORES, 8, 8),
            (2048, 8, 8),
            (NO_SCORES, 4, 4),
            (2048, 8, 4),
            (2048, 4, 8),
        )
    ]


def embed_cases() -> list[Case]:
    """Every form, every mode and width of the engine, both together, more tokens than slots."""
    rng = np.random.default_rng(3)
    homes = cycle((Memory.L2, Memory.SRAM, Memory.MRAM, Memory.L3))
    tokens = [0, 20, 7, 8, 0, 13, 12, 20, 19, 1, 2, 3, 0, 5, 20, 16, 17]

    def blocks(form: tuple[int, int, bool], rows: int, depth: int) -> BlockRows:
        width, group, minimums = form
        matrix = random_matrix(rng, (rows, depth), width, group, minimums=minimums)
        return BlockRows(matrix=matrix, home=next(homes))

    def engine_rows(engine: Engine, bits: int, rows: int, depth: int) -> EngineRows:
        low = -(1 << (bits - 1))
        return EngineRows(
            codes=rng.integers(low, -low, (rows, depth)).astype(np.int8),
            scales=rng.uniform(1e-4, 1e-2, rows).astype(np.float32),
            bits=bits,
            engine=engine,
            home=next(homes),
            channels_home=next(homes),
        )

    cases = [
        embed_case(None, blocks(form, 21, depth), tokens[:count])
        for form, (depth, count) in product(FORMS, ((7, 1), (33, 8), (252, 17)))
    ]
    for engine, bits in product(ENGINES, range(2, 9)):
        form = FORMS[bits % len(FORMS)]
        cases += [
            embed_case(engine_rows(engine, bits, 21, 253), None, tokens),
            embed_case(engine_rows(engine, bits, 13, 600), blocks(form, 8, 600), tokens),
            embed_case(engine_rows(engine, bits, 20, 5), blocks(form, 1, 5), tokens[:3]),
        ]
    return cases


def scratch_cases() -> list[Case]:
    """Sizes around the borders of what goes through attention at once."""
    return [
        scratch_case(
            shape_of(
                (tokens, heads, kv_heads, dim, 0, context),
                scores_bytes=scores_bytes,
                tile_positions=tile_positions,
                key_bits=key_bits,
                value_bits=value_bits,
            )
        )
        for tokens, (heads, kv_heads), dim, context in product(
            (1, 3, 16), ((1, 1), (9, 3), (32, 8)), (8, 57, 1537), (1, 7, 255, 512, 4096)
        )
        for scores_bytes, tile_positions in ((NO_SCORES, 8), (32768, 512))
        for key_bits, value_bits in ((8, 8), *NARROW)
    ]


@cache
def catalogue() -> tuple[Case, ...]:
    """Every case."""
    return (
        *append_cases(),
        *attention_cases(),
        *steps_cases(),
        *embed_cases(),
        *scratch_cases(),
    )
