"""Tools are found, or named with the package that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aretusa.errors import ToolchainError
from aretusa.execution import toolchain

if TYPE_CHECKING:
    from pathlib import Path


def put_tool(folder: Path, name: str, script: str) -> None:
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("find", "code", "package"),
    [
        (toolchain.find_make, "E0701", "make"),
        (toolchain.find_host_compiler, "E0702", "gcc libc6-dev"),
        (toolchain.find_cross_compiler, "E0703", "gcc-riscv64-unknown-elf"),
        (toolchain.find_emulator, "E0704", "qemu-system-misc"),
        (toolchain.find_clang, "E0709", "clang-19"),
        (toolchain.find_lld, "E0710", "lld-19"),
    ],
)
def test_a_missing_tool_is_named_with_its_package(
    find: object, code: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert callable(find)

    with pytest.raises(ToolchainError) as caught:
        find()
    assert caught.value.code == code
    assert caught.value.exit_code == 7
    assert f"apt-get install {package}." in caught.value.fix


def test_another_packagers_name_is_found_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, "riscv-none-elf-gcc", "echo 'riscv-none-elf-gcc (xPack x86_64) 15.2.0'")
    monkeypatch.setenv("PATH", str(tmp_path))

    tool = toolchain.find_cross_compiler()

    assert tool == toolchain.Tool(
        "riscv-none-elf-gcc", str(tmp_path / "riscv-none-elf-gcc"), "15.2.0"
    )


def test_a_tool_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, "qemu-system-riscv32", "exit 3")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolchainError, match="does not start"):
        toolchain.find_emulator()


def test_the_survey_answers_for_every_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tool(tmp_path, "make", "echo GNU Make 4.3")
    monkeypatch.setenv("PATH", str(tmp_path))

    found = toolchain.survey()

    assert list(found) == [
        "make",
        "host-compiler",
        "cross-compiler",
        "emulator",
        "clang",
        "linker",
        "gvsoc",
    ]
    assert [role for role in found if toolchain.is_optional(role)] == ["clang", "linker", "gvsoc"]
    assert found["make"] == toolchain.Tool("make", str(tmp_path / "make"), "4.3")
    assert isinstance(found["emulator"], ToolchainError)


def test_a_missing_virtual_platform_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolchainError, match="gvsoc is not installed") as caught:
        toolchain.find_virtual_platform()
    assert caught.value.code == "E0711"
    assert "TARGETS=siracusa" in caught.value.fix


def test_a_virtual_platform_is_not_asked_for_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, "gvsoc", "exit 2")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert toolchain.find_virtual_platform().path == str(tmp_path / "gvsoc")
