"""Manifest: what a build directory holds, as `manifest.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from aretusa.errors import UsageError
from aretusa.memory.contents import RegionKind
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.memory.plan import MemoryPlan, Region
    from aretusa.memory.working_set import WorkingSet

SCHEMA_VERSION: Final = 1
MANIFEST_FILE: Final = "manifest.json"
GRAPH_FILE: Final = "graph.txt"
PLAN_FILE: Final = "plan.json"
JOBS_FILE: Final = "jobs.txt"
TARGET_FILE: Final = "target.toml"


class Record(BaseModel):
    """Base of every document that the tool writes: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecord(Record):
    """The checkpoint that a build was made from."""

    name: str
    kind: str
    family: str
    fingerprint: str
    parameters: int
    layers: int
    hidden_size: int
    vocabulary: int
    has_chatml: bool
    stop_tokens: list[int]


class OptionsRecord(Record):
    """The options of the build, resolved; `policy` is Policy.text, None without a policy."""

    weights: str
    policy: str | None = None
    requantise: bool
    engine: str
    context: int
    chunk: int
    kv_bits: str = "8"
    target: str


class MemoryRecord(Record):
    """How full one memory is."""

    name: str
    used_bytes: int
    capacity_bytes: int
    size_bytes: int


class RegionRecord(Record):
    """One named range of bytes; buffers are alive from epoch `first` to `last`."""

    name: str
    kind: str
    memory: str
    offset_bytes: int
    size_bytes: int
    first: int
    last: int


class RingRecord(Record):
    """Slots of one size that loads fill ahead of their use."""

    slots: int
    slot_bytes: int


class WorkingRecord(Record):
    """The sizes of the program's working set: memory.working_set.WorkingSet."""

    tiles: RingRecord
    pages: RingRecord
    sums_bytes: int
    scores_bytes: int
    tile_positions: int


class ImageRecord(Record):
    """One weight image."""

    memory: str
    file_name: str
    size_bytes: int


class Manifest(Record):
    """Everything that later verbs need to know about a build."""

    schema_version: int = SCHEMA_VERSION
    tool: str
    model: ModelRecord
    options: OptionsRecord
    model_hash: str
    input_hash: str
    memories: list[MemoryRecord]
    working: WorkingRecord
    regions: list[RegionRecord]
    images: list[ImageRecord]
    profile: list[str]
    warnings: list[str]

    def region(self, name: str) -> RegionRecord:
        """The region of that name."""
        return next(region for region in self.regions if region.name == name)


def memory_records(plan: MemoryPlan) -> list[MemoryRecord]:
    """Use of each memory."""
    return [
        MemoryRecord(
            name=memory.id.key,
            used_bytes=plan.used_bytes(memory.id),
            capacity_bytes=memory.capacity_bytes,
            size_bytes=memory.size_bytes,
        )
        for memory in plan.target.memories
    ]


def working_record(working: WorkingSet) -> WorkingRecord:
    """What a program was planned with; the chunk stands among the options."""
    tiles, pages = working.tiles, working.pages
    return WorkingRecord(
        tiles=RingRecord(slots=tiles.slots, slot_bytes=tiles.slot_bytes),
        pages=RingRecord(slots=pages.slots, slot_bytes=pages.slot_bytes),
        sums_bytes=working.sums_bytes,
        scores_bytes=working.scores_bytes,
        tile_positions=working.tile_positions,
    )


def region_records(plan: MemoryPlan) -> list[RegionRecord]:
    """Every region by memory and offset."""
    return [_region(region) for memory in MemoryId for region in plan.within(memory)]


def _region(region: Region) -> RegionRecord:
    return RegionRecord(
        name=region.name,
        kind=region.kind.value,
        memory=region.memory.key,
        offset_bytes=region.offset_bytes,
        size_bytes=region.size_bytes,
        first=region.first,
        last=region.last,
    )


def read_manifest(build: Path) -> Manifest:
    """The manifest of a build directory; E0005 if the directory is not a build of this version."""
    path = build / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as problem:
        raise UsageError(
            "E0005",
            "not a build directory of this version",
            file=build,
            why=str(problem).splitlines()[0],
            fix="Make it with `aretusa compile MODEL -o DIRECTORY`",
        ) from problem


def constant_kinds() -> frozenset[str]:
    """Kinds of regions that lie in images."""
    return frozenset(kind.value for kind in RegionKind if kind.is_constant)
