"""Makes the small graphs of this folder and the tiny models of reference/ importable."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).parent
for _folder in (_HERE, _HERE.parent / "reference"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
