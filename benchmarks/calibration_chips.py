"""Calibration: one block of TinyLlama-42M on one chip with weights off chip, and on eight chips.

Published (arXiv 2412.04372, abstract): 0.54 ms and 26.1 times faster on eight chips, hence 14.1 ms
on one. What the abstract leaves open is taken as follows: an inference is one token through one
block (its energy leaves no room for eight blocks over the link), 128 cached positions, FFN 1376, 8
bits, the kernels that Deeploy publishes, the weights of a chip's share in L2, cores at 500 MHz and
links of 0.5 GB/s, as the paper is remembered. At 360 MHz eight chips would take 0.78 ms, 44 % too
long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calibration_rows import Group, Row
from deeploy_kernels import Shape
from deeploy_schedules import Deeploy, Network, Op, Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deeploy_kernels import Name

CHIPS: Final = 8
HIDDEN: Final = 512
HEADS: Final = 8
DIM: Final = 64
FFN: Final = 1376
CACHED: Final = 128
L1_BYTES: Final = 64_000  # of a tile with its operands, Deeploy's own default
VECTOR_BYTES: Final = 8  # scale and bias of an output
SUM_BYTES: Final = 4
CLOCK_HZ: Final = 500e6
LINK_BYTES_PER_S: Final = 0.5e9
HOPS: Final = 2 * (3 + 1)  # of a sum over two groups of four chips, and of its way back
SUMS: Final = 2  # over all chips in a block
EIGHT_MS: Final = 0.54
ONE_MS: Final = EIGHT_MS * 26.1


def chip_group() -> Group:
    """One chip fits the rate of its off-chip link; eight chips check the rest."""
    one, eight = _milliseconds(1), _milliseconds(CHIPS)
    rate = _weights_bytes() / ((ONE_MS - one) * 1e-3)
    all_bytes_ms = 1e3 * _weights_bytes() / rate
    return Group(
        title="TinyLlama-42M on one chip and on eight",
        source="arXiv 2412.04372, abstract; what it leaves open is assumed: benchmarks/"
        "calibration_chips.py",
        unit="us, and times faster",
        rows=(
            Row(
                what="one chip, weights off chip",
                published=1e3 * ONE_MS,
                ours=1e3 * (one + all_bytes_ms),
                use="fit",
                note=f"rate of the off-chip link: {rate / 1e6:.0f} MB/s",
            ),
            Row(
                what="eight chips, weights on chip",
                published=1e3 * EIGHT_MS,
                ours=1e3 * eight,
                note="under those assumptions",
            ),
            Row(
                what="speed-up",
                published=ONE_MS / EIGHT_MS,
                ours=(one + all_bytes_ms) / eight,
                note="the same error once more",
                use="same",
            ),
        ),
    )


def _weights_bytes() -> int:
    """Of a block at 8 bits."""
    return 4 * HIDDEN * HEADS * DIM + 3 * HIDDEN * FFN


def _milliseconds(chips: int) -> float:
    """A block without its way from L3: one chip's share, and the sums over all chips."""
    network = Network(layers=1, first=(), layer=tuple(_block(chips)))
    seconds = Deeploy().run(network).total / CLOCK_HZ
    if chips > 1:
        seconds += SUMS * HOPS * HIDDEN * SUM_BYTES / LINK_BYTES_PER_S
    return 1e3 * seconds


def _block(chips: int) -> Iterator[Op]:
    """The ops of Deeploy's block, in its order, with a share of heads and FFN columns."""
    heads, ffn, rows = HEADS // chips, FFN // chips, CACHED + 1
    width, scores, cache = heads * DIM, heads * rows, heads * rows * DIM
    yield _whole("rms_norm", Shape(depth=HIDDEN), (HIDDEN, SUM_BYTES * HIDDEN), HIDDEN)
    for _ in range(3):
        yield _linear(HIDDEN, width)
    for _ in range(2):  # rotate
        yield _whole("requantise", Shape(elements=width), (width, width), width)
    for _ in range(2):  # caches
        yield _whole("concatenate", Shape(rows=heads, depth=rows * DIM), (cache, width), cache)
    yield _whole("transpose", Shape(rows=heads, elements=cache, run=rows), (cache,), cache)
    yield _whole("batch", Shape(rows=heads, depth=DIM, outs=rows), (width, cache), scores)
    yield _whole("softmax", Shape(rows=heads, depth=rows), (scores,), scores)
    yield _whole("requantise", Shape(elements=scores), (scores,), scores)
    yield _whole("batch", Shape(rows=heads, depth=rows, outs=DIM), (scores, cache), width)
    yield _linear(width, HIDDEN)
    yield _whole("add", Shape(elements=HIDDEN), (HIDDEN, HIDDEN), HIDDEN)
    yield _whole("rms_norm", Shape(depth=HIDDEN), (HIDDEN, SUM_BYTES * HIDDEN), HIDDEN)
    for _ in range(2):
        yield _linear(HIDDEN, ffn)
    yield _whole("hard_swish", Shape(elements=ffn), (ffn,), ffn)
    yield _whole("multiply", Shape(elements=ffn), (ffn, ffn), SUM_BYTES * ffn)
    yield _whole("requantise", Shape(elements=ffn), (SUM_BYTES * ffn,), ffn)
    yield _linear(ffn, HIDDEN)
    yield _whole("add", Shape(elements=HIDDEN), (HIDDEN, HIDDEN), HIDDEN)


def _whole(kernel: Name, shape: Shape, in_bytes: tuple[int, ...], out_bytes: int) -> Op:
    tile = Tile(times=1, shape=shape, in_bytes=in_bytes, out_bytes=(out_bytes,))
    return Op(kernel, (tile,))


def _linear(depth: int, outs: int) -> Op:
    """Tiles of as many outputs as fit."""
    most = (L1_BYTES - depth) // (depth + VECTOR_BYTES + 1)
    full, rest = divmod(outs, most)
    tiles = [(full, most), (1, rest)]
    return Op("linear", tuple(_outs(times, depth, some) for times, some in tiles if times and some))


def _outs(times: int, depth: int, outs: int) -> Tile:
    vectors = VECTOR_BYTES // 2 * outs
    return Tile(
        times=times,
        shape=Shape(depth=depth, outs=outs),
        in_bytes=(depth, depth * outs, vectors, vectors),
        out_bytes=(outs,),
    )
