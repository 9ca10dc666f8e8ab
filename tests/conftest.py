"""What all tests share: golden files, Hypothesis profiles, and tools that may be missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings
from required_tools import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS: Final = Path(__file__).resolve().parent
ROOT: Final = TESTS.parent
GOLDEN: Final = TESTS / "golden"

# Programs that a marker needs. A missing one skips the test here and fails it in CI.
PROGRAMS: Final = {
    "qemu": ("qemu-system-riscv32", "riscv64-unknown-elf-gcc", "make"),
    "zfinx": ("qemu-system-riscv32", "clang-19", "ld.lld-19", "make"),
    "clang": ("clang-19", "ld.lld-19", "make"),
}
# A program that nobody can install in one command: `make test` leaves its tests out without it.
VIRTUAL_PLATFORM: Final = "gvsoc"
# Modules that a marker needs. `make test` runs its tests in the environment that has them.
MODULES: Final = {
    "torch": ("test-compress", ("torch", "transformers")),
    "lm_eval": ("test-tasks", ("lm_eval",)),
}

settings.register_profile("fast", max_examples=50, derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "fuzz",
    max_examples=2000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("ARETUSA_HYPOTHESIS", "fast"))


# Parts that compile C or replay hundreds of plans: `make test` runs them, `make check` does not.
SLOW: Final = (
    "compiler/check/",
    "compiler/codegen/test_determinism.py",
    "compiler/codegen/test_hostile_names.py",
    "compiler/memory/test_plan.py",
    "compiler/plan/",
    "compiler/test_cli.py",
    "compiler/verbs/",
    "model/",
    "runtime/",
    "sim/",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="run only the tests that compare golden files, and rewrite those files",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What builds firmware or many plans is slow, and what reads SmolLM2.

    --update-golden runs only the tests with golden files.
    """
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if place.startswith(SLOW) or "smollm2_gguf" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    if not config.getoption("--update-golden"):
        return
    kept = [item for item in items if "check_golden" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, programs in PROGRAMS.items():
        missing = [name for name in programs if shutil.which(name) is None]
        if missing and item.get_closest_marker(marker) is not None:
            skip_or_fail(f"{', '.join(missing)} is not installed; make setup installs it")
    is_virtual = item.get_closest_marker(VIRTUAL_PLATFORM) is not None
    if is_virtual and shutil.which(VIRTUAL_PLATFORM) is None:
        skip_or_fail("gvsoc is not on PATH; nothing but these tests needs it")
    for marker, (target, modules) in MODULES.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent and item.get_closest_marker(marker) is not None:
            skip_or_fail(f"{', '.join(absent)} is not installed; make {target} has it")


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct in Q4_1, which `make smollm2` fetches."""
    named = os.environ.get("ARETUSA_SMOLLM2_GGUF")
    found = [Path(named)] if named else sorted((ROOT / ".cache" / "smollm2").glob("*.gguf"))
    if not found or not found[0].is_file():
        skip_or_fail("there is no SmolLM2 file; make smollm2 fetches it")
    return found[0]


@pytest.fixture
def check_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a committed file of tests/golden, or rewrite it with --update-golden."""
    update = bool(request.config.getoption("--update-golden"))

    def check(name: str, actual: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, "utf-8")
        assert path.exists(), f"there is no golden file {name}; make golden writes it"
        assert actual == path.read_text("utf-8"), f"{name} differs; make golden if this is intended"

    return check
