"""Building with make, and what a run leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from aretusa.errors import CapacityError, ToolchainError, UsageError
from aretusa.execution.firmware import Platform, build_firmware
from aretusa.execution.machine import run_host, run_qemu
from aretusa.execution.request import IdSegment, RunRequest, TextSegment

if TYPE_CHECKING:
    from pathlib import Path

FAULT_HANG = 94
HELLO = RunRequest(segments=(TextSegment("Hello"),), max_new_tokens=3)
pytestmark = pytest.mark.usefixtures("tools")


def test_what_has_not_changed_is_not_built(
    own_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build_firmware(own_build, Platform.HOST)
    (own_build / "network.c").touch()
    monkeypatch.setattr("aretusa.execution.firmware._run_make", pytest.fail)

    assert build_firmware(own_build, Platform.HOST) == built


def test_what_has_changed_is_built(own_build: Path) -> None:
    source = own_build / "network.c"
    before = build_firmware(own_build, Platform.HOST).program.read_bytes()
    source.write_text(source.read_text().replace("0x9e3779b1u", "0x9e3779b3u"))

    assert build_firmware(own_build, Platform.HOST).program.read_bytes() != before


@pytest.mark.parametrize(
    "platform", [Platform.HOST, pytest.param(Platform.QEMU, marks=pytest.mark.qemu)]
)
def test_the_program_does_not_depend_on_its_directory(
    platform: Platform, own_build: Path, tmp_path: Path
) -> None:
    other = tmp_path / "an other's $place" / "b=c"
    shutil.copytree(own_build, other)
    shutil.rmtree(other / "objects")

    first = build_firmware(own_build, platform).program
    second = build_firmware(other, platform).program

    assert first.read_bytes() == second.read_bytes()


def test_an_error_of_the_compiler_is_quoted(own_build: Path) -> None:
    with (own_build / "network.c").open("a") as source:
        source.write("int unfinished(\n")

    with pytest.raises(ToolchainError) as caught:
        build_firmware(own_build, Platform.HOST)
    assert caught.value.code == "E0705"
    assert caught.value.why.startswith("network.c:")


@pytest.mark.qemu
def test_a_program_that_is_too_large_lacks_bytes(own_build: Path) -> None:
    script = own_build / "link.ld"
    text = script.read_text()
    script.write_text(re.sub(r"(PROGRAM .* LENGTH =) \d+", r"\1 8192", text))

    with pytest.raises(CapacityError) as caught:
        build_firmware(own_build, Platform.QEMU)
    assert caught.value.code == "E0407"
    assert caught.value.free_bytes == 8192
    assert caught.value.missing_bytes % 4096 == 0
    script.write_text(re.sub(r"(PROGRAM .* LENGTH =) \d+", rf"\1 {caught.value.need_bytes}", text))
    build_firmware(own_build, Platform.QEMU)


@pytest.mark.qemu
def test_the_monitor_cannot_call_into_the_program(own_build: Path) -> None:
    console = own_build / "runtime/src/platform/qemu_virt/monitor/console.c"
    console.write_text(
        console.read_text().replace("bytes, count);", "bytes, art_platform_memory_bytes(0));", 1)
    )

    with pytest.raises(ToolchainError, match="prohibited cross reference"):
        build_firmware(own_build, Platform.QEMU)


def test_another_directory_is_no_build_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no build directory") as caught:
        build_firmware(tmp_path, Platform.HOST)
    assert caught.value.code == "E0011"


@pytest.mark.parametrize("target", ["run-host", pytest.param("run-qemu", marks=pytest.mark.qemu)])
def test_make_alone_builds_and_runs(target: str, own_build: Path) -> None:
    (own_build / "request.bin").write_bytes(HELLO.encode(8))

    done = subprocess.run(
        ["make", "-s", "-C", own_build, target],
        check=True,
        capture_output=True,
        env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"},
    )

    assert done.stdout == run_host(own_build, HELLO).console
    assert (own_build / "record.bin").stat().st_size > 0


def test_a_run_leaves_nothing_behind(own_build: Path) -> None:
    before = sorted(own_build.iterdir())
    run_host(own_build, HELLO)
    with pytest.raises(ToolchainError):
        run_host(
            own_build,
            RunRequest(segments=(IdSegment((FAULT_HANG,)),), max_new_tokens=1),
            timeout_s=0.2,
        )

    assert sorted(own_build.iterdir()) == before


@pytest.mark.qemu
def test_an_interrupt_ends_the_machine(own_build: Path) -> None:
    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_qemu(own_build, HELLO, on_text=interrupt)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.qemu
def test_a_qemu_that_does_not_like_its_machine_is_quoted(own_build: Path) -> None:
    config = own_build / "machine.cfg"
    config.write_text(config.read_text().replace('"virt"', '"vrit"'))

    with pytest.raises(ToolchainError, match="unsupported machine type") as caught:
        run_qemu(own_build, HELLO)
    assert caught.value.code == "E0706"


def test_an_image_that_is_too_large_is_refused(own_build: Path) -> None:
    with (own_build / "sram.bin").open("ab") as image:
        image.write(bytes(65536))

    with pytest.raises(ToolchainError, match="larger than its memory"):
        run_host(own_build, HELLO)


@pytest.mark.qemu
def test_qemu_harts_that_the_request_does_not_use_sleep(own_build: Path) -> None:
    assert run_qemu(own_build, HELLO, harts=3).console == run_host(own_build, HELLO).console
