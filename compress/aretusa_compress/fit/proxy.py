"""Losses of matrices that were not measured: from gradients, scaled to those that were."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aretusa_compress.svd.decompositions import Place
from aretusa_compress.svd.gradients import output_gradients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from aretusa_compress.fit.bank import Bank
    from aretusa_compress.fit.forms import Form, Matrix
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState

_KEPT = "gradients"


def probed_blocks(count: int, probes: int) -> set[int]:
    """Blocks whose matrices are measured: all for 0 probes, else so many, evenly spread."""
    if probes == 0 or probes >= count:
        return set(range(count))
    return {int((place + 0.5) * count / probes) for place in range(probes)}


def gradients_of(
    bank: Bank, windows: Tensor, state: StageState, progress: Progress
) -> dict[str, float]:
    """Mean square of the loss's gradient at each output of every matrix of a block, by name.

    The network must hold its own weights.
    """
    kept: dict[str, float] | None = state.read_json(_KEPT)
    if kept is None:
        prefix = bank.model.anatomy.prefix
        places = {
            matrix.name: Place(matrix.block, matrix.role, prefix)
            for matrix in bank.matrices
            if matrix.block is not None
        }
        found = output_gradients(bank.model, list(places.values()), windows, progress)
        kept = {name: found[place.short] for name, place in places.items()}
        state.write_json(_KEPT, kept)
    return kept


def proxied(
    bank: Bank,
    matrices: Sequence[Matrix],
    gradients: Mapping[str, float],
    known: Mapping[str, Mapping[Form, float]],
    forms: Sequence[Form],
) -> dict[str, dict[Form, float]]:
    """Losses of `matrices`: gradient times error of the outputs, times what that is off by.

    That factor is the geometric mean, over the matrices of the same role that were measured, of
    the measured loss over the product. Losses that are not positive tell nothing and are left out.
    """
    factors = _factors(bank, gradients, known)
    mean = _mean([value for values in factors.values() for value in values])
    found: dict[str, dict[Form, float]] = {}
    for matrix in matrices:
        factor = _mean(factors.get(matrix.role, [])) if factors.get(matrix.role) else mean
        found[matrix.name] = {
            form: factor * gradients[matrix.name] * bank.plain_error(matrix, form)
            for form in forms
            if not form.share
        }
    return found


def _factors(
    bank: Bank, gradients: Mapping[str, float], known: Mapping[str, Mapping[Form, float]]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for matrix in bank.matrices:
        for form, loss in known.get(matrix.name, {}).items():
            if matrix.block is not None and not form.share and loss > 0:
                guess = gradients[matrix.name] * bank.plain_error(matrix, form)
                found.setdefault(matrix.role, []).append(loss / max(guess, 1e-300))
    return found


def _mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else 1.0
