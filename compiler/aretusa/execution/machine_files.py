"""What a build directory says about the machine: memory map, linker script, Makefile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.execution.address_map import MIB, STACK_BYTES, STACK_COUNT
from aretusa.resources import runtime_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.execution.address_map import Area, MachineMap, MemoryWindow

# Each is made of the template of its name and of machine_values().
MACHINE_FILES: Final = ("memory_map.h", "link.ld", "siracusa.ld", "machine.cfg", "Makefile")


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
    read_only_bytes: int
    ram: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaView:
    """One area of the program as the templates print it."""

    symbol: str
    base: str
    size_bytes: int
    ram: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One weight image as the templates print it."""

    memory: str
    file_name: str
    address: str  # in the emulated machine
    chip_address: str
    symbol: str
    room_bytes: int  # of the memory, from there on


def machine_values(
    machine: MachineMap,
    images: Sequence[ImagePlace],
    *,
    float_registers: int = 0,
    has_own_kernels: bool = False,
) -> dict[str, object]:
    """What the templates of MACHINE_FILES read.

    The chip's cores have so many registers for floats alone, and kernels in their own instructions.
    """
    outside = [i for i in images if i.offset_bytes >= machine.window(i.memory).size_bytes]
    assert not outside, f"the image of {outside[0].memory} starts outside it"
    program = _area_view("PROGRAM", machine.program)
    views = [_image_view(image, machine.window(image.memory)) for image in images]
    return {
        "memories": [_memory_view(window) for window in machine.windows],
        "areas": [
            program,
            _area_view("STACK", machine.stacks, STACK_BYTES),
            _area_view("REQUEST", machine.request),
        ],
        "monitor": _area_view("MONITOR", machine.monitor),
        "program": program,
        "state": _area_view("STATE", machine.state),
        "stack_count": STACK_COUNT,
        "table_count": machine.table_count,
        "images": views,
        # No core of the chip, and no loader, reaches L3.
        "loaded_images": [view for view in views if view.memory != "l3"],
        "xpulp": " 1" if has_own_kernels else "",
        "floats": "separate" if float_registers else "shared",
        "request_address": _word(machine.request.ram_address),
        "ram_mib": machine.ram_bytes // MIB,
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


def _memory_view(window: MemoryWindow) -> MemoryView:
    return MemoryView(
        symbol=window.memory.upper(),
        base=_word(window.base_address),
        size_bytes=window.size_bytes,
        read_only_bytes=window.read_only_bytes,
        ram=_word(window.ram_address),
    )


def _image_view(image: ImagePlace, window: MemoryWindow) -> ImageView:
    return ImageView(
        memory=image.memory,
        file_name=image.file_name,
        address=_word(window.ram_address + image.offset_bytes),
        chip_address=_word(window.base_address + image.offset_bytes),
        symbol=image.memory.upper(),
        room_bytes=window.size_bytes - image.offset_bytes,
    )


def _area_view(symbol: str, area: Area, size_bytes: int = 0) -> AreaView:
    return AreaView(
        symbol=symbol,
        base=_word(area.base_address),
        size_bytes=size_bytes or area.size_bytes,
        ram=_word(area.ram_address),
    )


def _word(address: int) -> str:
    return f"0x{address:08x}"
