"""Cycles, stalls and traffic of the schedule that the compiler generates C for."""

from aretusa_sim.advice import advise
from aretusa_sim.advice_results import AdviceResult
from aretusa_sim.compare_results import CompareResult
from aretusa_sim.comparison import compare
from aretusa_sim.estimation import Estimate, estimate
from aretusa_sim.generation import Simulation, run
from aretusa_sim.results import SimulationResult

__all__ = [
    "AdviceResult",
    "CompareResult",
    "Estimate",
    "Simulation",
    "SimulationResult",
    "advise",
    "compare",
    "estimate",
    "run",
]
