"""Perplexity over a whole text, and the divergence from another model on the same text.

The text is cut into windows that do not overlap; each starts anew, and all its tokens but the first
are judged. The last window is shorter, which is what masking its padding comes to. This is the
protocol of the published tables (512 tokens; docs/results.md names them).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from aretusa_compress.evaluation.subject import Subject

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

WINDOW_TOKENS: Final = 512
_BLOCK_TOKENS: Final = 32  # whose logits are in binary64 at once


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuality:
    """Means over the judged tokens."""

    tokens: int
    nats: float  # negative log-likelihood per token
    kl_nats: float | None  # KL(other || subject) per token, if there is another
    top1_agreement: float | None  # share of tokens for which both prefer the same successor

    @property
    def perplexity(self) -> float:
        """Of a token: e to the mean negative log-likelihood."""
        return exp(self.nats)


def cut_windows(tokens: Sequence[int], length: int) -> list[Sequence[int]]:
    """Runs of `length` tokens; a last one of a single token predicts nothing and is left out."""
    windows = [tokens[start : start + length] for start in range(0, len(tokens), length)]
    return [window for window in windows if len(window) > 1]


def judge_text(
    subject: Subject,
    windows: Sequence[Sequence[int]],
    *,
    other: Subject | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> TextQuality:
    """Judge every token of the windows but their first ones; `progress` counts windows."""
    totals = np.zeros(3)
    tokens = 0
    for done, window in enumerate(windows):
        for actual, expected, targets in _blocks(subject, other, window):
            totals += _sums(actual, expected, targets)
            tokens += len(targets)
        progress(done + 1, len(windows))
    assert tokens > 0, "a window needs two tokens"
    nats, divergence, agreements = (float(total) / tokens for total in totals)
    return TextQuality(
        tokens=tokens,
        nats=nats,
        kl_nats=None if other is None else divergence,
        top1_agreement=None if other is None else agreements,
    )


def log_softmax(logits: F32) -> F64:
    """Logarithms of probabilities along the last axis, in binary64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def _blocks(
    subject: Subject, other: Subject | None, window: Sequence[int]
) -> Iterator[tuple[F32, F32 | None, NDArray[np.int64]]]:
    """Logits of a few tokens by both, and the tokens that followed."""
    given, targets = window[:-1], np.asarray(window[1:], np.int64)
    if other is None:
        for rows, first in _rows(subject, given):
            yield rows, None, targets[first : first + len(rows)]
        return
    expected = np.concatenate(list(other.logits(given)))
    for rows, first in _rows(subject, given):
        last = first + len(rows)
        yield rows, expected[first:last], targets[first:last]


def _rows(subject: Subject, given: Sequence[int]) -> Iterator[tuple[F32, int]]:
    """Logits in blocks, with the position of their first row."""
    position = 0
    for chunk in subject.logits(given):
        for first in range(0, len(chunk), _BLOCK_TOKENS):
            block = chunk[first : first + _BLOCK_TOKENS]
            yield block, position
            position += len(block)


def _sums(actual: F32, expected: F32 | None, targets: NDArray[np.int64]) -> F64:
    """Over some tokens: negative log-likelihood, divergence, agreements."""
    logs = log_softmax(actual)
    nats = -float(logs[np.arange(len(targets)), targets].sum())
    if expected is None:
        return np.array([nats, 0.0, 0.0])
    expected_logs = log_softmax(expected)
    divergence = np.sum(np.exp(expected_logs) * (expected_logs - logs))
    agreements = np.sum(actual.argmax(axis=-1) == expected.argmax(axis=-1))
    return np.array([nats, divergence, agreements])
