"""Makes tests/checkpoints.py importable, and finds the one real GGUF file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import gguf
import pytest

_TESTS = Path(__file__).parents[2]
if str(_TESTS) not in sys.path:
    sys.path.append(str(_TESTS))


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct in Q4_1; a missing file fails in CI and skips elsewhere."""
    named = os.environ.get("ARETUSA_SMOLLM2_GGUF")
    cached = sorted((_TESTS.parent / ".cache" / "smollm2").glob("*.gguf"))
    found = [Path(named)] if named else cached
    if found and found[0].is_file():
        return found[0]
    message = "no SmolLM2 GGUF file: set ARETUSA_SMOLLM2_GGUF or fill .cache/smollm2"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def smollm2_reader(smollm2_gguf: Path) -> gguf.GGUFReader:
    """The same file in the hands of the gguf library, which takes seconds to open it."""
    return gguf.GGUFReader(smollm2_gguf)
