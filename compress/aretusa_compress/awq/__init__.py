"""The stage that scales inputs before rounding, so that strong ones lose least (AWQ)."""
