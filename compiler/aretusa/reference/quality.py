"""How far an integer program is from the float model: perplexity, divergence, noise by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log10
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.ir.ops import result
from aretusa.reference.interpreter import QuantisedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from aretusa.ir.ops import Op
    from aretusa.reference.interpreter import Interpreter

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

CHUNK_TOKENS: Final = (
    128  # logits of so many tokens are in memory: 25 MB of a 49152-word vocabulary
)
BLOCK_TOKENS: Final = 16  # and of so many in binary64


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """Means over the predicted tokens: all but the first of each window."""

    tokens: int
    perplexity_float: float
    perplexity_integer: float
    kl_nats: float  # KL(float || integer) per token
    top1_agreement: float  # share of tokens with the same most probable successor

    @property
    def perplexity_change(self) -> float:
        """Relative: 0.01 is one percent more."""
        return self.perplexity_integer / self.perplexity_float - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueNoise:
    """Power of the float value over the power of the integer program's deviation."""

    layer: int | None
    name: str
    snr_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseReport:
    """Values that both graphs compute, in the order of the data flow."""

    values: tuple[ValueNoise, ...]

    @property
    def hidden_states(self) -> dict[int, float]:
        """SNR in decibels of what each block hands to the next one, by layer."""
        return {value.layer: value.snr_db for value in self.values if value.layer is not None}


def measure_quality(
    reference: Interpreter, program: Interpreter, windows: Iterable[Sequence[int]]
) -> QualityReport:
    """Judge every token of the windows from those before it in its window.

    `reference` runs the float graph and `program` the lowered one; both start anew in each window.
    """
    totals = np.zeros(4)
    tokens = 0
    for window in windows:
        for expected, actual, targets in _logits(reference, program, window):
            totals += _compare(expected, actual, targets)
            tokens += len(targets)
    assert tokens > 0, "a window needs two tokens"
    float_nats, integer_nats, kl_nats, agreements = (float(total) / tokens for total in totals)
    return QualityReport(
        tokens=tokens,
        perplexity_float=exp(float_nats),
        perplexity_integer=exp(integer_nats),
        kl_nats=kl_nats,
        top1_agreement=agreements,
    )


def _logits(
    reference: Interpreter, program: Interpreter, window: Sequence[int]
) -> Iterator[tuple[F32, F32, NDArray[np.int64]]]:
    """Float and integer logits of a few tokens and the tokens that followed."""
    given, following = window[:-1], np.asarray(window[1:], np.int64)
    for position in range(0, len(given), CHUNK_TOKENS):
        chunk = given[position : position + CHUNK_TOKENS]
        rows = range(len(chunk))
        expected = reference.forward(chunk, position, rows)
        actual = program.forward(chunk, position, rows)
        for first in range(0, len(chunk), BLOCK_TOKENS):
            block = slice(first, first + BLOCK_TOKENS)
            yield expected[block], actual[block], following[position:][: len(chunk)][block]


def _compare(expected: F32, actual: F32, targets: NDArray[np.int64]) -> F64:
    """Sums over tokens: float and integer negative log-likelihood, divergence, agreements."""
    float_logs, integer_logs = _log_softmax(expected), _log_softmax(actual)
    rows = np.arange(len(targets))
    divergence = np.sum(np.exp(float_logs) * (float_logs - integer_logs))
    agreements = np.sum(expected.argmax(axis=-1) == actual.argmax(axis=-1))
    return np.array(
        [
            -float_logs[rows, targets].sum(),
            -integer_logs[rows, targets].sum(),
            divergence,
            agreements,
        ]
    )


def _log_softmax(logits: F32) -> F64:
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def measure_noise(
    reference: Interpreter, program: Interpreter, tokens: Sequence[int]
) -> NoiseReport:
    """Run some tokens from position 0 in both and compare the values of equal names.

    The codes `x.codes` of a quantised value count as the float graph's `x`.
    """
    wanted = {_plain_name(op) for op in program.graph.ops}
    expected: dict[str, F32] = {}
    found: list[ValueNoise] = []

    def remember(op: Op, value: F32 | QuantisedRows) -> None:
        if _plain_name(op) in wanted:
            assert not isinstance(value, QuantisedRows), f"{op} is not an op of the float graph"
            expected[_plain_name(op)] = value

    def compare(op: Op, value: F32 | QuantisedRows) -> None:
        name = _plain_name(op)
        if name in expected:
            actual = value.dequantise() if isinstance(value, QuantisedRows) else value
            snr_db = _snr_db(expected[name], actual.reshape(expected[name].shape))
            found.append(ValueNoise(layer=op.layer, name=_name(op), snr_db=snr_db))

    _observed(reference, remember, tokens)
    _observed(program, compare, tokens)
    return NoiseReport(values=tuple(found))


def _observed(
    machine: Interpreter,
    observe: Callable[[Op, F32 | QuantisedRows], None],
    tokens: Sequence[int],
) -> None:
    """One forward pass with an observer that is taken off again."""
    before, machine.observe = machine.observe, observe
    try:
        machine.forward(tokens, 0, range(len(tokens)))
    finally:
        machine.observe = before


def _plain_name(op: Op) -> str:
    """The float graph's name of an op's result."""
    return _name(op).removesuffix(".codes")


def _name(op: Op) -> str:
    """Name of an op's result; empty for an op that has none."""
    out = result(op)
    return "" if out is None else out.name


def _snr_db(expected: F32, actual: F32) -> float:
    """10 log10 of signal power over noise power; infinite without noise."""
    signal = float(np.sum(np.square(expected, dtype=np.float64)))
    noise = float(np.sum(np.square(expected.astype(np.float64) - actual)))
    if noise == 0:
        return inf
    return -inf if signal == 0 else 10 * log10(signal / noise)
