"""Published energies lie in the range of the target's constants; two of them fitted those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from energy_anchors import OPS_PER_MAC, anchors, eight_chips, one_chip, peak, peak_macs

from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from energy_anchors import Anchor

FIT_ERROR = 0.02


@pytest.mark.parametrize("anchor", anchors(load_target()), ids=lambda anchor: anchor.name)
def test_published_figures_lie_in_the_range(anchor: Anchor) -> None:
    assert anchor.is_within
    assert anchor.least < anchor.nominal < anchor.most


def test_what_was_fitted_comes_out_again() -> None:
    fits = [anchor for anchor in anchors(load_target()) if anchor.role == "fit"]
    assert [anchor.published for anchor in fits] == [8.84, 9.9, 490.0]
    for anchor in fits:
        assert abs(anchor.error) < FIT_ERROR, anchor


def test_checks_are_as_far_off_as_the_documentation_says() -> None:
    errors = [anchor.error for anchor in anchors(load_target()) if anchor.role == "check"]
    assert errors == pytest.approx([0.15, 0.65, 0.87], abs=0.01)


@pytest.mark.parametrize(("bits", "ops_per_second"), [(2, 1.95e12), (8, 698e9)])
def test_the_layer_of_the_peak_efficiency_runs_at_the_published_peak_rate(
    bits: int, ops_per_second: float
) -> None:
    """Hence the published efficiency, of one chip at its best, is that of 2-bit weights."""
    target = load_target()
    leakage = peak(target, bits, MemoryId.MRAM).components["leakage"].nominal_uj
    seconds = leakage / target.energy.idle.leakage_uw.value
    assert OPS_PER_MAC * peak_macs() / seconds == pytest.approx(ops_per_second, rel=0.01)


def test_fewer_bits_are_more_efficient_and_mram_is_dearer_than_sram() -> None:
    target = load_target()
    energies = [peak(target, bits, MemoryId.MRAM).nominal_uj for bits in (2, 4, 8)]
    assert energies == sorted(energies)
    assert peak(target, 8, MemoryId.SRAM).nominal_uj < energies[-1]


def test_waiting_for_l3_costs_idle_energy_only() -> None:
    target = load_target()
    eight, one = eight_chips(target), one_chip(target)
    differing = {key for key in one.components if one.components[key] != eight.components.get(key)}
    assert differing == {"idle", "leakage"}
