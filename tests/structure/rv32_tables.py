"""The runtime compiled for RV32: bytes per file, stack per function, and the deepest path.

`python tests/structure/rv32_tables.py size` or `stack` prints the table.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sources import ROOT

CROSS: Final = "riscv64-unknown-elf-"
WARNINGS: Final = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    "-Wmissing-prototypes",
    "-Wstrict-prototypes",
    "-Werror",
]
C_FLAGS: Final = ["-std=c11", "-O2", "-ffp-contract=off", *WARNINGS]
RV32_FLAGS: Final = ["-march=rv32imfc", "-mabi=ilp32f", "-mcmodel=medany", "-ffreestanding"]
INCLUDES: Final = [f"-I{ROOT / 'runtime' / 'include'}", f"-I{ROOT / 'runtime' / 'src'}"]

# Functions that are called through a pointer, by the function that does so.
POINTED: Final = {"art_quantise_rows": "fill"}

_NODE: Final = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes \((\w+)\)')
_EDGE: Final = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Frame:
    """One function: where it is, its own stack, and whom it calls."""

    file: str
    name: str
    stack_bytes: int
    is_bounded: bool
    calls: frozenset[str]


def portable_sources() -> list[Path]:
    """Everything of the runtime but the platforms and the kernels of one kind of core."""
    found = sorted((ROOT / "runtime" / "src").rglob("*.c"))
    return [
        path for path in found if "platform" not in path.parts and not path.stem.endswith("_xpulp")
    ]


def compile_runtime(folder: Path, *flags: str) -> list[Path]:
    """Objects of the portable sources for RV32."""

    def run(source: Path) -> Path:
        target = folder / f"{source.parent.name}-{source.stem}.o"
        command = [f"{CROSS}gcc", *C_FLAGS, *RV32_FLAGS, *INCLUDES, *flags]
        subprocess.run([*command, "-c", str(source), "-o", str(target)], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, portable_sources()))


def frames(folder: Path) -> list[Frame]:
    """Every function of the runtime."""
    found: list[Frame] = []
    for compiled in compile_runtime(folder, "-fcallgraph-info=su", "-fstack-usage"):
        text = compiled.with_suffix(".ci").read_text("utf-8")
        edges = _EDGE.findall(text)
        for title, size, kind in _NODE.findall(text):
            calls = {_plain(to) for source, to in edges if source == title}
            name = _plain(title)
            found.append(Frame(compiled.stem, name, int(size), kind == "static", frozenset(calls)))
    return found


def _plain(title: str) -> str:
    """GCC writes static functions as path:name, clones with a suffix."""
    return title.rpartition(":")[2].partition(".")[0]


def deepest_path(all_frames: list[Frame], root: str) -> tuple[int, list[str]]:
    """Bytes and names of the path from root that takes most stack; the runtime has no recursion."""
    by_name: dict[str, list[Frame]] = {}
    for frame in all_frames:
        by_name.setdefault(frame.name, []).append(frame)

    def below(name: str, trail: tuple[str, ...]) -> tuple[int, list[str]]:
        assert name not in trail, f"recursion: {' -> '.join((*trail, name))}"
        best: tuple[int, list[str]] = (0, [name])
        for frame in by_name.get(name, ()):
            called = set(frame.calls) | ({POINTED[name]} if name in POINTED else set())
            deeper = [below(to, (*trail, name)) for to in sorted(called) if to in by_name]
            size, path = max(deeper, key=lambda pair: pair[0], default=(0, []))
            best = max(best, (frame.stack_bytes + size, [name, *path]), key=lambda pair: pair[0])
        return best

    return below(root, ())


def roots(all_frames: list[Frame]) -> list[str]:
    """What nobody in the runtime calls: the entry points, the kernels among them."""
    called = {name for frame in all_frames for name in frame.calls} | set(POINTED.values())
    return sorted({frame.name for frame in all_frames} - called)


def stack_table(folder: Path) -> list[str]:
    """Lines: each function with more than a few words of stack, then the deepest path per entry."""
    every = frames(folder)
    lines = ["stack of each function above 32 bytes, RV32, bytes"]
    lines += [
        f"{frame.stack_bytes:6}  {frame.name}  ({frame.file})"
        for frame in sorted(every, key=lambda f: (-f.stack_bytes, f.file, f.name))
        if frame.stack_bytes > 32
    ]
    lines.append("deepest path from each entry, bytes")
    paths = [deepest_path(every, root) for root in roots(every)]
    lines += [f"{size:6}  {' > '.join(path)}" for size, path in sorted(paths, reverse=True) if size]
    return lines


def size_table(folder: Path) -> list[str]:
    """Lines of the cross binutils: bytes of code and data per file, and their sum."""
    objects = [path.name for path in compile_runtime(folder)]
    command = [f"{CROSS}size", "--totals", *objects]
    done = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        table = stack_table if sys.argv[1:] == ["stack"] else size_table
        sys.stdout.write("\n".join(table(Path(temporary))) + "\n")
