"""Calibration: Deeploy's published runs against its schedules on our engine.

deeploy:docs/tutorials/introduction.md has the figures. What was fitted to which of them stands in
deeploy_chip.toml, deeploy_schedules.toml and deeploy_kernels.toml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calibration_rows import Group, Row
from deeploy_kernels import Shape
from deeploy_schedules import Deeploy, Network, Op, Tile, networks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calibration_rows import Use
    from deeploy_kernels import Name
    from deeploy_schedules import TileCycles

SOURCE: Final = "deeploy:docs/tutorials/introduction.md, GVSoC's siracusa target of 2025"
ROUNDED: Final = "published with two or three digits"
CODE: Final = "code of an op's first transfers"

# 256 > 64 with biases and scales of 32 bits; its weights come to L1 with them, or do not.
LINEAR: Final = Shape(rows=1, depth=256, outs=64)
WEIGHTS_BYTES: Final = 256 * 64
VECTORS_BYTES: Final = (256, 256, 256)  # inputs, biases, scales
ELEMENTS: Final = 1 << 16  # of the LeakyReLU, whose tiles have a quarter of them


def deeploy_groups() -> Iterator[Group]:
    """Single kernels, then whole networks."""
    rows = (*_linear_rows(), *_norm_rows(), *_leaky_rows())
    yield Group(title="Deeploy, single kernels", source=SOURCE, unit="cycles", rows=rows)
    yield Group(
        title="Deeploy, the 0.5 M network its way",
        source=f"{SOURCE}; schedules of its own generator, bf64cfa",
        unit="cycles",
        rows=tuple(_network_rows()),
    )


def _linear_rows() -> Iterator[Row]:
    """One layer of 32,771 operations on N-EUREKA."""
    through_l1 = _first_tile("engine", LINEAR, (*VECTORS_BYTES, WEIGHTS_BYTES), (64,))
    in_memory = _first_tile("engine", LINEAR, VECTORS_BYTES, (64,))
    what = "linear 256 > 64"
    yield Row(what=f"{what}, weights through L1: inputs", published=2037, ours=through_l1.load)
    yield Row(what=f"{what}, weights through L1: kernel", published=2649, ours=through_l1.kernel)
    yield Row(
        what=f"{what}, weights through L1: outputs",
        published=50,
        ours=through_l1.store,
        use="fit",
        note=CODE,
    )
    yield Row(what=f"{what}, weight memory: inputs", published=125, ours=in_memory.load)
    yield Row(
        what=f"{what}, weight memory: kernel",
        published=2595,
        ours=in_memory.kernel,
        use="fit",
        note="cycles to give a job",
    )
    yield Row(
        what=f"{what}, weight memory: outputs",
        published=56,
        ours=in_memory.store,
        use="fit",
        note=CODE,
    )


def _first_tile(
    kernel: Name, shape: Shape, in_bytes: tuple[int, ...], out_bytes: tuple[int, ...]
) -> TileCycles:
    tile = Tile(times=1, shape=shape, in_bytes=in_bytes, out_bytes=out_bytes)
    return Deeploy().op(Op(kernel, (tile,)))[0]


def _norm_rows() -> Iterator[Row]:
    """64 rows, of which 60 fit 8,000 bytes with their results and the weights."""
    op = next(op for op in networks()["parallel_64_l1_8000"].layer if op.kernel == "rms_norm")
    spent = Deeploy().op(op)
    published = ((489, 43305, 534), (82, 3254, 49))
    for number, (tile, cycles, theirs) in enumerate(zip(op.tiles, spent, published, strict=True)):
        what = f"RMSNorm, tile {number} of {tile.shape.rows} rows"
        yield Row(what=f"{what}: inputs", published=theirs[0], ours=cycles.load)
        yield Row(what=f"{what}: kernel", published=theirs[1], ours=cycles.kernel)
        is_fit = number == 1
        yield Row(
            what=f"{what}: outputs",
            published=theirs[2],
            ours=cycles.store,
            use="fit" if is_fit else "check",
            note="set-up of a transfer" if is_fit else "",
        )


def _leaky_rows() -> Iterator[Row]:
    """Their exercise: a kernel with and without tiles, SIMD and cores."""
    whole = (Tile(times=1, shape=Shape(elements=ELEMENTS)),)
    size = ELEMENTS // 4
    tiles = (Tile(times=4, shape=Shape(elements=size), in_bytes=(size,), out_bytes=(size,)),)
    cases: tuple[tuple[str, Name, tuple[Tile, ...], int, int, Use], ...] = (
        ("1 core, in L2", "leaky_relu", whole, 1, 2_492_970, "check"),
        ("8 cores, in L2", "leaky_relu", whole, 8, 313_541, "check"),
        ("8 cores, tiles", "leaky_relu", tiles, 8, 108_090, "fit"),
        ("8 cores, tiles, SIMD", "leaky_relu_simd", tiles, 8, 43_005, "fit"),
    )
    for what, kernel, its_tiles, cores, published, use in cases:
        network = Network(layers=1, first=(), layer=(Op(kernel, its_tiles),))
        yield Row(
            what=f"LeakyReLU of 65,536, {what}",
            published=published,
            ours=Deeploy(cores=cores).run(network).total,
            use=use,
            note="loops close with a branch" if use == "fit" else "",
        )


def _network_rows() -> Iterator[Row]:
    cases: tuple[tuple[str, str, int, float, Use, str], ...] = (
        (
            "micro_llama_128_untiled",
            "token, 128 cached, in L2, 1 core",
            1,
            16.1e6,
            "check",
            ROUNDED,
        ),
        (
            "micro_llama_128_untiled",
            "token, 128 cached, in L2, 8 cores",
            8,
            3.1e6,
            "check",
            ROUNDED,
        ),
        (
            "micro_llama_64",
            "token, 64 cached, cores alone",
            8,
            857e3 * 1.04,
            "check",
            "1.04 x 857 k",
        ),
        (
            "micro_llama_64_engine",
            "token, 64 cached, N-EUREKA, weights through L1",
            8,
            857e3,
            "fit",
            "code around every op",
        ),
        (
            "micro_llama_64_weight_memory",
            "token, 64 cached, N-EUREKA, weight memory",
            8,
            780e3,
            "check",
            "",
        ),
        ("parallel_64_l1_8000", "prompt of 64, cores, 8,000 B of L1", 8, 47.5e6, "check", ROUNDED),
        ("parallel_64", "prompt of 64, cores, 64,000 B of L1", 8, 35.3e6, "check", ROUNDED),
        (
            "parallel_64_engine",
            "prompt of 64, N-EUREKA, weights through L1",
            8,
            28.6e6,
            "check",
            ROUNDED,
        ),
        (
            "parallel_64_weight_memory",
            "prompt of 64, N-EUREKA, weight memory",
            8,
            28.3e6,
            "check",
            ROUNDED,
        ),
    )
    for name, what, cores, published, use, note in cases:
        spent = Deeploy(cores=cores).run(networks()[name])
        yield Row(what=what, published=published, ours=spent.total, use=use, note=note)
