"""The stage that puts two thin matrices in the place of a matrix, and how ranks are chosen."""
