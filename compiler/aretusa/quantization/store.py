"""A checkpoint's weights as the program will hold them: their types, and one matrix at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from aretusa.frontend.llama_graph import EMBEDDING, HEAD
from aretusa.frontend.rope_tables import RopeTables, rope_tables
from aretusa.frontend.structure import ADAPTER, IN, OUT, WEIGHT
from aretusa.frontend.weights import CodedWeight, CodeForm, FloatWeight
from aretusa.ir.types import DenseType, Weight
from aretusa.quantization.kept_columns import check_pattern, pays
from aretusa.quantization.policy import Policy
from aretusa.quantization.schemes import (
    CHANNEL,
    Scheme,
    container_bits,
    quantise_matrix,
    zero_code,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.ir.graph import Graph
    from aretusa.quantization.schemes import QuantisedMatrix

PER_ROW: Final = Scheme(8)  # 8 bits, one scale per row
_ADAPTERS: Final = tuple(ADAPTER + side + WEIGHT for side in (IN, OUT))
NO_RULES: Final = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredWeights:
    """How every matrix of a model is stored, decided without its values.

    Matrices with a form in `forms` keep the codes of their maker. Of the others, a rule of
    `policy` decides; what no rule names is stored by `scheme`; embedding, head, and adapters, which
    correct what few bits lose, by PER_ROW. `sparsity` is by module, as ModelStructure has it.
    """

    scheme: Scheme
    policy: Policy = NO_RULES
    forms: Mapping[str, CodeForm] = field(default_factory=dict)
    sparsity: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def scheme_of(self, name: str) -> Scheme:
        """How a matrix of real numbers is stored."""
        named = self.policy.scheme_of(name)
        if named is not None:
            return named
        is_by_row = name in {EMBEDDING, HEAD} or name.endswith(_ADAPTERS)
        return PER_ROW if is_by_row else self.scheme

    def matrix_type(self, name: str, shape: DenseType) -> DenseType:
        """Type of the stored matrix; zero columns matter where they can be left out."""
        kind = self._dense_type(name, shape)
        return replace(kind, pattern=self.pattern_of(name, kind))

    def pattern_of(self, name: str, kind: DenseType) -> tuple[int, int] | None:
        """The zero columns of a matrix that may be left out: those of scales per row that pay."""
        pattern = self.sparsity.get(name.removesuffix(WEIGHT))
        if pattern is None or kind.group != CHANNEL:
            return None
        return pattern if pays(kind.depth, container_bits(kind.bits), pattern) else None

    def _dense_type(self, name: str, shape: DenseType) -> DenseType:
        form = self.forms.get(name)
        if form is not None:
            return replace(
                shape,
                bits=form.bits,
                group=form.group,
                zero=form.zero,
                has_minimum=form.has_minimum,
                has_zeros=form.has_zeros,
            )
        scheme = self.scheme_of(name)
        return replace(shape, bits=scheme.bits, group=scheme.group, zero=zero_code(scheme.bits))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedCheckpoint:
    """Real weights are quantised as declared on the way; codes of the checkpoint stay.

    With `requantises` those codes count as the real numbers they stand for.
    """

    checkpoint: Checkpoint
    scheme: Scheme
    context: int
    requantises: bool = False
    policy: Policy = NO_RULES

    @property
    def declared(self) -> DeclaredWeights:
        """How the matrices are stored."""
        forms = {} if self.requantises else self.checkpoint.store.forms
        return DeclaredWeights(
            scheme=self.scheme,
            policy=self.policy,
            forms=forms,
            sparsity=self.checkpoint.structure.sparsity,
        )

    def matrix(self, name: str) -> QuantisedMatrix:
        """One matrix, quantised."""
        weight = self.checkpoint.load(name)
        if self.requantises and isinstance(weight, CodedWeight):
            weight = FloatWeight(weight.dequantise())
        matrix = quantise_matrix(weight, self.declared.scheme_of(name), name=name)
        pattern = self.declared.pattern_of(name, DenseType.of(matrix))
        if pattern is not None:
            check_pattern(matrix, pattern, name)
        return matrix

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


def declare_quantised(graph: Graph, weights: QuantisedCheckpoint | DeclaredWeights) -> Graph:
    """The graph with every matrix declared as it is stored; E0014 for a rule without effect."""
    declared = weights.declared if isinstance(weights, QuantisedCheckpoint) else weights
    matrices = [weight.name for weight in graph.weights if isinstance(weight.type, DenseType)]
    declared.policy.check(matrices, declared.forms)
    return replace(
        graph,
        weights=tuple(
            Weight(weight.name, declared.matrix_type(weight.name, weight.type))
            if isinstance(weight.type, DenseType)
            else weight
            for weight in graph.weights
        ),
    )
