"""YAML means what a reader takes it to mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aretusa_compress.errors import UsageError
from aretusa_compress.recipe.yaml_file import LARGEST_BYTES, parse_yaml, read_yaml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2:4", "2:4"),  # 124 in YAML 1.1
        ("12:16", "12:16"),
        ("1e-4", 1e-4),  # a text in YAML 1.1
        ("1.5", 1.5),
        ("010", 10),  # 8 in YAML 1.1
        ("no", "no"),  # false in YAML 1.1
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("-3", -3),
        ("3.2-1b", "3.2-1b"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}", "a test")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: 1\na: 2", "'a' stands there twice (line 2)"),
        ("a: {b: 1, b: 2}", "'b' stands there twice"),
        ("- {b: 1}\n- {b: 1, b: 2}", "'b' stands there twice (line 2)"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("a: [1", "no YAML"),
        ("a: 1\n---\nb: 2", "no YAML"),
        ("a: !!python/object/apply:os.system [x]", "no YAML"),
        ("[" * 2000, "no YAML"),
    ],
)
def test_what_is_no_plain_document_is_refused(text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, "r.yaml")
    assert caught.value.code == "E0500"
    assert part in caught.value.what
    assert str(caught.value).startswith("error[E0500]: r.yaml: ")


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    for name, data in (("bytes", b"\xff\xfe"), ("large", b"#" * (LARGEST_BYTES + 1))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match="E0500"):
            read_yaml(tmp_path / name)
