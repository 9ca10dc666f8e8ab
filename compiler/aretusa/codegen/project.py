"""Write a build directory: C, images, memory map, a copy of the runtime, the manifest."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.codegen.images import ImageWriter
from aretusa.codegen.network_view import NetworkViewBuilder
from aretusa.codegen.render import render
from aretusa.execution.address_map import qemu_windows
from aretusa.execution.machine_files import ImagePlace, machine_files
from aretusa.ir.text import print_graph
from aretusa.manifest import (
    GRAPH_FILE,
    MANIFEST_FILE,
    ImageRecord,
    Manifest,
    ModelRecord,
    OptionsRecord,
    memory_records,
    region_records,
)
from aretusa.resources import runtime_dir, templates_dir
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.codegen.images import ConstantSource, Image
    from aretusa.ir.graph import Graph
    from aretusa.memory.plan import MemoryPlan
    from aretusa.schedule.roll import RolledGraph

RUNTIME_PARTS: Final = ("include", "src")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All decisions of one build."""

    tool: str
    graph: Graph
    rolled: RolledGraph
    plan: MemoryPlan
    source: ConstantSource
    tokenizer_image: bytes
    model: ModelRecord
    options: OptionsRecord
    input_hash: str
    warnings: Callable[[], list[str]]


def write_project(project: Project, directory: Path, on_bytes: Callable[[int], None]) -> Manifest:
    """Fill an empty directory; returns the manifest that was written."""
    graph_text = print_graph(project.graph)
    (directory / GRAPH_FILE).write_text(graph_text, "utf-8")
    writer = ImageWriter(project.graph, project.plan, project.source, project.tokenizer_image)
    images, model_hash = writer.write(directory, graph_text, on_bytes)
    profile = _write_sources(project, directory, model_hash)
    _write_machine_files(project.plan, images, directory)
    for part in RUNTIME_PARTS:
        shutil.copytree(runtime_dir() / part, directory / "runtime" / part)
    manifest = Manifest(
        tool=project.tool,
        model=project.model,
        options=project.options,
        model_hash=model_hash,
        input_hash=project.input_hash,
        memories=memory_records(project.plan),
        regions=region_records(project.plan),
        images=[
            ImageRecord(
                memory=image.memory.key, file_name=image.file_name, size_bytes=image.size_bytes
            )
            for image in images
        ],
        profile=profile,
        warnings=project.warnings(),
    )
    (directory / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
    return manifest


def _write_sources(project: Project, directory: Path, model_hash: str) -> list[str]:
    """network.c and network.h; returns the names of the profile's rows."""
    builder = NetworkViewBuilder(project.graph, project.rolled, project.plan)
    view = builder.build(
        tool=project.tool,
        scheme=project.options.weights,
        model_hash=model_hash,
        stop_tokens=project.model.stop_tokens,
    )
    for name in ("network.c", "network.h"):
        text = render(f"{name}.j2", {"network": view})
        (directory / name).write_text(text, "utf-8")
    return builder.profile


def _write_machine_files(plan: MemoryPlan, images: list[Image], directory: Path) -> None:
    used = {memory: plan.used_bytes(memory) for memory in MemoryId}
    sizes = {
        # On-chip memories keep the chip's size; off-chip memory is as large as it is used.
        memory.key: used[memory] if memory is MemoryId.L3 else plan.target.memory(memory).size_bytes
        for memory in MemoryId
        if used[memory]
    }
    writable = {region.memory.key for region in plan.regions if not region.kind.is_constant}
    windows = qemu_windows(sizes, writable=writable)
    places = [ImagePlace(memory=image.memory.key) for image in images]
    for name, text in machine_files(windows, places).items():
        (directory / name).write_text(text, "utf-8")


def hash_of_inputs(*parts: str) -> str:
    """What decides whether a build is up to date: what was given, templates and runtime."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for folder in (templates_dir(), *(runtime_dir() / part for part in RUNTIME_PARTS)):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(path.read_bytes())
    return digest.hexdigest()
