"""Options of one weight matrix: which engine runs it, and where its rows lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aretusa.mapping.linear import cluster_mapping, engine_choices
from aretusa.memory.contents import matrix_content, piece_content
from aretusa.memory.engine_pieces import piece_of
from aretusa.memory.linear_plan import plan_linear
from aretusa.memory.placement import align
from aretusa.neureka.linear import Engine
from aretusa.plan.choice import Load, Option
from aretusa.plan.group_reasons import group_reasons
from aretusa.plan.linear_cost import linear_cost
from aretusa.quantization.schemes import CHANNEL
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir import ops
    from aretusa.ir.types import DenseType
    from aretusa.mapping.linear import LinearMapping
    from aretusa.memory.contents import Content
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.memory.linear_plan import LinearPlan
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.goal import Goal
    from aretusa.target.description import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the cost of an option depends on besides the matrix; `memo` keeps what was computed."""

    target: Target
    goal: Goal
    working: WorkingSet
    memo: dict[Any, Any] = field(default_factory=dict, compare=False)

    def steps(self, *, is_head: bool) -> tuple[dict[int, int], int]:
        """Prefill steps by their number of tokens, and decode steps of one token."""
        if is_head:
            return {1: 1}, self.goal.decode_tokens
        return self.goal.chunks(self.working.chunk), self.goal.decode_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedMatrix:
    """A matrix divided as one mapping says."""

    mapping: LinearMapping
    piece: EnginePiece | None
    rest: DenseType | None
    plan: LinearPlan


def mapped(
    op: ops.Linear, matrix: DenseType, mapping: LinearMapping, setting: Setting
) -> MappedMatrix:
    """Divide a matrix, and cut its parts for the working set."""
    piece = None
    if mapping.engine is not Engine.CLUSTER:
        with_engine = replace(op, engine=mapping.engine.value, engine_rows=mapping.engine_rows)
        piece = piece_of(with_engine, matrix, is_unsigned=not setting.target.has_signed_input)
    left = matrix.rows - (0 if piece is None else piece.rows)
    rest = replace(matrix, rows=left, is_packed=mapping.is_packed) if left else None
    plan = plan_linear(
        [] if piece is None else [piece],
        [] if rest is None else [rest],
        setting.working,
        has_bias=op.bias is not None,
    )
    return MappedMatrix(mapping=mapping, piece=piece, rest=rest, plan=plan)


def linear_options(
    op: ops.Linear,
    matrix: DenseType,
    setting: Setting,
    engine: Engine | None,
    *,
    is_table: bool = False,
    uses: int = 1,
) -> tuple[Option, ...]:
    """All options, the usual home first; `engine` None leaves the choice open.

    `is_table`: embeddings are read from the matrix too. `uses`: layers that share the matrix.
    """
    key = (matrix, op.bias is None, op.layer is None, engine, is_table, uses)
    if key not in setting.memo:
        plain = replace(op, weight="")  # homes are named relative to the weight
        mappings = engine_choices(
            matrix,
            engine,
            is_table=is_table,
            is_unsigned=not setting.target.has_signed_input,
        )
        divided = [mapped(plain, matrix, mapping, setting) for mapping in mappings]
        setting.memo[key] = tuple(
            option
            for parts in _with_reasons(plain, matrix, divided, setting)
            for option in _options(plain, parts, setting, uses)
        )
    options: tuple[Option, ...] = setting.memo[key]
    return options


def _with_reasons(
    op: ops.Linear, matrix: DenseType, divided: list[MappedMatrix], setting: Setting
) -> list[MappedMatrix]:
    """Where groups leave a choice, the numbers that speak for and against it."""
    if matrix.group == CHANNEL or all(parts.piece is None for parts in divided):
        return divided
    per_channel = replace(matrix, group=CHANNEL, bits=8, zero=0, has_minimum=False)
    reasons = group_reasons(
        [parts.plan for parts in divided],
        mapped(op, matrix, cluster_mapping(""), setting).plan,
        [
            mapped(op, per_channel, mapping, setting).plan
            for mapping in engine_choices(per_channel, None)
            if mapping.engine in {Engine.NEUREKA_3X3, Engine.NEUREKA_1X1}
        ],
        setting.target,
    )
    return [
        replace(parts, mapping=replace(parts.mapping, reason=reason))
        for parts, reason in zip(divided, reasons, strict=True)
    ]


def _options(op: ops.Linear, parts: MappedMatrix, setting: Setting, uses: int) -> Iterator[Option]:
    contents: list[tuple[str, Content]] = []
    if parts.piece is not None:
        contents.append((parts.piece.name, piece_content(parts.piece)))
    if parts.rest is not None:
        contents.append(("", matrix_content(op.weight, parts.rest, has_bias=op.bias is not None)))
    for rank, homes in enumerate(_home_sets(contents)):
        usage: dict[MemoryId, int] = {}
        for (_, content), home in zip(contents, homes, strict=True):
            usage[home] = usage.get(home, 0) + align(content.size_bytes)
        engine_home = homes[0] if parts.piece is not None else None
        rest_home = homes[-1] if parts.rest is not None else None
        if engine_home is MemoryId.L3 and parts.plan.slice_rows == 0:
            continue  # no page holds a band of its rows
        load = _load(op, parts, setting, engine_home, rest_home).times(uses)
        yield Option(
            engine=parts.mapping.engine,
            engine_rows=parts.mapping.engine_rows,
            homes=tuple((suffix, home) for (suffix, _), home in zip(contents, homes, strict=True)),
            usage=tuple(sorted(usage.items())),
            load=replace(load, decode_work=load.decode_work + rank),  # ties: the usual home
            is_paged=engine_home is MemoryId.L3,
            is_packed=parts.mapping.is_packed,
            reason=parts.mapping.reason,
        )


def _home_sets(contents: list[tuple[str, Content]]) -> Iterator[tuple[MemoryId, ...]]:
    """Every home of a single part; both parts of a divided matrix lie in one memory or in L3."""
    if len(contents) == 1:
        yield from ((home,) for home in contents[0][1].homes)
        return
    yield from ((home, home) for home in contents[0][1].homes)


def _load(
    op: ops.Linear,
    parts: MappedMatrix,
    setting: Setting,
    engine_home: MemoryId | None,
    rest_home: MemoryId | None,
) -> Load:
    steps, decode = setting.steps(is_head=op.layer is None)

    def cost(tokens: int) -> tuple[int, int]:
        found = linear_cost(
            parts.plan, tokens, setting.target, engine_home=engine_home, rest_home=rest_home
        )
        return found.cycles, found.link_cycles

    prefill = [(count, *cost(tokens)) for tokens, count in steps.items()]
    work, link = cost(1)
    return Load(
        prefill_work=sum(count * work for count, work, _ in prefill),
        prefill_link=sum(count * link for count, _, link in prefill),
        decode_work=decode * work,
        decode_link=decode * link,
    )
