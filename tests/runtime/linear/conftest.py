"""Makes the modules beside the tests and kernel_cases.py importable; builds each program once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

_HERE = Path(__file__).parent
sys.path.append(str(_HERE))
sys.path.append(str(_HERE.parent / "kernels"))

import scenario_catalogue  # noqa: E402
from linear_programs import BareMetal, HostProgram  # noqa: E402

if TYPE_CHECKING:
    from linear_scenarios import Scenario


@pytest.fixture(scope="session")
def scenarios() -> list[Scenario]:
    """All of the catalogue."""
    return scenario_catalogue.catalogue()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    """With the address and undefined-behaviour sanitizers."""
    return HostProgram.build(tmp_path_factory.mktemp("host"), "address,undefined")


@pytest.fixture(scope="session")
def raced(tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    """With the thread sanitizer."""
    return HostProgram.build(tmp_path_factory.mktemp("raced"), "thread")


@pytest.fixture(scope="session")
def bare_metal(tmp_path_factory: pytest.TempPathFactory) -> BareMetal:
    """For one RV32 hart in QEMU."""
    return BareMetal.build(tmp_path_factory.mktemp("rv32"))
