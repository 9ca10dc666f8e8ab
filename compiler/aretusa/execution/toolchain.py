"""The compilers, make, QEMU and virtual platform of this computer."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from aretusa.errors import ToolchainError

# In the order of preference; all are the same compiler under the names of different packagers.
_CROSS_PREFIXES: Final = ("riscv64-unknown-elf-", "riscv32-unknown-elf-", "riscv-none-elf-")
# Debian's names of LLVM's programs first; zfinx needs release 17 or newer.
_LLVM_SUFFIXES: Final = ("-19", "-20", "-21", "-22", "")
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")
_ASK_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that was found: where, and which version it says it is."""

    name: str
    path: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A program that is looked for."""

    code: str
    purpose: str
    names: tuple[str, ...]
    package: str  # of Debian and Ubuntu; none for gvsoc
    is_optional: bool = False  # only some platforms need it
    tells_version: bool = True


_WANTED: Final = {
    "make": _Wanted(
        code="E0701",
        purpose="building the C program",
        names=("make", "gmake"),
        package="make",
    ),
    "host-compiler": _Wanted(
        code="E0702",
        purpose="compiling for this computer",
        names=("cc", "gcc", "clang"),
        package="gcc libc6-dev",
    ),
    "cross-compiler": _Wanted(
        code="E0703",
        purpose="compiling for RISC-V",
        names=tuple(f"{prefix}gcc" for prefix in _CROSS_PREFIXES),
        package="gcc-riscv64-unknown-elf",
    ),
    "emulator": _Wanted(
        code="E0704",
        purpose="emulating the chip's cores",
        names=("qemu-system-riscv32",),
        package="qemu-system-misc",
    ),
    "clang": _Wanted(
        code="E0709",
        purpose="compiling for the chip, whose cores keep floats in the integer registers",
        is_optional=True,
        names=tuple(f"clang{suffix}" for suffix in _LLVM_SUFFIXES),
        package="clang-19",
    ),
    "linker": _Wanted(
        code="E0710",
        purpose="linking what clang compiled",
        is_optional=True,
        names=tuple(f"ld.lld{suffix}" for suffix in _LLVM_SUFFIXES),
        package="lld-19",
    ),
    "gvsoc": _Wanted(
        code="E0711",
        purpose="running on the chip's virtual platform",
        is_optional=True,
        tells_version=False,
        names=("gvsoc",),
        package="",
    ),
}


def find_make() -> Tool:
    """GNU make, or E0701."""
    return _find("make")


def find_host_compiler() -> Tool:
    """The C compiler of this computer, or E0702."""
    return _find("host-compiler")


def find_cross_compiler() -> Tool:
    """A bare-metal RISC-V GCC with the rv32imfc libraries, or E0703."""
    return _find("cross-compiler")


def find_emulator() -> Tool:
    """QEMU for 32-bit RISC-V systems, or E0704."""
    return _find("emulator")


def find_clang() -> Tool:
    """A clang that compiles for rv32imc_zfinx, or E0709."""
    return _find("clang")


def find_lld() -> Tool:
    """LLVM's linker, or E0710."""
    return _find("linker")


def find_virtual_platform() -> Tool:
    """The command of the public virtual platform of the PULP chips, or E0711."""
    return _find("gvsoc")


def is_optional(role: str) -> bool:
    """Whether compiling, running and verifying do without the tool."""
    return _WANTED[role].is_optional


def survey() -> dict[str, Tool | ToolchainError]:
    """Every tool that building and running can need, by role, or the error that says what to do."""
    found: dict[str, Tool | ToolchainError] = {}
    for role in _WANTED:
        try:
            found[role] = _find(role)
        except ToolchainError as error:
            found[role] = error
    return found


def _find(role: str) -> Tool:
    wanted = _WANTED[role]
    for name in wanted.names:
        path = shutil.which(name)
        if path is not None:
            return Tool(name, path, _version(path, wanted) if wanted.tells_version else "")
    raise ToolchainError(
        wanted.code,
        f"{' or '.join(wanted.names)} is not installed",
        why=f"it is needed for {wanted.purpose}",
        fix=_how_to_install(wanted),
    )


def _how_to_install(wanted: _Wanted) -> str:
    if not wanted.package:
        return (
            "Build github.com/gvsoc/gvsoc with `make build TARGETS=siracusa` and put its command "
            "gvsoc on PATH; nothing else of aretusa needs it."
        )
    return f"On Debian or Ubuntu: apt-get install {wanted.package}."


def _version(path: str, wanted: _Wanted) -> str:
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(
            wanted.code,
            "the program does not start",
            file=path,
            why=str(error),
            fix=f"Install it again: apt-get install --reinstall {wanted.package}.",
        ) from None
    found = _VERSION.search(answer.stdout.decode(errors="replace"))
    return found[0] if found else "unknown"
