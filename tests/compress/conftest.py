"""Tests of compression run in the environment with PyTorch: make test-compress.

In the environment of the core there is none of it, and nothing here is collected.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

collect_ignore_glob: Final = [] if find_spec("torch") else ["*"]
