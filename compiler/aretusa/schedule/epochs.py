"""Cut a list of ops into epochs: ops between two barriers, none of which waits for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.ops import inputs, read_caches, result, written_caches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa.ir.ops import Op


def reads(op: Op) -> set[str]:
    """Buffers and caches that an op reads."""
    return {value.name for value in inputs(op)} | {f"${name}" for name in read_caches(op)}


def writes(op: Op) -> set[str]:
    """Buffers and caches that an op writes; some kernels work in place in a source."""
    out = result(op)
    written = {f"${name}" for name in written_caches(op)} | (set() if out is None else {out.name})
    match op:
        case ops.HeadsQuantise(src=src) | ops.CacheAppend(src=src):
            return written | {src.name}
        case ops.SiluMulQuantise(gate=gate):
            return written | {gate.name}
        case _:
            return written


def epochs(body: Iterable[Op]) -> list[list[Op]]:
    """A barrier stands before an op that conflicts with an op since the last barrier."""
    cut: list[list[Op]] = []
    read: set[str] = set()
    written: set[str] = set()
    for op in body:
        conflict = (reads(op) & written) | (writes(op) & (read | written))
        if conflict or not cut:
            cut.append([])
            read, written = set(), set()
        cut[-1].append(op)
        read |= reads(op)
        written |= writes(op)
    return cut
