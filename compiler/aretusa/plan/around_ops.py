"""What a step costs around its kernels: calls, and code that comes from L2."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.cost.code_cache import CodeCache
from aretusa.cost.control import linear_codes
from aretusa.cost.kernels import BLOCK_ROWS, argmax_call, finish_sums_call
from aretusa.cost.products import linear_call
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.plan.op_cost import kernel_call
from aretusa.quantization.schemes import container_bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.cost.calls import KernelCall
    from aretusa.cost.code_cache import Code
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.plan.linear_options import Setting

GRAPH_ONLY: Final = (ops.SelectRow,)  # no kernel is called


def around_cycles(graph: Graph, setting: Setting, *, has_engine: bool) -> list[int]:
    """For each op what its call takes besides the kernel; behind them, for a token's choice.

    Of a decoded token; others take about the same. Code is fetched where code that ran since has
    filled the cores' cache. `has_engine`: linear layers run the code of N-EUREKA, not that of the
    cluster's products.
    """
    target = setting.target
    cache = CodeCache(target.core)
    known: dict[object, list[tuple[Code, float]]] = {}
    found: list[int] = []
    for op in graph.ops:
        if isinstance(op, GRAPH_ONLY):
            found.append(0)
            continue
        key = (type(op), tuple(value.type for value in ops.inputs(op)))
        if key not in known:
            known[key] = list(_codes(op, graph, setting, has_engine=has_engine))
        found.append(target.control.call_cycles + cache.run(known[key]))
    choice = argmax_call(count=graph.logits.type.depth)
    return [*found, target.control.token_cycles + cache.run(choice.codes(target))]


def _codes(
    op: Op, graph: Graph, setting: Setting, *, has_engine: bool
) -> Iterator[tuple[Code, float]]:
    target, cores = setting.target, setting.target.cluster.cores
    if isinstance(op, ops.Linear) and has_engine:
        yield from linear_codes(target, target.control_token)
        yield from finish_sums_call(
            cores, rows=1, tokens=1, has_residual=op.residual is not None
        ).codes(target)
    elif isinstance(op, ops.Linear):
        yield from _product(op, graph, cores).codes(target)
    else:
        call = kernel_call(op, graph, 1, setting.goal.decode_position, setting)
        if call is not None:
            yield from call.codes(target)


def _product(op: ops.Linear, graph: Graph, cores: int) -> KernelCall:
    matrix = graph.weight_types()[op.weight]
    assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
    tile = replace(matrix, rows=BLOCK_ROWS, bits=container_bits(matrix.bits))
    return linear_call(cores, tile, tokens=1)
