"""Tests of compression run in the environment with PyTorch: make test-compress.

In the environment of the core there is none of it, and nothing here is collected.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parent))

collect_ignore_glob: Final = [] if find_spec("torch") else ["*"]

if find_spec("torch"):
    import torch

    torch.set_num_threads(1)  # tiny models, and one test for each core
