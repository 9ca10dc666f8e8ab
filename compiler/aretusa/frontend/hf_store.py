"""The weight files of a Hugging Face directory, single or sharded, as one set of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.json_text import TENSOR_CODES, read_json_object
from aretusa.frontend.printable import printable, printable_list
from aretusa.frontend.safetensors_file import (
    FLOAT_DTYPES,
    SafetensorsFile,
    open_safetensors,
    unsupported_dtype,
)
from aretusa.frontend.weights import FloatWeight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".ckpt")
_NAME_LIMIT_CHARS = 255
_COMPARE_STEP = 2**20  # elements


@dataclass(frozen=True, slots=True)
class SafetensorsStore:
    """Tensors by name, each with the file that holds it."""

    files: tuple[Path, ...]
    holders: dict[str, SafetensorsFile]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every stored tensor."""
        return {name: file.entries[name].shape for name, file in self.holders.items()}

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self.holders[name].mapped.path

    def read(self, name: str) -> FloatWeight:
        """One tensor, widened to binary32."""
        holder = self.holders[name]
        entry = holder.entries[name]
        if entry.dtype not in FLOAT_DTYPES:
            raise unsupported_dtype(name, entry.dtype, holder.mapped.path)
        return FloatWeight(widen(holder.raw(name), entry.dtype).reshape(entry.shape))

    def are_equal(self, one: str, two: str) -> bool:
        """Whether two tensors of equal shape hold the same values, bit by bit once widened."""
        count = prod(self.shapes[one])
        for begin in range(0, count, _COMPARE_STEP):
            end = min(begin + _COMPARE_STEP, count)
            if not np.array_equal(self._bits(one, begin, end), self._bits(two, begin, end)):
                return False
        return True

    def _bits(self, name: str, begin: int, end: int) -> NDArray[np.uint32]:
        holder = self.holders[name]
        raw = holder.raw(name, begin, end)
        return widen(raw, holder.entries[name].dtype).view(np.uint32)


def widen(raw: bytes, dtype: str) -> NDArray[np.float32]:
    """Little-endian F32, F16 or BF16 as binary32; no value changes."""
    match dtype:
        case "F32":
            return np.frombuffer(raw, "<f4").astype(np.float32)
        case "F16":
            with np.errstate(invalid="ignore"):  # a signalling NaN is reported as E0110 later
                return np.frombuffer(raw, "<f2").astype(np.float32)
        case "BF16":
            return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        case _:
            raise AssertionError(dtype)


def open_hf_store(directory: Path) -> SafetensorsStore:
    """Open model.safetensors, or every shard that the index names; types are not checked."""
    single, index = member(directory, _SINGLE), member(directory, _INDEX)
    if single is not None:
        file = open_safetensors(single)
        store = SafetensorsStore((single,), dict.fromkeys(file.entries, file))
    elif index is not None:
        store = _open_shards(directory, index)
    else:
        raise _no_weights(directory)
    return store


def refuse_other_dtypes(store: SafetensorsStore, names: Iterable[str]) -> None:
    """E0109 unless all of the tensors are real numbers."""
    for name in names:
        holder = store.holders[name]
        if holder.entries[name].dtype not in FLOAT_DTYPES:
            raise unsupported_dtype(name, holder.entries[name].dtype, holder.mapped.path)


def member(directory: Path, name: str) -> Path | None:
    """A file of the directory, None if it is absent; E0121 if a link leads out of there."""
    path = directory / name
    if not path.is_file():
        return None
    target, home = path.resolve(), directory.resolve()
    # A snapshot in the Hugging Face cache links to its sibling folder of blobs.
    blobs = home.parents[1] / "blobs" if home.parent.name == "snapshots" else home
    if not (target.is_relative_to(home) or target.is_relative_to(blobs)):
        raise _refused(name, "it is a link that leaves the directory", directory)
    return path


def _open_shards(directory: Path, index: Path) -> SafetensorsStore:
    weight_map = _read_weight_map(index)
    names = sorted(set(weight_map.values()))
    for name in names:
        _check_shard_name(name, index)
    paths = {name: member(directory, name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise ModelError(
            "E0120",
            f"{len(missing)} of {len(names)} shards are missing: {printable_list(missing)}",
            file=index,
            fix="Download the missing files into the directory.",
        )
    shards: dict[str, SafetensorsFile] = {}
    for name, path in paths.items():
        assert path is not None, name
        if path.stat().st_nlink > 1:
            raise _refused(name, "it is a hard link, so the file is shared", index)
        shards[name] = open_safetensors(path)
    holders = _gather(shards, weight_map, index)
    return SafetensorsStore(tuple(shard.mapped.path for shard in shards.values()), holders)


def _read_weight_map(index: Path) -> dict[str, str]:
    match read_json_object(index, TENSOR_CODES).get("weight_map"):
        case dict(weight_map) if weight_map and all(
            isinstance(name, str) for name in weight_map.values()
        ):
            return weight_map
        case _:
            raise ModelError(
                "E0122",
                "the index has no weight_map from tensor names to file names",
                file=index,
                fix="Download the index again.",
            )


def _check_shard_name(name: str, index: Path) -> None:
    """Raise E0121 unless the name is a plain file name on every system."""
    is_plain = (
        name not in {"", ".", ".."}
        and len(name) <= _NAME_LIMIT_CHARS
        and name.isprintable()
        and PurePosixPath(name).name == name
        and PureWindowsPath(name).name == name
    )
    if not is_plain:
        raise _refused(name, "a shard is a plain file name", index)


def _gather(
    shards: dict[str, SafetensorsFile], weight_map: dict[str, str], index: Path
) -> dict[str, SafetensorsFile]:
    holders: dict[str, SafetensorsFile] = {}
    for shard in shards.values():
        twice = sorted(holders.keys() & shard.entries.keys())
        if twice:
            raise ModelError(
                "E0106",
                f"tensors are stored in two shards: {printable_list(twice)}",
                file=shard.mapped.path,
                fix="Export the checkpoint again.",
            )
        holders |= dict.fromkeys(shard.entries, shard)
    strays = sorted(
        name
        for name in holders.keys() | weight_map.keys()
        if name not in holders or shards.get(weight_map.get(name, "")) is not holders[name]
    )
    if strays:
        raise ModelError(
            "E0122",
            f"index and shards disagree on {len(strays)} tensors: {printable_list(strays)}",
            file=index,
            fix="Download index and shards again, from the same revision.",
        )
    return holders


def _no_weights(directory: Path) -> ModelError | UnsupportedError:
    pickles = sorted(p.name for p in directory.iterdir() if p.name.endswith(PICKLE_ENDINGS))
    if pickles:
        return pickle_error(pickles, directory)
    return ModelError(
        "E0120",
        f"neither {_SINGLE} nor {_INDEX} is there",
        file=directory,
        fix="Download the weights into the directory; a GGUF file is given by its own path.",
    )


def pickle_error(names: list[str], file: Path) -> UnsupportedError:
    """The error E0124 about checkpoints that only unpickling could read."""
    return UnsupportedError(
        "E0124",
        f"pickle checkpoints are not read: {printable_list(names)}",
        file=file,
        why="loading a pickle runs code from the file",
        fix="Convert it where you trust it: load it with transformers and call "
        "save_pretrained(directory, safe_serialization=True).",
    )


def _refused(name: str, why: str, file: Path) -> ModelError:
    return ModelError(
        "E0121",
        f"refused to open '{printable(name)}'",
        file=file,
        why=why,
        fix="Copy the weight files themselves into the directory.",
    )
