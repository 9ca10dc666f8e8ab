"""The header of a safetensors file, checked entry by entry and byte by byte."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.json_text import JSON_LIMIT_BYTES, TENSOR_CODES, parse_json_object
from aretusa.frontend.mapped_file import MappedFile, map_file
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

# Element sizes in bytes. All are needed to check a header; only FLOAT_DTYPES can be loaded.
_ELEMENT_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
FLOAT_DTYPES = ("F32", "F16", "BF16")

_LENGTH_BYTES = 8
_RANK_LIMIT = 4
_DIM_LIMIT = 2**31
_DOWNLOAD_AGAIN = "Download the file again."


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of the file; the begin is in, the end is not; both count from the file's start."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin_byte: int
    end_byte: int


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A mapped file and its tensors."""

    mapped: MappedFile
    entries: dict[str, TensorEntry]

    def raw(self, name: str, first: int = 0, last: int | None = None) -> bytes:
        """The bytes of one tensor, or of its elements from `first` to before `last`."""
        entry = self.entries[name]
        size_bytes = _ELEMENT_BYTES[entry.dtype]
        end = entry.end_byte if last is None else entry.begin_byte + last * size_bytes
        return self.mapped.data[entry.begin_byte + first * size_bytes : end]


def open_safetensors(path: Path) -> SafetensorsFile:
    """Map a file and check its header (E0101 to E0109)."""
    mapped = map_file(path)
    header_bytes = _header_length(mapped)
    data_begin = _LENGTH_BYTES + header_bytes
    header = parse_json_object(mapped.data[_LENGTH_BYTES:data_begin], file=path, codes=TENSOR_CODES)
    entries = {
        name: _read_entry(name, value, data_begin, path)
        for name, value in header.items()
        if name != "__metadata__"
    }
    _check_layout(entries, data_begin, mapped)
    return SafetensorsFile(mapped, entries)


def _header_length(mapped: MappedFile) -> int:
    size = mapped.size_bytes
    if size <= _LENGTH_BYTES:
        raise ModelError(
            "E0101", f"not a safetensors file ({size} bytes)", file=mapped.path, fix=_DOWNLOAD_AGAIN
        )
    claimed = int.from_bytes(mapped.data[:_LENGTH_BYTES], "little")
    if claimed > min(size - _LENGTH_BYTES, JSON_LIMIT_BYTES):
        raise ModelError(
            "E0102",
            f"header claims {claimed:,} bytes, file has {size:,}",
            file=mapped.path,
            why=f"at most {JSON_LIMIT_BYTES:,} are read",
            fix=_DOWNLOAD_AGAIN,
        )
    return claimed


def _read_entry(name: str, value: object, data_begin: int, path: Path) -> TensorEntry:
    match value:
        case {
            "dtype": str(dtype),
            "shape": list(shape),
            "data_offsets": [begin, end],
            **rest,
        } if not rest and _are_integers([*shape, begin, end]):
            pass
        case _:
            raise _broken("E0103", name, "has a malformed header entry", path)
    if any(dim < 0 or dim > _DIM_LIMIT for dim in shape):
        raise _broken("E0107", name, "has a dimension that is negative or above 2**31", path)
    if len(shape) > _RANK_LIMIT or 0 in shape:
        raise _broken("E0108", name, "has a zero dimension or more than 4 dimensions", path)
    if dtype not in _ELEMENT_BYTES:
        raise unsupported_dtype(name, dtype, path)
    need_bytes = prod(shape) * _ELEMENT_BYTES[dtype]
    if begin < 0 or end - begin != need_bytes:
        raise _broken("E0107", name, f"does not have the {need_bytes} bytes of its shape", path)
    return TensorEntry(name, dtype, tuple(shape), data_begin + begin, data_begin + end)


def _are_integers(values: list[object]) -> bool:
    return all(type(value) is int for value in values)


def _check_layout(entries: dict[str, TensorEntry], data_begin: int, mapped: MappedFile) -> None:
    """Raise E0104 or E0105 unless the tensors cover the data exactly once."""
    position, before = data_begin, "the header"
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin_byte, entry.end_byte)):
        if entry.begin_byte != position:
            what = "overlap" if entry.begin_byte < position else "leave a hole between them"
            raise ModelError(
                "E0105",
                f"{before} and '{printable(entry.name)}' {what}",
                file=mapped.path,
                fix=_DOWNLOAD_AGAIN,
            )
        position, before = entry.end_byte, f"'{printable(entry.name)}'"
    if position > mapped.size_bytes:
        raise ModelError(
            "E0104",
            f"file ends {position - mapped.size_bytes:,} bytes early",
            file=mapped.path,
            fix=_DOWNLOAD_AGAIN,
        )
    if position < mapped.size_bytes:
        raise ModelError(
            "E0105",
            f"{mapped.size_bytes - position:,} bytes follow {before}",
            file=mapped.path,
            fix=_DOWNLOAD_AGAIN,
        )


def unsupported_dtype(name: str, dtype: str, path: Path) -> UnsupportedError:
    """The error E0109 about one tensor."""
    return UnsupportedError(
        "E0109",
        f"tensor '{printable(name)}' has the element type {printable(dtype)}",
        file=path,
        why=f"supported: {' '.join(FLOAT_DTYPES)}",
        fix="Export the checkpoint in a supported type, for instance BF16.",
    )


def _broken(code: str, name: str, what: str, path: Path) -> ModelError:
    return ModelError(code, f"tensor '{printable(name)}' {what}", file=path, fix=_DOWNLOAD_AGAIN)
