"""Programs whose drivers talk to units on the host: whole networks, and single sequences."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiny_models import lend_programs

from aretusa.execution.request import IdSegment, RunRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[2]
UNITS: Final = ("bus.c", "mchan_unit.c", "engine_unit.c", "udma_unit.c")
NETWORK_UNITS: Final = (*UNITS, "network_units.c")
DRIVERS: Final = ("engine_registers", "fabric", "hyperbus", "mchan", "requests", "transfers")
# What the drivers take the place of.
SOFTWARE: Final = ("neureka/software_engine.c", "transfer/software_transfers.c")
RULE_BROKEN: Final = 99
PACES: Final = ("early", "late", "mixed")
SECONDS: Final = 300
# Registers, as in runtime/src/platform/siracusa/registers.h.
ENGINE_JOB: Final = 0x1020_1020  # the first job register
MCHAN_COMMAND: Final = 0x1020_4400  # of a core
HYPERBUS_READ_START: Final = 0x1A10_2288


@dataclass(frozen=True, slots=True)
class Access:
    """A line of the bus's record."""

    master: str
    kind: str  # reads, writes, sleeps
    address: int
    value: int


def read_record(path: Path) -> list[Access]:
    """Every access in order."""
    lines = (line.split() for line in path.read_text("ascii").splitlines())
    return [Access(master, kind, int(at, 16), int(value, 16)) for master, kind, at, value in lines]


@dataclass(frozen=True, slots=True)
class RecordedNetwork:
    """A build's program twice: with the software queues, and with the drivers on a recorded bus."""

    build: Path

    @classmethod
    def make(cls, build: Path, donor: Path) -> RecordedNetwork:
        """Compile both; what does not differ from the donor's objects is taken from there."""
        lend_programs(donor, build)
        _make(build)
        (build / "aretusa-host").rename(build / "plain")
        units = build / "units"
        units.mkdir()
        for name in (*NETWORK_UNITS, "units.h"):
            (units / name).write_bytes((HERE / name).read_bytes())
        portable = [
            path.relative_to(build)
            for path in sorted((build / "runtime" / "src").rglob("*.c"))
            if "platform" not in path.parts and not str(path).endswith((*SOFTWARE, "_xpulp.c"))
        ]
        platform = Path("runtime") / "src" / "platform"
        drivers = [platform / "siracusa" / f"{name}.c" for name in DRIVERS]
        sources = [
            *(path.relative_to(build) for path in sorted(build.glob("*.c"))),
            *portable,
            platform / "host.c",
            *drivers,
            *(Path("units") / name for name in NETWORK_UNITS),
            platform / "siracusa" / "l3_image.c",
        ]
        _make(
            build,
            f"HOST_SOURCES={' '.join(map(str, sources))}",
            "HOST_FLAGS=-pthread -DSIRACUSA_RECORDED -Wl,--wrap=art_platform_memory",
        )
        (build / "aretusa-host").rename(build / "recorded")
        return cls(build)

    def plain(self, request: RunRequest, cores: int = 3) -> bytes:
        """The records of a run with the software queues."""
        return self._run("plain", request, cores, {})

    def recorded(self, request: RunRequest, pace: str, log: Path, cores: int = 3) -> bytes:
        """The records of a run on the bus, whose own record goes to `log`."""
        return self._run("recorded", request, cores, {"BUS_PACE": pace, "BUS_LOG": str(log)})

    def run_with_l3(self, request: RunRequest, image: bytes | None, place: Path) -> tuple[int, str]:
        """Exit code and text of a run in an empty directory with another image of L3, or none."""
        place.mkdir()
        for path in self.build.glob("*.bin"):
            if path.name != "l3.bin":
                (place / path.name).symlink_to(path)
        if image is not None:
            (place / "l3.bin").write_bytes(image)
        (place / "other.bin").write_bytes(request.encode(1))
        command = [str(self.build / "recorded"), ".", "--request", "other.bin"]
        done = subprocess.run(command, cwd=place, capture_output=True, check=False, timeout=SECONDS)
        return done.returncode, done.stdout.decode(errors="replace")

    def _run(
        self, program: str, request: RunRequest, cores: int, environment: dict[str, str]
    ) -> bytes:
        (self.build / "request.bin").write_bytes(request.encode(cores))
        record = self.build / "record.bin"
        record.unlink(missing_ok=True)
        command = [str(self.build / program), ".", "--request", "request.bin"]
        done = subprocess.run(
            [*command, "--record", "record.bin"],
            cwd=self.build,
            env=os.environ | environment,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{program}: {done.returncode}: {done.stderr.decode()}"
        return record.read_bytes()


def request_of(tokens: Sequence[int], new_tokens: int, *, logits: bool = True) -> RunRequest:
    """A run that records tokens, and the logits of every position."""
    segments = (IdSegment(tuple(tokens)),)
    return RunRequest(segments=segments, max_new_tokens=new_tokens, logits=logits, ignore_stop=True)


def _make(build: Path, *variables: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    command = ["make", "host", *variables]
    done = subprocess.run(
        command, cwd=build, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
