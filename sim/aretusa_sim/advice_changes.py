"""Changes that are worth a try: each turns a request for a plan into another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.memory.contents import RegionKind
from aretusa.neureka.linear import Engine
from aretusa.options import MOST_CHUNK
from aretusa.plan.goal import Goal
from aretusa.planning import workspace_bytes
from aretusa.report.numbers import bytes_text, percent_text
from aretusa.schedule.roll import weight_role
from aretusa.target.description import Kernels, MemoryId
from aretusa_sim.advice_graphs import with_types, without_last_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aretusa.ir.graph import Graph
    from aretusa.plan.make import Request
    from aretusa.trace.listing import Listing
    from aretusa_sim.results import OpResult, PhaseResult

ROLES: Final = 4  # linear layers that are tried one by one, those that take most first
# The next width that is worth a try: N-EUREKA takes any, the cores have nibbles or bytes.
FEWER_BITS: Final = {8: 4, 7: 4, 6: 4, 5: 4, 4: 3, 3: 2}
LEAST_CONTEXT: Final = 32
LINK_FACTORS: Final = (2, 4)
ENDING: Final = ".weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A change and the request that it leads to."""

    what: str
    why: str
    how: str
    request: Request
    changes_answers: bool = False


def attempts(listed: Listing, request: Request, phase: PhaseResult, goal: Goal) -> list[Attempt]:
    """What is likely to help most comes first.

    `phase` tells what takes time, `goal` is what was run; plans are made for that of the request.
    """
    return [
        *_own_kernels(request, phase),
        *_narrower(request, phase),
        *_one_scale(request),
        *_faster_link(request, phase),
        *_fewer_layers(request),
        *_shorter_context(listed, request, goal),
        *_longer_steps(listed, request, goal),
        *_one_engine(request, phase),
        *_planned_anew(listed, request),
    ]


def _narrower(request: Request, phase: PhaseResult) -> Iterator[Attempt]:
    """All layers with fewer bits, then single roles."""
    roles = _linear_roles(phase)
    in_layers = {weight_role(op.weight) for op in _linears(request.graph) if op.layer is not None}
    widest = max((ours[0].bits for role, ours in roles.items() if role in in_layers), default=0)
    if len(in_layers) > 1 and widest in FEWER_BITS:
        bits = FEWER_BITS[widest]
        cycles = sum(op.cycles for role in roles.keys() & in_layers for op in roles[role])
        yield Attempt(
            what=f"{bits} bits for all layers",
            why=f"their matrices take {percent_text(cycles, phase.cycles)} of the time",
            how=f"--bits {bits}",
            request=_with_bits(request, lambda role: role in in_layers, bits),
            changes_answers=True,
        )
    for role, own in list(roles.items())[:ROLES]:
        old = own[0].bits
        if old not in FEWER_BITS:
            continue
        bits = FEWER_BITS[old]
        match = f"model.layers.*.{role}" if role in in_layers else role
        share = percent_text(sum(op.cycles for op in own), phase.cycles)
        yield Attempt(
            what=f"{bits} bits for {role.removesuffix(ENDING)}",
            why=f"with {old} bits it takes {share} of the time",
            how=f'rule of a policy: match = "{match}", weights = "w{bits}"',
            request=_with_bits(request, role.__eq__, bits),
            changes_answers=True,
        )


def _linear_roles(phase: PhaseResult) -> dict[str, list[OpResult]]:
    """Linear layers by role, those that take most first."""
    found: dict[str, list[OpResult]] = {}
    for op in phase.ops:
        if op.op == "linear":
            found.setdefault(op.name + ENDING, []).append(op)
    ordered = sorted(found.items(), key=lambda item: -sum(op.cycles for op in item[1]))
    return dict(ordered)


def _linears(graph: Graph) -> Iterator[ops.Linear]:
    return (op for op in graph.ops if isinstance(op, ops.Linear))


def _with_bits(request: Request, is_meant: Callable[[str], bool], bits: int) -> Request:
    """One scale per row, as `--bits` has it; matrices that are narrower stay."""
    graph = with_types(
        request.graph,
        lambda name, kind: is_meant(weight_role(name)) and kind.bits > bits,
        lambda kind: _per_row(kind, bits),
    )
    return replace(request, graph=graph)


def _per_row(kind: DenseType, bits: int) -> DenseType:
    return DenseType(rows=kind.rows, depth=kind.depth, bits=bits)


def _one_scale(request: Request) -> Iterator[Attempt]:
    grouped = [
        weight
        for weight in request.graph.weights
        if isinstance(weight.type, DenseType) and weight.type.groups > 1
    ]
    if grouped:
        yield Attempt(
            what="one scale per row instead of one per group",
            why=f"{len(grouped)} matrices have groups: each group is a sum of its own",
            how="--weights w4 instead of w4g64, or a rule of a policy",
            request=replace(
                request,
                graph=with_types(
                    request.graph,
                    lambda _, kind: kind.groups > 1,
                    lambda kind: _per_row(kind, kind.bits),
                ),
            ),
            changes_answers=True,
        )


def _own_kernels(request: Request, phase: PhaseResult) -> Iterator[Attempt]:
    """The kernels that were written for the chip's cores give the same answers."""
    if request.target.kernels is Kernels.XPULP:
        return
    working = sum(op.working_cycles for op in phase.ops)
    yield Attempt(
        what="kernels for the chip's own cores",
        why=f"kernels in plain C take {percent_text(working, phase.cycles)} of the time",
        how='--target siracusa-xpulp, or kernels = "xpulp" in a target file',
        request=replace(request, target=replace(request.target, kernels=Kernels.XPULP)),
    )


def _fewer_layers(request: Request) -> Iterator[Attempt]:
    graph = without_last_layer(request.graph)
    if graph is not None:
        layers = len({op.layer for op in request.graph.ops if op.layer is not None})
        yield Attempt(
            what="one layer fewer",
            why=f"each of the {layers} layers takes about as long as another",
            how="compression of the depth, then training",
            request=replace(request, graph=graph),
            changes_answers=True,
        )


def _faster_link(request: Request, phase: PhaseResult) -> Iterator[Attempt]:
    link = next(unit for unit in phase.units if unit.unit == "off-chip")
    if not link.moved_bytes or not phase.tokens:
        return
    size = bytes_text(link.moved_bytes // phase.tokens)
    for factor in LINK_FACTORS:
        clock = request.target.clock
        hertz = factor * clock.peripheral_hz
        target = replace(request.target, clock=replace(clock, peripheral_hz=hertz))
        yield Attempt(
            what=f"the off-chip link at {hertz / 1e6:g} MHz",
            why=f"it moves {size} a token and is busy in "
            f"{percent_text(link.busy_cycles, phase.cycles)} of the time",
            how=f"clock.peripheral_hz = {hertz} in a target file, if the board allows it",
            request=replace(request, target=target),
        )


def _shorter_context(listed: Listing, request: Request, goal: Goal) -> Iterator[Attempt]:
    """A cache that is smaller lies nearer; only as short as the run allows."""
    half = listed.graph.context // 2
    if half < max(LEAST_CONTEXT, goal.prefill_tokens + goal.decode_tokens):
        return
    caches = [region for region in listed.regions if region.kind is RegionKind.CACHE]
    far = sum(region.size_bytes for region in caches if region.memory is not MemoryId.L1)
    yield Attempt(
        what=f"a context of {half} positions",
        why=f"{bytes_text(far)} of caches lie outside of L1 and take room from weights",
        how=f"--context {half}",
        request=replace(
            request,
            graph=replace(request.graph, context=half),
            workspace_bytes=workspace_bytes(half),
            goal=Goal.within(half, request.goal.prefill_tokens, request.goal.decode_tokens),
        ),
    )


def _one_engine(request: Request, phase: PhaseResult) -> Iterator[Attempt]:
    """The planner's mixture is the best of its costs; here the simulation has its say."""
    now = {op.engine for op in phase.ops if op.op == "linear"}
    for engine in Engine:
        if now and now != {engine.value}:
            yield Attempt(
                what=f"all linear layers on {engine.value}",
                why=f"they run on {', '.join(sorted(now))}",
                how=f"--engine {engine.value}",
                request=replace(request, engine=engine),
            )


def _planned_anew(listed: Listing, request: Request) -> Iterator[Attempt]:
    """Of use where an engine or a chunk was asked for, or an older planner made the build."""
    chunks = tuple(
        chunk
        for shift in range(MOST_CHUNK.bit_length())
        if (chunk := MOST_CHUNK >> shift) <= listed.graph.context
    )
    yield Attempt(
        what="the planner's own engines and chunk",
        why=f"steps have {listed.graph.chunk_max} tokens now",
        how="neither --engine nor --chunk",
        request=replace(request, engine=None, chunks=chunks),
    )


def _longer_steps(listed: Listing, request: Request, goal: Goal) -> Iterator[Attempt]:
    chunk = 2 * listed.graph.chunk_max
    if chunk > min(MOST_CHUNK, listed.graph.context, goal.prefill_tokens):
        return
    yield Attempt(
        what=f"steps of {chunk} tokens in prefill",
        why="weights are read once for all tokens of a step",
        how=f"--chunk {chunk}",
        request=replace(request, chunks=(chunk,)),
    )
