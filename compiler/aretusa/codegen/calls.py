"""Ops of the rolled graph -> CallViews, with the C expressions of their operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from aretusa.codegen.views import BodyView, CallView
from aretusa.ir import ops
from aretusa.ir.types import TOKENS, DType
from aretusa.memory.lifetimes import scratch_name
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import HIDDEN

if TYPE_CHECKING:
    from aretusa.codegen.naming import Names
    from aretusa.ir.ops import Op
    from aretusa.ir.types import Cache, Value
    from aretusa.memory.body import Body


def engine_table(weight: str) -> str:
    """Key of the table of a weight's rows that run on N-EUREKA."""
    return f"{weight.removesuffix('.weight')}.engine"


def cache_form(cache: Cache) -> str:
    """Of the codes of a cache; nothing for the form that is 0."""
    zeros = "_ZEROS" if cache.has_zeros else ""
    return "" if cache.bits == 8 else f"ART_CACHE_{cache.bits}BIT{zeros}"


def float_literal(value: float) -> str:
    """A binary32 constant as an exact C literal."""
    return f"{float(np.float32(value)).hex()}f"


@dataclass(frozen=True, slots=True)
class CallWriter:
    """Turns ops into calls. `kind` prefixes a kind's names, `index` is the C of its table row."""

    body: Body
    names: Names
    profile: list[str]
    kind: str
    index: str

    def view(self, function: str, comment: str) -> BodyView:
        """All ops of the body, cut into epochs."""
        cut: list[tuple[CallView, ...]] = []
        number = 0
        for epoch in epochs(self.body.ops):
            calls: list[CallView] = []
            for op in epoch:
                calls.append(self.call(op, number))
                number += 1
            cut.append(tuple(calls))
        return BodyView(function=function, comment=comment, epochs=tuple(cut))

    def call(self, op: Op, number: int) -> CallView:
        """One op as a call of its kernel."""
        match op:
            case ops.Embed():
                return self._embed(op, number)
            case ops.Linear():
                return self._linear(op, number)
            case ops.RmsNormQuantise():
                return self._view(
                    op.out,
                    "rmsnorm_quantise",
                    depth=op.src.type.depth,
                    eps=float_literal(op.eps),
                    src=self._data(op.src),
                    weight=self._vector(op.weight),
                    scratch=self._scratch(op, number),
                    out=self._place(op.out),
                )
            case ops.Quantise():
                return self._view(
                    op.out,
                    "quantise",
                    depth=op.src.type.depth,
                    src=self._data(op.src),
                    scratch=self._scratch(op, number),
                    out=self._place(op.out),
                )
            case ops.SiluMulQuantise():
                return self._view(
                    op.out,
                    "silu_mul_quantise",
                    depth=op.gate.type.depth,
                    src=self._data(op.gate),
                    second=self._data(op.up),
                    scratch=self._scratch(op, number),
                    out=self._place(op.out),
                )
            case ops.HeadsQuantise() | ops.CacheAppend():
                return self._heads(op, number)
            case ops.CachedAttention():
                return self._attention(op, number)
            case (
                ops.RmsNorm()
                | ops.SplitHeads()
                | ops.MergeHeads()
                | ops.Rope()
                | ops.Attention()
                | ops.SiluMul()
                | ops.Add()
                | ops.SelectRow()
            ):
                raise AssertionError(f"{type(op).__name__} has no kernel: the graph is not lowered")
            case _:
                assert_never(op)

    def _embed(self, op: ops.Embed, number: int) -> CallView:
        piece, rest = self.body.table(op)
        return self._view(
            op.out,
            "embed",
            engine="NULL" if piece is None else self._table(engine_table(op.table)),
            matrix="NULL" if rest is None else self._table(op.table),
            scratch=self._scratch(op, number),
            out=self._data(op.out),
        )

    def _linear(self, op: ops.Linear, number: int) -> CallView:
        plan = self.body.linear(op)
        return self._view(
            op.out,
            "linear",
            name=op.weight.removesuffix(".weight"),
            depth=op.src.type.depth,
            src=self._place(op.src),
            engine=self._table(engine_table(op.weight)) if plan.pieces else "NULL",
            matrix=self._table(op.weight) if plan.rests else "NULL",
            rows=plan.rows,
            tile_rows=plan.tile_rows,
            slice_rows=plan.slice_rows,
            block_rows=plan.block_rows,
            sums_bytes=plan.sums_bytes,
            input_bytes=plan.input_bytes,
            residual="NULL" if op.residual is None else self._data(op.residual),
            scratch=self._scratch(op, number) if plan.scratch_bytes else "NULL",
            out=self._data(op.out),
        )

    def _heads(self, op: ops.HeadsQuantise | ops.CacheAppend, number: int) -> CallView:
        weight = "NULL" if op.norm_weight is None else self._vector(op.norm_weight)
        if isinstance(op, ops.HeadsQuantise):
            _, heads, dim = op.out.type.dims(1)
            kernel, out, name = "heads_quantise", self._place(op.out), op.out.name
            form = scratch = ""
        else:
            cache = self.body.cache(op.cache)
            heads, dim = cache.heads, cache.dim
            kernel, out, name = "cache_append", self._cache(op.cache), f"append.{op.cache}"
            form, scratch = cache_form(cache), self._scratch(op, number)
        return self._view(
            op.src,
            kernel,
            name=name,
            heads=heads,
            dim=dim,
            eps=float_literal(op.norm_eps),
            weight=weight,
            rope=op.rope,
            form=form,
            src=self._data(op.src),
            scratch=scratch,
            out=out,
        )

    def _attention(self, op: ops.CachedAttention, number: int) -> CallView:
        _, heads, dim = op.query.type.dims(1)
        keys, values = self.body.cache(op.key_cache), self.body.cache(op.value_cache)
        return self._view(
            op.out,
            "attention",
            name="attention",
            heads=heads,
            kv_heads=keys.heads,
            dim=dim,
            tile_positions=self.body.working.tile_positions,
            scores_bytes=self.body.working.scores_bytes,
            inverse_sqrt_dim=float_literal(1 / np.sqrt(dim)),
            src=self._place(op.query),
            keys=self._cache(op.key_cache),
            key_form=cache_form(keys),
            values=self._cache(op.value_cache),
            value_form=cache_form(values),
            scratch=self._scratch(op, number),
            out=self._data(op.out),
        )

    def _view(self, value: Value, kernel: str, *, name: str = "", **fields: object) -> CallView:
        """A call named after what it makes; registers its row of the profile."""
        key = name or value.name
        function = self.names.identifier("function", f"run.{self.kind}{key}")
        self.profile.append(function.removeprefix("run_"))
        tokens = "step->tokens" if value.type.shape[0] == TOKENS else "1"
        return CallView(
            function=function,
            comment=f"{key}: {value.type}",
            kernel=kernel,
            profile_row=len(self.profile) - 1,
            tokens=tokens,
            **fields,  # type: ignore[arg-type]
        )

    def _place(self, value: Value) -> str:
        assert value.type.dtype is DType.Q8, f"{value} is not a quantised buffer"
        return f"&{self.names.identifier('buffer', f'{value.name}.place')}"

    def _data(self, value: Value) -> str:
        place = f"art_at(&{self.names.identifier('buffer', f'{value.name}.place')})"
        if value.name == HIDDEN and value.type.shape[0] == 1:
            return f"(const float *){place} + (size_t)step->row * {value.type.depth}"
        return place

    def _scratch(self, op: Op, number: int) -> str:
        assert self.body.scratch_bytes(op) > 0, f"{type(op).__name__} uses no scratch"
        name = scratch_name(number, self.body.ops, is_layer=self.body.kind is not None)
        return f"art_at(&{self.names.identifier('buffer', f'{name}.place')})"

    def _table(self, weight: str) -> str:
        return f"&{self.names.identifier('weight', self.kind + weight)}[{self.index}]"

    def _vector(self, weight: str) -> str:
        return f"art_at(&{self.names.identifier('weight', self.kind + weight)}[{self.index}])"

    def _cache(self, cache: str) -> str:
        return f"&{self.names.identifier('cache', f'{self.kind}{cache}.cache')}[{self.index}]"
