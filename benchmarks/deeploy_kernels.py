"""Cycles of the kernels that Deeploy publishes for the chip: deeploy_kernels.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from aretusa.cost.calls import barrier_cycles, total
from aretusa.cost.events import Events
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.target.description import Target

KERNELS: Final = Path(__file__).with_name("deeploy_kernels.toml")
WORD_BYTES: Final = 4
QUAD: Final = 4  # columns of one SIMD product

Name = Literal[
    "rms_norm",
    "transpose",
    "linear",
    "batch",
    "requantise",
    "add",
    "softmax",
    "hard_swish",
    "multiply",
    "concatenate",
    "leaky_relu",
    "leaky_relu_simd",
    "engine",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kernel works on; a kernel reads what it has a use for.

    `rows` of `depth` elements give `outs` results each. Of a transposition, `rows` is the length
    of the dimension that the cores share and `run` that of the innermost loop.
    """

    rows: int = 1
    depth: int = 1
    outs: int = 1
    elements: int = 0
    run: int = 1


def kernel_cycles(name: Name, shape: Shape, target: Target, memory: MemoryId) -> int:
    """Until the last core is through, operands in `memory`, code in the cache."""
    assert name != "engine", "its cycles are those of a job"
    cores = target.cluster.cores
    places = {"data": memory, "own": MemoryId.L1}
    each = {
        unit: events.issue_cycles(target.core) + events.access_cycles(target, places)
        for unit, events in _table()[name].items()
    }
    barriers = _barriers(name, shape, cores) * barrier_cycles(target)
    return ceil(total(_busiest(name, shape, cores), each)) + barriers


def _barriers(name: Name, shape: Shape, cores: int) -> int:
    """Those inside: products of a row end with one."""
    match name:
        case "linear":
            return shape.rows
        case "batch":
            return ceil(shape.rows / cores)
        case _:
            return 0


def _busiest(name: Name, shape: Shape, cores: int) -> Mapping[str, int]:
    """Units of work of the core that does most."""
    match name:
        case "rms_norm":
            own = ceil(shape.depth / cores)
            rows = shape.rows
            return {"row": rows, "element": rows * shape.depth, "own_element": rows * own}
        case "transpose":
            elements = ceil(shape.rows / cores) * shape.elements // shape.rows
            return {"line": ceil(elements / shape.run), "element": elements}
        case "linear":
            return _products(shape.rows, shape.depth, ceil(shape.outs / cores))
        case "batch":
            return _products(ceil(shape.rows / cores), shape.depth, shape.outs)
        case "softmax":
            rows = ceil(shape.rows / cores)
            return {"row": rows, "element": rows * shape.depth}
        case "concatenate":
            words = shape.rows * ceil(shape.depth / WORD_BYTES)
            return {"call": 2 * shape.rows, "word": words}
        case "leaky_relu_simd":
            return {"word": ceil(shape.elements / (WORD_BYTES * cores))}
        case _:
            return {"element": ceil(shape.elements / cores)}


def _products(rows: int, depth: int, outs: int) -> Mapping[str, int]:
    pairs, odd = rows * (outs // 2), rows * (outs % 2)
    quads, rest = divmod(depth, QUAD)
    return {
        "row": rows,
        "pair": pairs,
        "pair_quad": pairs * quads,
        "pair_rest": pairs * rest,
        "odd": odd,
        "odd_quad": odd * quads,
        "odd_rest": odd * rest,
    }


@cache
def _table() -> Mapping[str, Mapping[str, Events]]:
    document = tomllib.loads(KERNELS.read_text("utf-8"))
    return {
        kernel: {unit: Events(**events) for unit, events in units.items()}
        for kernel, units in document.items()
    }
