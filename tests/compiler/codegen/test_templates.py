"""The generated C: golden text, in the project's format, silent under strict compilers, compact."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from required_tools import skip_or_fail
from tiny_models import (
    RandomConstants,
    lend_programs,
    lowered_graph,
    runnable_config,
    two_kind_graph,
    write_build,
)

from aretusa.execution.firmware import Platform
from aretusa.frontend.llama_config import Family
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.verbs.executions import Task, compiled_execution, greedy, numpy_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parents[3]
STRICT: Final = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef"),
    *("-Wvla", "-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror", "-ffp-contract=off"),
    "-fsyntax-only",
)
COMPILERS: Final = {
    "host": ("gcc",),
    "rv32": ("riscv64-unknown-elf-gcc", "-march=rv32imfc", "-mabi=ilp32f", "-ffreestanding"),
}
CONFIGS: Final = {
    "llama": runnable_config(),
    "two_kinds": runnable_config(),
    "qwen2_w4g32": runnable_config(Family.QWEN2),
    "qwen3_tied": runnable_config(Family.QWEN3, ties_embeddings=True),
    "narrow_caches": runnable_config(head_dim=10),
}
GRAPHS: Final = {
    "llama": lowered_graph(CONFIGS["llama"]),
    "two_kinds": two_kind_graph(layers=3, wide=(1,)),
    "qwen2_w4g32": lowered_graph(CONFIGS["qwen2_w4g32"], scheme="w4g32"),
    "qwen3_tied": lowered_graph(CONFIGS["qwen3_tied"]),
    "narrow_caches": lowered_graph(CONFIGS["narrow_caches"], kv_bits="4"),
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        name: write_build(graph, folder / name, CONFIGS[name]) for name, graph in GRAPHS.items()
    }


@pytest.fixture(params=GRAPHS)
def build(request: pytest.FixtureRequest, builds: dict[str, Path]) -> Path:
    return builds[request.param]


def without_hash(text: str, build: Path) -> str:
    """The hash of the weights says nothing about the template."""
    return text.replace(Program.open(build).manifest.model_hash, "0" * 64)


@pytest.mark.parametrize("name", ["llama", "two_kinds"])
def test_the_network_is_as_reviewed(
    name: str, builds: dict[str, Path], check_golden: Callable[[str, str], None]
) -> None:
    text = (builds[name] / "network.c").read_text("utf-8")
    check_golden(f"codegen/{name}/network.c", without_hash(text, builds[name]))


@pytest.mark.parametrize(
    "file", ["network.h", "memory_map.h", "link.ld", "siracusa.ld", "machine.cfg", "graph.txt"]
)
def test_the_other_files_are_as_reviewed(
    file: str, builds: dict[str, Path], check_golden: Callable[[str, str], None]
) -> None:
    check_golden(f"codegen/llama/{file}", (builds["llama"] / file).read_text("utf-8"))


def test_the_format_is_that_of_the_project(build: Path) -> None:
    formatter = Path(sys.executable).with_name("clang-format")
    if not formatter.is_file():
        skip_or_fail("clang-format is not installed")
    done = subprocess.run(
        [
            *(formatter, "--dry-run", "-Werror", f"--style=file:{ROOT / '.clang-format'}"),
            *(build / "network.c", build / "network.h", build / "memory_map.h"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_strict_compilers_are_silent(build: Path, compiler: str) -> None:
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        skip_or_fail(f"{command[0]} is not installed")
    done = subprocess.run(
        [*command, *STRICT, "-I.", "-Iruntime/include", "network.c"],
        cwd=build,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_c_names_nothing_of_the_machine_or_the_day(build: Path) -> None:
    for path in (build / "network.c", build / "network.h", build / "Makefile"):
        text = path.read_text("utf-8")
        assert str(build) not in text
        assert str(ROOT) not in text
        assert "__DATE__" not in text
        assert text.isascii()


def _rows_of_tables(lines: list[str]) -> dict[str, int]:
    """Rows of each constant table, by its name."""
    found: dict[str, int] = {}
    name = None
    for line in lines:
        if line.startswith("static const struct") and line.endswith("] = {"):
            name = line.split("[")[0].split()[-1]
            found[name] = 0
        elif line.startswith("}"):
            name = None
        elif name is not None:
            found[name] += 1
    return found


def test_more_layers_add_rows_to_tables_and_nothing_else(tmp_path: Path) -> None:
    texts = []
    for layers in (2, 9):
        graph = lowered_graph(runnable_config(layers=layers))
        build = write_build(graph, tmp_path / str(layers))
        texts.append((build / "network.c").read_text("utf-8").splitlines())
    tables = [_rows_of_tables(text) for text in texts]
    of_layers = [name for name, rows in tables[0].items() if tables[1][name] != rows]
    assert len(of_layers) > 9 + 2  # matrices and norms of a layer, keys and values
    assert all((tables[0][name], tables[1][name]) == (2, 9) for name in of_layers)
    assert len(texts[1]) - len(texts[0]) == 7 * len(of_layers)
    assert [line for line in texts[1] if "(" in line and "/*" not in line] == [
        line for line in texts[0] if "(" in line and "/*" not in line
    ]


@pytest.mark.slow
def test_a_network_of_two_kinds_computes_what_numpy_computes(
    builds: dict[str, Path], tiny_build: Path
) -> None:
    build = builds["two_kinds"]
    lend_programs(tiny_build, build)
    options = VerifyOptions(
        prompt_tokens=11,
        new_tokens=4,
        executions=(
            numpy_execution(8),
            compiled_execution(Platform.HOST, cores=8, chunk=3),
            compiled_execution(Platform.HOST, cores=1, chunk=8),
        ),
    )
    assert verify_build(build, options).mismatches == 0


def test_images_hold_the_constants_that_were_given(builds: dict[str, Path]) -> None:
    """The program read back from its images computes what its constants compute."""
    for name, graph in GRAPHS.items():
        program = Program.open(builds[name])
        task = Task(prompt=(5, 6, 7), new_tokens=2)
        found = greedy(Interpreter(program.graph, program.weights), task, 3)
        constants: Any = RandomConstants(graph, CONFIGS[name])
        assert found.mismatches(greedy(Interpreter(graph, constants), task, 3)) == 0
