"""Values of one loaded tensor: refuse what is not finite, report what looks like a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aretusa.errors import ModelError
from aretusa.frontend.printable import printable
from aretusa.frontend.weights import CodedWeight, FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.weights import StoredWeight

_SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)


@dataclass(frozen=True, slots=True)
class LoadWarning:
    """Something odd about one tensor that does not stop the work."""

    code: str
    tensor: str
    what: str
    file: str

    def line(self) -> str:
        """The warning as one line of text."""
        return f"warning[{self.code}]: {self.file}: tensor '{printable(self.tensor)}' {self.what}"


def check_finite(name: str, weight: StoredWeight, file: Path) -> None:
    """Raise E0110 with the count and the first place of NaN and infinity."""
    match weight:
        case FloatWeight():
            _check_array(name, "", weight.values, file)
        case CodedWeight():
            _check_array(name, "scales of ", weight.scales, file)
            if weight.minimums is not None:
                _check_array(name, "minimums of ", weight.minimums, file)


def find_oddity(name: str, weight: StoredWeight, file: Path) -> LoadWarning | None:
    """W0112 for a tensor that is all zero, constant, or too small to matter."""
    match weight:
        case FloatWeight():
            what = _float_oddity(weight.values, is_bias=name.endswith(".bias"))
        case CodedWeight():
            what = _coded_oddity(weight)
    return LoadWarning("W0112", name, what, str(file)) if what else None


def _check_array(
    name: str, part: str, values: NDArray[np.float32] | NDArray[np.float16], file: Path
) -> None:
    finite = np.isfinite(values)
    bad = values.size - int(np.count_nonzero(finite))
    if bad:
        first = np.unravel_index(int(np.argmin(finite)), values.shape)
        raise ModelError(
            "E0110",
            f"{part}tensor '{printable(name)}' contain{'' if part else 's'} {bad} NaN or infinite "
            f"values (first at {[int(index) for index in first]})",
            file=file,
            fix="The training or the export failed; export the checkpoint again.",
        )


def _float_oddity(values: NDArray[np.float32], *, is_bias: bool) -> str:
    low, high = float(values.min()), float(values.max())
    if low == high == 0.0:
        return "" if is_bias else "is all zero"  # a fresh bias is
    if low == high and values.ndim == 2:  # a fresh norm is all ones
        return "is constant"
    if max(-low, high) < _SMALLEST_NORMAL:
        return "holds nothing but denormal numbers"
    return ""


def _coded_oddity(weight: CodedWeight) -> str:
    parts = [weight.scales] if weight.minimums is None else [weight.scales, weight.minimums]
    if not any(part.any() for part in parts):
        return "is all zero"
    same_codes = weight.codes.min() == weight.codes.max() or not weight.scales.any()
    if same_codes and all(part.min() == part.max() for part in parts):
        return "is constant"
    return ""
