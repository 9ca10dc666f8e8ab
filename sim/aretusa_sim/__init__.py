"""Cycles, stalls and traffic of the schedule that the compiler generates C for."""

from aretusa_sim.estimate import Estimate, estimate
from aretusa_sim.results import SimulationResult
from aretusa_sim.run import Simulation, run

__all__ = ["Estimate", "Simulation", "SimulationResult", "estimate", "run"]
