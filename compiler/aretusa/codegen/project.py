"""Write a build directory: C, images, memory map, a copy of the runtime, the manifest."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.codegen.images import ImageWriter
from aretusa.codegen.network_view import NetworkViewBuilder
from aretusa.codegen.render import render
from aretusa.execution.address_map import MemoryNeed, machine_map
from aretusa.execution.machine_files import MACHINE_FILES, ImagePlace, machine_values
from aretusa.ir.text import print_graph
from aretusa.jobs.prepared import prepared_jobs
from aretusa.jobs.text import job_lines
from aretusa.manifest import (
    GRAPH_FILE,
    JOBS_FILE,
    MANIFEST_FILE,
    PLAN_FILE,
    TARGET_FILE,
    ImageRecord,
    Manifest,
    ModelRecord,
    OptionsRecord,
    memory_records,
    region_records,
    working_record,
)
from aretusa.resources import runtime_dir, templates_dir
from aretusa.target.description import Kernels, MemoryId
from aretusa.target.save import target_text
from aretusa.trace.listing import listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.codegen.images import ConstantSource, Image
    from aretusa.memory.plan import MemoryPlan
    from aretusa.plan.make import Plan

RUNTIME_PARTS: Final = ("include", "src")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All decisions of one build; `report` is the document of its plan."""

    tool: str
    plan: Plan
    source: ConstantSource
    tokenizer_image: bytes
    model: ModelRecord
    options: OptionsRecord
    input_hash: str
    report: str
    warnings: Callable[[], list[str]]


def write_project(project: Project, directory: Path, on_bytes: Callable[[int], None]) -> Manifest:
    """Fill an empty directory; returns the manifest that was written."""
    graph, memory = project.plan.graph, project.plan.memory
    graph_text = print_graph(graph)
    (directory / GRAPH_FILE).write_text(graph_text, "utf-8")
    writer = ImageWriter(graph, memory, project.source, project.tokenizer_image)
    images, model_hash = writer.write(directory, graph_text, on_bytes)
    profile = _write_sources(project, directory, model_hash)
    _write_machine_files(memory, images, directory)
    for part in RUNTIME_PARTS:
        shutil.copytree(runtime_dir() / part, directory / "runtime" / part)
    manifest = Manifest(
        tool=project.tool,
        model=project.model,
        options=project.options,
        model_hash=model_hash,
        input_hash=project.input_hash,
        memories=memory_records(memory),
        working=working_record(project.plan.working),
        regions=region_records(memory),
        images=[
            ImageRecord(
                memory=image.memory.key, file_name=image.file_name, size_bytes=image.size_bytes
            )
            for image in images
        ],
        profile=profile,
        warnings=project.warnings(),
    )
    (directory / PLAN_FILE).write_text(project.report, "utf-8")
    _write_jobs(project.plan, directory / JOBS_FILE)
    (directory / TARGET_FILE).write_text(target_text(memory.target), "utf-8")
    (directory / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
    return manifest


def _write_sources(project: Project, directory: Path, model_hash: str) -> list[str]:
    """network.c and network.h; returns the names of the profile's rows."""
    plan = project.plan
    builder = NetworkViewBuilder(
        plan.graph, plan.rolled, plan.bodies, plan.memory, prepared_jobs(listing(plan))
    )
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


def _write_jobs(plan: Plan, file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in job_lines(listing(plan)))


def _write_machine_files(plan: MemoryPlan, images: list[Image], directory: Path) -> None:
    machine = machine_map([_need(plan, memory) for memory in MemoryId])
    places = [ImagePlace(memory=image.memory.key) for image in images]
    values = machine_values(
        machine,
        places,
        float_registers=plan.target.core.float_registers,
        has_own_kernels=plan.target.kernels is Kernels.XPULP,
    )
    for name in MACHINE_FILES:
        (directory / name).write_text(render(f"{name}.j2", values), "utf-8")


def _need(plan: MemoryPlan, memory: MemoryId) -> MemoryNeed:
    chip = plan.target.memory(memory)
    used_bytes = plan.used_bytes(memory)
    writable = [
        region.offset_bytes for region in plan.within(memory) if not region.kind.is_constant
    ]
    return MemoryNeed(
        memory=memory.key,
        base_address=chip.base_address,
        size_bytes=chip.size_bytes,
        reserved_bytes=chip.reserved_bytes,
        used_bytes=used_bytes,
        constant_bytes=min(writable, default=used_bytes),
    )


def hash_of_inputs(*parts: str) -> str:
    """What decides whether a build is up to date: what was given, templates and runtime."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for folder in (templates_dir(), *(runtime_dir() / part for part in RUNTIME_PARTS)):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(path.read_bytes())
    return digest.hexdigest()
