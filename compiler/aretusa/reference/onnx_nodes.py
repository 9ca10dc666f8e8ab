"""OnnxNodes: write ONNX nodes and constants one after the other, with readable names."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Attribute = int | float | str | Sequence[int]


class IntegerMatmul(Enum):
    """How a product of int8 matrices is written in ONNX; the value is for reports."""

    INT8 = "MatMulInteger of int8"
    INT32 = "MatMul of int32"


class OnnxNodes:
    """Nodes and constants so far; results are named after `scope`, the value being computed."""

    def __init__(self, integer_matmul: IntegerMatmul) -> None:
        self.integer_matmul = integer_matmul
        self.scope = ""
        self._tape = Tape()
        self._counts: dict[str, int] = {}
        self._constants: dict[str, ir.Value] = {}

    @property
    def nodes(self) -> Sequence[ir.Node]:
        """The nodes in the order in which they were written."""
        return self._tape.nodes

    @property
    def constants(self) -> Sequence[ir.Value]:
        """The constants in the order of their first use."""
        return tuple(self._constants.values())

    def add(self, kind: str, *inputs: ir.Value, **attributes: Attribute) -> ir.Value:
        """One node with one result."""
        return self._node(kind, inputs, attributes, 1)[0]

    def split(self, src: ir.Value, parts: int, axis: int) -> list[ir.Value]:
        """Equal parts of an axis."""
        return self._node("Split", (src,), {"axis": axis, "num_outputs": parts}, parts)

    def _node(
        self,
        kind: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Attribute],
        results: int,
    ) -> list[ir.Value]:
        label = f"{self.scope}/{kind}"
        count = self._counts[label] = self._counts.get(label, 0) + 1
        name = f"{label}_{count}"
        names = [name] if results == 1 else [f"{name}/{part}" for part in range(results)]
        outputs = [ir.Value(name=part) for part in names]
        self._tape.op_multi_out(kind, inputs, attributes, outputs=outputs, name=name)
        return outputs

    def constant(self, name: str, values: NDArray[np.generic]) -> ir.Value:
        """An initializer, or the one that has this name already."""
        if name not in self._constants:
            self._constants[name] = ir.val(name, const_value=ir.tensor(values, name=name))
        return self._constants[name]

    def f32(self, name: str, value: np.float32) -> ir.Value:
        """A number of the contract."""
        return self.constant(name, np.asarray(value, np.float32))

    def ints(self, *values: int) -> ir.Value:
        """A vector of sizes, axes or bounds."""
        return self.constant("ints/" + ",".join(map(str, values)), np.array(values, np.int64))

    def cast(self, src: ir.Value, kind: ir.DataType) -> ir.Value:
        """The elements as another type."""
        return self.add("Cast", src, to=int(kind))

    def to_f32(self, src: ir.Value) -> ir.Value:
        """Integers rounded to binary32."""
        return self.cast(src, ir.DataType.FLOAT)

    def reshape(self, src: ir.Value, *shape: int) -> ir.Value:
        """The elements in another shape: 0 keeps a dimension, -1 takes what is left."""
        return self.add("Reshape", src, self.ints(*shape))

    def transpose(self, src: ir.Value, *order: int) -> ir.Value:
        """The dimensions in another order."""
        return self.add("Transpose", src, perm=order)

    def slice(self, src: ir.Value, begin: ir.Value, end: ir.Value, axis: int) -> ir.Value:
        """Elements begin .. end - 1 of an axis."""
        return self.add("Slice", src, begin, end, self.ints(axis))

    def pad(self, src: ir.Value, before_after: ir.Value, zero: ir.Value) -> ir.Value:
        """Zeros in front of and behind the last axis."""
        return self.add("Pad", src, before_after, zero, self.ints(-1))
