"""Graphs of a few ops as text: the declarations that all of them share, and what a pass changes."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Final

from aretusa.ir.text import parse_graph, print_op
from aretusa.ir.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.ir.graph import Graph

# One head of four dimensions; every graph begins with %x and ends with %out.
HEADER: Final = """\
graph "small" chunk_max=4 context=8 rope_dim=4
weight "table": w32[8x4]
weight "norm": f32[4]
weight "square": w8[4x4]
cache keys: 1x4
cache values: 1x4
input %tokens: token[tokens]
%x: f32[tokensx4] = Embed(tokens=%tokens, table="table") layer none
"""


def small_graph(ops: str, *, out: str = "f32[tokensx4]") -> Graph:
    """A verified graph of the given ops, the last of which defines %out."""
    graph = parse_graph(f"{HEADER}{dedent(ops).strip()}\noutput %out: {out}\n")
    verify(graph, after="parsing")
    return graph


def rewritten(run: Callable[[Graph], Graph], ops: str, *, out: str = "f32[tokensx4]") -> str:
    """The ops after the first one, as a pass leaves them; the result is verified."""
    graph = run(small_graph(ops, out=out))
    verify(graph, after="the pass")
    return "".join(f"{print_op(op)}\n" for op in graph.ops[1:])


def expected(ops: str) -> str:
    """An indented text as `rewritten` gives it."""
    return dedent(ops).strip() + "\n"
