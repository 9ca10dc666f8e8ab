"""Put a Quantise in front of every Linear; readers of one value share one Quantise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DType, TensorType, Value

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


def quantise_linear_inputs(graph: Graph) -> Graph:
    """Every Linear reads q8 afterwards."""
    rewritten: list[Op] = []
    quantised: dict[str, Value] = {}
    for op in graph.ops:
        if not isinstance(op, ops.Linear) or op.src.type.dtype is DType.Q8:
            rewritten.append(op)
            continue
        codes = quantised.get(op.src.name)
        if codes is None:
            codes = Value(f"{op.src.name}.codes", TensorType(op.src.type.shape, DType.Q8))
            rewritten.append(ops.Quantise(layer=op.layer, src=op.src, out=codes))
            quantised[op.src.name] = codes
        rewritten.append(replace(op, src=codes))
    return graph.with_ops(rewritten)
