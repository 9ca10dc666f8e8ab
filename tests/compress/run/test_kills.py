"""A run that is killed at any moment and started again ends with the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tiny_runs import DEPTH, LORA, WIDTH, digests, tiny_document

from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.training import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
STAGES = [DEPTH, WIDTH, LORA]
ROUNDING: list[Any] = [
    {"awq": {"store": "float", "points": 8}},
    {"gptq": {"group": "channel", "bits": 3}},
    {"eora": {"rank": 4, "samples": 4}},
]

TURNING: list[Any] = [
    {"rotate": {"samples": 1, "candidates": ["none", "values", "both"]}},
    {"gptq": {"group": "channel", "bits": 4}},
]
FACTORING: list[Any] = [
    {"sensitivity": {"rank": 4, "samples": 1, "generate": 0, "matrices": ["k_proj", "up_proj"]}},
    {"svd": {"rank": 8, "matrices": ["gate_proj", "o_proj"]}},
]
GROUPING: list[Any] = [{"gptq": {"group": 32}}]


def write_recipe(folder: Path, stages: list[Any]) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_document(folder, stages)))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], float]:
    """A recipe, what it gives when nothing disturbs it, and the seconds that takes."""
    return left_alone(tmp_path_factory.mktemp("undisturbed"), STAGES)


def left_alone(folder: Path, stages: list[Any]) -> tuple[Path, dict[str, str], float]:
    recipe = write_recipe(folder, stages)
    run_recipe(parse_recipe(yaml.safe_load(recipe.read_text()), "tiny"), folder / "warm")
    started = time.monotonic()
    run_recipe(parse_recipe(yaml.safe_load(recipe.read_text()), "tiny"), folder / "run")
    return recipe, digests(folder / "run"), time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_runs_end_with_the_same_bytes(
    tmp_path: Path, undisturbed: tuple[Path, dict[str, str], float], seed: int
) -> None:
    check_kills(tmp_path / "run", undisturbed, seed)


@pytest.mark.slow
@pytest.mark.parametrize("stages", [ROUNDING, TURNING, FACTORING], ids=["round", "turn", "factor"])
def test_killed_stages_end_with_the_same_bytes(tmp_path: Path, stages: list[Any]) -> None:
    check_kills(tmp_path / "run", left_alone(tmp_path / "alone", stages), seed=2)


@pytest.mark.slow
def test_a_killed_run_takes_the_library_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    recipe, output = write_recipe(tmp_path, GROUPING), tmp_path / "run"
    command = [sys.executable, "-m", "aretusa", "compress", str(recipe), "-o", str(output)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: is_worked_in(work))
        run.kill()
    wait_until(lambda: not is_worked_in(work))
    assert not list((output / ".part-1-gptq").iterdir()), "the library went on and wrote"
    for place in (output, tmp_path / "undisturbed"):
        run_recipe(parse_recipe(yaml.safe_load(recipe.read_text()), "tiny"), place)
    assert digests(output) == digests(tmp_path / "undisturbed")


def is_worked_in(folder: Path) -> bool:
    """Whether a process has its current directory in a folder."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink().is_relative_to(folder):
                return True
    return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def check_kills(output: Path, undisturbed: tuple[Path, dict[str, str], float], seed: int) -> None:
    recipe, expected, seconds = undisturbed
    command = [sys.executable, str(HERE / "forked_runs.py"), str(recipe), str(output)]
    how = [str(seed), "6", str(0.4 * seconds)]
    done = subprocess.run([*command, *how], capture_output=True, text=True, check=False)
    code, killed = map(int, done.stdout.split())
    assert code == 0, done.stderr
    assert killed >= 2, "hardly a run was killed while it worked: nothing was tested"
    assert digests(output) == expected


class _StopError(Exception):
    """Stands for a kill at a chosen moment."""


def stopping_after(count: int) -> Iterator[None]:
    """Let `count` updates pass, then stop."""
    for _ in range(count):
        yield
    raise _StopError


@pytest.mark.parametrize("updates", [0, 1, 2, 3, 5])
def test_training_goes_on_from_its_last_state_bit_for_bit(
    tmp_path: Path,
    undisturbed: tuple[Path, dict[str, str], float],
    monkeypatch: pytest.MonkeyPatch,
    updates: int,
) -> None:
    recipe = parse_recipe(yaml.safe_load(undisturbed[0].read_text()), "tiny")
    passes = stopping_after(updates)
    update, seen = loop._update, []

    def watched(training: Any, optimizer: Any, step: int) -> float:  # noqa: ANN401
        seen.append(step)
        next(passes)
        return update(training, optimizer, step)

    monkeypatch.setattr(loop, "_update", watched)
    with pytest.raises(_StopError):
        run_recipe(recipe, tmp_path / "run")
    assert seen == list(range(updates + 1))
    seen.clear()
    passes = iter([None] * 99)
    run_recipe(recipe, tmp_path / "run")
    assert seen == list(range(updates // 2 * 2, 6)), "states are kept after every second update"
    assert digests(tmp_path / "run") == undisturbed[1]


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(
    tmp_path: Path, undisturbed: tuple[Path, dict[str, str], float]
) -> None:
    recipe, expected, _ = undisturbed
    command = [
        sys.executable,
        "-m",
        "aretusa",
        "compress",
        str(recipe),
        "-o",
        str(tmp_path / "run"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run").glob(".part-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    # A shell shows both as 130; CPython ends by the signal itself if it came during an exec().
    assert process.returncode in {130, -signal.SIGINT}, errors
    assert "interrupted" in errors
    assert "the same command goes on where it stopped" in errors
    assert "Traceback" not in errors
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"files    {tmp_path / 'run' / '3-lora'}"
    assert digests(tmp_path / "run") == expected
