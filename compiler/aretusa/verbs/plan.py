"""plan_model(): fit or no fit, and what it costs, from a model's shapes alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aretusa.check.plan import check_plan
from aretusa.errors import CapacityError, UsageError
from aretusa.frontend.llama_graph import llama_graph
from aretusa.memory.plan import overhead_bytes
from aretusa.options import CompileOptions
from aretusa.plan.goal import Goal
from aretusa.plan.make import find_plan, make_plan
from aretusa.plan.summary import summarise
from aretusa.plan_results import PlanModel, PlanOptions, PlanReport, Shortage, TierResult
from aretusa.planning import lowered, plan_request, weights_text
from aretusa.quantization.store import declare_quantised
from aretusa.shapes import open_shapes
from aretusa.target.load import load_target
from aretusa.verbs.ways_out import ways_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.plan.make import Plan, Request
    from aretusa.shapes import ShapesOnly
    from aretusa.target.description import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What `aretusa plan` was asked: the build's options, and the request to make short."""

    options: CompileOptions = field(default_factory=CompileOptions)
    prefill_tokens: int | None = None
    decode_tokens: int | None = None

    def __post_init__(self) -> None:
        for option, tokens in (
            ("--prefill", self.prefill_tokens),
            ("--decode", self.decode_tokens),
        ):
            if tokens is not None and tokens < 1:
                raise UsageError(
                    "E0003",
                    f"a request of {tokens} tokens is not possible",
                    fix=f"Give {option} at least 1",
                )


def plan_model(model: Path, request: PlanRequest | None = None) -> PlanReport:
    """The plan of a checkpoint, or of a config.json. One that does not fit says what would help."""
    request = PlanRequest() if request is None else request
    shapes = open_shapes(model, request.options.adapter)
    try:
        plan = plan_shapes(shapes, request)
    except CapacityError as shortage:
        return _unfit(shapes, request, shortage)
    check_plan(plan)
    notes = ["the size of the tokenizer is an estimate"] if shapes.tokenizer_is_estimated else []
    weights = weights_text(request.options)
    return summarise(plan, _model(shapes), weights=weights, notes=notes)


def plan_shapes(shapes: ShapesOnly, request: PlanRequest) -> Plan:
    """The plan itself; raises CapacityError where there is none."""
    return make_plan(_planner_request(shapes, request))


def _planner_request(shapes: ShapesOnly, request: PlanRequest) -> Request:
    options = request.options
    context = options.context_for(shapes.config.max_positions)
    graph = llama_graph(
        shapes.config, shapes.structure, name=shapes.name, chunk_max=1, context=context
    )
    weights = shapes.weights(options.scheme, options.read_policy(), requantises=options.requantise)
    return plan_request(
        lowered(declare_quantised(graph, weights), options.cache_bits),
        load_target(options.target),
        options,
        tokenizer_bytes=shapes.tokenizer_bytes,
        goal=_goal(request, context),
    )


def _goal(request: PlanRequest, context: int) -> Goal:
    return Goal.within(context, request.prefill_tokens, request.decode_tokens)


def _model(shapes: ShapesOnly) -> PlanModel:
    return PlanModel(
        name=shapes.name,
        parameters=shapes.parameters,
        layers=shapes.config.layers,
        hidden_size=shapes.config.hidden_size,
        vocabulary=shapes.config.vocab_size,
    )


def _unfit(shapes: ShapesOnly, request: PlanRequest, problem: CapacityError) -> PlanReport:
    options = request.options
    context = options.context_for(shapes.config.max_positions)
    goal = _goal(request, context)
    target = load_target(options.target)

    return PlanReport(
        model=_model(shapes),
        target=target.name,
        options=PlanOptions(
            weights=weights_text(options),
            context=context,
            chunk=options.chunks[0],
            kv_bits=str(options.cache_bits),
            prefill_tokens=goal.prefill_tokens,
            decode_tokens=goal.decode_tokens,
        ),
        fits=False,
        tiers=_empty_tiers(target),
        steps=[],
        regions=[],
        layers=[],
        placement=None,
        totals=None,
        ways_out=ways_out(
            options, context, has_own_codes=bool(shapes.forms), attempt=_attempts(shapes, request)
        ),
        shortage=Shortage(
            memory=problem.memory.lower(),
            what=problem.what,
            need_bytes=problem.need_bytes,
            free_bytes=problem.free_bytes,
            short_bytes=problem.missing_bytes,
        ),
        notes=[],
    )


def _attempts(shapes: ShapesOnly, request: PlanRequest) -> Callable[[CompileOptions], int | None]:
    """Decode cycles per token under other options, None if it does not fit either.

    Steps of one token need least: what fits with them fits when the planner may choose.
    """

    def attempt(changed: CompileOptions) -> int | None:
        small = changed if changed.chunk is not None else replace(changed, chunk=1)
        try:
            plan = find_plan(_planner_request(shapes, replace(request, options=small)))
        except CapacityError:
            return None
        if plan is None:
            return None
        load = plan.load
        tokens = max(1, plan.request.goal.decode_tokens)
        return max(load.decode_work, load.decode_link) // tokens

    return attempt


def _empty_tiers(target: Target) -> list[TierResult]:
    return [
        TierResult(
            memory=memory.id.key,
            size_bytes=memory.size_bytes,
            reserved_bytes=memory.reserved_bytes,
            reserved_for="",
            capacity_bytes=max(0, memory.capacity_bytes - overhead_bytes(memory)),
            used_bytes=0,
            peak_bytes=0,
            peak_at="",
            bytes_by_kind={},
        )
        for memory in target.memories
    ]
