"""Decoded tokens on GVSoC and in the simulator: docs/virtual-platform.json as tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markdown_text import count, paragraph, table
from subjects import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MEASURED: Final = ROOT / "docs" / "virtual-platform.json"
FITTED: Final = {("tiny-orator", 4, "portable")}  # these alone chose the terms of [control]
TOTAL_GOAL: Final = 0.10
OP_GOAL: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One model: cycles per token of each op, measured and simulated."""

    model: str
    bits: int
    cached: int
    kernels: str
    ops: dict[str, float]
    simulated: dict[str, float]
    prefill: int
    simulated_prefill: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.model}, {self.bits} bits, {self.kernels}"

    @property
    def use(self) -> str:
        """Whether terms were fitted to it."""
        return "fit" if (self.model, self.bits, self.kernels) in FITTED else "check"

    @property
    def error(self) -> float:
        """Of the whole token."""
        return sum(self.simulated.values()) / sum(self.ops.values()) - 1

    def op_error(self, op: str) -> float:
        """Of one op."""
        return self.simulated[op] / self.ops[op] - 1

    @property
    def worst(self) -> str:
        """The op with the largest error."""
        return max(self.ops, key=lambda op: abs(self.op_error(op)))


def compared(path: Path = MEASURED) -> list[Compared]:
    """All models of the file."""
    return [_compared(one) for one in json.loads(path.read_text("utf-8"))]


def _compared(one: dict[str, Any]) -> Compared:
    subject = one["subject"]
    return Compared(
        model=subject["name"],
        bits=subject["bits"],
        cached=subject["prompt_tokens"],
        kernels=one["kernels"],
        ops=one["ops"],
        simulated=one["simulated_ops"],
        prefill=one["prefill_cycles"],
        simulated_prefill=one["simulated_prefill"],
    )


def platform_lines(models: Sequence[Compared]) -> Iterator[str]:
    """Totals with the worst op of each model, then every op."""
    checks = [model for model in models if model.use == "check"]
    worst = max(checks, key=lambda model: abs(model.error))
    op = max(checks, key=lambda model: abs(model.op_error(model.worst)))
    yield from paragraph(
        f"Independent models: {len(checks)}. Worst total {_percent(worst.error)} (goal "
        f"{100 * TOTAL_GOAL:.0f} %), worst op {_percent(op.op_error(op.worst))} (goal "
        f"{100 * OP_GOAL:.0f} %): {op.worst} of {op.name}."
    )
    yield from table(
        (
            "cycles",
            "cached",
            "use",
            "GVSoC",
            "simulator",
            "error",
            "worst op",
            "its error",
        ),
        [_total_row(model) for model in models],
    )
    yield from paragraph(
        "Prompts, of which nothing was fitted: jobs of several tokens, all paths of the program."
    )
    yield from table(
        ("cycles", "tokens", "GVSoC", "simulator", "error"),
        [_prefill_row(model) for model in models],
    )
    yield from paragraph("Errors of every op; in front of them GVSoC's cycles of the first model.")
    yield from table(
        ("op", "cycles", *(model.name for model in models)),
        [
            (name, count(cycles), *(_percent(model.op_error(name)) for model in models))
            for name, cycles in sorted(models[0].ops.items(), key=lambda pair: -pair[1])
        ],
    )


def _total_row(model: Compared) -> tuple[str, ...]:
    return (
        model.name,
        str(model.cached),
        model.use,
        count(sum(model.ops.values())),
        count(sum(model.simulated.values())),
        _percent(model.error),
        model.worst,
        _percent(model.op_error(model.worst)),
    )


def _prefill_row(model: Compared) -> tuple[str, ...]:
    error = model.simulated_prefill / model.prefill - 1
    cycles = (count(model.prefill), count(model.simulated_prefill))
    return (model.name, str(model.cached), *cycles, _percent(error))


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"
