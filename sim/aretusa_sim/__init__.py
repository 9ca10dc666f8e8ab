"""Cycles, stalls and traffic of the schedule that the compiler generates C for."""
