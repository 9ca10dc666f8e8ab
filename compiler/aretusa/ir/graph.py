"""Graph: the ops of a model in order, with its weights and caches."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from aretusa.ir.ops import Op, inputs
from aretusa.ir.types import Cache, Value, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aretusa.ir.types import WeightType


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One graph for prefill and decode: a step runs 1 .. chunk_max new tokens from any position.

    Ops stand in an order in which they may run. `tokens` is the only input, `logits` the result.
    """

    name: str
    chunk_max: int
    context: int
    rope_dim: int
    weights: tuple[Weight, ...]
    caches: tuple[Cache, ...]
    tokens: Value
    ops: tuple[Op, ...]
    logits: Value

    def weight_types(self) -> dict[str, WeightType]:
        """Type of each weight by name."""
        return {weight.name: weight.type for weight in self.weights}

    def cache(self, name: str) -> Cache:
        """The cache of that name."""
        return next(cache for cache in self.caches if cache.name == name)

    def role_cache(self, role: str) -> Cache:
        """Any layer's cache of that role; those of one kind of layer have equal shapes."""
        return next(cache for cache in self.caches if cache.name.endswith(f".{role}"))

    def readers(self) -> dict[str, list[Op]]:
        """The ops that read each value, by the value's name."""
        table: dict[str, list[Op]] = {}
        for op in self.ops:
            for value in inputs(op):
                table.setdefault(value.name, []).append(op)
        return table

    def with_ops(self, ops: Sequence[Op]) -> Graph:
        """The same graph with other ops."""
        return replace(self, ops=tuple(ops))


def substitute(op: Op, values: Mapping[str, Value]) -> Op:
    """The op with some of the values it reads replaced, by name."""
    changes: dict[str, Any] = {
        f.name: values[value.name]
        for f in fields(op)
        if f.name != "out"
        and isinstance(value := getattr(op, f.name), Value)
        and value.name in values
    }
    return replace(op, **changes) if changes else op
