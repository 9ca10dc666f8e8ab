"""Graphs of changed models: the same ops over other matrices, or fewer of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.graph import substitute
from aretusa.ir.types import DenseType
from aretusa.ir.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.ir.graph import Graph


def fresh_graph(graph: Graph) -> Graph:
    """The graph before anything was decided about engines."""
    return graph.with_ops(
        [
            replace(op, engine=None, engine_rows=None) if isinstance(op, ops.Linear) else op
            for op in graph.ops
        ]
    )


def with_types(
    graph: Graph,
    is_meant: Callable[[str, DenseType], bool],
    changed: Callable[[DenseType], DenseType],
) -> Graph:
    """Other types for the matrices that are meant."""
    weights = tuple(
        replace(weight, type=changed(weight.type))
        if isinstance(weight.type, DenseType) and is_meant(weight.name, weight.type)
        else weight
        for weight in graph.weights
    )
    return replace(graph, weights=weights)


def without_last_layer(graph: Graph) -> Graph | None:
    """One layer fewer: what followed the last one follows the one before; None if it is alone."""
    layers = {op.layer for op in graph.ops if op.layer is not None}
    if len(layers) < 2:
        return None
    dropped = [op for op in graph.ops if op.layer == max(layers)]
    kept = [op for op in graph.ops if op.layer != max(layers)]
    made = {out.name: out for op in dropped if (out := ops.result(op)) is not None}
    left = {value for op in kept for value in ops.inputs(op) if value.name in made}
    came = {value for op in dropped for value in ops.inputs(op) if value.name not in made}
    bridges = {last.name: first for last in left for first in came if first.type == last.type}
    caches = {name for op in kept for name in ops.written_caches(op)}
    weights = {name for op in kept for name in ops.weights(op)}
    found = replace(
        graph,
        ops=tuple(substitute(op, bridges) for op in kept),
        caches=tuple(cache for cache in graph.caches if cache.name in caches),
        weights=tuple(weight for weight in graph.weights if weight.name in weights),
    )
    verify(found, after="without_last_layer")
    return found
