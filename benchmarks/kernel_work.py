"""What each kernel of a program has to do: multiply-accumulates and elements, from the graph."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import TOKENS, DenseType
from aretusa.memory.matrix_parts import BLOCK_ROWS
from aretusa.quantization.schemes import CHANNEL
from aretusa.schedule.roll import layer_weight, roll

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """New tokens that the program runs at once, and the position of the first."""

    tokens: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelWork:
    """One row of the profile: what it is, and its work over some steps and all layers."""

    kernel: str
    form: str  # how its matrix is stored, or what kind of kernel it is
    macs: int
    elements: int
    is_product: bool  # of a matrix with vectors
    is_of_head: bool  # after the last layer, so that a prompt runs it once
    rows: int  # of its matrix, 0 without one

    @property
    def rows_worked_on(self) -> int:
        """Rows with those that fill the last block."""
        return -(-self.rows // BLOCK_ROWS) * BLOCK_ROWS

    @property
    def units(self) -> int:
        """What instructions are divided by: multiply-accumulates if there are any."""
        return self.macs or self.elements


def kernel_work(graph: Graph, names: Sequence[str], steps: Iterable[Step]) -> list[KernelWork]:
    """The work of each row of a profile; `names` are the rows' names, in the program's order."""
    rolled = roll(graph)
    rows: list[tuple[Op, tuple[int, ...]]] = [(op, ()) for op in rolled.prologue]
    rows += [(op, kind.layers) for kind in rolled.kinds for op in kind.ops]
    rows += [(op, ()) for op in rolled.epilogue]
    assert len(rows) == len(names), "the profile and the graph have different kernels"
    all_steps = tuple(steps)
    first_of_head = len(rows) - len(rolled.epilogue)
    return [
        KernelWork(
            kernel=name,
            form=form_of(op, graph, layers),
            macs=max(1, len(layers)) * sum(macs(op, step) for step in all_steps),
            elements=max(1, len(layers)) * sum(elements(op, step) for step in all_steps),
            is_product=isinstance(op, ops.Linear),
            is_of_head=index >= first_of_head,
            rows=op.out.type.depth if isinstance(op, ops.Linear) else 0,
        )
        for index, (name, (op, layers)) in enumerate(zip(names, rows, strict=True))
    ]


def prefill_steps(tokens: int, chunk: int) -> list[Step]:
    """The steps of a prompt."""
    return [
        Step(tokens=min(chunk, tokens - first), position=first) for first in range(0, tokens, chunk)
    ]


def decode_steps(prompt_tokens: int, count: int) -> list[Step]:
    """The steps that follow a prompt, one token each."""
    return [Step(tokens=1, position=prompt_tokens + index) for index in range(count)]


def macs(op: Op, step: Step) -> int:
    """Integer multiply-accumulates of one call."""
    match op:
        case ops.Linear(src=src, out=out):
            rows = step.tokens if src.type.shape[0] == TOKENS else 1
            return rows * src.type.depth * out.type.depth
        case ops.CachedAttention(query=query):
            _, heads, dim = query.type.dims(step.tokens)
            keys = sum(step.position + token + 1 for token in range(step.tokens))
            return 2 * heads * dim * keys
        case _:
            return 0


def elements(op: Op, step: Step) -> int:
    """Numbers that a call without multiply-accumulates works on, of its first input."""
    if macs(op, step):
        return 0
    value = op.out if isinstance(op, ops.Embed) else ops.inputs(op)[0]
    return prod(value.type.dims(step.tokens))


def form_of(op: Op, graph: Graph, layers: tuple[int, ...]) -> str:
    """Bits and groups of a matrix as W8, W4 g32 min, ...; for other ops the kernel."""
    if not isinstance(op, ops.Linear):
        return type(op).__name__
    name = layer_weight(op.weight, layers[0]) if layers else op.weight
    matrix = graph.weight_types()[name]
    assert isinstance(matrix, DenseType), f"{name} is not a matrix"
    group = "channel" if matrix.group == CHANNEL else f"g{matrix.group}"
    return f"W{matrix.bits} {group}{' min' if matrix.has_minimum else ''}"
