"""Where templates/ and runtime/ are: in the root of a checkout, inside an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_ROOT: Final = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parents[1]


def templates_dir() -> Path:
    """Jinja2 templates."""
    return _ROOT / "templates"


def runtime_dir() -> Path:
    """C headers and sources."""
    return _ROOT / "runtime"
