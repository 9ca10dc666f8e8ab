"""Builds that several tests of the compiler read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_units import EngineUnits
from tiny_models import copy_build, donor_build, write_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of a tiny model with its programs; tests only read it and run it."""
    return donor_build(tmp_path_factory)


@pytest.fixture
def own_build(tiny_build: Path, tmp_path: Path) -> Path:
    """A copy of the tiny build that a test may damage."""
    return copy_build(tiny_build, tmp_path / "own" / "build")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that compiles in a fraction of a second; tests only read it."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny-model")


@pytest.fixture(scope="session")
def engine_units(tmp_path_factory: pytest.TempPathFactory) -> EngineUnits:
    """How the program cuts linear layers into units."""
    return EngineUnits.build(tmp_path_factory.mktemp("units"))
