"""The runtime and the generated C read as one hand wrote them, and compile without a word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from required_tools import skip_or_fail
from rv32_tables import (
    C_FLAGS,
    INCLUDES,
    RV32_FLAGS,
    deepest_path,
    frames,
    portable_sources,
    roots,
)
from sources import ROOT, c_files

FUNCTION_LINES: Final = 40
FILE_LINES: Final = 300
# A worker has 4 KiB on the chip (target/siracusa.toml); 1 KiB is left to the generated functions.
STACK_LIMIT_BYTES: Final = 3072
GENERATED_LINES: Final = 5000
SHIPPED_MODEL: Final = ROOT / "examples" / "models" / "tiny-orator"
MACHINES: Final = {
    "host": ("gcc", ["-pthread"]),
    "rv32": ("riscv64-unknown-elf-gcc", RV32_FLAGS),
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build directory of the shipped model."""
    folder = tmp_path_factory.mktemp("build") / "tiny-orator"
    command = [sys.executable, "-m", "aretusa", "compile", str(SHIPPED_MODEL), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def _clang_format(paths: list[Path]) -> None:
    beside = Path(sys.executable).with_name("clang-format")
    program = str(beside) if beside.exists() else shutil.which("clang-format")
    if program is None:
        skip_or_fail("clang-format is not installed; make setup installs it")
    style = f"--style=file:{ROOT / '.clang-format'}"
    command = [str(program), style, "--dry-run", "-Werror", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _compile(machine: str, sources: list[Path], includes: list[str]) -> None:
    """Every source by itself, strict warnings being errors."""
    compiler, flags = MACHINES[machine]
    if shutil.which(compiler) is None:
        skip_or_fail(f"{compiler} is not installed; make setup installs it")

    def run(source: Path) -> subprocess.CompletedProcess[str]:
        command = [compiler, *C_FLAGS, *flags, *includes, "-c", str(source), "-o", "/dev/null"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        failed = [done.stderr for done in pool.map(run, sources) if done.returncode != 0]
    assert failed == []


def _functions(path: Path) -> list[tuple[str, int]]:
    """Head and length of each function, which ends with a `}` at the margin."""
    found = []
    head, start, in_body = "", 0, False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line == "{":
            in_body = True
        elif line == "}" and in_body:
            found.append((f"{path.relative_to(ROOT)}: {head}", number - start + 1))
            in_body = False
        elif not in_body and line[:1].strip() and not line.startswith(("/", " ", "#", "}")):
            head, start = line, number
    return found


def test_the_runtime_is_formatted() -> None:
    _clang_format(c_files("runtime"))


def test_c_files_have_at_most_300_lines() -> None:
    lengths = {p.relative_to(ROOT).as_posix(): len(p.read_text().splitlines()) for p in c_files()}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES} == {}


def test_c_functions_have_at_most_40_lines() -> None:
    lengths = [pair for path in c_files() for pair in _functions(path)]
    assert len(lengths) > 100, "the functions were not found"
    assert [pair for pair in lengths if pair[1] > FUNCTION_LINES] == []


@pytest.mark.slow
def test_the_runtime_compiles_without_a_warning_on_the_host() -> None:
    _compile("host", portable_sources(), INCLUDES)


def test_every_header_stands_alone(tmp_path: Path) -> None:
    headers = sorted((ROOT / "runtime" / "include").rglob("*.h"))
    sources = []
    for header in headers:
        source = tmp_path / f"{header.stem}.c"
        source.write_text(f'#include "aretusa/{header.name}"\n\nextern int nothing;\n')
        sources.append(source)
    _compile("host", sources, INCLUDES)


def test_kernels_use_no_library() -> None:
    """Freestanding: of the standard headers only those without functions."""
    allowed = {"stdint.h", "stddef.h", "stdbool.h", "stdalign.h", "limits.h"}
    portable = [path for path in c_files() if "platform" not in path.parts]
    used = {
        (path.name, name)
        for path in portable
        for name in re.findall(r"^#include <([^>]+)>", path.read_text("utf-8"), re.MULTILINE)
    }
    assert {(file, name) for file, name in used if name not in allowed} == set()


@pytest.mark.slow
def test_the_runtime_compiles_for_rv32_and_no_path_takes_more_stack_than_a_worker_has(
    tmp_path: Path,
) -> None:
    if shutil.which("riscv64-unknown-elf-gcc") is None:
        skip_or_fail("riscv64-unknown-elf-gcc is not installed; make setup installs it")
    every = frames(tmp_path)
    assert [frame.name for frame in every if not frame.is_bounded] == []
    paths = [deepest_path(every, root) for root in roots(every)]
    assert [pair for pair in paths if pair[0] > STACK_LIMIT_BYTES] == []


def test_generated_c_is_formatted_and_short(build: Path) -> None:
    sources = sorted(build.glob("*.[ch]"))
    assert sources, "the build directory holds no C"
    _clang_format(sources)
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in sources)
    assert lines < GENERATED_LINES


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["host", "rv32"])
def test_generated_c_compiles_without_a_warning(build: Path, machine: str) -> None:
    platforms = ROOT / "runtime" / "src" / "platform"
    mine = [platforms / "host.c"] if machine == "host" else sorted(platforms.rglob("*.c"))
    mine = [path for path in mine if machine == "host" or path.name != "host.c"]
    _compile(machine, [*sorted(build.glob("*.c")), *mine], [f"-I{build}", *INCLUDES])
