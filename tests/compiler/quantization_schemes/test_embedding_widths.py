"""An embedding of any width per row: the same bits from NumPy and ONNX Runtime, tied or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from checkpoints import random_tensors, tiny_config

from aretusa.frontend.llama_graph import EMBEDDING, HEAD, llama_graph
from aretusa.frontend.rope_tables import rope_tables
from aretusa.frontend.weights import FloatWeight
from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.quantization.layout import pack_matrix, unpack_matrix
from aretusa.quantization.policy import Policy, Rule
from aretusa.quantization.schemes import SCHEMES, QuantisedMatrix, quantise_matrix
from aretusa.quantization.store import DeclaredWeights, declare_quantised
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.onnx_runtime import OnnxProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.rope_tables import RopeTables

    F32 = NDArray[np.float32]

CONTEXT: Final = 8
TOKENS: Final = (0, 79, 7, 8, 0)
PER_CHANNEL: Final = tuple(f"w{bits}" for bits in range(2, 9))


@dataclass(frozen=True, slots=True)
class Constants:
    """Random tensors of a model, quantised as declared."""

    config: LlamaConfig
    declared: DeclaredWeights
    tensors: dict[str, F32]

    def vector(self, name: str) -> F32:
        return self.tensors[name]

    def real_matrix(self, name: str) -> F32:
        return self.tensors[name]

    def matrix(self, name: str) -> QuantisedMatrix:
        scheme = self.declared.scheme_of(name)
        return quantise_matrix(FloatWeight(self.tensors[name]), scheme, name=name)

    def rope(self) -> RopeTables:
        return rope_tables(self.config, CONTEXT)


@pytest.mark.parametrize("ties", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("width", PER_CHANNEL)
def test_onnx_runtime_gives_every_bit_of_numpy(width: str, *, ties: bool) -> None:
    config = tiny_config(ties_embeddings=ties, layers=1)
    rules = [Rule(EMBEDDING, SCHEMES[width])] + ([] if ties else [Rule(HEAD, SCHEMES[width])])
    declared = DeclaredWeights(scheme=SCHEMES["w4"], policy=Policy(tuple(rules)))
    graph = llama_graph(config, name="tiny", chunk_max=CONTEXT, context=CONTEXT)
    graph = run_passes(declare_quantised(graph, declared), LOWERING)
    weights = Constants(config, declared, random_tensors(config, seed=2))
    rows = range(len(TOKENS))
    expected = Interpreter(graph, weights).forward(TOKENS, 0, rows)
    found = OnnxProgram(graph, weights).forward(list(TOKENS), 0, rows)
    assert np.array_equal(expected.view(np.uint32), found.view(np.uint32))
    assert np.any(expected[0] != expected[1])


@pytest.mark.parametrize("width", PER_CHANNEL)
def test_rows_are_the_values_of_their_codes(width: str) -> None:
    values = random_tensors(tiny_config(), seed=3)[EMBEDDING]
    table = quantise_matrix(FloatWeight(values), SCHEMES[width], name="table")
    rows = table.select_rows(np.array(TOKENS)).dequantise()
    half_step = 0.5 * table.scales[list(TOKENS)][:, None]
    reach = (2 ** (table.bits - 1) - 1) * 2 * half_step
    clipped = np.maximum(np.abs(values[list(TOKENS)]) - reach, 0)
    assert np.all(np.abs(rows - values[list(TOKENS)]) <= np.maximum(half_step, clipped) + 1e-6)
    unpacked, _ = unpack_matrix(pack_matrix(table))
    assert np.array_equal(unpacked.dequantise(), table.dequantise())
