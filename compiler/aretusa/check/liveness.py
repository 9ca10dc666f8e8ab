"""When the bytes of a buffer matter: epochs of a step counted through all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.check.expected import scratch
from aretusa.check.rules import Rule, require
from aretusa.ir import ops
from aretusa.memory.contents import RegionKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.ops import Op
    from aretusa.ir.types import Value
    from aretusa.trace.listing import Listing, Part

Span = tuple[int, int]  # first and last epoch, both included


def spans(listing: Listing) -> dict[str, list[Span]]:
    """Epochs in which each buffer holds something that is read later, or is worked in.

    A row of the hidden states may be asked for again, and the logits are read after the head: both
    live on to the end.
    """
    found: dict[str, list[Span]] = {}
    values: dict[str, tuple[str, int, int]] = {}
    end = 0
    for epoch, part, index, truth in _executed(listing):
        op, end = part.ops[index], epoch
        for value, right in _pairs(op, truth):
            _, first, _ = values.get(right.name, (value.name, epoch, epoch))
            values[right.name] = (value.name, first, epoch)
        size, _ = scratch(listing, part, index, 0)
        if size:
            found.setdefault(part.scratch(index), []).append((epoch, epoch))
    kept = _kept(listing)
    for name, (buffer, first, last) in values.items():
        if name != listing.graph.tokens.name:
            found.setdefault(buffer, []).append((first, end if name in kept else last))
    return found


def _kept(listing: Listing) -> set[str]:
    """Values that are read again behind the last epoch."""
    kept = {listing.graph.logits.name}
    for op in listing.graph.ops:
        if isinstance(op, ops.SelectRow):
            kept |= {op.src.name, op.out.name}
    return kept


def _pairs(op: Op, truth: Op) -> Iterator[tuple[Value, Value]]:
    """Each value of a call with the graph's value."""
    yield from zip(ops.inputs(op), ops.inputs(truth), strict=True)
    out, right = ops.result(op), ops.result(truth)
    if out is not None and right is not None:
        yield out, right


def _executed(listing: Listing) -> Iterator[tuple[int, Part, int, Op]]:
    """Epoch, part and number of each op in the order of execution, with the graph's op."""
    truths = iter(op for op in listing.graph.ops if not isinstance(op, ops.SelectRow))
    order = [1 + kind for kind, _ in listing.order]
    epoch = 0
    for number in (0, *order, len(listing.parts) - 1):
        part, index = listing.parts[number], 0
        for count in part.epochs:
            for _ in range(count):
                yield epoch, part, index, next(truths)
                index += 1
            epoch += 1


def check_alive(listing: Listing) -> None:
    """Epochs of the plan, in which all layers share one span, cover every use of a buffer."""
    regions = {region.name: region for region in listing.regions}
    for epoch, name in _uses(listing):
        region = regions[name]
        if region.kind is RegionKind.BUFFER:
            require(
                region.first <= epoch <= region.last,
                Rule.ALIVE,
                name,
                f"used in epoch {epoch}, alive from {region.first} to {region.last}",
            )


def _uses(listing: Listing) -> Iterator[tuple[int, str]]:
    layers = listing.parts[1:-1]
    behind = 1 + max((len(part.epochs) for part in layers), default=0)
    starts = [0, *(1 for _ in layers), behind]
    for start, part in zip(starts, listing.parts, strict=True):
        index = 0
        for epoch, count in enumerate(part.epochs, start):
            for _ in range(count):
                yield from ((epoch, name) for name in _names(listing, part, index))
                index += 1
    end = behind + len(listing.parts[-1].epochs) - 1
    kept = _kept(listing)
    for _, part, index, truth in _executed(listing):
        for value, right in _pairs(part.ops[index], truth):
            if right.name in kept:
                yield end, value.name


def _names(listing: Listing, part: Part, index: int) -> Iterator[str]:
    """Buffers that an op uses."""
    op = part.ops[index]
    out = ops.result(op)
    for value in (*ops.inputs(op), *(() if out is None else (out,))):
        if value.name != listing.graph.tokens.name:
            yield value.name
    size, _ = scratch(listing, part, index, 0)
    if size:
        yield part.scratch(index)
