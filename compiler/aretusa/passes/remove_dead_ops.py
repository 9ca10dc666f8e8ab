"""Drop ops whose results nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.ir.ops import inputs, result

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


def remove_dead_ops(graph: Graph) -> Graph:
    """Cache writes and whatever the logits need stay."""
    needed = {graph.logits.name}
    kept: list[Op] = []
    for op in reversed(graph.ops):
        out = result(op)
        if out is None or out.name in needed:
            kept.append(op)
            needed.update(value.name for value in inputs(op))
    return graph.with_ops(kept[::-1])
