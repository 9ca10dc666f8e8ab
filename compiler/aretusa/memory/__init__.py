"""Where every byte of a program lies: lifetimes, placement, and the map that reports show."""
