"""Makes the counting of what kernels execute, and the fit to it, importable."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_RUNTIME = _ROOT / "tests" / "runtime"
for _folder in (_ROOT / "benchmarks", _RUNTIME / "kernels", _RUNTIME / "instruction_set"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
