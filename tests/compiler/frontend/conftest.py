"""Makes tests/checkpoints.py importable, and opens the one real GGUF file with its own library."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import pytest

_TESTS = Path(__file__).parents[2]
if str(_TESTS) not in sys.path:
    sys.path.append(str(_TESTS))


@pytest.fixture(scope="session")
def smollm2_reader(smollm2_gguf: Path) -> gguf.GGUFReader:
    """The same file in the hands of the gguf library, which takes seconds to open it."""
    return gguf.GGUFReader(smollm2_gguf)
