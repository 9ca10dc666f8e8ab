"""Where a network's parts lie: on one device, or block by block on several GPUs (accelerate).

Blocks run where their weights are; what goes from one to the next is moved by accelerate's hooks.
Stages change weights in place, so none of them is left in the computer's memory or on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

# Of a GPU's free memory that weights may fill; the rest is for what a block computes.
WEIGHT_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Room:
    """Free memory of a GPU."""

    gpu: int
    free_bytes: int

    @property
    def weight_bytes(self) -> int:
        """What weights may take of it."""
        return int(self.free_bytes * WEIGHT_SHARE)


def gpu_rooms() -> list[Room]:
    """Every GPU that torch sees."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [Room(gpu, int(torch.cuda.mem_get_info(gpu)[0])) for gpu in range(count)]


def choose_gpus(weight_bytes: int, rooms: Sequence[Room]) -> list[Room]:
    """The fewest GPUs that hold the weights, in their order; all where they do not suffice.

    One that holds them alone is the first such: nothing is moved between GPUs then.
    """
    for room in rooms:
        if weight_bytes <= room.weight_bytes:
            return [room]
    chosen: list[Room] = []
    for room in sorted(rooms, key=lambda one: (-one.free_bytes, one.gpu)):
        chosen.append(room)
        if sum(one.weight_bytes for one in chosen) >= weight_bytes:
            break
    return sorted(chosen, key=lambda one: one.gpu)


def is_several(device: torch.device) -> bool:
    """Whether a device stands for all GPUs: `cuda` without a number, and more than one is there."""
    return device.type == "cuda" and device.index is None and torch.cuda.device_count() > 1


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to a device, or to as many GPUs as it takes."""
    if not is_several(device):
        network.to(device)
        return
    chosen = choose_gpus(parameter_bytes(network), gpu_rooms())
    if len(chosen) == 1:
        network.to(torch.device("cuda", chosen[0].gpu))
    else:
        spread(network, {room.gpu: room.weight_bytes for room in chosen})


def parameter_bytes(network: nn.Module) -> int:
    """Of all weights, shared ones once."""
    return sum(one.numel() * one.element_size() for one in network.parameters())


def spread(
    network: Any,  # noqa: ANN401 - transformers' classes are not typed
    budgets: Mapping[int | str, int],
    folder: Path | None = None,
) -> dict[str, int | str]:
    """Put whole blocks on devices in order, each filled up to its budget in bytes; returns where.

    Budgets are by the number of a GPU, or `cpu`. What is left lies in `folder` and is read when it
    is needed.
    """
    from accelerate import dispatch_model, infer_auto_device_map  # noqa: PLC0415 - slow to load

    network.tie_weights()
    where: dict[str, int | str] = infer_auto_device_map(
        network,
        max_memory=dict(budgets),
        no_split_module_classes=network._no_split_modules,  # noqa: SLF001 - as accelerate's users do
    )
    dispatch_model(network, where, offload_dir=folder, force_hooks=True)
    return where
