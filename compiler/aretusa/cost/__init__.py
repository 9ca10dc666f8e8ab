"""Cycles of kernels and transfers, as the planner counts them."""
