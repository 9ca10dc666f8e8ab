"""The stage that chooses a width for every matrix: best quality within what the chip can give."""
