"""What the program runs around kernels, jobs and transfers: as simulations and plans count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from aretusa.cost.code_cache import Code
    from aretusa.target.description import Control, LinearControl, Target


def linear_control(
    target: Target, *, tokens: int, group: int, is_unsigned: bool, home: MemoryId
) -> LinearControl:
    """Of a layer on N-EUREKA with codes at `home`: the compiler prepares the jobs of most layers.

    Those of one token on the chip, with a scale per row: jobs/prepared.py.
    """
    is_prepared = tokens == 1 and group == 0 and not is_unsigned and home is not MemoryId.L3
    return target.control_token if is_prepared else target.control_units


def transfer_cycles(target: Target) -> int:
    """Of core 0 for one transfer: checked, noted, its registers written."""
    offload = target.offload
    return target.control.transfer_cycles + offload.transfer_registers * offload.register_cycles


def linear_codes(target: Target, control: LinearControl) -> tuple[tuple[Code, float], ...]:
    """The code of linear layers on N-EUREKA, but for finishing sums."""
    path = "token" if control is target.control_token else "units"
    return ((("linear", path), float(control.code_lines)),)


def touch_cycles(control: Control, phase: str) -> int:
    """Of the cores before a phase of a kernel, as events name it."""
    match phase:
        case "linear tile":
            return control.tile_cycles
        case "choose":
            return control.token_cycles
        case _:
            return 0
