"""Makes tokenizer_cases.py importable, finds the one real vocabulary and builds the harness."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
sys.path.append(str(_ROOT / "tests" / "compiler" / "tokenizer"))

from tokenizer_cases import find_smollm2_metadata  # noqa: E402 (after the path)

STRICT = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef"),
    *("-Wvla", "-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror"),
)
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="session")
def smollm2_metadata() -> dict[str, object]:
    """Metadata of SmolLM2-135M-Instruct; a missing file fails in CI and skips elsewhere."""
    return find_smollm2_metadata()


@pytest.fixture(scope="session")
def sources() -> list[Path]:
    """The C files of the tokenizer."""
    return sorted((_ROOT / "runtime" / "src" / "tokenizer").glob("*.c"))


@pytest.fixture(scope="session")
def strict_gcc() -> tuple[str, ...]:
    """Arguments of a compiler that lets nothing pass."""
    return (*STRICT, f"-I{_ROOT / 'runtime' / 'include'}")


@pytest.fixture(scope="session")
def harness(
    sources: list[Path], strict_gcc: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tokenizer with harness.c for the host, under the sanitizers."""
    program = tmp_path_factory.mktemp("harness") / "harness"
    files = [str(path) for path in (*sources, Path(__file__).with_name("harness.c"))]
    subprocess.run(["gcc", *strict_gcc, *SANITIZERS, *files, "-o", str(program)], check=True)
    return program
