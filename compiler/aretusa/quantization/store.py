"""QuantisedCheckpoint: a checkpoint's weights as the program will hold them, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.frontend.llama_graph import EMBEDDING, HEAD
from aretusa.frontend.rope_tables import RopeTables, rope_tables
from aretusa.frontend.weights import CodedWeight, FloatWeight
from aretusa.ir.types import DenseType, Weight
from aretusa.quantization.schemes import Scheme, quantise_matrix, zero_code

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.ir.graph import Graph
    from aretusa.quantization.schemes import QuantisedMatrix

PER_ROW: Final = Scheme(8)  # embedding and head: 8 bits, one scale per row


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedCheckpoint:
    """Real weights are quantised by `scheme` on the way; codes of the checkpoint stay.

    With `requantises` those codes count as the real numbers they stand for.
    """

    checkpoint: Checkpoint
    scheme: Scheme
    context: int
    requantises: bool = False

    def scheme_of(self, name: str) -> Scheme:
        """How a real matrix is stored."""
        return PER_ROW if name in {EMBEDDING, HEAD} else self.scheme

    def matrix(self, name: str) -> QuantisedMatrix:
        """One matrix, quantised."""
        weight = self.checkpoint.load(name)
        if self.requantises and isinstance(weight, CodedWeight):
            weight = FloatWeight(weight.dequantise())
        return quantise_matrix(weight, self.scheme_of(name), name=name)

    def matrix_type(self, name: str, shape: DenseType) -> DenseType:
        """Type of the quantised matrix, without quantising real weights."""
        keeps_codes = self.checkpoint.kind == "gguf" and not self.requantises
        stored = self.checkpoint.store.read(name) if keeps_codes else None
        if isinstance(stored, CodedWeight):
            return DenseType.of(quantise_matrix(stored, self.scheme, name=name))
        scheme = self.scheme_of(name)
        return replace(shape, bits=scheme.bits, group=scheme.group, zero=zero_code(scheme.bits))

    def real_matrix(self, name: str) -> NDArray[np.float32]:
        """One matrix as the checkpoint means it."""
        return self._real(name)

    def vector(self, name: str) -> NDArray[np.float32]:
        """One vector."""
        return self._real(name)

    def rope(self) -> RopeTables:
        """Rotary tables for the program's context."""
        return rope_tables(self.checkpoint.config, self.context)

    def _real(self, name: str) -> NDArray[np.float32]:
        weight = self.checkpoint.load(name)
        return weight.values if isinstance(weight, FloatWeight) else weight.dequantise()


def declare_quantised(graph: Graph, weights: QuantisedCheckpoint) -> Graph:
    """The graph with every matrix declared as it will be stored."""
    declared = tuple(
        Weight(weight.name, weights.matrix_type(weight.name, weight.type))
        if isinstance(weight.type, DenseType)
        else weight
        for weight in graph.weights
    )
    return replace(graph, weights=declared)
