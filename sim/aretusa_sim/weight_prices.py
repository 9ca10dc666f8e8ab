"""`python -m aretusa_sim.weight_prices JOB.json`: what models cost on the chip, weight by weight.

For programs that choose widths: they hand over configurations (docs/checkpoints.md), one directory
each, and read a JSON document per line as soon as it is known. No weights are read.

The job is an object with `target`, `chunk` (null: the planner chooses), `prefill_tokens`,
`decode_tokens` and `models`, a list of directories. A line is a Priced, or an object with
`shortage` where the model does not fit the chip, or with `error`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa.errors import AretusaError, CapacityError
from aretusa.manifest import Record
from aretusa.memory.contents import RegionKind
from aretusa.options import CompileOptions
from aretusa.plan.goal import Goal
from aretusa.shapes import open_shapes
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa_sim.estimation import timed_plan

if TYPE_CHECKING:
    from aretusa.plan.make import Plan
    from aretusa.target.description import MemoryId
    from aretusa_sim.results import PhaseResult

_CONSTANTS: Final = (RegionKind.WEIGHT, RegionKind.TABLE)


class OpPrice(Record):
    """Per decoded token; the name is that of the weight without `.weight`, or of the operation."""

    name: str
    cycles: float
    uj: float


class Priced(Record):
    """A model on the chip. Bytes are those of packed weights, aligned as images have them."""

    weight_bytes: dict[str, int]  # by name of the weight without `.weight`
    constant_bytes: dict[str, int]  # of weights and tables, by memory
    ops: list[OpPrice]
    cycles_per_token: float
    clock_hz: int
    tokens_per_s: float
    uj_per_token: float


def main() -> None:
    """Price every model of the job; an error of one is printed in its line."""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for model in job["models"]:
        sys.stdout.write(json.dumps(_line(Path(model), job)) + "\n")
        sys.stdout.flush()


def _line(model: Path, job: dict[str, Any]) -> dict[str, Any]:
    try:
        return price(
            model,
            options=CompileOptions(target=job["target"], chunk=job["chunk"]),
            prefill_tokens=job["prefill_tokens"],
            decode_tokens=job["decode_tokens"],
        ).model_dump()
    except CapacityError as shortage:
        return {"shortage": {"memory": shortage.memory, "bytes": shortage.missing_bytes}}
    except AretusaError as problem:
        return {"error": problem.line()}


def price(
    model: Path, *, options: CompileOptions, prefill_tokens: int, decode_tokens: int
) -> Priced:
    """The costs of a model, planned as `aretusa compile` plans it.

    Of decode only the first `decode_tokens` behind a prompt are timed; their mean stands for all.
    """
    shapes = open_shapes(model)
    plan = plan_shapes(shapes, PlanRequest(options=options))
    goal = Goal.within(plan.graph.context, prefill_tokens, decode_tokens)
    result = timed_plan(shapes.name, options, plan, goal).result
    phase = result.phase("decode")
    steps = max(1, phase.steps)
    return Priced(
        weight_bytes=_weight_bytes(plan),
        constant_bytes=_constant_bytes(plan),
        ops=_ops(phase, shapes.structure.layer_map, steps),
        cycles_per_token=phase.cycles / steps,
        clock_hz=result.clock_hz,
        tokens_per_s=phase.tokens_per_second,
        uj_per_token=phase.energy_per_token.nominal_uj,
    )


def _weight_bytes(plan: Plan) -> dict[str, int]:
    """Parts of one matrix, such as those of two engines, count together."""
    sizes: dict[str, int] = {}
    for region in plan.memory.regions:
        if region.kind is RegionKind.WEIGHT:
            name = region.name.partition("#")[0].removesuffix(".weight")
            sizes[name] = sizes.get(name, 0) + region.size_bytes
    return sizes


def _constant_bytes(plan: Plan) -> dict[str, int]:
    sizes: dict[MemoryId, int] = {}
    for region in plan.memory.regions:
        if region.kind in _CONSTANTS:
            sizes[region.memory] = sizes.get(region.memory, 0) + region.size_bytes
    return {memory.key: size for memory, size in sizes.items()}


def _ops(decode: PhaseResult, stored: tuple[int, ...], steps: int) -> list[OpPrice]:
    """Ops of one name in several layers count together: layers may share a stored block."""
    totals: dict[str, tuple[float, float]] = {}
    for op in decode.ops:
        name = op.name if op.layer is None else f"model.layers.{stored[op.layer]}.{op.name}"
        cycles, uj = totals.get(name, (0.0, 0.0))
        totals[name] = (cycles + op.cycles / steps, uj + op.energy.nominal_uj / steps)
    return [OpPrice(name=name, cycles=cycles, uj=uj) for name, (cycles, uj) in totals.items()]


if __name__ == "__main__":
    main()
