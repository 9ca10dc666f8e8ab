"""The listing of a build directory, and of a plan under another clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aretusa.errors import UsageError
from aretusa.manifest import TARGET_FILE
from aretusa.memory.body import bodies
from aretusa.memory.contents import TOKENIZER, WORKSPACE, RegionKind
from aretusa.memory.plan import Region
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.schedule.roll import roll
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target
from aretusa.trace.listing import listing_of

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.manifest import Manifest, RegionRecord, RingRecord
    from aretusa.program import Program
    from aretusa.target.description import Target
    from aretusa.trace.listing import Listing


def built_listing(program: Program) -> Listing:
    """The numbers of a build, from its files alone."""
    manifest, graph = program.manifest, program.graph
    target = _target(program.build)
    working, rolled = _working(manifest), roll(graph)
    regions = tuple(map(_region, manifest.regions))
    sizes = {region.name: region.size_bytes for region in regions}
    return listing_of(
        target=target,
        graph=graph,
        bodies=bodies(graph, rolled, working, is_unsigned=not target.has_signed_input),
        order=rolled.order,
        regions=regions,
        working=working,
        tokenizer_bytes=sizes.get(TOKENIZER, 0),
        workspace_bytes=sizes.get(WORKSPACE, 0),
    )


def _target(build: Path) -> Target:
    """The target as it was when the build was made; E0005 if it lacks what this version needs."""
    path = build / TARGET_FILE
    try:
        return load_target(str(path))
    except UsageError as problem:
        raise UsageError(
            "E0005",
            "not a build directory of this version",
            file=build,
            why=f"{TARGET_FILE}: {problem.why}",
            fix="Make it again with `aretusa compile MODEL -o DIRECTORY`",
        ) from problem


def with_clock(listed: Listing, clock_hz: int | None) -> Listing:
    """The same with the cluster at another frequency; that of the off-chip link stays."""
    if clock_hz is None:
        return listed
    clock = replace(listed.target.clock, cluster_hz=clock_hz)
    return replace(listed, target=replace(listed.target, clock=clock))


def _working(manifest: Manifest) -> WorkingSet:
    working = manifest.working
    return WorkingSet(
        chunk=manifest.options.chunk,
        tiles=_ring(MemoryId.L1, working.tiles),
        pages=_ring(MemoryId.SRAM, working.pages),
        sums_bytes=working.sums_bytes,
        scores_bytes=working.scores_bytes,
        tile_positions=working.tile_positions,
    )


def _ring(memory: MemoryId, ring: RingRecord) -> Ring:
    return Ring(memory=memory, slots=ring.slots, slot_bytes=ring.slot_bytes)


def _region(record: RegionRecord) -> Region:
    return Region(
        name=record.name,
        kind=RegionKind(record.kind),
        memory=MemoryId[record.memory.upper()],
        offset_bytes=record.offset_bytes,
        size_bytes=record.size_bytes,
        first=record.first,
        last=record.last,
    )
