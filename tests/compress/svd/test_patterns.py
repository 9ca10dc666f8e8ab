"""Names of matrices by pattern."""

from __future__ import annotations

import pytest

from aretusa_compress.svd.patterns import last_match, matches, without_effect

NAME = "4.self_attn.k_proj"


@pytest.mark.parametrize("pattern", ["k_proj", "self_attn.*", "4.*", "*", "4.self_attn.k_proj"])
def test_a_pattern_may_leave_out_the_front(pattern: str) -> None:
    assert matches(pattern, NAME)


@pytest.mark.parametrize("pattern", ["k", "self_attn", "14.*", "v_proj", "self_attn.k", "mlp.*"])
def test_a_pattern_means_no_other(pattern: str) -> None:
    assert not matches(pattern, NAME)


def test_later_lines_win() -> None:
    assert last_match({"k_proj": 128, "4.*": 64, "v_proj": 3}, NAME) == 64
    assert last_match({"v_proj": 3}, NAME) is None


def test_slips_are_found() -> None:
    assert without_effect(["k_proj", "k_porj"], [NAME]) == ["k_porj"]
