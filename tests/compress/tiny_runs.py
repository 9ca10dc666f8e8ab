"""Recipes for tiny random models, which a stage goes through in a second."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any, Final

import torch
from tiny_models import runnable_config, write_model

from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.recipe.schema import Recipe

LAYERS: Final = 5
WORDS: Final = ("the", "then", "other", "hen", "in", "tin", "an", "and", "ten", "on", "one", "no")


def write_tiny(path: Path, *, layers: int = LAYERS, **changes: Any) -> Path:  # noqa: ANN401
    """A random float32 checkpoint of 64 hidden values with its tokenizer."""
    changes.setdefault("dtype", "float32")
    return write_model(path, runnable_config(layers=layers), **changes)


def load_tiny(path: Path, **changes: Any) -> Model:  # noqa: ANN401
    """The same as a model."""
    return load_model(write_tiny(path, **changes))


def write_text(path: Path, *, words: int = 4000, seed: int = 0) -> Path:
    """A text of random words."""
    chosen = random.Random(seed)  # noqa: S311 - a text, no secret
    path.write_text(" ".join(chosen.choice(WORDS) for _ in range(words)) + "\n")
    return path


def windows(count: int = 3, length: int = 24, seed: int = 0) -> torch.Tensor:
    """Random ids."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 260, (count, length), generator=generator)


def tiny_document(folder: Path, stages: list[Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A recipe for a model and a text that it writes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model"
    if not model.exists():
        write_tiny(model)
    text = str(write_text(folder / "text.txt"))
    document: dict[str, Any] = {
        "model": str(model),
        "threads": 1,
        "device": "cpu",
        "stages": stages,
        "data": {
            "calibration": {"files": [text], "samples": 4, "tokens": 16},
            "training": {"files": [text], "samples": 24, "tokens": 16, "pick": "random"},
        },
    }
    return document | changes


def tiny_recipe(folder: Path, stages: list[Any], **changes: Any) -> Recipe:  # noqa: ANN401
    """The same, checked."""
    return parse_recipe(tiny_document(folder, stages, **changes), "tiny")


DEPTH: Final = {"depth": {"remove": 1, "protect_first": 1, "protect_last": 1}}
WIDTH: Final = {"width": {"pattern": "2:4"}}
LORA: Final = {
    "lora": {"rank": 2, "steps": 6, "batch": 2, "accumulation": 2, "save_every": 2},
}


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of the stages of a run, by path."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob("[0-9]-*/*"))
    }
