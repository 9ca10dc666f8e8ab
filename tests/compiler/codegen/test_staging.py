"""A build directory appears whole or not at all, and never in the place of somebody's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from aretusa.codegen.staging import check_output, staged_directory
from aretusa.errors import ExitCode, UsageError
from aretusa.manifest import MANIFEST_FILE


def write_older_build(path: Path) -> None:
    path.mkdir()
    (path / MANIFEST_FILE).write_text("{}")
    (path / "old").write_text("old")


def names(path: Path) -> list[str]:
    return sorted(child.name for child in path.iterdir())


def test_what_was_staged_takes_the_place(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "deep" / "er" / "build") as stage:
        (stage / "file").write_text("x")
        assert not (tmp_path / "deep" / "er" / "build").exists()
    assert names(tmp_path / "deep" / "er") == ["build"]
    assert names(tmp_path / "deep" / "er" / "build") == ["file"]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, problem: type[BaseException]) -> None:
    def write_and_fail() -> None:
        with staged_directory(tmp_path / "build") as stage:
            (stage / "file").write_text("x")
            raise problem

    with pytest.raises(problem):
        write_and_fail()
    assert names(tmp_path) == []


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, OSError])
def test_an_older_build_stays_when_the_block_fails(
    tmp_path: Path, problem: type[BaseException]
) -> None:
    build = tmp_path / "build"
    write_older_build(build)
    expected = UsageError if problem is OSError else problem
    with pytest.raises(expected), staged_directory(build):
        raise problem
    assert names(tmp_path) == ["build"]
    assert (build / "old").read_text() == "old"


def test_an_older_build_is_replaced_as_a_whole(tmp_path: Path) -> None:
    build = tmp_path / "build"
    write_older_build(build)
    with staged_directory(build) as stage:
        (stage / "file").write_text("x")
        assert (build / "old").is_file()
    assert names(tmp_path) == ["build"]
    assert names(build) == ["file"]


def test_an_older_build_returns_when_the_fresh_one_cannot_move(tmp_path: Path) -> None:
    build = tmp_path / "build"
    write_older_build(build)
    with pytest.raises(UsageError, match="E0002"), staged_directory(build) as stage:
        stage.rmdir()
    assert names(tmp_path) == ["build"]
    assert (build / "old").read_text() == "old"


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with staged_directory(tmp_path / "build") as stage:
        (stage / "file").write_text("x")
    assert names(tmp_path / "build") == ["file"]


def test_the_current_directory_is_taken_when_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with staged_directory(Path()) as stage:
        (stage / "file").write_text("x")
    assert names(tmp_path / "here") == ["file"]


def refusal(path: Path) -> UsageError:
    with pytest.raises(UsageError, match="E0002") as caught:
        check_output(path)
    with pytest.raises(UsageError, match="E0002"), staged_directory(path):
        pass
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.fix
    return caught.value


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "not an earlier build" in refusal(tmp_path).why
    assert "it is a file" in refusal(tmp_path / "file").why
    assert names(tmp_path) == ["file"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert "symbolic link" in refusal(tmp_path / "link").why
    assert "symbolic link" in refusal(tmp_path / "broken").why
    assert names(tmp_path) == ["broken", "link", "real"]


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert "too long" in refusal(tmp_path / ("n" * 300)).why


def test_the_longest_possible_name_is_taken(tmp_path: Path) -> None:
    with staged_directory(tmp_path / ("n" * 255)) as stage:
        (stage / "file").write_text("x")
    assert names(tmp_path) == ["n" * 255]


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="E0002"), staged_directory(tmp_path / "file" / "build"):
        pass
    assert names(tmp_path) == ["file"]
