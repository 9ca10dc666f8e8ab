"""Turn the C of a build directory into a program for this computer or for the emulated chip."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from aretusa.errors import CapacityError, ToolchainError, UsageError
from aretusa.execution import toolchain
from aretusa.execution.machine_files import MACHINE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEEDED: Final = (*MACHINE_FILES, "network.c", "network.h")
_BUILD_SECONDS: Final = 900.0
_PROCESSES: Final = 2
_OVERFLOW: Final = re.compile(r"region [`']PROGRAM'(?::)? overflowed by (\d+) bytes")
_FLOATS: Final = re.compile(r"^FLOATS \?= (\w+)$", re.MULTILINE)
_XPULP: Final = re.compile(r"^XPULP \?=(?: (1))?$", re.MULTILINE)
_WRONG: Final = ("error", "overflowed", "prohibited cross reference", "undefined reference")
_ROOM: Final = re.compile(r"^ *PROGRAM : .* LENGTH = (\d+)$", re.MULTILINE)


class Platform(StrEnum):
    """What a program is built for; also the Makefile's target."""

    HOST = "host"
    QEMU = "qemu"
    QEMU_ZFINX = "qemu-zfinx"  # by clang, floats in the integer registers as on the chip
    SIRACUSA = "siracusa"

    @property
    def is_emulated(self) -> bool:
        """Whether QEMU runs it."""
        return self in {Platform.QEMU, Platform.QEMU_ZFINX}


class FloatRegisters(StrEnum):
    """Where the cores of the chip, or of its virtual platform, keep floats."""

    SHARED = "shared"  # in the integer registers: the chip
    SEPARATE = "separate"  # in their own: the virtual platform since June 2026

    @property
    def other(self) -> FloatRegisters:
        """The other place."""
        return FloatRegisters.SEPARATE if self is FloatRegisters.SHARED else FloatRegisters.SHARED


class Sanitizer(StrEnum):
    """A checked host program; the value is what the compiler calls it."""

    NONE = ""
    ADDRESS = "address,undefined"
    THREAD = "thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """How a program is built beside its plain form; what a platform does not know does nothing."""

    sanitizer: Sanitizer = Sanitizer.NONE  # host
    profile: bool = False  # counts per kernel
    floats: FloatRegisters = FloatRegisters.SHARED  # siracusa
    xpulp: bool = False  # siracusa: kernels in the cores' own instructions

    def suffix(self, platform: Platform) -> str:
        """End of the program's name, as in the Makefile."""
        parts = []
        if platform is Platform.HOST and self.sanitizer:
            parts.append(self.sanitizer.replace(",", "-"))
        if platform is Platform.SIRACUSA:
            parts += ["separate"] if self.floats is FloatRegisters.SEPARATE else []
            parts += ["xpulp"] if self.xpulp else []
        parts += ["profile"] if self.profile else []
        name = "".join(f"-{part}" for part in parts)
        return name if platform is Platform.HOST else f"{name}.elf"


PLAIN: Final = Flavour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """A built program."""

    platform: Platform
    program: Path


def build_firmware(build: Path, platform: Platform, flavour: Flavour = PLAIN) -> Firmware:
    """Build the program with `make`, unless it exists and nothing that it was made of has changed.

    Raises UsageError if `build` is no build directory, ToolchainError if a tool is missing or
    fails, CapacityError if the emulated chip lacks the room.
    """
    _check_directory(build)
    name = f"aretusa-{platform}{flavour.suffix(platform)}"
    program = build / name
    stamp = build / "objects" / f"{name}.sha256"
    arguments, tools = _make_arguments(platform, flavour)
    made_of = f"{tools}\n{_hash_of_inputs(build, platform)}\n"
    known = stamp.read_text() if stamp.is_file() and program.is_file() else ""
    if known != made_of:
        # Make sees a change of a file by its time, but not a change of the compiler.
        same_tools = known.startswith(f"{tools}\n")
        _run_make(build, arguments if same_tools else [*arguments, "--always-make"])
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(made_of)
    return Firmware(platform=platform, program=program)


def target_flavour(build: Path) -> Flavour:
    """Floats and kernels as the target of a build has them."""
    _check_directory(build)
    text = (build / "Makefile").read_text()
    floats, kernels = _FLOATS.search(text), _XPULP.search(text)
    assert floats, "every build's Makefile says where floats are"
    assert kernels, "every build's Makefile says which kernels are meant"
    return Flavour(floats=FloatRegisters(floats[1]), xpulp=bool(kernels[1]))


def _check_directory(build: Path) -> None:
    missing = [name for name in _NEEDED if not (build / name).is_file()]
    if missing or not (build / "runtime").is_dir():
        raise UsageError(
            "E0011",
            f"{missing[0] if missing else 'runtime'} is missing: this is no build directory",
            file=build,
            fix="Name the directory that `aretusa compile` wrote.",
        )


def _make_arguments(platform: Platform, flavour: Flavour) -> tuple[list[str], str]:
    """The command, and a line that names the tools it uses."""
    make = toolchain.find_make()
    arguments = [make.path, f"-j{_PROCESSES}", "--no-print-directory", str(platform)]
    arguments += ["PROFILE=1"] if flavour.profile else []
    match platform:
        case Platform.HOST:
            compiler = toolchain.find_host_compiler()
            arguments += [f"CC={compiler.path}", f"SANITIZE={flavour.sanitizer}"]
        case Platform.QEMU:
            compiler = toolchain.find_cross_compiler()
            arguments.append(f"CROSS={compiler.path.removesuffix('gcc')}")
        case Platform.QEMU_ZFINX | Platform.SIRACUSA:
            compiler, linker = toolchain.find_clang(), toolchain.find_lld()
            arguments += [f"CLANG={compiler.path}", f"LLD={linker.path}"]
            arguments += [f"FLOATS={flavour.floats}", f"XPULP={'1' if flavour.xpulp else ''}"]
        case _:
            assert_never(platform)
    return arguments, f"{compiler.path} {compiler.version}"


def _hash_of_inputs(build: Path, platform: Platform) -> str:
    digest = hashlib.sha256()
    for path in _inputs(build, platform):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(build).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _inputs(build: Path, platform: Platform) -> Iterator[Path]:
    yield build / "Makefile"
    yield from sorted(build.glob("*.ld"))
    if platform is Platform.SIRACUSA:  # the images are parts of the program
        yield from sorted(build.glob("*.bin"))
    yield from sorted(build.glob("*.[ch]"))
    yield from sorted(path for path in (build / "runtime").rglob("*") if path.is_file())


def _run_make(build: Path, arguments: list[str]) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    environment["LC_ALL"] = "C"
    try:
        done = subprocess.run(
            arguments,
            cwd=build,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolchainError(
            "E0705",
            f"the build did not end within {_BUILD_SECONDS:.0f} seconds",
            file=build,
            fix=f"Run `make -C {build}` by hand and look.",
        ) from None
    messages = done.stderr.decode(errors="replace")
    _check_room(build, messages)
    if done.returncode != 0:
        raise ToolchainError(
            "E0705",
            "the build failed",
            file=build,
            why=_first_error(messages),
            fix=f"Run `make -C {build}` by hand to see everything.",
        )


def _check_room(build: Path, messages: str) -> None:
    """E0407 if the linker says that the program is larger than its part of L2."""
    overflow = _OVERFLOW.search(messages)
    room = _ROOM.search((build / "link.ld").read_text())  # the same in siracusa.ld
    if overflow and room:
        raise CapacityError(
            "E0407",
            what="the program's code and data",
            memory="L2's reserved end",
            need_bytes=int(room[1]) + int(overflow[1]),
            free_bytes=int(room[1]),
            fix="Give L2 more reserved_bytes in the target file.",
        )


def _first_error(text: str) -> str:
    """The first line that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line.lower() for word in _WRONG)]
    return (errors or lines or ["no message"])[0]
