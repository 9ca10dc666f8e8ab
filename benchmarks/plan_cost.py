"""What `aretusa plan` and `aretusa compile` cost, and how much C comes out of it."""

from __future__ import annotations

import re
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from random_checkpoint import write_random_checkpoint
from spend import spend
from subjects import ROOT, SCALED, WORK, PlanSubject

from aretusa.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

REPEATS: Final = 3
BITS: Final = 4
LAYERS: Final = (2, 4, 8, 16, 32)
_ARETUSA: Final = (sys.executable, "-m", "aretusa")
_TABLE_ROW: Final = re.compile(r"    \{.*\},")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One command, some times over."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    peak_bytes: int

    @property
    def best_wall_s(self) -> float:
        """The repeat that other work disturbed least."""
        return min(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        """Processor seconds, which other work disturbs little."""
        return statistics.median(self.cpu_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLines:
    """Length of network.c; `rows` of it are rows of tables: a place, a matrix, a layer each."""

    lines: int
    rows: int

    @property
    def other(self) -> int:
        """Lines that are code, or say what the tables are."""
        return self.lines - self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCost:
    """One model, planned and compiled."""

    subject: PlanSubject
    parameters: int
    layers: int
    plan: Repeated
    compiled: Repeated
    source: SourceLines


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCount:
    """The same network with other numbers of layers."""

    layers: int
    parameters: int
    source: SourceLines


def measure_plan_cost(subject: PlanSubject) -> PlanCost:
    """Plan, then compile anew, each some times over."""
    if subject.config:
        write_random_checkpoint(ROOT / subject.config, subject.path)
    build = _build(subject.name)
    planned = _repeat("plan", subject.checkpoint, "--bits", str(BITS), "--json")
    compiled = _repeat("compile", *_compile_arguments(subject.path, build))
    model = read_manifest(build).model
    return PlanCost(
        subject=subject,
        parameters=model.parameters,
        layers=model.layers,
        plan=planned,
        compiled=compiled,
        source=source_lines(build / "network.c"),
    )


def measure_layers() -> tuple[LayerCount, ...]:
    """Compile random checkpoints of one configuration with other numbers of layers."""
    found = []
    for layers in LAYERS:
        name = f"{layers}-layers"
        checkpoint = write_random_checkpoint(
            ROOT / SCALED, WORK / "checkpoints" / name, layers=layers
        )
        build = _build(name)
        spend([*_ARETUSA, "compile", *_compile_arguments(checkpoint, build)], cwd=ROOT)
        found.append(
            LayerCount(
                layers=layers,
                parameters=read_manifest(build).model.parameters,
                source=source_lines(build / "network.c"),
            )
        )
    return tuple(found)


def source_lines(path: Path) -> SourceLines:
    """Count the lines of a generated file."""
    lines = path.read_text("utf-8").splitlines()
    return SourceLines(lines=len(lines), rows=sum(map(bool, map(_TABLE_ROW.fullmatch, lines))))


def _repeat(*arguments: str) -> Repeated:
    runs = [spend([*_ARETUSA, *arguments], cwd=ROOT) for _ in range(REPEATS)]
    return Repeated(
        wall_s=tuple(run.wall_s for run in runs),
        cpu_s=tuple(run.cpu_s for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
    )


def _compile_arguments(checkpoint: Path, build: Path) -> list[str]:
    places = [str(path.relative_to(ROOT)) for path in (checkpoint, build)]
    return [places[0], "--bits", str(BITS), "--force", "--quiet", "-o", places[1]]


def _build(name: str) -> Path:
    build = WORK / "plans" / name.partition(" ")[0]
    build.parent.mkdir(parents=True, exist_ok=True)
    return build
