"""Buffers of the rolled program and the epochs in which they are alive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.ir.ops import inputs, result
from aretusa.ir.types import DType, value_size_bytes
from aretusa.memory.placement import Buffer
from aretusa.memory.working_set import TILES_RING
from aretusa.schedule.epochs import epochs
from aretusa.schedule.roll import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.ir.ops import Op
    from aretusa.ir.types import Value
    from aretusa.memory.body import Body

EXTERNAL: Final = frozenset({"tokens"})  # handed in by the token loop


def scratch_name(index: int, body: Sequence[Op], *, is_layer: bool) -> str:
    """Name of the scratch buffer of op number `index` of a body; kinds of layers share theirs."""
    if is_layer:
        return f"scratch{index}"
    where = "embedding" if isinstance(body[0], ops.Embed) else "head"
    return f"{where}.scratch{index}"


def body_starts(bodies: Sequence[Body]) -> list[int]:
    """First epoch of each body: kinds of layers share one time span."""
    longest = max((len(epochs(body.ops)) for body in bodies if body.kind is not None), default=0)
    return [0, *(1 for _ in bodies[1:-1]), 1 + longest]


def buffers(bodies: Sequence[Body]) -> list[Buffer]:
    """Every buffer with its largest size and the hull of its lives; layers share one time span."""
    starts = body_starts(bodies)
    end = starts[-1] + len(epochs(bodies[-1].ops)) - 1
    found: dict[str, Buffer] = {}
    for start, body in zip(starts, bodies, strict=True):
        for use in _uses(body, start):
            _widen(found, replace(use, first=0, last=end) if use.name == HIDDEN else use)
    ring = bodies[0].working.tiles
    if ring.size_bytes:
        found[TILES_RING] = Buffer(TILES_RING, ring.size_bytes, 0, end, needs_l1=True)
    return list(found.values())


def step_labels(bodies: Sequence[Body]) -> list[str]:
    """What runs in each epoch, for people."""
    starts = body_starts(bodies)
    labels = [""] * (starts[-1] + len(epochs(bodies[-1].ops)))
    for start, body in zip(starts, bodies, strict=True):
        where = "" if body.kind is None else "layer: "
        for step, epoch in enumerate(epochs(body.ops), start):
            labels[step] = labels[step] or where + " + ".join(map(op_label, epoch))
    return labels


def op_label(op: Op) -> str:
    """A short name of an op: its weight or what it writes."""
    match op:
        case ops.Linear(weight=weight):
            return weight.removesuffix(".weight").rpartition(".")[2]
        case ops.Embed():
            return "embedding"
        case ops.CacheAppend(cache=cache):
            return f"append {cache.rpartition('.')[2]}"
        case ops.CachedAttention():
            return "attention"
        case ops.RmsNormQuantise():
            return "norm"
        case ops.SiluMulQuantise():
            return "silu"
        case ops.HeadsQuantise():
            return "rotate heads"
        case _:
            return type(op).__name__.lower()


def _widen(found: dict[str, Buffer], use: Buffer) -> None:
    known = found.get(use.name)
    if known is None:
        found[use.name] = use
        return
    found[use.name] = Buffer(
        use.name,
        max(known.size_bytes, use.size_bytes),
        min(known.first, use.first),
        max(known.last, use.last),
        known.needs_l1 or use.needs_l1,
        known.touches + use.touches,
    )


def _uses(body: Body, start: int) -> Iterator[Buffer]:
    """Every touch as a buffer of one epoch."""
    index = 0
    chunk = body.graph.chunk_max
    for step, epoch in enumerate(epochs(body.ops), start):
        for op in epoch:
            out = result(op)
            for value in (*inputs(op), *(() if out is None else (out,))):
                if value.name not in EXTERNAL:
                    size_bytes = value_size_bytes(value.type, chunk)
                    yield Buffer(value.name, size_bytes, step, step, _needs_l1(value))
            scratch = body.scratch_bytes(op)
            if scratch:
                name = scratch_name(index, body.ops, is_layer=body.kind is not None)
                yield Buffer(name, scratch, step, step, _scratch_needs_l1(op))
            index += 1


def _needs_l1(value: Value) -> bool:
    """Codes are what engines and inner loops read again and again."""
    return value.type.dtype is DType.Q8


def _scratch_needs_l1(op: Op) -> bool:
    """Where transfers or N-EUREKA write: they reach no other memory."""
    return isinstance(op, ops.Linear | ops.CachedAttention | ops.CacheAppend | ops.Embed)
