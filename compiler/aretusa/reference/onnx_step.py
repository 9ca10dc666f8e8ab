"""What all ops of a step share in ONNX: its positions, its rotary angles, the caches' windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aretusa.reference.onnx_arithmetic import (
    QuantisedNodes,
    Window,
    attend,
    matmul_int8,
    tree_width,
)

if TYPE_CHECKING:
    import onnx_ir as ir

    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.reference.onnx_nodes import OnnxNodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The positions begin .. end - 1, each bound a vector of one, in caches of `context` rows."""

    begin: ir.Value
    end: ir.Value
    context: int
    window: Window
    cosine: ir.Value  # [tokens, 1, dim / 2]
    sine: ir.Value


def begin_step(
    nodes: OnnxNodes, tokens: ir.Value, position: ir.Value, rope: RopeTables, context: int
) -> Step:
    """The step that runs `tokens` at `position`."""
    nodes.scope = "step"
    begin = nodes.add("Unsqueeze", position, nodes.ints(0))
    end = nodes.add("Add", begin, nodes.add("Shape", tokens))
    angles = [
        nodes.slice(nodes.constant(name, table[:context, None, :]), begin, end, 0)
        for name, table in (("rope.cosine", rope.cosine), ("rope.sine", rope.sine))
    ]
    return Step(
        begin=begin,
        end=end,
        context=context,
        window=_window(nodes, begin, end, context),
        cosine=angles[0],
        sine=angles[1],
    )


def _window(nodes: OnnxNodes, begin: ir.Value, end: ir.Value, context: int) -> Window:
    """Each token sees its own position and all before it."""
    zero, one = (nodes.constant(f"int/{n}", np.array(n, np.int64)) for n in (0, 1))
    every = nodes.add("Range", zero, nodes.add("Squeeze", end), one)
    own = nodes.add("Unsqueeze", nodes.slice(every, begin, end, 0), nodes.ints(1))
    width = tree_width(context)
    missing = nodes.add("Sub", nodes.ints(width), end)
    return Window(
        visible=nodes.add("LessOrEqual", every, own),
        padding=nodes.add("Concat", nodes.ints(0), missing, axis=0),
        width=width,
    )


def append(
    nodes: OnnxNodes, cache: QuantisedNodes, rows: QuantisedNodes, step: Step
) -> QuantisedNodes:
    """The cache with head rows [tokens, heads, dim] at the step's positions."""
    scales = nodes.add("Squeeze", rows.scales, nodes.ints(-1))
    return QuantisedNodes(
        _insert(nodes, cache.codes, nodes.transpose(rows.codes, 1, 0, 2), step),
        _insert(nodes, cache.scales, nodes.transpose(scales, 1, 0), step),
    )


def _insert(nodes: OnnxNodes, cache: ir.Value, rows: ir.Value, step: Step) -> ir.Value:
    """The rows in place of the step's positions along the second axis."""
    kept = nodes.slice(cache, nodes.ints(0), step.begin, 1)
    rest = nodes.slice(cache, step.end, nodes.ints(step.context), 1)
    return nodes.add("Concat", kept, rows, rest, axis=1)


def cached_attention(
    nodes: OnnxNodes,
    query: QuantisedNodes,
    keys: QuantisedNodes,
    values: QuantisedNodes,
    step: Step,
    *,
    heads: tuple[int, int, int],
) -> ir.Value:
    """All heads at once; `heads` is key/value heads, query heads of each, dim.

    Scores are [kv heads, query heads of each, tokens, positions].
    """
    kv_heads, repeat, dim = heads
    keys, values = _seen(nodes, keys, step), _seen(nodes, values, step)
    codes = nodes.reshape(query.codes, 0, kv_heads, repeat, dim)
    scales = nodes.reshape(query.scales, 0, kv_heads, repeat, 1)
    sums = matmul_int8(
        nodes, nodes.transpose(codes, 1, 2, 0, 3), nodes.transpose(keys.codes, 0, 1, 3, 2)
    )
    root = nodes.f32(f"inverse_root/{dim}", np.float32(1 / np.sqrt(dim)))
    factor = nodes.add("Mul", nodes.transpose(scales, 1, 2, 0, 3), root)
    scores = nodes.add("Mul", nodes.to_f32(sums), factor)
    scores = nodes.add("Mul", scores, keys.scales)
    out = attend(nodes, scores, step.window, values)
    return nodes.reshape(nodes.transpose(out, 2, 0, 1, 3), 0, kv_heads * repeat * dim)


def _seen(nodes: OnnxNodes, cache: QuantisedNodes, step: Step) -> QuantisedNodes:
    """Positions before `end`: codes [heads, 1, positions, dim], scales [heads, 1, 1, positions]."""
    codes = nodes.slice(cache.codes, nodes.ints(0), step.end, 1)
    scales = nodes.slice(cache.scales, nodes.ints(0), step.end, 1)
    return QuantisedNodes(
        nodes.add("Unsqueeze", codes, nodes.ints(1)),
        nodes.add("Unsqueeze", scales, nodes.ints(1, 2)),
    )
