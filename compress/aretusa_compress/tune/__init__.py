"""Scales and gains of a quantised model learn from the original; its codes stay as they are."""
