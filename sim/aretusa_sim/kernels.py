"""What the cores do in an event: phases of kernels whose work was counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.cost.attention import AttentionShape, attention_call
from aretusa.cost.calls import KernelCall, Phase
from aretusa.cost.groups import add_group_call, finish_totals_call
from aretusa.cost.kernels import (
    argmax_call,
    cache_append_call,
    embed_call,
    finish_sums_call,
    heads_quantise_call,
    quantise_call,
    rmsnorm_quantise_call,
    silu_mul_quantise_call,
)
from aretusa.cost.products import linear_call
from aretusa.cost.shares import ceil_div
from aretusa.ir import ops
from aretusa.ir.types import SUM_RUN
from aretusa.neureka.registers import Mode
from aretusa.quantization.schemes import container_bits

if TYPE_CHECKING:
    from aretusa.trace.event import Touch
    from aretusa_sim.op_call import OpCall

# Phases of the calls of norms, quantisers and SiLU, by the last word of the events' phases.
PHASES: Final = {"maxima": "largest"}
RUNS_3X3: Final = 3  # of a token's codes, one for each row of its image
WORD_BYTES: Final = 4

Counted = tuple[KernelCall, Phase]


class UnknownPhaseError(Exception):
    """An event names a phase whose work was not counted."""


def counted_work(call: OpCall, touch: Touch) -> list[Counted]:
    """The phases that an event stands for; those of attention come from `attention_work`."""
    match call.op:
        case ops.RmsNormQuantise() | ops.Quantise() | ops.SiluMulQuantise():
            found = _rows(call, touch)
            word = touch.phase.rpartition(" ")[2]
            return [(found, found.phase(PHASES.get(word, word)))]
        case ops.HeadsQuantise() | ops.CacheAppend():
            return _first(_heads(call, touch))
        case ops.Linear() if touch.phase == "linear group":
            return _first(_group(call, touch))
        case ops.Linear() as op if touch.phase == "linear last group":
            return _first(_group(call, touch)) + _first(_totals(call, op, touch))
        case ops.Linear() as op:
            return [(found, found.phases[0]) for found in _linear(call, op, touch)]
        case ops.Embed():
            found = _embed(call, touch)
            return [(found, phase) for phase in found.phases]
        case _:
            raise UnknownPhaseError(f"{type(call.op).__name__}: {touch.phase}")


def attention_work(call: OpCall, op: ops.CachedAttention) -> list[Counted]:
    """All phases of a call: one before the first tile, then one per event."""
    listing = call.listing
    _, heads, dim = op.query.type.dims(call.tokens)
    keys, values = call.cache(op.key_cache), call.cache(op.value_cache)
    shape = AttentionShape(
        tokens=call.tokens,
        heads=heads,
        kv_heads=keys.heads,
        dim=dim,
        position=call.position,
        context=listing.graph.context,
        tile_positions=listing.working.tile_positions,
        scores_bytes=listing.working.scores_bytes,
        key_bits=keys.bits,
        value_bits=values.bits,
    )
    found = attention_call(call.cores, shape, query=call.home(op.query), out=call.home(op.out))
    return [(found, phase) for phase in found.phases]


def copy_work(call: OpCall, op: ops.CacheAppend) -> Counted:
    """What core 0 does to copy new rows to their cache, but for giving the transfers."""
    cache = call.cache(op.cache)
    found = cache_append_call(call.cores, tokens=1, heads=cache.heads, dim=cache.dim)
    return found, found.phases[1]


def choice_work(call: OpCall) -> list[Counted]:
    """Core 0 takes the likeliest token."""
    logits = call.listing.graph.logits
    return _first(argmax_call(count=logits.type.depth, logits=call.home(logits)))


def _first(call: KernelCall) -> list[Counted]:
    return [(call, call.phases[0])]


def _rows(call: OpCall, touch: Touch) -> KernelCall:
    op, tokens, depth = call.op, touch.tokens, touch.depth
    match op:
        case ops.RmsNormQuantise():
            return rmsnorm_quantise_call(
                call.cores,
                tokens=tokens,
                depth=depth,
                weight=call.weight_home(op.weight),
                src=call.home(op.src),
                out=call.home(op.out),
            )
        case ops.SiluMulQuantise():
            src, out = call.home(op.gate), call.home(op.out)
            return silu_mul_quantise_call(call.cores, tokens=tokens, depth=depth, src=src, out=out)
        case _:
            assert isinstance(op, ops.Quantise), f"{op} has no rows to quantise"
            src, out = call.home(op.src), call.home(op.out)
            return quantise_call(call.cores, tokens=tokens, depth=depth, src=src, out=out)


def _heads(call: OpCall, touch: Touch) -> KernelCall:
    """A row for each head of each token."""
    op = call.op
    assert isinstance(op, ops.HeadsQuantise | ops.CacheAppend), f"{op} has no heads"
    has_norm, tables = op.norm_weight is not None, call.table_home(op)
    if isinstance(op, ops.HeadsQuantise):
        return heads_quantise_call(
            call.cores,
            tokens=touch.tokens,
            heads=1,
            dim=touch.depth,
            has_norm=has_norm,
            has_rope=op.rope,
            tables=tables,
            src=call.home(op.src),
            out=call.home(op.out),
        )
    cache = call.cache(op.cache)
    return cache_append_call(
        call.cores,
        tokens=touch.tokens,
        heads=1,
        dim=touch.depth,
        has_norm=has_norm,
        has_rope=op.rope,
        bits=cache.bits,
        has_zeros=cache.has_zeros,
        tables=tables,
        src=call.home(op.src),
    )


def _linear(call: OpCall, op: ops.Linear, touch: Touch) -> list[KernelCall]:
    match touch.phase:
        case "linear tile":
            return [_tile(call, op, touch)]
        case "linear finish":
            return [
                finish_sums_call(
                    call.cores,
                    rows=touch.rows,
                    tokens=touch.tokens,
                    has_bias=call.matrix.has_bias,
                    has_residual=op.residual is not None,
                    residual=call.home(op.residual),
                    scales=call.channels_home,
                    out=call.home(op.out),
                )
            ]
        case "linear group":
            return [_group(call, touch)]
        case "linear last group":
            return [_group(call, touch), _totals(call, op, touch)]
        case "linear inputs":
            return [_inputs(call, touch)]
        case _:
            raise UnknownPhaseError(f"a linear layer: {touch.phase}")


def _tile(call: OpCall, op: ops.Linear, touch: Touch) -> KernelCall:
    """Some rows of the cluster's."""
    matrix = call.matrix
    return linear_call(
        call.cores,
        replace(matrix.type, rows=touch.rows, bits=container_bits(matrix.type.bits)),
        tokens=touch.tokens,
        has_bias=matrix.has_bias,
        has_residual=op.residual is not None,
        src=call.home(op.src),
        residual=call.home(op.residual),
        out=call.home(op.out),
    )


def _group(call: OpCall, touch: Touch) -> KernelCall:
    """The terms of a group of the depth, of which `touch.depth` is the length."""
    runs = ceil_div(touch.depth, SUM_RUN) if call.matrix.type.has_minimum else 0
    return add_group_call(
        call.cores,
        rows=touch.rows,
        tokens=touch.tokens,
        code_runs=runs,
        scales=call.channels_home,
    )


def _totals(call: OpCall, op: ops.Linear, touch: Touch) -> KernelCall:
    """All groups' terms, made results."""
    return finish_totals_call(
        call.cores,
        rows=touch.rows,
        tokens=touch.tokens,
        has_bias=call.matrix.has_bias,
        has_residual=op.residual is not None,
        scales=call.channels_home,
        residual=call.home(op.residual),
        out=call.home(op.out),
    )


def _inputs(call: OpCall, touch: Touch) -> KernelCall:
    """Codes are copied to where the engine reads them: own_kernels.toml."""
    words = ceil_div(touch.tokens * touch.depth, WORD_BYTES)
    runs = touch.tokens * RUNS_3X3

    def work(mine: int, callers: int) -> dict[str, int]:
        return {"call": callers, "run": callers * runs, "word": mine}

    phase = Phase(
        name="all",
        busiest=(work(ceil_div(words, call.cores), 1),),
        all_cores=work(words, call.cores),
    )
    op = call.op
    assert isinstance(op, ops.Linear), f"{op} is no linear layer"
    places = {"src": call.home(op.src), "inputs": call.home(None)}
    return KernelCall(kernel="linear_inputs", phases=(phase,), places=places)


def _embed(call: OpCall, touch: Touch) -> KernelCall:
    """Eight rows. Which layout they have depends on the tokens: that of most rows is taken."""
    matrix, engine = call.matrix, call.matrix.engine
    mode = None
    if engine is not None and 2 * engine.rows >= matrix.type.rows:
        mode = Mode.DENSE_1X1 if engine.is_1x1 else Mode.DENSE_3X3
    op = call.op
    assert isinstance(op, ops.Embed), f"{op} is no embedding"
    return embed_call(
        call.cores,
        tokens=touch.tokens,
        depth=touch.depth,
        bits=container_bits(matrix.type.bits) if mode is None else matrix.type.bits,
        group=matrix.type.group,
        has_minimum=matrix.type.has_minimum,
        mode=mode,
        out=call.home(op.out),
    )
