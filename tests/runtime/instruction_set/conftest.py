"""Makes the modules here and those of the kernels' tests importable; builds programs once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
for _folder in (_HERE, _HERE.parent / "kernels"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from instruction_set import Machine  # noqa: E402 - these need the paths above
from required_tools import skip_or_fail  # noqa: E402
from team_programs import PORTABLE, XPULP, TeamProgram, is_available  # noqa: E402


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The simulator of instructions."""
    return Machine.build(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="session", params=[PORTABLE, XPULP])
def team(
    request: pytest.FixtureRequest, machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> TeamProgram:
    """The kernels for a team of the chip's cores; missing tools fail in CI and skip elsewhere."""
    if not is_available():
        skip_or_fail("needs clang-19 and lld-19")
    return TeamProgram.build(tmp_path_factory.mktemp(request.param), request.param, machine)
