"""Linear layers under a plan as programs: on the host with sanitizers, and on RV32 in QEMU."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from linear_scenarios import Memory, write_blob

from aretusa.quantization.crc import crc32c

if TYPE_CHECKING:
    from collections.abc import Sequence

    from linear_scenarios import Scenario
    from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
RUNTIME: Final = HERE.parents[2] / "runtime"
START: Final = HERE.parent / "kernels"  # start.S and bare_metal.ld
WARNINGS: Final = [
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Wvla"),
    *("-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror"),
]
C_FLAGS: Final = ["-std=c11", "-O2", "-ffp-contract=off", *WARNINGS]
INCLUDES: Final = [f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'src'}", f"-I{HERE}"]
RV32_FLAGS: Final = [
    *("-march=rv32imfc", "-mabi=ilp32f", "-mcmodel=medany", "-ffreestanding"),
    "-fno-tree-loop-distribute-patterns",  # of memcpy itself
]
QEMU: Final = ["qemu-system-riscv32", "-M", "virt", "-m", "512M", "-bios", "none", "-nographic"]
SECONDS: Final = 120
KERNELS: Final = (
    *("linear", "linear_w8", "linear_w4", "linear_nm", "kept_products", "linear_finish"),
    *("finish_sums", "finish_groups"),
)


def sources() -> list[str]:
    """The C files under test."""
    folders = ("linear", "neureka", "transfer")
    files = [path for name in folders for path in sorted((RUNTIME / "src" / name).glob("*.c"))]
    files += [RUNTIME / "src" / "kernels" / f"{name}.c" for name in KERNELS]
    return [str(path) for path in (*files, RUNTIME / "src" / "places.c", HERE / "scenario.c")]


@dataclass(frozen=True, slots=True)
class HostProgram:
    """One thread for each core; stops at the first thing that its sanitizers object to."""

    path: Path

    @classmethod
    def build(cls, folder: Path, sanitizers: str) -> HostProgram:
        """Compile with the strict warnings as errors."""
        path = folder / "harness"
        checks = ["-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-pthread"]
        files = [*sources(), str(HERE / "harness.c")]
        command = ["gcc", *C_FLAGS, *checks, *INCLUDES, *files, "-o", str(path)]
        subprocess.run(command, check=True)
        return cls(path)

    def start(
        self, scenarios: Sequence[Scenario], cores: int, folder: Path
    ) -> tuple[subprocess.CompletedProcess[str], Path]:
        """Run the scenarios; what came of it, and the file with their memories."""
        file = folder / "blob"
        file.write_bytes(write_blob(scenarios)[0])
        command = [str(self.path), str(cores), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        return done, file

    def run(
        self, scenarios: Sequence[Scenario], cores: int, folder: Path
    ) -> list[NDArray[np.float32]]:
        """The results of each."""
        done, file = self.start(scenarios, cores, folder)
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
        after = np.frombuffer(file.read_bytes(), np.uint8)
        starts = write_blob(scenarios)[1]
        return [
            after[start[Memory.L2] :][scenario.results].view(np.float32)
            for start, scenario in zip(starts, scenarios, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class BareMetal:
    """One RV32IMFC hart of QEMU's virt machine."""

    elf: Path

    @classmethod
    def build(cls, folder: Path) -> BareMetal:
        """Compile with the strict warnings as errors."""
        elf = folder / "linear.elf"
        link = ["-nostdlib", "-nostartfiles", "-static", "-T", str(START / "bare_metal.ld")]
        own = [str(HERE / "bare_metal.c"), str(START / "start.S")]
        runtime = ("image.c", "platform/rv32/freestanding.c")
        files = [*sources(), *(str(RUNTIME / "src" / name) for name in runtime), *own]
        command = ["riscv64-unknown-elf-gcc", *C_FLAGS, *RV32_FLAGS, *link, *INCLUDES]
        subprocess.run([*command, *files, "-lgcc", "-o", str(elf)], check=True)
        return cls(elf)

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """Run the scenarios and compare the checksums of their results."""
        file = self.elf.parent / "blob"
        file.write_bytes(write_blob(scenarios)[0])
        loader = ["-device", f"loader,file={file},addr=0x84000000,force-raw=on"]
        done = subprocess.run(
            [*QEMU, "-kernel", str(self.elf), *loader],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"QEMU returned {done.returncode}: {done.stdout}{done.stderr}"
        found = [int(line, 16) for line in done.stdout.split()]
        expected = [crc32c(scenario.expected.view(np.uint8)) for scenario in scenarios]
        differ = [s.name for s, f, e in zip(scenarios, found, expected, strict=True) if f != e]
        assert differ == []
