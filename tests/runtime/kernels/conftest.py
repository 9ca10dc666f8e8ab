"""Makes the modules beside the tests importable; builds each program once per session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
if str(_HERE) not in sys.path:
    sys.path.append(str(_HERE))

from kernel_programs import BareMetal, HostLibrary, SanitizedProgram  # noqa: E402
from required_tools import skip_or_fail  # noqa: E402


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostLibrary:
    """The kernels for this machine, in this process."""
    return HostLibrary.build(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> SanitizedProgram:
    """The kernels with the address and undefined-behaviour sanitizers."""
    return SanitizedProgram.build(tmp_path_factory.mktemp("sanitized"), "address,undefined")


@pytest.fixture(scope="session")
def threads(tmp_path_factory: pytest.TempPathFactory) -> SanitizedProgram:
    """The kernels with the sanitizer that sees races between cores."""
    return SanitizedProgram.build(tmp_path_factory.mktemp("threads"), "thread")


@pytest.fixture(scope="session")
def bare_metal(tmp_path_factory: pytest.TempPathFactory) -> BareMetal:
    """The kernels for RV32 in QEMU; missing tools fail in CI and skip elsewhere."""
    if not BareMetal.is_available():
        skip_or_fail("needs riscv64-unknown-elf-gcc and qemu-system-riscv32")
    return BareMetal.build(tmp_path_factory.mktemp("rv32"))
