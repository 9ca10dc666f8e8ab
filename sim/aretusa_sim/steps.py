"""StepCoder: the code of steps; what does not depend on the position is traced once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aretusa.ir import ops
from aretusa.trace.event import Barrier, OpStart, StepStart, Touch
from aretusa.trace.steps import Forward, program_events
from aretusa_sim.code import PartCode
from aretusa_sim.layers import attention_alone, runs, with_layers
from aretusa_sim.lowering import CHOICE
from aretusa_sim.op_call import OpCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aretusa.cost.code_cache import Cached
    from aretusa.trace.event import Event
    from aretusa.trace.listing import Listing, Part
    from aretusa_sim.code import Segment
    from aretusa_sim.layers import Run
    from aretusa_sim.lowering import Lowering

ENGINE_SUFFIX: Final = "#engine"
Placed = tuple[int, PartCode]  # number of its first row, and the part


class StepCoder:
    """Codes of a program's steps, with the rows of its ops.

    Rows count the ops of the embedding, of all layers and of the head; the last one is the choice
    of a token.
    """

    def __init__(self, listing: Listing, lowering: Lowering, *, is_short: bool = True) -> None:
        """Nothing is traced yet; with `is_short` loops over tiles are traced by their ends."""
        self.listing = listing
        self.is_short = is_short
        self.lowering = lowering
        self.homes = {region.name: region.memory for region in listing.regions}
        self.starts = _starts(listing)
        self._layers: dict[int, list[Placed]] = {}
        self._head: list[Placed] | None = None
        self._attention: dict[tuple[object, ...], Segment] = {}

    @property
    def row_count(self) -> int:
        """Of all rows."""
        return self.starts[-1] + len(self.listing.parts[-1].ops) + 1

    def step(self, tokens: int, position: int, *, has_head: bool) -> list[Placed]:
        """The code of a step of `tokens` new tokens from `position` on."""
        if tokens not in self._layers:
            self._layers[tokens] = self._trace_layers(tokens, position)
        known: dict[int, PartCode] = {}
        found: list[Placed] = []
        for number, (start, code) in enumerate(self._layers[tokens]):
            if code.attention and id(code) not in known:
                known[id(code)] = self._at(code, number - 1, tokens, position)
            found.append((start, known.get(id(code), code)))
        return [*found, *self._head_code()] if has_head else found

    def _head_code(self) -> list[Placed]:
        if self._head is None:
            bare = with_layers(self.listing, [0])
            parts = self._trace(bare, Forward(1, 0, (0,)), _starts(bare))
            self._head = [(self.starts[-1], parts[-1])]
        return self._head

    def _trace_layers(self, tokens: int, position: int) -> list[Placed]:
        """Embedding and all layers; equal layers in a row share their code."""
        found = runs(self.listing, self.homes)
        kept = [layer for run in found for layer in run.kept]
        codes = self._trace_kept(kept, tokens, position)
        if any(codes[run.kept[1]] != codes[run.kept[2]] for run in found if _repeats(run)):
            kept = list(range(len(self.listing.order)))
            codes = self._trace_kept(kept, tokens, position)
        expanded = [codes[-1]]
        for layer in range(len(self.listing.order)):
            run = next(run for run in found if layer < run.first + run.count)
            expanded.append(codes[layer] if layer in codes else codes[run.kept[1]])
        return list(zip(self.starts, expanded, strict=False))

    def _trace_kept(self, kept: list[int], tokens: int, position: int) -> dict[int, PartCode]:
        """By layer; -1 is the embedding."""
        short = with_layers(self.listing, kept)
        parts = self._trace(short, Forward(tokens, position, ()), _starts(short))
        return dict(zip([-1, *kept], parts, strict=True))

    def _trace(self, listing: Listing, forward: Forward, starts: list[int]) -> list[PartCode]:
        """The code of each part that a step of the listing runs."""
        self.lowering.forget()
        owners = _owners(listing, starts)
        parts: list[PartCode] = []
        for number, (calls, events) in enumerate(_by_part(self, listing, forward)):
            start = starts[number]

            def owner(region: str, start: int = start) -> int | None:
                row = owners.get(region)
                return None if row is None else row - start

            segments: list[Segment] = []
            attention: list[tuple[int, Cached]] = []
            for (call, row), own in zip(calls, events, strict=True):
                if isinstance(call.op, ops.CachedAttention):
                    attention.append((len(segments), self.lowering.code_cache.content))
                segments.append(self.lowering.segment(call, row, own, owner))
            parts.append(PartCode(segments=tuple(segments), attention=tuple(attention)))
        return parts

    def _at(self, code: PartCode, layer: int, tokens: int, position: int) -> PartCode:
        """The part with its attention at another position."""
        segments = list(code.segments)
        for number, cached in code.attention:
            row = segments[number].row
            segments[number] = self._attention_segment(layer, row, tokens, position, cached)
        return replace(code, segments=tuple(segments))

    def _attention_segment(
        self, layer: int, row: int, tokens: int, position: int, cached: Cached
    ) -> Segment:
        part, table_row = self.listing.layer_part(layer)
        call = self._call(part, table_row, row, tokens, position)
        op = call.op
        assert isinstance(op, ops.CachedAttention), f"{op} is no attention"
        caches = (self.homes[part.cache(role, table_row)] for role in ops.read_caches(op))
        key = (call.signature, position, cached, *caches)
        if key not in self._attention:
            alone = attention_alone(self.listing, layer, row)
            events = list(program_events(alone, [Forward(tokens, position, ())]))
            self.lowering.forget(cached)
            self._attention[key] = self.lowering.segment(call, row, events[1:], lambda _: None)
        return self._attention[key]

    def _call(self, part: Part, table_row: int, index: int, tokens: int, position: int) -> OpCall:
        return OpCall(
            listing=self.listing,
            homes=self.homes,
            part=part,
            row=table_row,
            index=index,
            tokens=tokens,
            position=position,
        )

    def calls(self, listing: Listing, forward: Forward) -> Iterator[list[tuple[OpCall, int]]]:
        """Calls of each part of a step with their rows within the part."""
        tokens, position = forward.tokens, forward.position
        layers = [listing.layer_part(layer) for layer in range(len(listing.order))]
        heads = [(listing.parts[-1], 0)] * len(forward.rows)
        for number, (part, row) in enumerate([(listing.parts[0], 0), *layers, *heads]):
            here = tokens if number <= len(layers) else 1
            calls = [
                (self._call(part, row, index, here, position), index)
                for index in range(len(part.ops))
            ]
            if number > len(layers):
                calls.append((calls[-1][0], len(part.ops)))  # the choice of a token
            yield calls


def _repeats(run: Run) -> bool:
    return len(run.kept) < run.count


def _starts(listing: Listing) -> list[int]:
    """The first row of each part of a step: embedding, layers, head."""
    starts = [0, len(listing.parts[0].ops)]
    for layer in range(len(listing.order)):
        part, _ = listing.layer_part(layer)
        starts.append(starts[-1] + len(part.ops))
    return starts


def _owners(listing: Listing, starts: list[int]) -> dict[str, int]:
    """The row of the linear layer whose weights lie in a region."""
    found: dict[str, int] = {}
    layers = [listing.layer_part(layer) for layer in range(len(listing.order))]
    for start, (part, row) in zip(starts[1:], [*layers, (listing.parts[-1], 0)], strict=True):
        for index, op in enumerate(part.ops):
            if isinstance(op, ops.Linear):
                name = part.weight(op.weight, row)
                found[name] = found[name + ENGINE_SUFFIX] = start + index
    return found


def _by_part(
    coder: StepCoder, listing: Listing, forward: Forward
) -> Iterator[tuple[list[tuple[OpCall, int]], list[list[Event]]]]:
    """Calls of a part, and the events of each.

    What a pass over weights gives at its start belongs to the op behind it.
    """
    groups = _by_op(program_events(listing, [forward], is_short=coder.is_short))
    before: list[Event] = []
    for calls in coder.calls(listing, forward):
        events = [next(groups, []) for _ in calls]
        events[0] = before + events[0]
        last = max((at for at, one in enumerate(events[-1]) if isinstance(one, Barrier)), default=0)
        before = events[-1][last + 1 :]
        del events[-1][last + 1 :]
        yield calls, events


def _by_op(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Cut before each start of an op and before the choice of a token."""
    found: list[Event] = []
    has_op = False
    for event in events:
        if isinstance(event, StepStart):
            continue
        is_choice = isinstance(event, Touch) and event.phase == CHOICE
        if (isinstance(event, OpStart) and has_op) or is_choice:
            yield found
            found = []
        has_op = has_op or isinstance(event, OpStart)
        found.append(event)
    yield found
