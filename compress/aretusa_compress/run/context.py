"""Stage and StageContext: what the runner knows about a stage, and what a stage is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aretusa_compress.errors import UsageError
from aretusa_compress.model.anatomy import COMPILED
from aretusa_compress.recipe.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from aretusa_compress.run.memory import Need, Shape
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState
    from aretusa_compress.texts.options import DataOptions
    from aretusa_compress.texts.roles import Texts

Chosen = TypeVar("Chosen", bound=Options)
Report = dict[str, Any]  # what a stage says about its work: JSON, the same for equal inputs


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage works with.

    It reads the checkpoint in `source`, which was made from those in `history`, oldest first. It
    writes one into `output` (which is there, empty), may keep
    files in `state` while it works, and takes texts by their role. Random sequences are seeded.
    In `shared`, if it is given, lies what other runs can use too, by what it depends on.
    """

    source: Path
    history: tuple[Path, ...]
    output: Path
    state: StageState
    texts: Texts
    device: torch.device
    dtype: torch.dtype | None  # None: as the files store them
    seed: int
    progress: Progress
    shared: Path | None = None


@dataclass(frozen=True, slots=True)
class Stage(Generic[Chosen]):
    """A kind of stage. `roles` are the texts of the recipe that it needs with these options.

    `need` estimates the memory from the shape of the model, the texts' options, and the bytes of a
    weight. `libraries` are those that the result depends on beside the usual ones,
    `families` the types of model that it can change.
    """

    run: Callable[[StageContext, Chosen], Report]
    need: Callable[[Shape, Chosen, DataOptions, int], Need]
    roles: Callable[[Chosen], tuple[str, ...]] = field(default=lambda _: ())
    libraries: tuple[str, ...] = ()
    uses_history: bool = False  # whether it reads checkpoints before its source too
    families: tuple[str, ...] = COMPILED


def cannot_apply(what: str, why: str, fix: str) -> UsageError:
    """The error for a stage whose options do not suit the model that it is given."""
    return UsageError("E0508", what, why=why, fix=fix)
