"""From a declared graph to a request for a plan: shared by `compile` and `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.plan.goal import Goal
from aretusa.plan.make import Request
from aretusa.quantization.cache_bits import declare_caches
from aretusa.quantization.overflow import check_accumulators
from aretusa.tokenizer.image import encode_scratch_bytes

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.options import CompileOptions
    from aretusa.passes.pipeline import Observer
    from aretusa.quantization.cache_bits import CacheBits
    from aretusa.target.description import Target

PROMPT_BYTES_PER_POSITION: Final = (
    6  # longest text that a prompt may be, per position of the context
)
SESSION_BYTES: Final = 512  # ART_SESSION_BYTES of runtime/include/aretusa/generate.h


def lowered(graph: Graph, cache_bits: CacheBits, observe: Observer | None = None) -> Graph:
    """The graph as kernels run it; refuses layers whose sums might overflow."""
    check_accumulators(graph)
    return run_passes(declare_caches(graph, cache_bits), LOWERING, observe)


def plan_request(
    graph: Graph,
    target: Target,
    options: CompileOptions,
    *,
    tokenizer_bytes: int,
    goal: Goal | None = None,
) -> Request:
    """What the planner is asked for a lowered graph. No step has more tokens than the context."""
    chunks = dict.fromkeys(min(chunk, graph.context) for chunk in options.chunks)
    return Request(
        graph=graph,
        target=target,
        goal=Goal.within(graph.context) if goal is None else goal,
        engine=options.engine,
        chunks=tuple(chunks),
        tokenizer_bytes=tokenizer_bytes,
        workspace_bytes=workspace_bytes(graph.context),
    )


def workspace_bytes(context: int) -> int:
    """What the token loop needs: its session, the tokens, and scratch to encode the prompt."""
    return SESSION_BYTES + 4 * (context + 4) + encode_scratch_bytes(prompt_bytes_max(context))


def prompt_bytes_max(context: int) -> int:
    """Longest prompt text in bytes."""
    return max(1024, PROMPT_BYTES_PER_POSITION * context)


def weights_text(options: CompileOptions) -> str:
    """How the weights are stored, in words."""
    text = str(options.scheme)
    return f"{text}, with a policy" if options.policy is not None else text
