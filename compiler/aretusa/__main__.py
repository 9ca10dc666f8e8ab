"""`python -m aretusa`."""

from __future__ import annotations

import sys

from aretusa.cli import main

sys.exit(main())
