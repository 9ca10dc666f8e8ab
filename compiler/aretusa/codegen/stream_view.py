"""The rings of a program, and the tables of what passes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.codegen.calls import engine_table
from aretusa.codegen.render import hex_literal
from aretusa.codegen.views import LoadListView, LoadView, StreamView
from aretusa.ir import ops
from aretusa.memory.working_set import PAGES_RING, TILES_RING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aretusa.codegen.naming import Names
    from aretusa.memory.body import Body
    from aretusa.memory.plan import MemoryPlan

    LoadsOf = Callable[[Body, str, Names], list[LoadView]]


def stream_views(
    bodies: Sequence[Body], plan: MemoryPlan, names: Names, prefixes: Sequence[str]
) -> Iterator[StreamView]:
    """One per ring that the plan has."""
    streams: list[tuple[str, str, LoadsOf]] = [
        ("tiles", TILES_RING, _tiles),
        ("pages", PAGES_RING, _pages),
    ]
    for name, ring, loads in streams:
        region = plan.find(ring)
        if region is None:
            continue
        lists = [
            LoadListView(
                name=names.identifier("stream", f"{prefix or _part(body)}{name}"),
                loads=tuple(loads(body, prefix, names)),
            )
            for body, prefix in zip(bodies, prefixes, strict=True)
        ]
        size = plan.working.tiles if ring == TILES_RING else plan.working.pages
        yield StreamView(
            stream=f"ART_STREAM_{name.upper()}",
            ring=f"{name}_ring",
            memory=f"ART_MEMORY_{region.memory.name}",
            slots=size.slots,
            slot_bytes=size.slot_bytes,
            offset=hex_literal(region.offset_bytes),
            layer_plan=f"layer_{name}_plan",
            layer_lists=tuple(lists[1:-1]),
            head_plan=f"head_{name}_plan",
            head_list=lists[-1],
        )


def _part(body: Body) -> str:
    return "layer." if body.kind is not None else "head."


def _tiles(body: Body, prefix: str, names: Names) -> list[LoadView]:
    """Matrices of the cluster, in the order of use."""
    found: list[LoadView] = []
    for op in body.ops:
        if isinstance(op, ops.Linear) and (plan := body.linear(op)).rests:
            table = names.identifier("weight", prefix + op.weight)
            found.append(LoadView(matrices=table, engines="NULL", rows=plan.tile_rows))
    return found


def _pages(body: Body, prefix: str, names: Names) -> list[LoadView]:
    """Rows on N-EUREKA: those of them that lie in L3 are paged."""
    found: list[LoadView] = []
    for op in body.ops:
        if isinstance(op, ops.Linear) and (plan := body.linear(op)).pieces:
            table = names.identifier("weight", prefix + engine_table(op.weight))
            found.append(LoadView(matrices="NULL", engines=table, rows=plan.slice_rows))
    return found
