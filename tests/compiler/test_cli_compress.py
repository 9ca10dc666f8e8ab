"""Without PyTorch the command says what to install."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aretusa import cli_compress
from aretusa.cli import main
from aretusa.errors import ExitCode

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    import pytest


def test_the_missing_extra_is_a_coded_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_torch(name: str) -> ModuleSpec | None:
        return None if name in {"torch", "peft"} else find_spec("json")

    monkeypatch.setattr(cli_compress, "find_spec", without_torch)
    assert main(["compress", "recipe.yaml", "-o", "x", "--json"]) == ExitCode.TOOLCHAIN
    captured = capsys.readouterr()
    assert captured.err.startswith("error[E0720]: compression needs torch, peft")
    assert "aretusa[compress]" in json.loads(captured.out)["error"]["fix"]
