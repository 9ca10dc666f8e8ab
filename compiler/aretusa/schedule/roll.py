"""Roll the lowered graph into kinds of layers, so that the program loops over tables.

Two layers are of one kind when their ops are the same but for the numbers of weights. Values get
the names of the buffers they live in: a Linear writes over its residual input, and a selected row
is a view of its buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from aretusa.ir import ops
from aretusa.ir.ops import Op, inputs, result
from aretusa.ir.types import Value

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph


HIDDEN: Final = "hidden"  # buffer of the residual stream


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerKind:
    """Ops that several layers share. Weight and cache names are roles: full names without layer."""

    ops: tuple[Op, ...]
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledGraph:
    """Embedding ops, kinds of layers, the head's ops; `order` has kind and row of each layer."""

    prologue: tuple[Op, ...]
    kinds: tuple[LayerKind, ...]
    order: tuple[tuple[int, int], ...]
    epilogue: tuple[Op, ...]


def layer_weight(role: str, layer: int) -> str:
    """Full name of the weight that plays a role in a layer."""
    return f"model.layers.{layer}.{role}"


def layer_cache(role: str, layer: int) -> str:
    """Full name of the cache that plays a role in a layer."""
    return f"l{layer}.{role}"


def roll(graph: Graph) -> RolledGraph:
    """Group layers by kind, in the order of their first appearance."""
    buffers = _buffer_names(graph)
    prologue: list[Op] = []
    epilogue: list[Op] = []
    layers: dict[int, list[Op]] = {}
    for op in graph.ops:
        if isinstance(op, ops.SelectRow):
            continue
        if op.layer is None:
            (epilogue if layers else prologue).append(_localise(op, buffers))
        else:
            layers.setdefault(op.layer, []).append(_localise(op, buffers))
    rows: dict[tuple[Op, ...], list[int]] = {}
    for layer, body in layers.items():
        rows.setdefault(tuple(body), []).append(layer)
    kinds = tuple(LayerKind(ops=body, layers=tuple(found)) for body, found in rows.items())
    order = {
        layer: (index, row)
        for index, kind in enumerate(kinds)
        for row, layer in enumerate(kind.layers)
    }
    return RolledGraph(
        prologue=tuple(prologue),
        kinds=kinds,
        order=tuple(order[layer] for layer in sorted(order)),
        epilogue=tuple(epilogue),
    )


def _buffer_names(graph: Graph) -> dict[str, str]:
    """Buffer of each value: its name without the layer, or that of the residual it overwrites."""
    names: dict[str, str] = {graph.tokens.name: graph.tokens.name}
    last_read = {value.name: at for at, op in enumerate(graph.ops) for value in inputs(op)}
    for index, op in enumerate(graph.ops):
        out = result(op)
        if out is None:
            continue
        if isinstance(op, ops.Linear) and op.residual is not None:
            is_last = last_read[op.residual.name] == index
            assert is_last, f"{op.residual} is read after it is overwritten"
            names[out.name] = names[op.residual.name]
        elif isinstance(op, ops.Embed):
            names[out.name] = HIDDEN
        elif isinstance(op, ops.SelectRow):
            names[out.name] = names[op.src.name]
        else:
            prefix = "" if op.layer is None else f"l{op.layer}."
            names[out.name] = out.name.removeprefix(prefix)
    return names


def _localise(op: Op, buffers: dict[str, str]) -> Op:
    """The op with buffer names for values and roles for weights and caches."""
    changes: dict[str, Any] = {"layer": None}
    for field in fields(op):
        value = getattr(op, field.name)
        if isinstance(value, Value):
            changes[field.name] = Value(buffers[value.name], value.type)
        elif isinstance(value, str) and op.layer is not None:
            role = value.removeprefix(f"model.layers.{op.layer}.").removeprefix(f"l{op.layer}.")
            changes[field.name] = role
    return replace(op, **changes)
