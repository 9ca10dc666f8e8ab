"""Makes the modules beside the tests and the plans of tests/compiler/check importable."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

_HERE = Path(__file__).parent
sys.path.append(str(_HERE))
sys.path.append(str(_HERE.parents[1] / "compiler" / "check"))

import tiny_models  # noqa: E402
from listings import plan_named  # noqa: E402
from recorded_programs import RecordedNetwork  # noqa: E402
from required_tools import skip_or_fail  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def recorded_network(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], RecordedNetwork]:
    """The programs of a plan by its name; compiled once."""
    made: dict[str, RecordedNetwork] = {}
    for tool in ("gcc", "make"):
        if shutil.which(tool) is None:
            skip_or_fail(f"{tool} is not installed")

    def network(name: str) -> RecordedNetwork:
        if name not in made:
            plan = plan_named(name)
            build = tmp_path_factory.mktemp("network") / "build"
            with mock.patch.object(tiny_models, "plan_of", return_value=plan):
                tiny_models.write_build(plan.request.graph, build)
            donor = tiny_models.donor_build(tmp_path_factory)
            made[name] = RecordedNetwork.make(build, donor)
        return made[name]

    return network
