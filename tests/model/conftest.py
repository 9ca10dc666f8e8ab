"""A build to lend its objects to others, so that a new model compiles one C file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import compile_tiny, copy_build, donor_build, lend_programs

from aretusa.execution.firmware import Flavour, Platform, Sanitizer, build_firmware

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def donor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return donor_build(tmp_path_factory)


@pytest.fixture(scope="session")
def lend_checked(
    donor: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, Sanitizer], None]:
    """Lend a build the objects of a program with a sanitizer, which are made once."""
    donors: dict[Sanitizer, Path] = {}

    def lend(build: Path, sanitizer: Sanitizer) -> None:
        if sanitizer not in donors:
            donors[sanitizer] = copy_build(donor, tmp_path_factory.mktemp("checked") / "build")
            build_firmware(donors[sanitizer], Platform.HOST, Flavour(sanitizer=sanitizer))
        lend_programs(donors[sanitizer], build)

    return lend


@pytest.fixture
def build_of(donor: Path, tmp_path: Path) -> Callable[..., Path]:
    """Compile a model into a build whose programs are quick to make."""

    def compile_it(model: Path, **options: Any) -> Path:  # noqa: ANN401
        build = compile_tiny(model, tmp_path / "build", **options)
        lend_programs(donor, build)
        return build

    return compile_it
