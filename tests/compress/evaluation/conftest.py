"""Lets the tests of this folder import what they share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_HERE: Final = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.append(_HERE)
