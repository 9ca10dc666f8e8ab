"""examine_machine(): what is there, what is missing, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.ui import doctor_lines
from aretusa.verbs.doctor import ABSENT, CORE_PACKAGES, examine_machine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def write_tool(folder: Path, name: str, text: str) -> None:
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)


def test_tools_say_their_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("make", "cc", "riscv64-unknown-elf-gcc", "qemu-system-riscv32"):
        write_tool(tmp_path, name, f"echo {name} 12.3.4")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = examine_machine()
    assert result.ok
    needed = [tool for tool in result.tools if not tool.optional]
    assert {tool.version for tool in needed} == {"12.3.4"}
    assert {tool.path for tool in needed} == {str(path) for path in tmp_path.iterdir()}


def test_a_computer_without_the_chips_compiler_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("make", "cc", "riscv64-unknown-elf-gcc", "qemu-system-riscv32"):
        write_tool(tmp_path, name, f"echo {name} 12.3.4")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = examine_machine()
    missing = {tool.name: tool for tool in result.tools if not tool.found}
    assert set(missing) == {"clang", "linker", "gvsoc"}
    assert result.ok
    lines = list(doctor_lines(result))
    assert not any(line.startswith("missing") for line in lines)
    assert any(line.startswith("--       gvsoc") for line in lines)


def test_a_broken_tool_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tool(tmp_path, "make", "exit 3")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = examine_machine()
    assert not result.ok
    tools = {tool.name: tool for tool in result.tools}
    assert not tools["make"].found
    assert tools["make"].fix == "Install it again: apt-get install --reinstall make."
    assert "apt-get install qemu-system-misc" in tools["emulator"].fix


def test_packages_of_the_core_are_there() -> None:
    result = examine_machine()
    assert all(result.packages[name] != ABSENT for name in CORE_PACKAGES)
    assert result.python.count(".") == 2
