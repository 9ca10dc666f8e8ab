"""Kernels on the cluster: how each divides its work among the cores (runtime/src/kernels).

Functions named `..._call` describe a call; `call.cycles(target)` is its length. Operands lie in L1
unless an argument names another memory that cores reach; L3 is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.cost.calls import KernelCall, Phase, Work
from aretusa.cost.shares import (
    LANES,
    Share,
    busiest_share,
    ceil_div,
    pieces_per_run,
    tree_work,
)
from aretusa.ir.types import SUM_RUN
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.neureka.registers import Mode

BLOCK_ROWS: Final = 8
PACKED_CODES: Final = 8  # of four bits in a word
EXP_STEPS: Final = 32  # of the table of exponentials
EMBED_TOKENS: Final = 8  # rows of an embedding table that are in L1 at a time


def finish_sums_call(
    cores: int,
    *,
    rows: int,
    tokens: int,
    has_bias: bool = False,
    has_residual: bool = False,
    sums: MemoryId = MemoryId.L1,
    residual: MemoryId = MemoryId.L1,
    scales: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_finish_sums: rows in even parts; `scales` is the memory of the biases too."""
    variant = f"value{'_bias' if has_bias else ''}{'_residual' if has_residual else ''}"

    def work(values: int) -> Work:
        return {"call": 1, "token": tokens, variant: values}

    phase = Phase(
        name="all",
        busiest=(work(tokens * ceil_div(rows, cores)),),
        all_cores=work(tokens * rows),
    )
    places = {"sums": sums, "scales": scales, "residual": residual, "out": out}
    return KernelCall(kernel="finish_sums", phases=(phase,), places=places)


def embed_call(
    cores: int,
    *,
    tokens: int,
    depth: int,
    bits: int,
    group: int,
    has_minimum: bool = False,
    mode: Mode | None = None,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_embed_planned without what its copies take: runs of 32 elements dealt round robin.

    `mode` is that of a table in the engine's layout, of which each bit is picked by itself.
    """
    if mode is None:
        kernel = f"embed_w{bits}_{'group' if group else 'channel'}"
    else:
        kernel = f"embed_{mode.name.lower()}"

    element, token = "element", "token"
    if has_minimum:
        element, token = "element_minimum", "token_minimum"

    def unpack(share: Share) -> Work:
        work = {"call": 1, "run": share.pieces, element: share.elements}
        return work if mode is None else {**work, "bit": share.elements * bits}

    phases = []
    for first in range(0, tokens, EMBED_TOKENS):
        here = min(EMBED_TOKENS, tokens - first)
        load = {"call": int(first == 0), "group": 1, token: here}
        share = busiest_share(cores, here, depth)
        whole = Share.of_all(1, here, depth)
        phases += [
            Phase(name="load", busiest=(load,), all_cores=load),
            Phase(name="unpack", busiest=(unpack(share),), all_cores=unpack(whole)),
        ]
    return KernelCall(kernel=kernel, phases=tuple(phases), places={"out": out})


def quantise_call(
    cores: int,
    *,
    tokens: int,
    depth: int,
    src: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_quantise."""
    phases = _quantise_phases(cores, tokens, depth, has_root=False)
    return KernelCall(kernel="quantise", phases=phases, places={"src": src, "out": out})


def silu_mul_quantise_call(
    cores: int,
    *,
    tokens: int,
    depth: int,
    src: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_silu_mul_quantise; `src` is the memory of both gate and up."""
    phases = _quantise_phases(cores, tokens, depth, has_root=False)
    if depth >= EXP_STEPS:
        table = {"call": 1, "power": ceil_div(EXP_STEPS, cores)}
        copies = Phase(name="table", busiest=(table,), all_cores={"call": 1, "power": EXP_STEPS})
        phases = (copies, *phases)
    return KernelCall(kernel="silu_mul_quantise", phases=phases, places={"src": src, "out": out})


def rmsnorm_quantise_call(
    cores: int,
    *,
    tokens: int,
    depth: int,
    weight: MemoryId = MemoryId.L1,
    src: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_rmsnorm_quantise: lanes dealt to the cores, then runs; a lone row's root is kept."""

    def squares(lanes: range) -> Work:
        elements = [max(0, ceil_div(depth - lane, LANES)) for lane in lanes]
        trees = [tree_work(count, 1) for count in elements if count > 0]
        return {
            "call": 1,
            "row": tokens * len(lanes),
            "element": tokens * sum(elements),
            "pass": tokens * sum(passes for passes, _ in trees),
            "sum": tokens * sum(sums for _, sums in trees),
        }

    first = Phase(
        name="squares",
        busiest=(squares(range(0, LANES, cores)),),
        all_cores=squares(range(LANES)),
    )
    return KernelCall(
        kernel="rmsnorm_quantise",
        phases=(first, *_quantise_phases(cores, tokens, depth, has_root=True)),
        places={"weight": weight, "src": src, "out": out},
    )


def _quantise_phases(cores: int, tokens: int, depth: int, *, has_root: bool) -> tuple[Phase, ...]:
    """art_quantise_rows: each core passes every row, and works on the pieces that it was dealt.

    A norm takes the root of each row in which a core has pieces, anew for the second pass unless
    it is a lone one. The sums of divided runs are joined at the end.
    """
    runs = ceil_div(depth, SUM_RUN)
    per_run = pieces_per_run(cores, tokens, runs)
    share = busiest_share(cores, tokens, depth, SUM_RUN // per_run)
    whole = Share.of_all(cores, tokens, depth, SUM_RUN // per_run)

    def largest(share: Share, rows: int, roots: int) -> Work:
        work = {"call": 1, "row": rows, "piece": share.pieces, "element": share.elements}
        return {**work, "root": roots} if has_root else work

    def codes(share: Share, rows: int, roots: int) -> Work:
        scales = {"scaled": share.scaled, "scaled_core": share.scaled * cores}
        return {**largest(share, rows, roots), **scales}

    phases = (
        Phase(
            name="largest",
            busiest=(largest(share, tokens, share.rows),),
            all_cores=largest(whole, tokens * cores, whole.rows),
        ),
        Phase(
            name="codes",
            busiest=(codes(share, tokens, share.rows if share.rows > 1 else 0),),
            all_cores=codes(whole, tokens * cores, whole.rows),
        ),
    )
    if per_run == 1:
        return phases
    pieces = tokens * ceil_div(depth, SUM_RUN // per_run)
    first = {"call": 1, "run": ceil_div(tokens * runs, cores), "piece": min(per_run, pieces)}
    every = {"call": cores, "run": tokens * runs, "piece": pieces}
    return (*phases, Phase(name="join", busiest=(first,), all_cores=every))


def heads_quantise_call(
    cores: int,
    *,
    tokens: int,
    heads: int,
    dim: int,
    has_norm: bool = False,
    has_rope: bool = False,
    tables: MemoryId = MemoryId.L1,
    src: MemoryId = MemoryId.L1,
    out: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_heads_quantise: rows dealt round robin; `tables` are norm weights, cosines and sines."""
    phase = _head_rows(cores, tokens * heads, dim, has_norm=has_norm, has_rope=has_rope)
    places = {"tables": tables, "src": src, "out": out}
    return KernelCall(kernel="heads_quantise", phases=(phase,), places=places)


def cache_append_call(
    cores: int,
    *,
    tokens: int,
    heads: int,
    dim: int,
    has_norm: bool = False,
    has_rope: bool = False,
    bits: int = 8,
    has_zeros: bool = False,
    tables: MemoryId = MemoryId.L1,
    src: MemoryId = MemoryId.L1,
) -> KernelCall:
    """art_cache_append without what its copies take: as art_heads_quantise, then core 0 alone.

    Codes of 4 bits are packed, with zeros behind a row that fills no whole words. Zero points need
    both ends of a row.
    """
    rows = _head_rows(cores, tokens * heads, dim, has_norm=has_norm, has_rope=has_rope)
    if bits != 8:
        rows = _packed(rows, dim, has_zeros=has_zeros)
    copy = {"call": 1}
    phases = (rows, Phase(name="copy", busiest=(copy,), all_cores=copy))
    return KernelCall(kernel="cache_append", phases=phases, places={"tables": tables, "src": src})


def _head_rows(cores: int, rows: int, dim: int, *, has_norm: bool, has_rope: bool) -> Phase:
    trees = [tree_work(ceil_div(dim - lane, LANES), 1) for lane in range(min(LANES, dim))]

    def work(mine: int) -> Work:
        return {
            "call": 1,
            "row": mine,
            "element": mine * dim,
            "rope_row": mine * has_rope,
            "rope_pair": mine * has_rope * (dim // 2),
            "norm_row": mine * has_norm,
            "norm_element": mine * has_norm * dim,
            "norm_pass": mine * has_norm * sum(passes for passes, _ in trees),
            "norm_sum": mine * has_norm * sum(sums for _, sums in trees),
        }

    return Phase(name="all", busiest=(work(ceil_div(rows, cores)),), all_cores=work(rows))


def _packed(rows: Phase, dim: int, *, has_zeros: bool) -> Phase:
    """The same rows packed."""
    words = ceil_div(dim, PACKED_CODES)

    def work(done: Work) -> Work:
        mine = done["row"]
        spare = PACKED_CODES * words - dim
        packs = {"packed_row": mine, "packed_word": mine * words, "packed_zero": mine * spare}
        ends = {"span_row": mine * has_zeros, "span_element": mine * has_zeros * dim}
        return {**done, **packs, **ends}

    return Phase(
        name=rows.name,
        busiest=tuple(map(work, rows.busiest)),
        all_cores=work(rows.all_cores),
    )


def argmax_call(*, count: int, logits: MemoryId = MemoryId.L1) -> KernelCall:
    """art_sample at temperature 0: core 0 alone."""
    return _alone("argmax", {"call": 1, "element": count}, logits)


def sample_call(*, count: int, logits: MemoryId = MemoryId.L1) -> KernelCall:
    """art_sample at a temperature: core 0 alone.

    How many exponentials it takes depends on the logits; normal ones of deviation 3 were counted.
    """
    return _alone("sample", {"call": 1, "element": count}, logits)


def _alone(kernel: str, work: Work, logits: MemoryId) -> KernelCall:
    phase = Phase(name="all", busiest=(work,), all_cores=work)
    return KernelCall(kernel=kernel, phases=(phase,), places={"logits": logits})
