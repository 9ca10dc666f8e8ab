"""step_events(): the events of one call of the network after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.schedule.streams import StreamError
from aretusa.trace.attention import attention_events
from aretusa.trace.call import Call, Machine, Step
from aretusa.trace.event import OpStart, StepStart
from aretusa.trace.kernels import (
    append_events,
    embed_events,
    heads_events,
    norm_events,
    quantise_events,
    silu_events,
)
from aretusa.trace.layouts import value_bytes
from aretusa.trace.linear import linear_events
from aretusa.trace.recorder import Recorder
from aretusa.trace.streams import PageStream, TileStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.graph import Graph
    from aretusa.ir.ops import Op
    from aretusa.trace.event import Event
    from aretusa.trace.listing import Listing, Part


class TraceError(Exception):
    """The program and the graph are not of one kind: an op calls another one's kernel."""


@dataclass(frozen=True, slots=True)
class Forward:
    """`tokens` new tokens from `position` on, then the head for each of `rows`.

    `token_ids` choose rows of the embedding's table; without them they come from all over it.
    """

    tokens: int
    position: int
    rows: tuple[int, ...]
    token_ids: tuple[int, ...] = ()


def program_events(
    listing: Listing, forwards: list[Forward], *, is_short: bool = False
) -> Iterator[Event]:
    """The events of some steps in a row.

    With `is_short`, long runs of equal loads are told by their ends, as `next_load` says; the last
    one before the gap writes the results of those left out.
    """
    program = _Program(listing, is_short=is_short)
    for number, forward in enumerate(forwards):
        yield from program.forward(number, forward)


class _Program:
    """The compiled program, step by step."""

    def __init__(self, listing: Listing, *, is_short: bool) -> None:
        self.listing = listing
        regions = {region.name: region for region in listing.regions}
        recorder = Recorder(regions)
        self.machine = Machine(
            listing=listing,
            matrices=listing.matrices,
            recorder=recorder,
            tiles=TileStream(recorder, listing, is_short=is_short),
            pages=PageStream(recorder, listing, is_short=is_short),
        )
        self.truths = _ops_by_layer(listing.graph)
        self.views = {
            op.out.name: op.src.name for op in listing.graph.ops if isinstance(op, ops.SelectRow)
        }

    def forward(self, number: int, forward: Forward) -> Iterator[Event]:
        """art_network_forward, then art_network_head for some rows."""
        recorder, listing = self.machine.recorder, self.listing
        name = f"step {number}"
        step = Step(
            name=name,
            tokens=forward.tokens,
            position=forward.position,
            token_ids=forward.token_ids,
        )
        recorder.events.append(StepStart(name, forward.tokens, forward.position))
        layers = [listing.layer_part(layer) for layer in range(len(listing.order))]
        self._begin(layers)
        yield from self._part(listing.parts[0], 0, step, self.truths[0])
        for (part, row), truths in zip(layers, self.truths[1:-1], strict=True):
            yield from self._part(part, row, step, truths)
        for row in forward.rows:
            yield from self._head(replace(step, tokens=1, row=row))

    def _head(self, step: Step) -> Iterator[Event]:
        """art_network_head, and core 0 that reads the logits."""
        head, logits = self.listing.parts[-1], self.listing.graph.logits
        recorder = self.machine.recorder
        self._begin([(head, 0)])
        yield from self._part(head, 0, step, self.truths[-1])
        size = value_bytes(logits.type, 1)
        read = recorder.access(logits.name, 0, size, f"{step.name} %{logits.name}")
        recorder.touch("choose", [read], [], 1, logits.type.depth, 1)
        recorder.barrier()
        yield from self._flush()

    def _begin(self, parts: list[tuple[Part, int]]) -> None:
        self.machine.tiles.begin(parts)
        self.machine.pages.begin(parts)

    def _flush(self) -> Iterator[Event]:
        yield from self.machine.recorder.events
        self.machine.recorder.events.clear()

    def _part(self, part: Part, row: int, step: Step, truths: tuple[Op, ...]) -> Iterator[Event]:
        """A function of the program: ops, and a barrier after each epoch."""
        if len(part.ops) != len(truths):
            raise TraceError(f"{len(part.ops)} ops run where the graph has {len(truths)}")
        index = 0
        for count in part.epochs:
            for _ in range(count):
                self._op(part, row, index, step, truths[index])
                index += 1
            self.machine.recorder.barrier()
            yield from self._flush()
        if index != len(part.ops):
            raise TraceError(f"{index} of {len(part.ops)} ops are in epochs")

    def _op(self, part: Part, row: int, index: int, step: Step, truth: Op) -> None:
        op = part.ops[index]
        call = Call(
            machine=self.machine,
            step=step,
            part=part,
            table_row=row,
            index=index,
            op=op,
            truth=truth,
            views=self.views,
        )
        recorder = self.machine.recorder
        scratch = call.scratch if call.has_scratch else None
        recorder.events.append(OpStart(call.name, type(op).__name__, truth.layer, scratch))
        try:
            _call_kernel(call, op, truth)
        except StreamError as problem:
            raise StreamError(f"{call.name}: {problem}") from problem


def _ops_by_layer(graph: Graph) -> list[tuple[Op, ...]]:
    """The graph's ops before, in each of, and behind the layers."""
    layers = sorted({op.layer for op in graph.ops if op.layer is not None})
    found: dict[int, list[Op]] = {-1: [], **{layer: [] for layer in layers}, len(layers): []}
    seen_layer = False
    for op in graph.ops:
        if isinstance(op, ops.SelectRow):
            continue
        if op.layer is None:
            found[len(layers) if seen_layer else -1].append(op)
        else:
            seen_layer = True
            found[op.layer].append(op)
    return [tuple(found[key]) for key in sorted(found)]


def _call_kernel(call: Call, op: Op, truth: Op) -> None:
    """The events of a kernel; the graph's op must be of the same class."""
    match (op, truth):
        case (ops.Embed(), ops.Embed()):
            embed_events(call, op, truth)
        case (ops.Linear(), ops.Linear()):
            linear_events(call, op, truth)
        case (ops.RmsNormQuantise(), ops.RmsNormQuantise()):
            norm_events(call, op, truth)
        case (ops.Quantise(), ops.Quantise()):
            quantise_events(call, op, truth)
        case (ops.SiluMulQuantise(), ops.SiluMulQuantise()):
            silu_events(call, op, truth)
        case (ops.HeadsQuantise(), ops.HeadsQuantise()):
            heads_events(call, op, truth)
        case (ops.CacheAppend(), ops.CacheAppend()):
            append_events(call, op, truth)
        case (ops.CachedAttention(), ops.CachedAttention()):
            attention_events(call, op, truth)
        case _:
            raise TraceError(f"{type(op).__name__} runs where the graph has {type(truth).__name__}")
