"""Bounds and divisibility that every configuration must satisfy before anything is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig

# Far above any model that Siracusa could hold, far below what would exhaust the host.
_INTEGER_BOUNDS = {
    "layers": 2**10,
    "hidden_size": 2**16,
    "heads": 2**10,
    "kv_heads": 2**10,
    "head_dim": 2**8,
    "ffn_size": 2**18,
    "vocab_size": 2**20,
    "max_positions": 2**24,
}


def check_config(config: LlamaConfig, file: Path) -> None:
    """Raise E0203 if a number is out of bounds, E0204 if two do not fit."""
    for name, limit in _INTEGER_BOUNDS.items():
        value: int = getattr(config, name)
        if not 1 <= value <= limit:
            raise _out_of_bounds(name, value, f"1 to {limit:,}", file)
    for name, low, high in (("rope_theta", 1.0, 1e12), ("norm_eps", 0.0, 1.0)):
        number: float = getattr(config, name)
        if not low < number < high:
            raise _out_of_bounds(name, number, f"between {low} and {high}", file)
    if config.heads % config.kv_heads:
        raise unsupported(
            f"{config.heads} query heads cannot share {config.kv_heads} key/value heads evenly",
            file,
        )
    if config.head_dim % 2:
        raise unsupported(f"head_dim {config.head_dim} is odd, so it cannot be rotated", file)
    _check_rope_scaling(config, file)


def _check_rope_scaling(config: LlamaConfig, file: Path) -> None:
    scaling = config.rope_scaling
    if scaling is None:
        return
    if not 1.0 <= scaling.factor <= 1e6:
        raise _out_of_bounds("rope factor", scaling.factor, "1 to 1e6", file)
    if not 0.0 < scaling.low_freq_factor < scaling.high_freq_factor <= 1e6:
        raise _out_of_bounds(
            "rope low_freq_factor", scaling.low_freq_factor, "above 0, below the high one", file
        )
    if not 1 <= scaling.original_max_positions <= 2**24:
        raise _out_of_bounds(
            "rope original positions", scaling.original_max_positions, "1 to 2**24", file
        )


def unsupported(what: str, file: Path) -> UnsupportedError:
    """The error E0204 about one feature of a model."""
    return UnsupportedError("E0204", what, file=file, fix="Use a model without this feature.")


def _out_of_bounds(name: str, value: float, allowed: str, file: Path) -> ModelError:
    shown = printable(f"{value:.6g}" if isinstance(value, float) else str(value), 24)
    return ModelError(
        "E0203",
        f"{name} is {shown}",
        file=file,
        why=f"allowed: {allowed}",
        fix="Correct the configuration, or export the checkpoint again.",
    )
