"""Cycles, stalls and traffic of the schedule that the compiler generates C for."""

from aretusa_sim.advice import advise
from aretusa_sim.advice_results import AdviceResult
from aretusa_sim.build_timing import Length, TimedBuild, time_build
from aretusa_sim.compare_results import CompareResult
from aretusa_sim.comparison import compare
from aretusa_sim.estimation import Estimate, estimate
from aretusa_sim.generation import Simulation, run
from aretusa_sim.limit_results import LimitsResult
from aretusa_sim.results import SimulationResult
from aretusa_sim.sweep import SweepPoint, context_sweep

__all__ = [
    "AdviceResult",
    "CompareResult",
    "Estimate",
    "Length",
    "LimitsResult",
    "Simulation",
    "SimulationResult",
    "SweepPoint",
    "TimedBuild",
    "advise",
    "compare",
    "context_sweep",
    "estimate",
    "run",
    "time_build",
]
