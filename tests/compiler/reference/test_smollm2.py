"""A real model, SmolLM2-135M in Q4_1: prompt and decoding agree in every bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pytest
from numeric_models import different_bits

from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_graph import llama_graph
from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.quantization.schemes import Scheme
from aretusa.quantization.store import QuantisedCheckpoint, declare_quantised
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.onnx_runtime import OnnxProgram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.quantization.schemes import QuantisedMatrix

pytestmark = pytest.mark.slow

CONTEXT = 64
PROMPT = [504, 3575, 282, 4649, 314, 253, 2068, 30]  # any eight tokens
NEW_TOKENS = 2


@dataclass
class KeptWeights:
    """Weights that are read and quantised once."""

    source: QuantisedCheckpoint
    matrix: Callable[[str], QuantisedMatrix] = field(init=False)
    vector: Callable[[str], NDArray[np.float32]] = field(init=False)
    rope: Callable[[], RopeTables] = field(init=False)

    def __post_init__(self) -> None:
        self.matrix = cache(self.source.matrix)
        self.vector = cache(self.source.vector)
        self.rope = cache(self.source.rope)


def test_onnx_runtime_gives_every_bit_of_the_interpreter(smollm2_gguf: Path) -> None:
    checkpoint = open_checkpoint(smollm2_gguf)
    source = QuantisedCheckpoint(checkpoint=checkpoint, scheme=Scheme(8), context=CONTEXT)
    graph = llama_graph(checkpoint.config, name="smollm2", chunk_max=8, context=CONTEXT)
    graph = run_passes(declare_quantised(graph, source), LOWERING)
    weights = KeptWeights(source)
    interpreter, program = Interpreter(graph, weights), OnnxProgram(graph, weights)
    tokens, position = PROMPT, 0
    for _ in range(1 + NEW_TOKENS):
        expected = interpreter.forward(tokens, position, range(len(tokens)))
        found = program.forward(tokens, position, range(len(tokens)))
        assert different_bits(found, expected) == 0
        position += len(tokens)
        tokens = [int(expected[-1].argmax())]
