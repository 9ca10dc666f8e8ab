"""Plans of tiny models that the tests of the simulator share."""

from __future__ import annotations

import sys
from pathlib import Path

# The valid plans of the checker's tests: one for each way a program can be put together.
_LISTINGS = Path(__file__).parents[1] / "compiler" / "check"
if str(_LISTINGS) not in sys.path:
    sys.path.append(str(_LISTINGS))
