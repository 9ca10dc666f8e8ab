"""The metadata and the tensor table of a GGUF file; every length is checked before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.gguf_types import ELEMENT_TYPES, type_name
from aretusa.frontend.mapped_file import MappedFile, map_file
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.gguf_types import ElementType
    from aretusa.frontend.tokenizer_source import MetadataScalar, MetadataValue

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# Vocabularies of 256 k tokens with their merges need about 12 MB.
_METADATA_LIMIT_BYTES = 32 * 2**20
_ARRAY_LIMIT = 2**21
_RANK_LIMIT = 4
_DIM_LIMIT = 2**31
_DEFAULT_ALIGNMENT_BYTES = 32
_ALIGNMENT_LIMIT_BYTES = 2**16

_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBER_DTYPES = {
    type_id: np.dtype(text)
    for type_id, text in {
        0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4",
        6: "<f4", 7: "<u1", 10: "<u8", 11: "<i8", 12: "<f8",
    }.items()
}  # fmt: skip
# The least bytes that one key with its value, or one row of the tensor table, can take.
_LEAST_VALUE_BYTES = 8 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor; shape as [rows, depth]; `begin_byte` counts from the start of the file."""

    name: str
    element: ElementType
    shape: tuple[int, ...]
    begin_byte: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A mapped file with its metadata and tensors."""

    mapped: MappedFile
    metadata: dict[str, MetadataValue]
    tensors: dict[str, GgufTensor]

    def raw(self, name: str) -> bytes:
        """The bytes of one tensor."""
        tensor = self.tensors[name]
        return self.mapped.data[tensor.begin_byte : tensor.begin_byte + tensor.size_bytes]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the tensor table as it is stored; the innermost dimension first."""

    name: str
    dims: tuple[int, ...]
    type_id: int
    offset: int


def open_gguf(path: Path) -> GgufFile:
    """Map a file and check everything but the values of its tensors (E0130 to E0133)."""
    mapped = map_file(path)
    cursor = _Cursor(mapped)
    _check_start(cursor)
    tensor_count = cursor.count(_LEAST_TENSOR_BYTES)
    pair_count = cursor.count(_LEAST_VALUE_BYTES)
    metadata: dict[str, MetadataValue] = {}
    for _ in range(pair_count):
        key = cursor.text()
        if key in metadata:
            raise _table_error(f"key '{printable(key)}' appears twice", path)
        metadata[key] = cursor.value()
    rows = [cursor.row() for _ in range(tensor_count)]
    alignment = _alignment(metadata, path)
    data_begin = -(-cursor.position // alignment) * alignment
    return GgufFile(mapped, metadata, _place_tensors(rows, alignment, data_begin, mapped))


def _check_start(cursor: _Cursor) -> None:
    path = cursor.mapped.path
    if cursor.mapped.data[:4] != _MAGIC:
        raise _start_error("not a GGUF file (the first four bytes are not GGUF)", path)
    cursor.position = 4
    version = int(cursor.number(4))
    if version >= 2**16 and version % 2**16 == 0:
        raise _start_error("the file is big-endian; only little-endian files are read", path)
    if version not in _VERSIONS:
        raise _start_error(f"GGUF version {version} is not read (known: 2, 3)", path)


class _Cursor:
    """A reading position that never passes the end of the file or of the budget."""

    def __init__(self, mapped: MappedFile) -> None:
        self.mapped = mapped
        self.position = 0
        self._end = min(mapped.size_bytes, _METADATA_LIMIT_BYTES)

    def need(self, size_bytes: int, what: str) -> None:
        """Raise E0131 unless that many bytes are left."""
        if size_bytes > self._end - self.position:
            raise ModelError(
                "E0131",
                f"{what} at byte {self.position} needs {size_bytes:,} bytes",
                file=self.mapped.path,
                why=f"{self._end - self.position:,} are left of the file or of the "
                f"{_METADATA_LIMIT_BYTES:,} that a header may take",
                fix="Download the file again.",
            )

    def number(self, type_id: int) -> int | float:
        """One number of a metadata type."""
        dtype = _NUMBER_DTYPES[type_id]
        self.need(dtype.itemsize, "a number")
        value: int | float = np.frombuffer(self._take(dtype.itemsize), dtype)[0].item()
        return value

    def count(self, least_bytes: int) -> int:
        """A 64-bit count of things that take at least `least_bytes` each."""
        # Read without NumPy: a vocabulary has half a million strings with a count each.
        self.need(8, "a count")
        count = int.from_bytes(self._take(8), "little")
        self.need(count * least_bytes, "a list or string")
        return count

    def text(self) -> str:
        """A string with its 64-bit length."""
        size_bytes = self.count(1)
        try:
            return self._take(size_bytes).decode("utf-8")
        except UnicodeDecodeError:
            raise self.broken("a string is not UTF-8") from None

    def value(self) -> MetadataValue:
        """A metadata value with its type."""
        type_id = int(self.number(4))
        return self._array() if type_id == _ARRAY else self._scalar(type_id)

    def row(self) -> _Row:
        """A row of the tensor table."""
        name = self.text()
        rank = int(self.number(4))
        if not 1 <= rank <= _RANK_LIMIT:
            raise self.broken(f"tensor '{printable(name)}' has {rank} dimensions")
        dims = tuple(int(self.number(10)) for _ in range(rank))
        return _Row(name, dims, int(self.number(4)), int(self.number(10)))

    def broken(self, what: str) -> ModelError:
        """The error E0131 about the bytes before the position."""
        return ModelError(
            "E0131",
            f"{what} (before byte {self.position})",
            file=self.mapped.path,
            fix="Download the file again.",
        )

    def _scalar(self, type_id: int) -> MetadataScalar:
        if type_id == _STRING:
            return self.text()
        if type_id not in _NUMBER_DTYPES:
            raise self.broken(f"metadata type {type_id} is unknown")
        value = self.number(type_id)
        return bool(value) if type_id == _BOOL else value

    def _array(self) -> list[MetadataScalar]:
        type_id = int(self.number(4))
        if type_id == _STRING:
            length = self._array_length(8)
            return [self.text() for _ in range(length)]
        if type_id not in _NUMBER_DTYPES:
            raise self.broken(f"arrays of metadata type {type_id} are not read")
        dtype = _NUMBER_DTYPES[type_id]
        length = self._array_length(dtype.itemsize)
        values = np.frombuffer(self._take(length * dtype.itemsize), dtype)
        items: list[MetadataScalar] = (values != 0 if type_id == _BOOL else values).tolist()
        return items

    def _array_length(self, least_bytes: int) -> int:
        length = self.count(least_bytes)
        if length > _ARRAY_LIMIT:
            raise self.broken(f"an array has {length:,} elements, at most {_ARRAY_LIMIT:,} allowed")
        return length

    def _take(self, size_bytes: int) -> bytes:
        begin, self.position = self.position, self.position + size_bytes
        return self.mapped.data[begin : self.position]


def _alignment(metadata: dict[str, MetadataValue], path: Path) -> int:
    value = metadata.get("general.alignment", _DEFAULT_ALIGNMENT_BYTES)
    is_power = type(value) is int and 0 < value <= _ALIGNMENT_LIMIT_BYTES and value.bit_count() == 1
    if not (isinstance(value, int) and is_power):
        raise _table_error(f"alignment {printable(str(value), 24)} is not a power of two", path)
    return value


def _place_tensors(
    rows: list[_Row], alignment: int, data_begin: int, mapped: MappedFile
) -> dict[str, GgufTensor]:
    path = mapped.path
    _refuse_types(rows, path)
    tensors: dict[str, GgufTensor] = {}
    for row in rows:
        if row.name in tensors:
            raise _table_error(f"tensor '{printable(row.name)}' appears twice", path)
        if row.offset % alignment:
            raise _table_error(f"tensor '{printable(row.name)}' is not aligned", path)
        tensors[row.name] = _place(row, data_begin, path)
    position, before = data_begin, ""
    for tensor in sorted(tensors.values(), key=lambda t: (t.begin_byte, t.size_bytes)):
        if tensor.begin_byte < position:
            raise _table_error(
                f"tensors '{printable(before)}' and '{printable(tensor.name)}' overlap", path
            )
        position, before = tensor.begin_byte + tensor.size_bytes, tensor.name
    if position > mapped.size_bytes:
        raise _table_error(
            f"tensor '{printable(before)}' ends {position - mapped.size_bytes:,} bytes behind "
            "the end of the file",
            path,
        )
    return tensors


def _place(row: _Row, data_begin: int, path: Path) -> GgufTensor:
    element = ELEMENT_TYPES[row.type_id]
    if not all(1 <= dim <= _DIM_LIMIT for dim in row.dims):
        raise _table_error(f"tensor '{printable(row.name)}' has a dimension out of range", path)
    if row.dims[0] % element.block:
        raise _table_error(
            f"tensor '{printable(row.name)}': {row.dims[0]} columns are not whole blocks of "
            f"{element.block}",
            path,
        )
    size_bytes = prod(row.dims) // element.block * element.block_bytes
    return GgufTensor(row.name, element, row.dims[::-1], data_begin + row.offset, size_bytes)


def _refuse_types(rows: list[_Row], path: Path) -> None:
    foreign = sorted({row.type_id for row in rows} - ELEMENT_TYPES.keys())
    if foreign:
        supported = " ".join(element.name for element in ELEMENT_TYPES.values())
        raise UnsupportedError(
            "E0133",
            f"tensors are quantised as {', '.join(type_name(t) for t in foreign[:5])}",
            file=path,
            why=f"supported: {supported}",
            fix="Quantise the model again with a supported type, for instance Q8_0.",
        )


def _start_error(what: str, path: Path) -> ModelError:
    return ModelError("E0130", what, file=path, fix="Convert the model to GGUF version 3 again.")


def _table_error(what: str, path: Path) -> ModelError:
    return ModelError("E0132", what, file=path, fix="Download or convert the file again.")
