"""The files of a build directory that describe the machine: memory map, linker script, Makefile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aretusa.execution.address_map import MIB, PROGRAM, ram_bytes
from aretusa.resources import runtime_dir, templates_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.execution.address_map import MemoryWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlace:
    """The weight image of one memory, `MEMORY.bin`, and where its header lies."""

    memory: str
    offset_bytes: int = 0

    @property
    def file_name(self) -> str:
        """Name of the image in the build directory."""
        return f"{self.memory}.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView:
    """One memory as the templates print it."""

    symbol: str
    base: str
    size_bytes: int
    guard_bytes: int
    writable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaView:
    """One area of the program as the templates print it."""

    symbol: str
    base: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One weight image as the templates print it."""

    memory: str
    file_name: str
    address: str


def machine_files(windows: Sequence[MemoryWindow], images: Sequence[ImagePlace]) -> dict[str, str]:
    """Text of `memory_map.h`, `link.ld`, `machine.cfg` and `Makefile`, by name.

    `windows` are all five memories, as `qemu_windows` returns them.
    """
    _check(windows, images)
    by_name = {window.memory: window for window in windows}
    values = {
        "memories": [_memory_view(window) for window in windows],
        "areas": _area_views(),
        "stack_count": PROGRAM.stack_count,
        "images": [
            ImageView(
                memory=image.memory,
                file_name=image.file_name,
                address=f"0x{by_name[image.memory].base_address + image.offset_bytes:08x}",
            )
            for image in images
        ],
        "request_base": f"0x{PROGRAM.request_base:08x}",
        "ram_mib": ram_bytes(windows) // MIB,
    }
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the templates are C and make, not HTML
    )
    return {
        name: environment.get_template(f"{name}.j2").render(values)
        for name in ("memory_map.h", "link.ld", "machine.cfg", "Makefile")
    }


def runtime_files() -> dict[str, bytes]:
    """Headers and sources of the runtime, by their path in a build directory, sorted."""
    root = runtime_dir()
    paths = sorted(
        path
        for folder in ("include", "src")
        for path in (root / folder).rglob("*")
        if path.suffix in {".c", ".h", ".S"}
    )
    return {f"runtime/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths}


def _check(windows: Sequence[MemoryWindow], images: Sequence[ImagePlace]) -> None:
    """What the protection hardware would get wrong without a word is a bug of the compiler."""
    sizes = {window.memory: window.size_bytes for window in windows}
    misaligned = [w for w in windows if w.guard_bytes and w.base_address % w.guard_bytes]
    outside = [image for image in images if image.offset_bytes >= sizes[image.memory]]
    assert not misaligned, f"{misaligned[0].memory} is not aligned to its guard"  # noqa: S101
    assert not outside, f"the image of {outside[0].memory} starts outside it"  # noqa: S101


def _memory_view(window: MemoryWindow) -> MemoryView:
    return MemoryView(
        symbol=window.memory.upper(),
        base=f"0x{window.base_address:08x}",
        size_bytes=window.size_bytes,
        guard_bytes=window.guard_bytes,
        writable=int(window.writable),
    )


def _area_views() -> list[AreaView]:
    areas = (
        ("TEXT", PROGRAM.text_base, PROGRAM.text_bytes),
        ("RODATA", PROGRAM.rodata_base, PROGRAM.rodata_bytes),
        ("DATA", PROGRAM.data_base, PROGRAM.data_bytes),
        ("STACK", PROGRAM.stack_base, PROGRAM.stack_bytes),
        ("REQUEST", PROGRAM.request_base, PROGRAM.request_bytes),
    )
    return [
        AreaView(symbol=symbol, base=f"0x{base:08x}", size_bytes=size)
        for symbol, base, size in areas
    ]
