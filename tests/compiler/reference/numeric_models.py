"""Tiny models in memory, in every weight form, for tests that compare executions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from checkpoints import random_tensors, tiny_config

from aretusa.frontend.llama_config import Family
from aretusa.frontend.llama_graph import EMBEDDING, HEAD, llama_graph
from aretusa.frontend.rope_tables import rope_tables
from aretusa.frontend.weights import FloatWeight
from aretusa.ir.types import DenseType, Weight
from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.quantization.cache_bits import CacheBits, declare_caches
from aretusa.quantization.schemes import SCHEMES, QuantisedMatrix, quantise_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.ir.graph import Graph
    from aretusa.passes.pipeline import Pass
    from aretusa.reference.interpreter import Interpreter
    from aretusa.reference.onnx_runtime import OnnxProgram

    F32 = NDArray[np.float32]

CONTEXT: Final = 24
# Every family, an untied and a tied head, GQA, one key/value head, sizes that are no powers of two.
CONFIGS: Final = {
    "llama": tiny_config(Family.LLAMA),
    "llama_tied": tiny_config(Family.LLAMA, ties_embeddings=True, heads=3, kv_heads=1),
    "mistral": tiny_config(Family.MISTRAL, hidden_size=72, ffn_size=100, kv_heads=4),
    "qwen2": tiny_config(Family.QWEN2),
    "qwen3": tiny_config(Family.QWEN3, ties_embeddings=True),
}


def _round(scheme: str) -> Callable[[F32], QuantisedMatrix]:
    return lambda values: quantise_matrix(FloatWeight(values), SCHEMES[scheme], name="matrix")


def _with_minimums(values: F32) -> QuantisedMatrix:
    """Codes 0..15 between the smallest and the largest weight of each group, as in Q4_1."""
    rows, depth = values.shape
    groups = -(-depth // 32)
    padded = np.zeros((rows, groups * 32), np.float32)
    padded[:, :depth] = values
    blocks = padded.reshape(rows, groups, 32)
    minimums = blocks.min(axis=2).astype(np.float16)
    scales = ((blocks.max(axis=2) - minimums) / 15).astype(np.float16)
    steps = (blocks - minimums[:, :, None]) / scales[:, :, None]
    codes = np.clip(np.rint(steps), 0, 15).astype(np.uint8).reshape(rows, -1)[:, :depth]
    return QuantisedMatrix(codes=codes, scales=scales, minimums=minimums, bits=4, group=32, zero=0)


def _with_negative_scales(values: F32) -> QuantisedMatrix:
    """Codes with zero 8 whose scales have both signs, as in Q4_0, and some groups of zeros."""
    matrix = _round("w4g32")(values)
    flipped = np.arange(matrix.scales.size).reshape(matrix.scales.shape) % 3 == 0
    scales = np.where(flipped, -matrix.scales, matrix.scales)
    signs = np.repeat(np.where(flipped, -1, 1), 32, axis=1)[:, : matrix.depth]
    codes = (8 + signs * (matrix.codes.astype(np.int64) - 8)).astype(np.uint8)
    scales[1], codes[1] = 0, 8
    return replace(matrix, codes=codes, scales=scales.astype(np.float16))


FORMS: Final[dict[str, Callable[[F32], QuantisedMatrix]]] = {
    **{name: _round(name) for name in ("w8", "w4", "w3", "w4g32", "w4g64", "w4g128", "w8g32")},
    "w4g32 minimums": _with_minimums,
    "w4g32 negative": _with_negative_scales,
}


@dataclass(frozen=True, slots=True)
class TinyWeights:
    """Random tensors and their quantised form; embedding and head are W8 unless `embeds_too`."""

    tensors: dict[str, F32]
    matrices: dict[str, QuantisedMatrix]
    tables: RopeTables

    def vector(self, name: str) -> F32:
        """A vector of real numbers."""
        return self.tensors[name]

    def real_matrix(self, name: str) -> F32:
        """A matrix of real numbers."""
        return self.tensors[name]

    def matrix(self, name: str) -> QuantisedMatrix:
        """A quantised matrix."""
        return self.matrices[name]

    def rope(self) -> RopeTables:
        """Rotary tables."""
        return self.tables


def tiny_weights(
    config: LlamaConfig, form: str = "w8", *, seed: int = 0, embeds_too: bool = False
) -> TinyWeights:
    """Weights of every tensor; `embeds_too` stores embedding and head in the form as well."""
    tensors = random_tensors(config, seed)
    by_channel = {} if embeds_too else {EMBEDDING, HEAD}
    return TinyWeights(
        tensors,
        {
            name: FORMS["w8" if name in by_channel else form](values)
            for name, values in tensors.items()
            if values.ndim == 2
        },
        rope_tables(config, CONTEXT),
    )


def float_graph(config: LlamaConfig) -> Graph:
    """The frontend's graph."""
    return llama_graph(config, name="tiny", chunk_max=8, context=CONTEXT)


def declared_graph(config: LlamaConfig, weights: TinyWeights) -> Graph:
    """The frontend's graph with the matrices declared as they are stored."""
    graph = float_graph(config)
    declared = tuple(
        Weight(weight.name, DenseType.of(weights.matrix(weight.name)))
        if isinstance(weight.type, DenseType)
        else weight
        for weight in graph.weights
    )
    return replace(graph, weights=declared)


def lowered(
    config: LlamaConfig,
    weights: TinyWeights,
    passes: Sequence[Pass] = LOWERING,
    kv_bits: str = "8",
) -> Graph:
    """What runs: the graph after some or all passes."""
    graph = declare_caches(declared_graph(config, weights), CacheBits.parse(kv_bits))
    return run_passes(graph, passes)


def some_tokens(config: LlamaConfig, count: int, seed: int = 1) -> list[int]:
    """Random tokens of the vocabulary."""
    return np.random.default_rng(seed).integers(0, config.vocab_size, count).tolist()


def run_in_chunks(machine: Interpreter | OnnxProgram, tokens: Sequence[int], chunk: int) -> F32:
    """Logits of every token when `chunk` of them are run at a time."""
    parts = [
        machine.forward(tokens[first : first + chunk], first, range(len(tokens[first:][:chunk])))
        for first in range(0, len(tokens), chunk)
    ]
    return np.concatenate(parts)


def different_bits(one: F32, two: F32) -> int:
    """How many elements differ in at least one bit."""
    assert one.shape == two.shape
    return int(np.count_nonzero(one.view(np.uint32) != two.view(np.uint32)))
