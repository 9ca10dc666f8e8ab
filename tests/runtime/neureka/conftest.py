"""Makes the modules beside the tests and engine_cases.py importable; builds each program once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
sys.path.append(str(_HERE))
sys.path.append(str(_HERE.parents[1] / "compiler" / "neureka"))

from neureka_programs import BareMetal, HostLibrary, SanitizedProgram  # noqa: E402


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> HostLibrary:
    """The C model and job builder in this process."""
    return HostLibrary.build(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> SanitizedProgram:
    """The same with the address and undefined-behaviour sanitizers."""
    return SanitizedProgram.build(tmp_path_factory.mktemp("sanitized"))


@pytest.fixture(scope="session")
def bare_metal(tmp_path_factory: pytest.TempPathFactory) -> BareMetal:
    """The same for one RV32 hart in QEMU."""
    return BareMetal.build(tmp_path_factory.mktemp("rv32"))
