"""Sizes, counts and shares as a reader wants them; templates/report/text.js writes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aretusa.plan_results import PlacementResult

_UNITS: Final = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def bytes_text(size_bytes: int) -> str:
    """A size with three digits or a little more: 640 B, 3.5 KiB, 1.25 MiB."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    if size_bytes < 2**20:
        return f"{size_bytes / 1024:.1f} KiB"
    return f"{size_bytes / 2**20:.2f} MiB"


def count_text(count: float) -> str:
    """A count with three digits or a little more: 640, 3.50 k, 1.25 M."""
    for factor, unit in _UNITS:
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return f"{count:.0f}"


def rate_text(per_second: float) -> str:
    """A rate: one decimal below a hundred, two below ten."""
    decimals = 2 if per_second < 10 else 1 if per_second < 100 else 0
    return f"{per_second:,.{decimals}f}"


def percent_text(part: float, whole: float) -> str:
    """A share in per cent; of nothing it is zero."""
    return f"{100 * part / whole if whole else 0:.1f} %"


def memory_text(memory: str) -> str:
    """The name of a memory as people write it."""
    return memory.upper()


def gap_text(placement: PlacementResult) -> str:
    """How far a placement can be from the best."""
    match placement.status:
        case "optimal":
            return "proven optimal"
        case "feasible":
            return f"at most {share_text(placement.gap)} above the best for these buffers"
        case "greedy":
            return "by a rule, without a bound"


def saving_text(placement: PlacementResult) -> str:
    """The cycles of a placement beside those of first fit."""
    saved = placement.first_fit_cycles - placement.objective_cycles
    if saved == 0:
        return "as many cycles as first fit"
    share = share_text(abs(saved) / max(1, placement.first_fit_cycles))
    return f"{share} {'fewer' if saved > 0 else 'more'} cycles than first fit"


def share_text(share: float) -> str:
    """A share that may be very small, in per cent with two digits."""
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 1 or percent == 0 else f"{percent:.2g} %"
