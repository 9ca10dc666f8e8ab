"""Weight images: one file per memory, streamed constant by constant, then sealed with CRCs."""

from __future__ import annotations

import hashlib
import mmap
import struct
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from aretusa.ir.types import DenseType
from aretusa.memory.contents import ROPE_COSINE, ROPE_SINE, TOKENIZER, matrix_biases
from aretusa.memory.engine_pieces import EnginePiece, engine_pieces
from aretusa.memory.matrix_parts import matrix_parts
from aretusa.memory.plan import IMAGE_CHUNK_BYTES, IMAGE_HEADER_BYTES, image_header_bytes
from aretusa.neureka.job import unsigned_input_correction
from aretusa.neureka.linear import pack_for
from aretusa.quantization.crc import crc32c, crc32c_chunks
from aretusa.quantization.layout import pack_matrix
from aretusa.quantization.schemes import CHANNEL
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.ir.graph import Graph
    from aretusa.memory.plan import MemoryPlan, Region
    from aretusa.quantization.schemes import QuantisedMatrix

IMAGE_MAGIC: Final = b"ARTI"
IMAGE_VERSION: Final = 1
_HEADER: Final = struct.Struct("<4s5I32sI")  # all but the CRC of the header itself


class ConstantSource(Protocol):
    """Where the constants of a program come from."""

    def matrix(self, name: str) -> QuantisedMatrix:
        """A quantised matrix."""
        ...

    def vector(self, name: str) -> NDArray[np.float32]:
        """A vector of real numbers."""
        ...

    def rope(self) -> RopeTables:
        """Rotary tables."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A written image file."""

    memory: MemoryId
    file_name: str
    size_bytes: int


@dataclass(frozen=True)
class ImageWriter:
    """Writes the images of one program into a directory."""

    graph: Graph
    plan: MemoryPlan
    source: ConstantSource
    tokenizer_image: bytes

    def write(
        self, directory: Path, graph_text: str, on_bytes: Callable[[int], None]
    ) -> tuple[list[Image], str]:
        """All images, and the model hash: SHA-256 over the graph and every constant in order."""
        digest = hashlib.sha256(graph_text.encode())
        images: list[Image] = []
        for memory in MemoryId:
            constants = self.plan.constants(memory)
            if not constants:
                continue
            path = directory / f"{memory.key}.bin"
            header_bytes = image_header_bytes(self.plan.target.memory(memory).capacity_bytes)
            end = -(-max(region.end_bytes for region in constants) // 4) * 4
            with path.open("wb") as file:
                file.truncate(end)
                for region in constants:
                    for offset, part in self._parts(region):
                        file.seek(region.offset_bytes + offset)
                        file.write(part)
                        digest.update(part)
                        on_bytes(len(part))
            assert constants[0].offset_bytes == header_bytes, f"{memory.name} has a wrong start"
            images.append(Image(memory=memory, file_name=path.name, size_bytes=end))
        for image in images:
            self._seal(directory / image.file_name, image.memory, digest.digest())
        return images, digest.hexdigest()

    def _parts(self, region: Region) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of each part of a constant."""
        if region.name == TOKENIZER:
            yield 0, self.tokenizer_image
        elif region.name == ROPE_COSINE:
            yield 0, self.source.rope().cosine.astype("<f4").tobytes()
        elif region.name == ROPE_SINE:
            yield 0, self.source.rope().sine.astype("<f4").tobytes()
        elif region.name in self._pieces_by_region:
            yield from self._engine_parts(self._pieces_by_region[region.name])
        else:
            kind = self.graph.weight_types()[region.name]
            if isinstance(kind, DenseType):
                yield from self._matrix_parts(region.name, kind)
            else:
                yield 0, self.source.vector(region.name).astype("<f4").tobytes()

    @cached_property
    def _pieces(self) -> dict[str, EnginePiece]:
        """Pieces on N-EUREKA by weight."""
        return engine_pieces(self.graph, is_unsigned=not self.plan.target.has_signed_input)

    @cached_property
    def _pieces_by_region(self) -> dict[str, EnginePiece]:
        """The same by the names of their regions."""
        return {piece.name: piece for piece in self._pieces.values()}

    @cached_property
    def _biases(self) -> dict[str, str]:
        """Bias of each matrix that has one."""
        return matrix_biases(self.graph)

    def _engine_parts(self, piece: EnginePiece) -> Iterator[tuple[int, bytes]]:
        matrix = self.source.matrix(piece.weight)
        codes = (matrix.codes[: piece.rows].astype(np.int16) - matrix.zero).astype(np.int8)
        yield 0, _packed(piece, codes)
        numbers = list(_scales(piece, matrix))
        bias = self._bias(piece.weight)
        if bias is not None:
            numbers.append(bias[: piece.rows].astype("<f4").tobytes())
        if piece.is_unsigned:
            numbers.append((-unsigned_input_correction(codes)).astype("<i4").tobytes())
        yield piece.channels_offset, b"".join(numbers)

    def _bias(self, weight: str) -> NDArray[np.float32] | None:
        name = self._biases.get(weight)
        return None if name is None else self.source.vector(name)

    def _matrix_parts(self, name: str, kind: DenseType) -> Iterator[tuple[int, bytes]]:
        matrix, bias = self.source.matrix(name), self._bias(name)
        piece = self._pieces.get(name)
        if piece is not None:
            rest = np.arange(piece.rows, matrix.rows)
            matrix, bias = matrix.select_rows(rest), None if bias is None else bias[rest]
            kind = replace(kind, rows=matrix.rows)
        packed = pack_matrix(matrix, bias, kind.pattern if kind.is_packed else None)
        parts = matrix_parts(kind, has_bias=bias is not None)
        yield 0, packed.codes.tobytes()
        yield parts.scales_offset, packed.scales.tobytes()
        if packed.minimums is not None:
            yield parts.minimums_offset, packed.minimums.tobytes()
        if packed.zeros is not None:
            yield parts.minimums_offset, packed.zeros.tobytes()
        if packed.bias is not None:
            yield parts.bias_offset, packed.bias.tobytes()

    def _seal(self, path: Path, memory: MemoryId, model_hash: bytes) -> None:
        """Write the header, once the data stands."""
        header_bytes = image_header_bytes(self.plan.target.memory(memory).capacity_bytes)
        table = _checksums(path, header_bytes)
        words = (
            IMAGE_VERSION,
            header_bytes,
            path.stat().st_size - header_bytes,
            IMAGE_CHUNK_BYTES,
            len(table) // 4,
        )
        head = _HEADER.pack(IMAGE_MAGIC, *words, model_hash, int(memory))
        crc = crc32c(table, crc32c(head))
        with path.open("r+b") as file:
            file.write(head + struct.pack("<I", crc) + table)


def _packed(piece: EnginePiece, codes: NDArray[np.int8]) -> bytes:
    if piece.group != CHANNEL:
        return piece.bands.pack(codes).tobytes()
    return pack_for(piece.engine, codes, piece.bits, from_zero=piece.from_zero).tobytes()


def _scales(piece: EnginePiece, matrix: QuantisedMatrix) -> Iterator[bytes]:
    """Scales, and minimums or zero points, of the piece's rows."""
    dtype = "<f4" if piece.group == CHANNEL else "<f2"
    arrays = ((matrix.scales, dtype), (matrix.minimums, dtype), (matrix.zeros, "<i2"))
    for array, stored in arrays:
        if array is not None:
            data = array[: piece.rows].astype(stored).tobytes()
            yield data.ljust(piece.scales_bytes(piece.rows), b"\0")


def is_intact(path: Path) -> bool:
    """Whether an image file still holds what was written there."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(IMAGE_HEADER_BYTES)
        if len(head) < IMAGE_HEADER_BYTES or not head.startswith(IMAGE_MAGIC):
            return False
        _, _, header_bytes, data_bytes, _, chunks, _, _ = _HEADER.unpack_from(head)
        table = file.read(4 * chunks)
    crc = int.from_bytes(head[_HEADER.size :], "little")
    return (
        crc == crc32c(table, crc32c(head[: _HEADER.size]))
        and path.stat().st_size == header_bytes + data_bytes
        and table == _checksums(path, header_bytes)
    )


def _checksums(path: Path, header_bytes: int) -> bytes:
    """The table of CRCs of the data behind the header."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            return crc32c_chunks(view[header_bytes:], IMAGE_CHUNK_BYTES).astype("<u4").tobytes()
        finally:
            view.release()
