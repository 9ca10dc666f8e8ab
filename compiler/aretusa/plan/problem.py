"""build_problem(): every item of a program with its options, for one working set."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aretusa.cost.kernels import argmax_call
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import contents
from aretusa.memory.placement import align
from aretusa.memory.plan import overhead_bytes
from aretusa.neureka.linear import Engine
from aretusa.plan.around_ops import around_cycles
from aretusa.plan.choice import Item, Load, Problem
from aretusa.plan.linear_options import linear_options
from aretusa.plan.op_cost import op_cycles
from aretusa.plan.other_options import content_item
from aretusa.schedule.roll import weight_role
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.ir.graph import Graph
    from aretusa.plan.linear_options import Setting
    from aretusa.target.description import Target


def build_problem(
    graph: Graph,
    setting: Setting,
    engine: Engine | None,
    *,
    tokenizer_bytes: int,
    workspace_bytes: int,
    spilled_bytes: Mapping[MemoryId, int],
) -> Problem:
    """Items in the order of use. `spilled_bytes` are buffers of a step that lie outside L1."""
    readers = [op for op in graph.ops if isinstance(op, ops.Linear)]
    linears, uses = {op.weight: op for op in readers}, Counter(op.weight for op in readers)
    reads = Counter(name for op in graph.ops for name in ops.weights(op))
    tables = {op.table for op in graph.ops if isinstance(op, ops.Embed)}
    types = graph.weight_types()
    items: list[Item] = []
    for content in contents(
        graph, {}, tokenizer_bytes=tokenizer_bytes, workspace_bytes=workspace_bytes
    ):
        op = linears.get(content.name)
        matrix = types.get(content.name)
        if op is not None and isinstance(matrix, DenseType):
            is_table = content.name in tables
            options = linear_options(
                op, matrix, setting, engine, is_table=is_table, uses=uses[content.name]
            )
            items.append(Item(name=content.name, role=_role(op), options=options))
        else:
            items.append(content_item(content, graph, setting, reads=reads[content.name]))
    pages = setting.working.pages
    return Problem(
        items=tuple(items),
        free_bytes=_free_bytes(setting.target, spilled_bytes),
        page_ring=(pages.memory, pages.size_bytes),
        fixed=fixed_load(graph, setting, has_engine=engine is not Engine.CLUSTER),
    )


def _free_bytes(target: Target, spilled_bytes: Mapping[MemoryId, int]) -> dict[MemoryId, int]:
    """What contents may use of each memory but L1."""
    return {
        memory.id: memory.capacity_bytes
        - overhead_bytes(memory)
        - align(spilled_bytes.get(memory.id, 0))
        for memory in target.memories
        if memory.id is not MemoryId.L1
    }


def _role(op: ops.Linear) -> str:
    return op.weight if op.layer is None else weight_role(op.weight)


def fixed_load(graph: Graph, setting: Setting, *, has_engine: bool) -> Load:
    """What every plan costs: all ops but the linear layers, and what stands around each of them."""
    goal, target = setting.goal, setting.target
    prefill = decode = 0
    is_head = False
    *around, chosen = around_cycles(graph, setting, has_engine=has_engine)
    for op, more in zip(graph.ops, around, strict=True):
        is_head |= isinstance(op, ops.SelectRow)
        besides = more + target.cluster.barrier_cycles
        one = op_cycles(op, graph, 1, goal.decode_position, setting) + besides
        decode += goal.decode_tokens * one
        if is_head:
            prefill += one
            continue
        for tokens, count in goal.chunks(setting.working.chunk).items():
            middle = goal.prefill_tokens // 2
            prefill += count * (op_cycles(op, graph, tokens, middle, setting) + besides)
    choice = argmax_call(count=graph.logits.type.depth).cycles(target) + chosen
    return Load(prefill_work=prefill + choice, decode_work=decode + goal.decode_tokens * choice)
