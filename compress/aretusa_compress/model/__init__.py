"""Models between stages: where they come from, how they are read, run and written."""
