"""Add of a Linear's result -> the Linear's residual input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.ir import ops

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


def fuse_residual(graph: Graph) -> Graph:
    """Add(lhs, Linear) keeps its order of operands: residual + product."""
    readers = graph.readers()
    linears = {
        op.out.name: op
        for op in graph.ops
        if isinstance(op, ops.Linear)
        and op.residual is None
        and len(readers.get(op.out.name, ())) == 1
    }
    absorbed = {
        op.rhs.name for op in graph.ops if isinstance(op, ops.Add) and op.rhs.name in linears
    }
    rewritten: list[Op] = []
    for op in graph.ops:
        match op:
            case ops.Linear(out=out) if out.name in absorbed:
                continue
            case ops.Add(lhs=lhs, rhs=rhs, out=out) if rhs.name in absorbed:
                rewritten.append(replace(linears[rhs.name], residual=lhs, out=out))
            case _:
                rewritten.append(op)
    return graph.with_ops(rewritten)
