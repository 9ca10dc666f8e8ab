"""Which calls the table of kernel costs is fitted to, and which it is checked with."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from kernel_shapes import (
    Sample,
    attention_sample,
    embed_sample,
    engine_embed_sample,
    finish_samples,
    head_samples,
    kept_sample,
    linear_sample,
    logit_samples,
    row_samples,
)

from aretusa.neureka.linear import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Bits, group, whether there are minimums.
FORMS: Final = (
    (8, 0, False),
    (8, 32, False),
    (8, 32, True),
    (8, 64, False),
    (8, 128, True),
    (4, 0, False),
    (4, 32, False),
    (4, 32, True),
    (4, 128, False),
)
# n of every m columns are zero.
PATTERNS: Final = ((1, 2), (2, 4), (3, 4), (4, 8), (6, 8), (8, 16), (12, 16))
# Tokens, heads, kv heads, head size, position, context, positions of a tile, bytes of scores.
ATTENTION: Final = (
    (1, 9, 3, 28, 0, 16),
    (1, 9, 3, 28, 40, 64),
    (1, 9, 3, 64, 130, 256, 64),
    (2, 4, 4, 48, 63, 128, 32),
    (3, 6, 2, 30, 17, 64),
    (1, 4, 1, 20, 100, 128, 96),
    (5, 8, 8, 32, 7, 32),
    (4, 2, 1, 13, 50, 80, 16),
    (1, 8, 4, 64, 299, 300, 64),
    (6, 6, 3, 24, 90, 100, 48, 3 * 800),
    (9, 4, 2, 16, 30, 40, 24, 2 * 160),
    (1, 16, 16, 4, 40, 64),
    (3, 8, 4, 4, 100, 120, 256),
)
ENGINES: Final = (Engine.NEUREKA_3X3, Engine.NEUREKA_1X1)


def fitted_samples() -> Iterator[Sample]:
    """The calls that the table is fitted to."""
    yield from _linear_samples(
        product(FORMS, ((64, 64), (8, 256), (136, 96), (72, 100), (64, 45)), (1, 2, 3))
    )
    for index, (bits, pattern, shape) in enumerate(
        product((8, 4), PATTERNS, ((64, 64, 1), (8, 256, 2), (136, 96, 1), (72, 128, 3)))
    ):
        yield kept_sample(*shape, bits, pattern, options=index % 4)
    for rows, tokens in product((8, 84, 200, 576), (1, 2, 5)):
        yield from finish_samples(rows, tokens)
    for form, depth, tokens in product(FORMS, (64, 100, 256, 300), (1, 3, 9)):
        yield embed_sample(depth, tokens, form)
    for engine, bits, depth in product(ENGINES, (2, 5, 8), (64, 100, 252, 300)):
        yield engine_embed_sample(depth, 1 + bits, bits, engine)
    for depth, tokens in product((33, 64, 252, 256, 576, 1000), (1, 2, 5)):
        yield from row_samples(depth, tokens)
    for tokens, heads, dim in ((1, 9, 28), (3, 3, 64), (2, 8, 48), (5, 4, 32), (1, 1, 128)):
        for option in range(4):
            yield from head_samples(
                tokens, heads, dim, has_norm=option > 1, has_rope=option % 2 == 1
            )
    for sizes, bits in product(ATTENTION, ((8, 8), (4, 4))):
        yield attention_sample(*sizes, bits=bits)
    for count in (64, 1000, 4096):
        yield from logit_samples(count)


def held_out_samples() -> Iterator[Sample]:
    """Odd shapes, one or two per kernel and form, that the table has not seen."""
    yield from _linear_samples(
        (form, shape, tokens)
        for form in FORMS
        for shape, tokens in (((252, 252), 1), ((83, 91), 7))
    )
    for bits, pattern in product((8, 4), PATTERNS):
        yield kept_sample(83, 208, 1 + bits // 4, bits, pattern, options=3)
    for form in FORMS:
        yield embed_sample(161, 5, form)
    for engine in ENGINES:
        yield engine_embed_sample(161, 3, 4, engine)
    for depth, tokens in ((96, 1), (252, 1), (252, 3), (756, 1), (161, 7)):
        yield from row_samples(depth, tokens)
    for option in range(4):
        yield from head_samples(3, 7, 44, has_norm=option > 1, has_rope=option % 2 == 1)
    yield from finish_samples(243, 3)
    yield attention_sample(1, 9, 3, 28, 127, 256)
    yield attention_sample(1, 16, 16, 4, 64, 256, 512)
    yield attention_sample(7, 6, 3, 36, 21, 48, 32)
    yield attention_sample(5, 4, 2, 44, 60, 70, 32, 2 * 560)
    yield attention_sample(1, 9, 3, 28, 127, 256, bits=(4, 4))
    yield attention_sample(7, 6, 3, 36, 21, 48, 32, bits=(8, 4))
    yield attention_sample(5, 4, 2, 44, 60, 70, 32, 2 * 560, bits=(4, 8))
    yield from logit_samples(2048)


def _linear_samples(
    shapes: Iterable[tuple[tuple[int, int, bool], tuple[int, int], int]],
) -> Iterator[Sample]:
    for index, (form, (rows, depth), tokens) in enumerate(shapes):
        yield linear_sample(
            rows,
            depth,
            tokens,
            form,
            has_bias=index % 2 == 1,
            has_residual=index % 3 == 1,
        )
