"""check_directory(): what a checkpoint must not hold, looked at before any library opens it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError, safe_open

from aretusa_compress.errors import ModelError, UnsupportedError
from aretusa_compress.model.anatomy import ANATOMIES

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
TOKENIZER: Final = "tokenizer.json"
LARGEST_JSON_BYTES: Final = 64 << 20
_PICKLES: Final = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


def check_directory(directory: Path) -> None:
    """Raise unless the directory holds a model of a known family as safetensors, and no code."""
    config = read_json(directory / CONFIG)
    if config.get("auto_map") is not None:
        raise UnsupportedError(
            "E0125",
            "the model needs Python code of its own (auto_map)",
            file=directory / CONFIG,
            why="code from a checkpoint is never run",
            fix="Export the model with a class that ships with transformers",
        )
    if config.get("model_type") not in ANATOMIES:
        raise UnsupportedError(
            "E0201",
            f"model type '{str(config.get('model_type'))[:40]}' is not supported",
            file=directory / CONFIG,
            why=f"supported: {', '.join(ANATOMIES)}",
            fix="Choose a model of a supported family",
        )
    if not (directory / TOKENIZER).is_file():
        raise ModelError(
            "E0220",
            "the checkpoint has no tokenizer.json",
            file=directory,
            fix="Save the tokenizer into the directory in the fast form",
        )
    for path in weight_files(directory):
        check_weights(path)


def check_weights(path: Path) -> None:
    """Raise ModelError E0103 unless header and length of a safetensors file are sound."""
    try:
        with safe_open(path, "np"):
            return
    except (SafetensorError, OSError) as problem:
        raise ModelError(
            "E0103",
            "the file is no sound safetensors file",
            file=path,
            why=str(problem)[:120],
            fix="Download it again",
        ) from problem


def weight_files(directory: Path) -> list[Path]:
    """The safetensors files of a checkpoint, in order. Raises E0120, E0121, E0124."""
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if not (directory / INDEX).is_file():
        raise _without_weights(directory)
    named = read_json(directory / INDEX).get("weight_map")
    names = sorted(set(map(str, named.values()))) if isinstance(named, dict) else []
    for name in names:
        # A shard is a plain file of this directory: an index must not lead anywhere else.
        if "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise ModelError(
                "E0121",
                f"refused to open '{name[:80]}'",
                file=directory / INDEX,
                why="an index names safetensors files beside it",
                fix="Copy the weight files themselves into the directory",
            )
    missing = [name for name in names if not (directory / name).is_file()]
    if missing or not names:
        raise ModelError(
            "E0120",
            f"{len(missing)} of {len(names)} shards are missing: {', '.join(missing[:3])}",
            file=directory / INDEX,
            fix="Download the missing files into the directory",
        )
    return [directory / name for name in names]


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises ModelError E0123 or E0200."""
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise ModelError("E0123", "the file is too large", file=path, fix="Download it again")
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise ModelError(
            "E0200",
            "the file is missing or no JSON",
            file=path,
            why=str(problem)[:120],
            fix="Export the checkpoint again",
        ) from problem
    if not isinstance(document, dict):
        raise ModelError("E0200", "the file holds no object", file=path, fix="Export it again")
    return document


def _without_weights(directory: Path) -> Exception:
    pickles = sorted(path.name for path in directory.iterdir() if path.suffix in _PICKLES)
    if pickles:
        return UnsupportedError(
            "E0124",
            f"pickle checkpoints are not read: {', '.join(pickles[:3])}",
            file=directory,
            why="loading a pickle runs code from the file",
            fix="Convert it where you trust it: load it with transformers and call "
            "save_pretrained(directory, safe_serialization=True)",
        )
    return ModelError(
        "E0120",
        f"neither {WEIGHTS} nor {INDEX} is there",
        file=directory,
        fix="Download the weights into the directory",
    )
