"""Roll the lowered graph into kinds of layers, so that the program loops over tables.

Two layers are of one kind when their ops are the same but for the numbers of weights. Values get
the names of the buffers they live in: a Linear writes over its residual input, and a selected row
is a view of its buffer. That of the logits has their name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from aretusa.ir import ops
from aretusa.ir.ops import Op, inputs, result
from aretusa.ir.types import Value

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph


_LAYER: Final = re.compile(r"model\.layers\.(\d+)\.")
HIDDEN: Final = "hidden"  # buffer of the residual stream


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerKind:
    """Ops that several layers share. Weight and cache names are roles: full names without layer.

    `stored` has for each of the layers the one whose weights it uses.
    """

    ops: tuple[Op, ...]
    layers: tuple[int, ...]
    stored: tuple[int, ...]


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


def weight_role(name: str) -> str:
    """Name of a weight without its layer."""
    return _LAYER.sub("", name)


def stored_layers(graph: Graph) -> dict[int, int]:
    """The layer whose weights each layer uses; all of its weights are of the same one."""
    stored: dict[int, int] = {}
    for op in graph.ops:
        for name in ops.weights(op):
            found = _LAYER.match(name)
            if op.layer is not None and found is not None:
                known = stored.setdefault(op.layer, int(found[1]))
                assert known == int(found[1]), f"layer {op.layer} uses {name} and layer {known}"
    return stored


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
    stored = stored_layers(graph)
    kinds = tuple(
        LayerKind(
            ops=body, layers=tuple(found), stored=tuple(stored.get(layer, layer) for layer in found)
        )
        for body, found in rows.items()
    )
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
    logits, buffer = graph.logits.name, names[graph.logits.name]
    return {value: logits if name == buffer else name for value, name in names.items()}


def _localise(op: Op, buffers: dict[str, str]) -> Op:
    """The op with buffer names for values and roles for weights and caches."""
    changes: dict[str, Any] = {"layer": None}
    for field in fields(op):
        value = getattr(op, field.name)
        if isinstance(value, Value):
            changes[field.name] = Value(buffers[value.name], value.type)
        elif isinstance(value, str) and op.layer is not None:
            changes[field.name] = weight_role(value).removeprefix(f"l{op.layer}.")
    return replace(op, **changes)
