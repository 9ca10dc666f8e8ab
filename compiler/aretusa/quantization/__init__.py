"""Real weights -> integer codes with scales, and their packed layout in memory."""
