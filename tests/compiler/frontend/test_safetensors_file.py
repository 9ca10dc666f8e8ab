"""Safetensors files that are wrong: cases 1 to 9 of the catalogue of bad input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from checkpoints import safetensors_file

from aretusa.errors import AretusaError, ExitCode
from aretusa.frontend.safetensors_file import open_safetensors

if TYPE_CHECKING:
    from pathlib import Path


def refusal(tmp_path: Path, content: bytes) -> AretusaError:
    path = tmp_path / "some.safetensors"
    path.write_bytes(content)
    with pytest.raises(AretusaError) as caught:
        open_safetensors(path)
    assert "some.safetensors" in caught.value.line()
    assert len(caught.value.line()) < 600
    assert caught.value.line().isprintable()
    return caught.value


def entry(begin: int, end: int, shape: Any = None, dtype: str = "F32") -> dict[str, object]:  # noqa: ANN401
    return {"dtype": dtype, "shape": shape or [(end - begin) // 4], "data_offsets": [begin, end]}


def test_a_right_file_opens(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    path.write_bytes(safetensors_file({"b": entry(8, 16), "a": entry(0, 8)}, bytes(range(16))))
    file = open_safetensors(path)
    assert file.entries["b"].shape == (2,)
    assert file.raw("b") == bytes(range(8, 16))
    assert file.raw("b", 1, 2) == bytes(range(12, 16))


@pytest.mark.parametrize("size", [0, 3, 8])
def test_too_short(tmp_path: Path, size: int) -> None:
    error = refusal(tmp_path, bytes(size))
    assert (error.code, error.exit_code) == ("E0101", ExitCode.MODEL)
    assert f"({size} bytes)" in error.line()


@pytest.mark.parametrize("claimed", [7, 2**63, 2**64 - 1])
def test_header_longer_than_the_file(tmp_path: Path, claimed: int) -> None:
    error = refusal(tmp_path, claimed.to_bytes(8, "little") + b"{}    ")
    assert (error.code, error.exit_code) == ("E0102", ExitCode.MODEL)
    assert f"claims {claimed:,} bytes, file has 14" in error.line()


def test_header_over_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    with path.open("wb") as file:
        file.write((17 * 2**20).to_bytes(8, "little"))
        file.truncate(20 * 2**20)
    with pytest.raises(AretusaError) as caught:
        open_safetensors(path)
    assert caught.value.code == "E0102"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b'{"a": "\xff"}', "UTF-8 at byte 7"),
        (b'{"a": }', "at byte 6"),
        (b"[1, 2, 3]", "not a JSON object"),
        (b'{"a": NaN}', "NaN is not"),
        (b'{"a": -Infinity}', "-Infinity is not"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"a": 3}', "malformed"),
        (b'{"a": {"dtype": "F32", "shape": [1]}}', "malformed"),
        (b'{"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}', "malformed"),
        (b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}', "malformed"),
        (b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "x": 1}}', "malformed"),
    ],
)
def test_header_that_is_not_right(tmp_path: Path, header: bytes, says: str) -> None:
    error = refusal(tmp_path, safetensors_file(header, bytes(4)))
    assert (error.code, error.exit_code) == ("E0103", ExitCode.MODEL)
    assert says in error.line()


def test_truncated_data(tmp_path: Path) -> None:
    error = refusal(tmp_path, safetensors_file({"a": entry(0, 400)}, bytes(397)))
    assert (error.code, error.exit_code) == ("E0104", ExitCode.MODEL)
    assert "ends 3 bytes early" in error.line()


@pytest.mark.parametrize(
    ("header", "size", "says"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "'a' and 'b' overlap"),
        ({"a": entry(0, 8), "b": entry(0, 8)}, 8, "'a' and 'b' overlap"),
        ({"a": entry(0, 8), "b": entry(12, 16)}, 16, "'a' and 'b' leave a hole"),
        ({"a": entry(4, 8)}, 8, "the header and 'a' leave a hole"),
        ({"a": entry(0, 8)}, 9, "1 bytes follow 'a'"),
        ({}, 4, "4 bytes follow the header"),
    ],
)
def test_bytes_not_covered_once(
    tmp_path: Path, header: dict[str, object], size: int, says: str
) -> None:
    error = refusal(tmp_path, safetensors_file(header, bytes(size)))
    assert (error.code, error.exit_code) == ("E0105", ExitCode.MODEL)
    assert says in error.line()


def test_duplicate_key(tmp_path: Path) -> None:
    one = json.dumps({"a": entry(0, 4)})[1:-1]
    error = refusal(tmp_path, safetensors_file(f"{{{one}, {one}}}".encode(), bytes(4)))
    assert (error.code, error.exit_code) == ("E0106", ExitCode.MODEL)
    assert "'a' appears twice" in error.line()


@pytest.mark.parametrize(
    "wrong",
    [
        entry(0, 8, [3]),
        entry(0, 8, [-2]),
        entry(0, 8, [2**31 + 1]),
        entry(0, 8, [2**31, 2**31, 2**31, 2**31]),
        entry(8, 0, [2]),
        entry(-8, 0, [2]),
        {"dtype": "F32", "shape": [2], "data_offsets": [-(10**4000), 10**4000]},
    ],
)
def test_shape_against_size(tmp_path: Path, wrong: dict[str, object]) -> None:
    error = refusal(tmp_path, safetensors_file({"a": wrong}, bytes(8)))
    assert (error.code, error.exit_code) == ("E0107", ExitCode.MODEL)


@pytest.mark.parametrize("shape", [[0], [2, 0], [1, 1, 1, 1, 1]])
def test_zero_dimension_or_high_rank(tmp_path: Path, shape: list[int]) -> None:
    error = refusal(tmp_path, safetensors_file({"a": entry(0, 4, shape)}, bytes(4)))
    assert (error.code, error.exit_code) == ("E0108", ExitCode.MODEL)


def test_unknown_element_type(tmp_path: Path) -> None:
    error = refusal(tmp_path, safetensors_file({"a": entry(0, 4, [1], "Q99")}, bytes(4)))
    assert (error.code, error.exit_code) == ("E0109", ExitCode.UNSUPPORTED)
    assert "F32 F16 BF16" in error.line()


def test_deep_nesting(tmp_path: Path) -> None:
    deep = b'{"a": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    error = refusal(tmp_path, safetensors_file(deep, b""))
    assert (error.code, error.exit_code) == ("E0123", ExitCode.MODEL)


def test_a_hostile_name_is_shown_printable_and_short(tmp_path: Path) -> None:
    name = 'a"; } int x; /*{{7*7}}%s\n\x1b[31m\u202e\ud800' + "x" * 10_000
    error = refusal(tmp_path, safetensors_file({name: entry(0, 8, [3])}, bytes(8)))
    assert error.code == "E0107"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1234567\n",
            "Git LFS pointer, 1,234,567 bytes expected",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"PK\x03\x04rest of an archive", "zip archive"),
        (b"\n <!DOCTYPE html><html><body>Please log in", "web page"),
        (b"\x1f\x8b\x08 packed", "gzip"),
    ],
)
def test_content_of_another_kind(tmp_path: Path, content: bytes, says: str) -> None:
    error = refusal(tmp_path, content)
    assert (error.code, error.exit_code) == ("E0150", ExitCode.MODEL)
    assert says in error.line()
