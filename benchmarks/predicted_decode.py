"""What we predict for a decoded token: the 0.5 M network, the shipped model, SmolLM2 from L3."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markdown_text import count, paragraph, table
from subjects import ROOT, TINY_ORATOR

from aretusa.options import CompileOptions
from aretusa.shapes import open_shapes
from aretusa.trace.listing import listing
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa_sim.estimation import estimate
from aretusa_sim.limits import run_limits
from aretusa_sim.program_rows import op_infos
from aretusa_sim.timing import Simulator
from aretusa_sim.units import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa_sim.program_rows import OpInfo
    from aretusa_sim.timing import RowTiming

MICRO_LLAMA: Final = Path(__file__).with_name("micro_llama.json")
SMOLLM2: Final = ROOT / "examples/configs/smollm2-135m.json"
SHIPPED_BITS: Final = 4
CONTEXT: Final = 256
BITS: Final = 8  # as their weights
TARGETS: Final = {"siracusa": "portable kernels", "siracusa-xpulp": "Xpulp kernels"}
# Deeploy's own times of the network, by cached positions: N-EUREKA with tiles, 8 cores without.
THEIRS: Final = {64: 780e3, 128: 3.1e6}
GOAL: Final = 5.0  # times fewer cycles
LIMIT_GOAL: Final = 0.6  # of the roofline, linear layers
LINK_GOAL: Final = 0.9
OUTSIDE: Final = {"embed", "argmax"}  # of what their network has, with the head


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDecode:
    """Cycles of one token of the network, by kind of op and by what core 0 does."""

    target: str
    cached: int
    by_op: Counter[str]
    by_cause: Counter[str]

    @property
    def cycles(self) -> int:
        """All of them."""
        return self.by_op.total()


def own_decode(target: str, cached: int) -> OwnDecode:
    """Layers and the last norm: their network has neither embedding nor head."""
    options = CompileOptions(bits=BITS, context=CONTEXT, target=target)
    listed = listing(plan_shapes(open_shapes(MICRO_LLAMA), PlanRequest(options=options)))
    timing = Simulator(listed).step(1, cached, has_head=True)
    by_op: Counter[str] = Counter()
    by_cause: Counter[str] = Counter()
    for info, row in zip(op_infos(listed), timing.rows, strict=True):
        if _is_theirs(info):
            by_op[info.op] += row.cycles
            by_cause.update(_causes(row))
    return OwnDecode(target=target, cached=cached, by_op=by_op, by_cause=by_cause)


def _is_theirs(info: OpInfo) -> bool:
    is_head = info.op == "linear" and info.layer is None
    return info.op not in OUTSIDE and not is_head


def _causes(row: RowTiming) -> Counter[str]:
    return Counter(
        {
            "kernels of the cores": row.working,
            "giving jobs and transfers": row.giving,
            "barriers": row.at_barriers,
            "waiting for N-EUREKA": row.stalls[Cause.ENGINE],
            "waiting for transfers": row.stalls[Cause.DMA] + row.stalls[Cause.LINK],
        }
    )


def prediction_lines() -> Iterator[str]:
    """The section, in Markdown."""
    yield from _network_lines()
    yield from _shipped_lines()
    yield from _off_chip_lines()


def _network_lines() -> Iterator[str]:
    found = [own_decode(target, cached) for cached in THEIRS for target in TARGETS]
    yield "### The 0.5 M network our way"
    yield ""
    yield from paragraph(
        "`benchmarks/micro_llama.json` has the shape of Deeploy's microLlama: 8 layers, hidden 64, "
        "16 heads of 4, FFN 256, 8 bits. Cycles of one token behind so many cached ones, layers "
        "and last norm. Theirs is their best published run, whose kernels use Xpulp. "
        f"Goal: {GOAL:g} times fewer."
    )
    heads = [f"{one.cached} cached, {TARGETS[one.target]}" for one in found]
    names = sorted({op for one in found for op in one.by_op})
    causes = sorted({cause for one in found for cause in one.by_cause})
    rows = [
        ("Deeploy", *(count(THEIRS[one.cached]) for one in found)),
        ("ours", *(count(one.cycles) for one in found)),
        ("times fewer", *(f"{THEIRS[one.cached] / one.cycles:.2f}" for one in found)),
        *((f"ops: {name}", *(count(one.by_op[name]) for one in found)) for name in names),
        *((f"core 0: {cause}", *(count(one.by_cause[cause]) for one in found)) for cause in causes),
    ]
    yield from table(("cycles", *heads), rows)


def _shipped_lines() -> Iterator[str]:
    yield "### The shipped model"
    yield ""
    rows: list[tuple[str, ...]] = []
    for target, kernels in TARGETS.items():
        options = CompileOptions(bits=SHIPPED_BITS, target=target)
        found = estimate(TINY_ORATOR.path, options=options)
        decode = found.result.phase("decode")
        limits = run_limits(found.listing.target, found.result.phases).phase("decode")
        for name, one in (("all ops", limits.total), ("linear layers", limits.linear)):
            share = 0.0 if one.fraction is None else one.fraction
            cells = (count(one.cycles / decode.steps), count(one.limit_cycles / decode.steps))
            rate = f"{decode.tokens_per_second:,.0f}" if one is limits.total else ""
            rows.append(
                (f"{name}, {kernels}", *cells, str(one.bound), f"{100 * share:.1f} %", rate)
            )
    yield from paragraph(
        f"examples/models/tiny-orator at {SHIPPED_BITS} bits, {found.result.clock_hz / 1e6:.0f} "
        f"MHz, {decode.steps} decoded tokens. The limit is that of the roofline: what the busiest "
        f"resource needs at its full rate. Goal for linear layers: {100 * LIMIT_GOAL:.0f} % of it."
    )
    head = ("cycles per token", "ours", "limit", "bound by", "limit / ours", "tokens / s")
    yield from table(head, rows)


def _off_chip_lines() -> Iterator[str]:
    found = estimate(SMOLLM2, bits=SHIPPED_BITS, target="siracusa-1gib")
    decode = found.result.phase("decode")
    link = next(unit for unit in decode.units if unit.unit == "off-chip")
    yield "### SmolLM2 from L3"
    yield ""
    yield from paragraph(
        f"SmolLM2-135M at {SHIPPED_BITS} bits, weights off chip, portable kernels: "
        f"{decode.tokens_per_second:.2f} tokens per second, "
        f"{count(link.moved_bytes / decode.steps)} bytes over the link per token. The link "
        f"is busy for {100 * link.utilisation:.1f} % of the time (goal {100 * LINK_GOAL:.0f} %)."
    )
