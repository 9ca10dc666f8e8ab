"""What the program runs around kernels, jobs and transfers: as simulations and plans count it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aretusa.cost.code_cache import Code
    from aretusa.target.description import Control, Target

LINEAR: Final = ("linear", "control")


def job_cycles(target: Target) -> int:
    """Of core 0 for one job of N-EUREKA: its registers prepared and written."""
    return target.control.job_cycles + target.neureka_features.program_cycles


def transfer_cycles(target: Target) -> int:
    """Of core 0 for one transfer: checked, noted, its registers written."""
    offload = target.offload
    return target.control.transfer_cycles + offload.transfer_registers * offload.register_cycles


def linear_codes(target: Target) -> tuple[tuple[Code, float], ...]:
    """The code of linear layers on N-EUREKA, but for finishing sums."""
    return ((LINEAR, float(target.control.linear_code_lines)),)


def touch_cycles(control: Control, phase: str) -> int:
    """Of the cores before a phase of a kernel, as events name it."""
    match phase:
        case "linear finish" | "linear group" | "linear last group":
            return control.finish_cycles
        case "linear tile":
            return control.tile_cycles
        case "choose":
            return control.token_cycles
        case _:
            return 0
