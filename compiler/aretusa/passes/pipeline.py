"""LOWERING: the passes from float ops to the kernels of the runtime, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.ir.verify import verify
from aretusa.passes.expand_attention import expand_attention
from aretusa.passes.fuse_heads import fuse_heads
from aretusa.passes.fuse_quantise import fuse_quantise
from aretusa.passes.fuse_residual import fuse_residual
from aretusa.passes.quantise_linear_inputs import quantise_linear_inputs
from aretusa.passes.remove_dead_ops import remove_dead_ops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aretusa.ir.graph import Graph

    Observer = Callable[[str, Graph], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """A named rewrite. It returns a new graph and never changes its argument."""

    name: str
    run: Callable[[Graph], Graph]


LOWERING: Final = (
    Pass("expand_attention", expand_attention),
    Pass("quantise_linear_inputs", quantise_linear_inputs),
    Pass("fuse_heads", fuse_heads),
    Pass("fuse_quantise", fuse_quantise),
    Pass("fuse_residual", fuse_residual),
    Pass("remove_dead_ops", remove_dead_ops),
)


def run_passes(graph: Graph, passes: Iterable[Pass], observe: Observer | None = None) -> Graph:
    """Run the passes in order, verifying the graph after each one."""
    verify(graph, after="the frontend")
    for step in passes:
        graph = step.run(graph)
        verify(graph, after=step.name)
        if observe is not None:
            observe(step.name, graph)
    return graph
