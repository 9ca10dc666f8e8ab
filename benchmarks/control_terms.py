"""Fit the code around kernels, `[control]` and `[control_token]` of the target, to cycles on GVSoC.

    python benchmarks/control_terms.py

takes the measurements in docs/virtual-platform.json: those of the models in FITTED choose the
terms, the others are a check. The fit is of every op's cycles per token. Terms that it cannot tell
apart, of units and jobs, are those of an instruction trace; lines of code are those of the
compiled functions.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from virtual_platform import Subject, compiled, simulated_ops_of, simulated_prefill
from virtual_platform_tables import FITTED, MEASURED, Compared, platform_lines

from aretusa.program import Program
from aretusa.target.description import Kernels
from aretusa.target.load import load_target
from aretusa_sim.listings import built_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from aretusa.target.description import Target
    from aretusa.trace.listing import Listing

TERMS: Final = (
    ("control", "call_cycles"),
    ("control", "transfer_cycles"),
    ("control", "token_cycles"),
    ("control_token", "layer_cycles"),
    ("control_token", "finish_cycles"),
)
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
    prefill: int
    simulated_prefill: int  # with the target's terms
    listing: Listing

    @property
    def is_fitted(self) -> bool:
        """Whether it chose the terms."""
        return (self.subject.name, self.subject.bits, self.kernels) in FITTED

    def simulated(self, target: Target) -> dict[str, float]:
        """The same by the simulator with another target's terms."""
        own = replace(
            self.listing.target, control=target.control, control_token=target.control_token
        )
        return simulated_ops_of(replace(self.listing, target=own), self.subject)

    def errors(self, target: Target) -> Iterator[float]:
        """Relative errors of ops and of their sum, as they weigh in the fit."""
        found, total = self.simulated(target), sum(self.ops.values())
        for op, cycles in self.ops.items():
            yield (found[op] / cycles - 1) * min(1.0, (cycles / total / SMALL) ** 0.5)
        yield TOTAL_WEIGHT * (sum(found.values()) / total - 1)


def measurements(path: Path) -> list[Measured]:
    """What was measured, with the programs compiled anew."""
    return [_measured(one) for one in json.loads(path.read_text("utf-8"))]


def _measured(one: dict[str, Any]) -> Measured:
    subject, kernels = Subject(**one["subject"]), Kernels(one["kernels"])
    build = compiled(subject, kernels)
    listing = built_listing(Program.open(build))
    return Measured(
        subject=subject,
        kernels=kernels.value,
        ops=one["ops"],
        prefill=one["prefill_cycles"],
        simulated_prefill=simulated_prefill(build, subject),
        listing=listing,
    )


def fitted(known: Target, models: Iterable[Measured]) -> Target:
    """The target with the terms of the smallest squares of errors."""
    return _descend(known, [model for model in models if model.is_fitted])


def _descend(target: Target, models: list[Measured]) -> Target:
    """Steps of Gauss and Newton, as long as they lead down."""
    for _ in range(ROUNDS):
        errors = _errors(target, models)
        values = np.array([_value(target, term) for term in TERMS])
        jumps = np.maximum(LEAST_STEP, np.rint(STEP * values))
        slopes = [
            _errors(_changed(target, {term: value + jump}), models) - errors
            for term, value, jump in zip(TERMS, values, jumps, strict=True)
        ]
        steps = np.linalg.lstsq(np.stack(slopes, axis=1), -errors, rcond=None)[0] * jumps
        tries = [
            _changed(target, dict(zip(TERMS, values + steps / by, strict=True)))
            for by in (1, 2, 4, 16)
        ]
        best = min(tries, key=lambda one: _cost(one, models))
        if _cost(best, models) >= float(errors @ errors):
            return target
        target = best
    return target


def _errors(target: Target, models: list[Measured]) -> NDArray[np.float64]:
    return np.array([error for model in models for error in model.errors(target)])


def _cost(target: Target, models: list[Measured]) -> float:
    errors = _errors(target, models)
    return float(errors @ errors)


def _value(target: Target, term: tuple[str, str]) -> int:
    section, name = term
    value: int = getattr(getattr(target, section), name)
    return value


def _changed(target: Target, terms: Mapping[tuple[str, str], float]) -> Target:
    """The target with other terms, whole and not negative."""
    for (section, name), value in terms.items():
        record = replace(getattr(target, section), **{name: max(0, round(float(value)))})
        target = replace(target, **{section: record})
    return target


def compared_with(target: Target, models: Iterable[Measured]) -> list[Compared]:
    """Each model under a target's terms."""
    return [
        Compared(
            model=model.subject.name,
            bits=model.subject.bits,
            cached=model.subject.prompt_tokens,
            kernels=model.kernels,
            ops=model.ops,
            simulated=model.simulated(target),
            prefill=model.prefill,
            simulated_prefill=model.simulated_prefill,
        )
        for model in models
    ]


def main() -> None:
    """Print the terms that fit best, and what each model's error is under those of the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", type=Path, default=MEASURED, help="cycles on GVSoC")
    parser.add_argument("--fit", action="store_true", help="fit; else compare the target's terms")
    arguments = parser.parse_args()
    models = measurements(arguments.measured)
    target = load_target()
    if arguments.fit:
        target = fitted(target, models)
        print(target.control, target.control_token, sep="\n", end="\n\n")
    print("\n".join(platform_lines(compared_with(target, models))), end="")


if __name__ == "__main__":
    main()
