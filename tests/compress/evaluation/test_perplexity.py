from __future__ import annotations

import numpy as np
import pytest
from scripted_subject import VOCABULARY, ScriptedSubject

from aretusa_compress.evaluation.noise import block_noise, decibels
from aretusa_compress.evaluation.perplexity import cut_windows, judge_text, log_softmax


def test_windows_do_not_overlap_and_a_last_single_token_is_left_out() -> None:
    assert cut_windows([1, 2, 3, 4, 5, 6, 7], 3) == [[1, 2, 3], [4, 5, 6]]
    assert cut_windows([1, 2, 3, 4, 5], 3) == [[1, 2, 3], [4, 5]]
    assert cut_windows([1], 3) == []


def test_a_text_that_always_comes_as_expected_has_the_perplexity_of_its_share() -> None:
    quality = judge_text(ScriptedSubject(share=0.25), [list(range(60)), list(range(9))])
    assert quality.tokens == 59 + 8
    assert quality.perplexity == pytest.approx(4.0, rel=1e-6)
    assert quality.kl_nats is None


def test_a_text_that_never_comes_as_expected_has_that_of_the_others() -> None:
    quality = judge_text(ScriptedSubject(share=0.25), [[5] * 40])
    assert quality.perplexity == pytest.approx((VOCABULARY - 1) / 0.75, rel=1e-6)


def test_divergence_from_itself_is_nothing_and_from_another_what_the_formula_says() -> None:
    mine, other = ScriptedSubject(share=0.25), ScriptedSubject(share=0.5)
    window = list(range(50))
    same = judge_text(mine, [window], other=ScriptedSubject(share=0.25))
    assert same.kl_nats == pytest.approx(0, abs=1e-6)
    assert same.top1_agreement == 1

    rest = VOCABULARY - 1
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log((0.5 / rest) / (0.75 / rest))
    assert judge_text(mine, [window], other=other).kl_nats == pytest.approx(expected, rel=1e-5)


def test_progress_counts_windows() -> None:
    seen: list[tuple[int, int]] = []
    judge_text(
        ScriptedSubject(),
        [[1, 2, 3]] * 3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_large_logits_do_not_overflow() -> None:
    logs = log_softmax(np.array([[3e38, 0, -3e38]], np.float32))
    assert np.exp(logs).sum() == pytest.approx(1)


def test_noise_is_told_block_by_block() -> None:
    mine, other = ScriptedSubject(share=0.4), ScriptedSubject(share=0.5)
    first, second = block_noise(mine, other, [1, 2, 3])
    assert first is None, "the first block gives both the same"
    assert second == pytest.approx(20 * np.log10(1.5 / 0.1), abs=1e-4)


def test_noise_leaves_out_the_first_position_and_needs_equal_blocks() -> None:
    class Other(ScriptedSubject):
        def blocks(self, tokens: list[int]) -> list[np.ndarray]:  # type: ignore[override]
            rows = super().blocks(tokens)[0]
            rows[0] *= 1000
            return [rows] * self.context

    assert block_noise(ScriptedSubject(share=0.0), Other(context=2), [1, 2, 3]) == [None, None]
    assert block_noise(ScriptedSubject(), Other(context=3), [1, 2, 3]) == []


def test_decibels_of_nothing_are_finite() -> None:
    assert decibels(np.ones(4, np.float32), np.ones(4, np.float32)) is None
    silent = decibels(np.zeros(4, np.float32), np.ones(4, np.float32))
    assert silent is not None
    assert silent < -1000
