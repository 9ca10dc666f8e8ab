"""A build to lend its objects to others, so that a new model compiles one C file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import compile_tiny, donor_build, lend_programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def donor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return donor_build(tmp_path_factory)


@pytest.fixture
def build_of(donor: Path, tmp_path: Path) -> Callable[..., Path]:
    """Compile a model into a build whose programs are quick to make."""

    def compile_it(model: Path, **options: Any) -> Path:  # noqa: ANN401
        build = compile_tiny(model, tmp_path / "build", **options)
        lend_programs(donor, build)
        return build

    return compile_it
