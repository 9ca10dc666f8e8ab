"""Cycles of one step of every op that is no linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from aretusa.cost.attention import AttentionShape, attention_call
from aretusa.cost.attention_steps import passes, steps
from aretusa.cost.control import transfer_cycles
from aretusa.cost.kernels import (
    cache_append_call,
    embed_call,
    heads_quantise_call,
    quantise_call,
    rmsnorm_quantise_call,
    silu_mul_quantise_call,
)
from aretusa.cost.transfers import dma_cycles
from aretusa.ir import ops
from aretusa.ir.types import DenseType
from aretusa.quantization.schemes import container_bits

if TYPE_CHECKING:
    from aretusa.cost.calls import KernelCall
    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.memory.working_set import WorkingSet
    from aretusa.plan.linear_options import Setting


def op_cycles(op: Op, graph: Graph, tokens: int, position: int, setting: Setting) -> int:
    """Work of the cluster for `tokens` new tokens from `position` on; 0 for a linear layer.

    Operands in L1: what others cost comes with the choice of their memories.
    """
    key = ("op", _signature(op), tokens, position)
    target = setting.target
    if key not in setting.memo:
        call = kernel_call(op, graph, tokens, position, setting)
        cycles = 0 if call is None else call.cycles(target)
        setting.memo[key] = cycles + _copied(op, graph, tokens, position, setting)
    found: int = setting.memo[key]
    return found


def _signature(op: Op) -> tuple[object, ...]:
    """What the cost of an op depends on."""
    types = tuple(value.type for value in ops.inputs(op))
    flags = tuple(getattr(op, name, None) is not None for name in ("norm_weight", "weight"))
    return (type(op), types, flags, getattr(op, "rope", False))


def kernel_call(
    op: Op, graph: Graph, tokens: int, position: int, setting: Setting
) -> KernelCall | None:
    """The call of an op's kernel with operands in L1; None for a linear layer and for no kernel."""
    cores = setting.target.cluster.cores
    match op:
        case ops.RmsNormQuantise():
            rows, depth = op.src.type.rows(tokens), op.src.type.depth
            return rmsnorm_quantise_call(cores, tokens=rows, depth=depth)
        case ops.Quantise():
            return quantise_call(cores, tokens=op.src.type.rows(tokens), depth=op.src.type.depth)
        case ops.SiluMulQuantise():
            rows, depth = op.gate.type.rows(tokens), op.gate.type.depth
            return silu_mul_quantise_call(cores, tokens=rows, depth=depth)
        case ops.HeadsQuantise():
            _, heads, dim = op.out.type.dims(tokens)
            has_norm = op.norm_weight is not None
            return heads_quantise_call(
                cores, tokens=tokens, heads=heads, dim=dim, has_norm=has_norm, has_rope=op.rope
            )
        case ops.CacheAppend():
            cache, has_norm = graph.cache(op.cache), op.norm_weight is not None
            return cache_append_call(
                cores,
                tokens=tokens,
                heads=cache.heads,
                dim=cache.dim,
                has_norm=has_norm,
                has_rope=op.rope,
                bits=cache.bits,
                has_zeros=cache.has_zeros,
            )
        case ops.CachedAttention():
            shape = _attention_shape(op, graph, tokens, position, setting.working)
            return attention_call(cores, shape)
        case ops.Embed():
            return _embed(op, graph, tokens, cores)
        case (
            ops.Linear()
            | ops.RmsNorm()
            | ops.SplitHeads()
            | ops.MergeHeads()
            | ops.Rope()
            | ops.Attention()
            | ops.SiluMul()
            | ops.Add()
            | ops.SelectRow()
        ):
            return None
        case _:
            assert_never(op)


def _attention_shape(
    op: ops.CachedAttention, graph: Graph, tokens: int, position: int, working: WorkingSet
) -> AttentionShape:
    _, heads, dim = op.query.type.dims(tokens)
    return AttentionShape(
        tokens=tokens,
        heads=heads,
        kv_heads=graph.cache(op.key_cache).heads,
        dim=dim,
        position=min(position, graph.context - tokens),
        context=graph.context,
        tile_positions=working.tile_positions,
        scores_bytes=working.scores_bytes,
        key_bits=graph.cache(op.key_cache).bits,
        value_bits=graph.cache(op.value_cache).bits,
    )


def _embed(op: ops.Embed, graph: Graph, tokens: int, cores: int) -> KernelCall:
    matrix = graph.weight_types()[op.table]
    assert isinstance(matrix, DenseType), f"{op.table} is not a matrix"
    return embed_call(
        cores,
        tokens=tokens,
        depth=matrix.depth,
        bits=container_bits(matrix.bits),
        group=matrix.group,
        has_minimum=matrix.has_minimum,
    )


def _copied(op: Op, graph: Graph, tokens: int, position: int, setting: Setting) -> int:
    """Transfers that nothing hides: the first tile of keys, new rows on their way out."""
    match op:
        case ops.CachedAttention():
            cache = graph.cache(op.key_cache)
            shape = _attention_shape(op, graph, tokens, position, setting.working)
            positions = min(cache.heads * (position + tokens), setting.working.tile_positions)
            widths = (cache.row_bytes, 4)
            first = sum(dma_cycles(setting.target, positions * width) for width in widths)
            given = sum(step.copies(shape) for one in passes(shape) for step in steps(shape, one))
            return first + given * transfer_cycles(setting.target)
        case ops.CacheAppend():
            cache = graph.cache(op.cache)
            rows = cache.heads * tokens
            moved = sum(dma_cycles(setting.target, rows * width) for width in (cache.row_bytes, 4))
            return moved + 2 * transfer_cycles(setting.target)
        case _:
            return 0
