"""What a compilation costs, and how large its results are."""

from __future__ import annotations

import shutil
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from elftools.elf.elffile import ELFFile
from spend import spend
from subjects import ROOT

from aretusa.execution.firmware import Platform, build_firmware
from aretusa.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from subjects import Subject

REPEATS: Final = 3
_ALLOCATED: Final = 2  # SHF_ALLOC
_WRITABLE: Final = 1  # SHF_WRITE
_EXECUTABLE: Final = 4  # SHF_EXECINSTR
_MONITOR: Final = ".monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfSize:
    """Bytes of a firmware by what they are, in whole pages.

    The monitor is only the emulation's: page tables and the chip's addresses on QEMU's memory.
    """

    code: int
    constants: int
    variables: int
    monitor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileCost:
    """`aretusa compile`, some times over; then the C compiler, once."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    peak_bytes: int
    generated_lines: int  # network.c
    generated_files_lines: int  # everything that the templates wrote
    image_bytes: dict[str, int]
    weight_bytes: int
    parameters: int
    make_wall_s: float
    make_cpu_s: float
    firmware: ElfSize

    @property
    def best_wall_s(self) -> float:
        """The repeat that other work disturbed least."""
        return min(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        """Processor seconds, which other work disturbs little."""
        return statistics.median(self.cpu_s)


def measure_compile(subject: Subject) -> CompileCost:
    """Compile anew, some times over, then build the firmware anew; the build directory stays."""
    command = [sys.executable, "-m", "aretusa", "compile", subject.checkpoint, "--force", "--quiet"]
    command += ["--engine", "cluster", "-o", str(subject.build.relative_to(ROOT))]
    shutil.rmtree(subject.build, ignore_errors=True)
    subject.build.parent.mkdir(parents=True, exist_ok=True)
    runs = [spend(command, cwd=ROOT) for _ in range(REPEATS)]
    made = spend(["make", "-j2", "qemu"], cwd=subject.build)
    firmware = build_firmware(subject.build, Platform.QEMU)  # leaves its stamp for later runs
    manifest = read_manifest(subject.build)
    return CompileCost(
        wall_s=tuple(run.wall_s for run in runs),
        cpu_s=tuple(run.cpu_s for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
        generated_lines=_lines(subject.build / "network.c"),
        generated_files_lines=sum(map(_lines, _generated(subject.build))),
        image_bytes={image.memory: image.size_bytes for image in manifest.images},
        weight_bytes=sum(r.size_bytes for r in manifest.regions if r.kind == "weight"),
        parameters=manifest.model.parameters,
        make_wall_s=made.wall_s,
        make_cpu_s=made.cpu_s,
        firmware=elf_size(firmware.program),
    )


def _generated(build: Path) -> list[Path]:
    return [*build.glob("*.[ch]"), build / "link.ld", build / "machine.cfg", build / "Makefile"]


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def elf_size(path: Path) -> ElfSize:
    """Sizes of the sections that are loaded or zeroed."""
    code = constants = variables = monitor = 0
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            flags, size = section["sh_flags"], section["sh_size"]
            if not flags & _ALLOCATED:
                continue
            if section.name.startswith(_MONITOR):
                monitor += size
            elif flags & _EXECUTABLE:
                code += size
            elif flags & _WRITABLE:
                variables += size
            else:
                constants += size
    return ElfSize(code=code, constants=constants, variables=variables, monitor=monitor)
