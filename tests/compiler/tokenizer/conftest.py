"""Makes tokenizer_cases.py importable, and finds the one real vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from tokenizer_cases import find_smollm2_metadata


@pytest.fixture(scope="session")
def smollm2_metadata() -> dict[str, object]:
    """Metadata of SmolLM2-135M-Instruct; a missing file fails in CI and skips elsewhere."""
    return find_smollm2_metadata()
