"""map_engines(): give every linear layer its engine, as far as the weight memory reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.mapping.linear import LinearMapping, cluster_mapping, map_linear
from aretusa.memory.placement import align
from aretusa.memory.plan import image_header_bytes
from aretusa.neureka.linear import Engine, engine_bytes
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.target.description import Target

WEIGHT_MEMORY: Final = (MemoryId.MRAM, MemoryId.SRAM)  # N-EUREKA reads weights from nowhere else


def map_engines(
    graph: Graph, target: Target, engine: Engine
) -> tuple[Graph, dict[str, LinearMapping]]:
    """The graph with engines in its Linear ops, and the mapping of each weight with its reason."""
    free = {
        memory: target.memory(memory).capacity_bytes
        - image_header_bytes(target.memory(memory).capacity_bytes)
        for memory in WEIGHT_MEMORY
    }
    tables = {op.table for op in graph.ops if isinstance(op, ops.Embed)}
    mappings: dict[str, LinearMapping] = {}
    mapped: list[ops.Op] = []
    for op in graph.ops:
        if not isinstance(op, ops.Linear):
            mapped.append(op)
            continue
        matrix = graph.weight_types()[op.weight]
        assert isinstance(matrix, DenseType), f"{op.weight} is not a matrix"
        if op.weight in tables:
            mapping = cluster_mapping("its rows are read as embeddings, too")
        else:
            mapping = _within(free, matrix, map_linear(matrix, engine))
        mappings[op.weight] = mapping
        mapped.append(_with_engine(op, mapping))
    return graph.with_ops(mapped), mappings


def _with_engine(op: ops.Linear, mapping: LinearMapping) -> ops.Linear:
    if mapping.engine is Engine.CLUSTER:
        return op
    return replace(op, engine=mapping.engine.value, engine_rows=mapping.engine_rows)


def _within(free: dict[MemoryId, int], matrix: DenseType, mapping: LinearMapping) -> LinearMapping:
    """The mapping if its weights find room, first fit as the placement will do; `free` shrinks."""
    if mapping.engine is Engine.CLUSTER:
        return mapping
    size_bytes = align(engine_bytes(mapping.engine, mapping.engine_rows, matrix.depth, matrix.bits))
    home = next((memory for memory in WEIGHT_MEMORY if free[memory] >= size_bytes), None)
    if home is None:
        return cluster_mapping("the weight memory is full")
    free[home] -= size_bytes
    return mapping
