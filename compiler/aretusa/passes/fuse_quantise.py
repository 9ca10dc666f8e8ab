"""RmsNorm or SiluMul whose only reader is a Quantise -> one kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.ir import ops

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op


def fuse_quantise(graph: Graph) -> Graph:
    """The float value in between is never stored."""
    readers = graph.readers()
    makers = {
        op.out.name: op
        for op in graph.ops
        if isinstance(op, ops.RmsNorm | ops.SiluMul) and len(readers.get(op.out.name, ())) == 1
    }
    fused: dict[str, Op] = {}
    for op in graph.ops:
        if isinstance(op, ops.Quantise) and op.src.name in makers:
            fused[op.src.name] = _fuse(makers[op.src.name], op)
    rewritten: list[Op] = []
    for op in graph.ops:
        if isinstance(op, ops.RmsNorm | ops.SiluMul) and op.out.name in fused:
            continue
        if isinstance(op, ops.Quantise) and op.src.name in fused:
            rewritten.append(fused[op.src.name])
        else:
            rewritten.append(op)
    return graph.with_ops(rewritten)


def _fuse(maker: ops.RmsNorm | ops.SiluMul, quantise: ops.Quantise) -> Op:
    match maker:
        case ops.RmsNorm():
            return ops.RmsNormQuantise(
                layer=maker.layer,
                src=maker.src,
                weight=maker.weight,
                eps=maker.eps,
                out=quantise.out,
            )
        case ops.SiluMul():
            return ops.SiluMulQuantise(
                layer=maker.layer, gate=maker.gate, up=maker.up, out=quantise.out
            )
