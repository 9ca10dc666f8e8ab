"""Fit the terms of code around kernels, `[control]` of the target, to cycles on GVSoC.

    python benchmarks/control_terms.py

takes the measurements in docs/virtual-platform.json: those of the models in FITTED choose the
terms, the others are a check. The fit is of every op's cycles per token; terms that it cannot tell
apart, of jobs and of what finishes units, are those of an instruction trace.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markdown_text import count, table
from subjects import ROOT
from virtual_platform import Subject, compiled, simulated_ops_of

from aretusa.program import Program
from aretusa.target.description import Control, Kernels
from aretusa_sim.listings import built_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from aretusa.trace.listing import Listing

MEASURED: Final = ROOT / "docs" / "virtual-platform.json"
FITTED: Final = {("0.5 M network", 4)}
TERMS: Final = ("call_cycles", "linear_cycles", "unit_cycles", "transfer_cycles", "token_cycles")
LINES: Final = range(60, 256, 12)  # of code, tried one after another: nothing is smooth in them
ROUNDS: Final = 8
STEP: Final = 0.1  # of a term, for its slope
LEAST_STEP: Final = 8
SMALL: Final = 0.1  # of a token: ops below weigh less, by the root of their share
TOTAL_WEIGHT: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A model on the virtual platform, and its program."""

    subject: Subject
    kernels: str
    ops: dict[str, float]  # cycles per token
    listing: Listing

    @property
    def is_fitted(self) -> bool:
        """Whether it chose the terms."""
        return (self.subject.name, self.subject.bits) in FITTED

    def simulated(self, control: Control) -> dict[str, float]:
        """The same by the simulator under such terms."""
        listing = self.listing
        changed = replace(listing, target=replace(listing.target, control=control))
        return simulated_ops_of(changed, self.subject)

    def errors(self, control: Control) -> Iterator[float]:
        """Relative errors of ops and of their sum, as they weigh in the fit."""
        found, total = self.simulated(control), sum(self.ops.values())
        for op, cycles in self.ops.items():
            yield (found[op] / cycles - 1) * min(1.0, (cycles / total / SMALL) ** 0.5)
        yield TOTAL_WEIGHT * (sum(found.values()) / total - 1)


def measurements(path: Path) -> list[Measured]:
    """What was measured, with the programs compiled anew."""
    return [_measured(one) for one in json.loads(path.read_text("utf-8"))]


def _measured(one: dict[str, Any]) -> Measured:
    subject, kernels = Subject(**one["subject"]), Kernels(one["kernels"])
    listing = built_listing(Program.open(compiled(subject, kernels)))
    return Measured(subject=subject, kernels=kernels.value, ops=one["ops"], listing=listing)


def fitted_control(known: Control, models: Iterable[Measured]) -> Control:
    """The terms with the smallest squares of errors."""
    chosen = [model for model in models if model.is_fitted]
    tries = (_descend(replace(known, linear_code_lines=lines), chosen) for lines in LINES)
    return min(tries, key=lambda control: _cost(control, chosen))


def _descend(control: Control, models: list[Measured]) -> Control:
    """Steps of Gauss and Newton, as long as they lead down."""
    for _ in range(ROUNDS):
        errors = _errors(control, models)
        slopes = [(_errors(_moved(control, term), models) - errors) for term in TERMS]
        jumps = np.array([_jump(control, term) for term in TERMS])
        steps = np.linalg.lstsq(np.stack(slopes, axis=1), -errors, rcond=None)[0] * jumps
        better = [
            one
            for one in (_stepped(control, steps), _stepped(control, steps / 4))
            if _cost(one, models) < float(errors @ errors)
        ]
        if not better:
            return control
        control = better[0]
    return control


def _errors(control: Control, models: list[Measured]) -> NDArray[np.float64]:
    return np.array([error for model in models for error in model.errors(control)])


def _cost(control: Control, models: list[Measured]) -> float:
    errors = _errors(control, models)
    return float(errors @ errors)


def _jump(control: Control, term: str) -> float:
    known: int = getattr(control, term)
    return max(LEAST_STEP, round(STEP * known))


def _moved(control: Control, term: str) -> Control:
    known: int = getattr(control, term)
    return replace(control, **{term: known + round(_jump(control, term))})


def _stepped(control: Control, steps: NDArray[np.float64]) -> Control:
    changes = {
        term: max(0, round(getattr(control, term) + float(step)))
        for term, step in zip(TERMS, steps, strict=True)
    }
    return replace(control, **changes)


def error_rows(control: Control, models: Iterable[Measured]) -> Iterator[tuple[str, ...]]:
    """A row of a table for each model."""
    for model in models:
        found, total = Counter(model.simulated(control)), sum(model.ops.values())
        worst = max(model.ops, key=lambda op: abs(found[op] / model.ops[op] - 1))
        yield (
            f"{model.subject.name}, {model.subject.bits} bits, {model.kernels}",
            "fit" if model.is_fitted else "check",
            count(total),
            count(found.total()),
            f"{100 * (found.total() / total - 1):+.1f} %",
            f"{worst} {100 * (found[worst] / model.ops[worst] - 1):+.0f} %",
        )


def main() -> None:
    """Print the terms that fit best, and what each model's error is under those of the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", type=Path, default=MEASURED, help="cycles on GVSoC")
    parser.add_argument("--fit", action="store_true", help="fit; else compare the target's terms")
    arguments = parser.parse_args()
    models = measurements(arguments.measured)
    control = models[0].listing.target.control
    if arguments.fit:
        control = fitted_control(control, models)
        print(control)
    header = ("cycles per token", "use", "GVSoC", "simulator", "difference", "worst op")
    print("\n".join(table(header, list(error_rows(control, models)))))


if __name__ == "__main__":
    main()
