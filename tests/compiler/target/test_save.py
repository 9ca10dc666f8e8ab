from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aretusa.target.load import BUILT_IN, load_target
from aretusa.target.save import target_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_saved_target_is_read_back_with_all_facts(name: str, tmp_path: Path) -> None:
    target = load_target(name)
    path = tmp_path / "saved.toml"
    path.write_text(target_text(target), "utf-8")
    assert load_target(str(path)) == target


def test_texts_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    source = '"C:\\\\odd\\" \\u00e9"'
    path.write_text(
        'base = "siracusa"\nname = "a \\"b\\" \\\\c"\n[memory.l1]\n'
        f'size_bytes = {{ value = 4096, confidence = "assumed", source = {source} }}\n'
        f'reserved_bytes = {{ value = 0, confidence = "assumed", source = {source} }}\n',
        "utf-8",
    )
    target = load_target(str(path))
    path.write_text(target_text(target), "utf-8")
    assert load_target(str(path)) == target
