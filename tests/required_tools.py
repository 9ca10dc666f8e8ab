"""What happens when a tool that a test needs is missing."""

from __future__ import annotations

import os
from typing import Final, NoReturn

import pytest

IN_CI: Final = os.environ.get("CI") == "true"


def skip_or_fail(reason: str) -> NoReturn:
    """Skip on a developer's machine; fail in CI, so that a green run hides no untested path."""
    if IN_CI:
        pytest.fail(f"CI: {reason}", pytrace=False)
    pytest.skip(reason)
