"""Run an exported model in ONNX Runtime, whose integer products are put to the test first."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from aretusa.reference import onnx_export
from aretusa.reference.interpreter import QuantisedRows
from aretusa.reference.onnx_arithmetic import matmul_int8
from aretusa.reference.onnx_nodes import IntegerMatmul, OnnxNodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aretusa.ir.graph import Graph
    from aretusa.reference.interpreter import Weights

    F32 = NDArray[np.float32]
    I8 = NDArray[np.int8]

# Shapes of the self-test: a constant matrix, groups, and attention; odd sizes reach every tail.
_TRIALS: Final = (
    ((1, 259), (259, 67)),
    ((7, 576), (576, 35)),
    ((3, 1, 32), (3, 32, 67)),
    ((3, 7, 128), (3, 128, 35)),
    ((2, 3, 5, 64), (2, 1, 64, 19)),
)


class OnnxProgram:
    """Holds the caches of one sequence, as Interpreter does; `forward` takes any chunking."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.integer_matmul = check_integer_matmul()
        self._session = _open(onnx_export.export_onnx(graph, weights, self.integer_matmul))
        self._caches: dict[str, Any] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the sequence."""
        for cache_ in self.graph.caches:
            codes = np.zeros((cache_.heads, self.graph.context, cache_.dim), np.int8)
            scales = np.zeros((cache_.heads, self.graph.context), np.float32)
            self._caches[onnx_export.code_input(cache_)] = _ort_value(codes)
            self._caches[onnx_export.scale_input(cache_)] = _ort_value(scales)

    def forward(self, tokens: Sequence[int], position: int, rows: Sequence[int]) -> F32:
        """Run tokens at position, position + 1, ...; logits [rows, vocabulary] of those rows."""
        assert position + len(tokens) <= self.graph.context, "past the end of the KV cache"
        step = {
            onnx_export.TOKENS: tokens,
            onnx_export.POSITION: position,
            onnx_export.ROWS: rows,
        }
        feeds = {name: _ort_value(np.asarray(value, np.int64)) for name, value in step.items()}
        names = list(self._caches)
        results = [self.graph.logits.name, *map(onnx_export.after, names)]
        logits, *caches = self._session.run_with_ort_values(results, feeds | self._caches)
        self._caches = dict(zip(names, caches, strict=True))
        found: F32 = logits.numpy()
        return found

    def cache(self, name: str) -> QuantisedRows:
        """A cache as it is: codes [heads, context, dim], scales [heads, context]."""
        declared = self.graph.cache(name)
        return QuantisedRows(
            self._caches[onnx_export.code_input(declared)].numpy(),
            self._caches[onnx_export.scale_input(declared)].numpy(),
        )


@cache
def check_integer_matmul() -> IntegerMatmul:
    """INT8 if MatMulInteger is exact here; INT32 where its kernels saturate or mistake signs."""
    is_exact = all(_is_exact(IntegerMatmul.INT8, *shapes) for shapes in _TRIALS)
    return IntegerMatmul.INT8 if is_exact else IntegerMatmul.INT32


def _is_exact(form: IntegerMatmul, left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Compare random products, with rows and columns of extreme codes, with 64-bit integers."""
    random = np.random.default_rng(0)
    lhs = random.integers(-127, 128, left).astype(np.int8)
    rhs = random.integers(-128, 128, right).astype(np.int8)
    lhs[..., 0, :] = 127
    rhs[..., :, 0], rhs[..., :, 1] = 127, -128
    return all(
        np.array_equal(found, np.matmul(codes.astype(np.int64), rhs))
        for codes in (lhs, -lhs)
        for found in _products(form, codes, rhs)
    )


def _products(form: IntegerMatmul, lhs: I8, rhs: I8) -> list[NDArray[np.int32]]:
    """The product with a constant right side and with one that is fed."""
    nodes = OnnxNodes(form)
    left, right = (
        ir.Value(name=name, type=ir.TensorType(ir.DataType.INT8), shape=ir.Shape(side.shape))
        for name, side in (("lhs", lhs), ("rhs", rhs))
    )
    outputs = [
        matmul_int8(nodes, left, nodes.constant("constant", rhs)),
        matmul_int8(nodes, left, right),
    ]
    for output in outputs:
        output.type = ir.TensorType(ir.DataType.INT32)
    graph = ir.Graph(
        [left, right],
        outputs,
        nodes=nodes.nodes,
        initializers=nodes.constants,
        opset_imports={"": onnx_export.OPSET},
        name="products",
    )
    session = _open(ir.Model(graph, ir_version=onnx_export.IR_VERSION))
    results: list[NDArray[np.int32]] = session.run(None, {"lhs": lhs, "rhs": rhs})
    return results


def open_session(path: Path) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session that runs the nodes as they are: one thread and no optimisation.

    With its optimisations ONNX Runtime fuses the RMS norms, whose sums it then adds differently.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_reuse = False  # its plan takes time quadratic in the number of nodes
    # A prepacked copy of every constant would double the memory and gains nothing here.
    options.add_session_config_entry("session.disable_prepacking", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _open(model: ir.Model) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """A session of a model whose file is gone again: the constants stay mapped."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        onnx_export.save_model(model, path)
        return open_session(path)


def _ort_value(values: NDArray[Any]) -> Any:  # noqa: ANN401 - onnxruntime has no types
    return ort.OrtValue.ortvalue_from_numpy(values)
