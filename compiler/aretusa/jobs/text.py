"""job_lines(): every job and copy of a step of prefill, a step of decode and the head, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.jobs.meaning import MODES, meaning
from aretusa.jobs.registers import INTO_L1_BIT, JOB_OFFSET, copy_commands, job_image
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.neureka.registers import Register
from aretusa.trace.event import JobStart, OpStart, Queue, StepStart, TransferStart
from aretusa.trace.listing import ENGINE_SUFFIX
from aretusa.trace.steps import Forward, program_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.graph import Graph
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.trace.event import Event, Extent
    from aretusa.trace.listing import Listing

HEAD: Final = (
    "# What core 0 writes into the registers of N-EUREKA and MCHAN, in order; all numbers of eight",
    "# digits are hexadecimal. A job's lines are: offset from N-EUREKA's first register, name,",
    "# value, meaning. A copy's lines are the words of MCHAN's commands; the ids of MCHAN, which",
    "# the unit gives, are left out. Requests go to the fabric controller, for the HyperBus.",
    "#",
    "# The steps are those of a prompt that is one token longer than a step of prefill, of the",
    "# tokens 0, 1, 2 ..; other tokens and positions change the addresses of embedding rows and",
    "# caches. Of a long run of equal tiles or pages the first and the last ones are told.",
)
REQUESTS: Final = {Queue.OFF_CHIP: "off chip", Queue.PAGES: "pages"}


def default_steps(graph: Graph) -> list[Forward]:
    """A step of prefill, and one of decode behind it with the head."""
    prefill = min(graph.chunk_max, graph.context - 1)
    vocabulary = graph.logits.type.depth
    ids = tuple(token % vocabulary for token in range(prefill + 1))
    decode = Forward(1, prefill, (0,), ids[prefill:])
    return [Forward(prefill, 0, (), ids[:prefill]), decode] if prefill else [decode]


def job_lines(listing: Listing) -> Iterator[str]:
    """The lines of jobs.txt."""
    yield from HEAD
    steps = default_steps(listing.graph)
    yield from event_lines(listing, program_events(listing, steps, is_short=True))


def event_lines(listing: Listing, events: Iterator[Event]) -> Iterator[str]:
    """What the events write into registers."""
    pieces = engine_pieces(listing.graph)
    for event in events:
        match event:
            case StepStart(tokens=tokens, position=position):
                yield ""
                yield f"step of {tokens} tokens from position {position}"
            case OpStart(kernel=kernel, layer=layer):
                where = "" if layer is None else f" of layer {layer}"
                yield f"{kernel}{where}"
            case JobStart():
                piece = pieces[event.weights.content.removesuffix(ENGINE_SUFFIX)]
                yield from _job_lines(listing, event, piece)
            case TransferStart(queue=Queue.DMA):
                yield from _copy_lines(listing, event)
            case TransferStart():
                yield f"  request {event.number} of {REQUESTS[event.queue]}: {_ends(event)}"
            case _:
                pass


def _job_lines(listing: Listing, event: JobStart, piece: EnginePiece) -> Iterator[str]:
    channels = f"{event.in_channels} > {event.out_channels} channels"
    pixels = f"{event.out_rows} x {event.out_cols} pixels"
    shape = f"{MODES[event.mode]}, {event.bits} bits, {channels}, {pixels}"
    yield f"  job {event.number}: {piece.weight}, {shape}"
    image = job_image(listing.target, event, from_zero=piece.from_zero)
    for register in Register:
        value = int(image[register])
        said = meaning(register, value, event)
        line = f"    {JOB_OFFSET + 4 * register:02x} {register.name:21} {value:08x}"
        yield f"{line}  {said}" if said else line


def _copy_lines(listing: Listing, event: TransferStart) -> Iterator[str]:
    yield f"  copy {event.number}: {_ends(event)}"
    for head, *others in copy_commands(listing.target, event):
        direction = "into L1" if head >> INTO_L1_BIT & 1 else "out of L1"
        size = head % (1 << INTO_L1_BIT)
        words = " ".join(f"{word:08x}" for word in (head, *others))
        runs = f" in runs of {others[2]}, {others[3]} apart" if others[2:] else ""
        yield f"    {words}  {size} bytes {direction}{runs}"


def _ends(event: TransferStart) -> str:
    return f"{_place(event.source)} to {_place(event.target)}, {event.source.total_bytes} bytes"


def _place(extent: Extent) -> str:
    return f"{extent.memory.name} + {extent.offset_bytes} ({extent.region})"
