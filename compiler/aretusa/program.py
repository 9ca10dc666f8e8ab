"""Program: a build directory read back, with its weights unpacked from the images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aretusa.frontend.rope_tables import RopeTables
from aretusa.ir.text import parse_graph
from aretusa.ir.types import DenseType, VectorType
from aretusa.manifest import GRAPH_FILE, read_manifest
from aretusa.memory.contents import ROPE_COSINE, ROPE_SINE, matrix_biases
from aretusa.memory.engine_pieces import engine_pieces
from aretusa.memory.matrix_parts import BLOCK_ROWS, block_code_bytes, matrix_parts
from aretusa.neureka.linear import unpack_for
from aretusa.quantization.layout import PackedMatrix, unpack_matrix
from aretusa.quantization.schemes import CHANNEL, QuantisedMatrix, container_bits
from aretusa.tokenizer_files import read_copied_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.ir.graph import Graph
    from aretusa.manifest import Manifest
    from aretusa.memory.engine_pieces import EnginePiece
    from aretusa.tokenizer.model import TokenizerModel

    F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Part:
    """A typed view of some bytes of an image."""

    dtype: str
    offset_bytes: int
    shape: tuple[int, ...]


@dataclass
class ImageWeights:
    """Constants as the images hold them, unpacked on first use and kept."""

    build: Path
    manifest: Manifest
    graph: Graph
    _images: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    _matrices: dict[str, QuantisedMatrix] = field(default_factory=dict)
    _vectors: dict[str, F32] = field(default_factory=dict)

    def matrix(self, name: str) -> QuantisedMatrix:
        """A quantised matrix."""
        if name not in self._matrices:
            self._unpack(name)
        return self._matrices[name]

    def vector(self, name: str) -> F32:
        """A vector; a bias is unpacked with its matrix."""
        if name not in self._vectors:
            owners = {bias: matrix for matrix, bias in matrix_biases(self.graph).items()}
            if name in owners:
                self._unpack(owners[name])
            else:
                kind = self.graph.weight_types()[name]
                assert isinstance(kind, VectorType), f"{name} is not a vector"
                self._vectors[name] = self._array(name, _Part("<f4", 0, (kind.size,)))
        return self._vectors[name]

    def real_matrix(self, name: str) -> F32:
        """What the codes of a matrix stand for."""
        return self.matrix(name).dequantise()

    def rope(self) -> RopeTables:
        """Rotary tables."""
        shape = (self.graph.context, self.graph.rope_dim // 2)
        part = _Part("<f4", 0, shape)
        return RopeTables(self._array(ROPE_COSINE, part), self._array(ROPE_SINE, part))

    def _array(self, region_name: str, part: _Part) -> NDArray[np.float32]:
        region = self.manifest.region(region_name)
        if region.memory not in self._images:
            image = next(i for i in self.manifest.images if i.memory == region.memory)
            self._images[region.memory] = np.memmap(self.build / image.file_name, np.uint8, "r")
        start = region.offset_bytes + part.offset_bytes
        dtype = np.dtype(part.dtype)
        size = int(np.prod(part.shape)) * dtype.itemsize
        data = self._images[region.memory][start : start + size]
        array: NDArray[np.float32] = data.view(dtype).reshape(part.shape)
        return array

    def _unpack(self, name: str) -> None:
        """Put a matrix together from its rows on N-EUREKA and on the cluster."""
        kind = self.graph.weight_types()[name]
        assert isinstance(kind, DenseType), f"{name} is not a matrix"
        bias_name = matrix_biases(self.graph).get(name)
        piece = engine_pieces(self.graph).get(name)
        found: list[tuple[QuantisedMatrix, F32 | None]] = []
        if piece is not None:
            found.append(self._unpack_engine(piece, kind))
            kind = replace(kind, rows=kind.rows - piece.rows)
        if kind.rows:
            found.append(self._unpack_cluster(name, kind, has_bias=bias_name is not None))
        self._matrices[name] = _join([matrix for matrix, _ in found])
        if bias_name is not None:
            parts = [bias for _, bias in found if bias is not None]
            self._vectors[bias_name] = np.concatenate(parts)

    def _unpack_engine(
        self, piece: EnginePiece, kind: DenseType
    ) -> tuple[QuantisedMatrix, F32 | None]:
        words = self._array(piece.name, _Part("u1", 0, (piece.codes_bytes,)))
        stored = _engine_codes(piece, words).astype(np.int16) + kind.zero  # type: ignore[arg-type]
        is_unsigned = kind.zero > 0 or piece.from_zero
        scales = _Part("<f4", piece.channels_offset, (piece.rows,))
        if kind.group != CHANNEL:
            scales = _Part("<f2", piece.channels_offset, (piece.rows, kind.groups))
        behind = piece.channels_offset + piece.scales_bytes(piece.rows)
        minimums = _Part("<f2", behind, scales.shape)
        matrix = QuantisedMatrix(
            codes=stored.astype(np.uint8) if is_unsigned else stored.astype(np.int8),
            scales=self._array(piece.name, scales),
            **self._offsets(piece.name, minimums, kind),
            bits=kind.bits,
            group=kind.group,
            zero=kind.zero,
        )
        bias = _Part("<f4", piece.bias_offset, (piece.rows,))
        return matrix, self._array(piece.name, bias) if piece.has_bias else None

    def _offsets(self, region: str, part: _Part, kind: DenseType) -> dict[str, Any]:
        """Minimums or zero points, which lie in one place."""
        is_there = {"minimums": kind.has_minimum and not kind.has_zeros, "zeros": kind.has_zeros}
        typed = {"minimums": part, "zeros": replace(part, dtype="<i2")}
        return {
            name: self._array(region, typed[name]) if found else None
            for name, found in is_there.items()
        }

    def _unpack_cluster(
        self, name: str, kind: DenseType, *, has_bias: bool
    ) -> tuple[QuantisedMatrix, F32 | None]:
        parts = matrix_parts(kind, has_bias=has_bias)
        blocks = -(-kind.rows // BLOCK_ROWS)
        pattern = kind.pattern if kind.is_packed else None
        if pattern is not None:
            codes = _Part("u1", 0, (blocks, block_code_bytes(kind)))
        elif container_bits(kind.bits) == 4:
            codes = _Part("<u4", 0, (blocks, kind.depth))
        else:
            codes = _Part("i1", 0, (blocks, kind.depth, BLOCK_ROWS))
        if kind.group == CHANNEL:
            scales = _Part("<f4", parts.scales_offset, (blocks, BLOCK_ROWS))
        else:
            scales = _Part("<f2", parts.scales_offset, (blocks, kind.groups, BLOCK_ROWS))
        minimums = _Part("<f2", parts.minimums_offset, scales.shape)
        bias = _Part("<f4", parts.bias_offset, (blocks, BLOCK_ROWS))
        return unpack_matrix(
            PackedMatrix(
                codes=self._array(name, codes),  # type: ignore[arg-type]
                scales=self._array(name, scales),
                **self._offsets(name, minimums, kind),
                bias=self._array(name, bias) if has_bias else None,
                rows=kind.rows,
                depth=kind.depth,
                group=kind.group,
                zero=kind.zero,
                pattern=pattern,
                container=container_bits(kind.bits),
            )
        )


def _engine_codes(piece: EnginePiece, words: NDArray[np.uint8]) -> NDArray[np.int8]:
    if piece.group != CHANNEL:
        return piece.bands.unpack(words)
    return unpack_for(
        piece.engine, words, piece.rows, piece.depth, piece.bits, from_zero=piece.from_zero
    )


def _join(parts: list[QuantisedMatrix]) -> QuantisedMatrix:
    """The rows of all parts, one below the other."""
    if len(parts) == 1:
        return parts[0]
    minimums = [part.minimums for part in parts if part.minimums is not None]
    zeros = [part.zeros for part in parts if part.zeros is not None]
    return replace(
        parts[0],
        codes=np.concatenate([part.codes for part in parts]),
        scales=np.concatenate([part.scales for part in parts]),
        minimums=np.concatenate(minimums) if minimums else None,
        zeros=np.concatenate(zeros) if zeros else None,
    )


@dataclass
class Program:
    """One build, opened."""

    build: Path
    manifest: Manifest
    graph: Graph

    @classmethod
    def open(cls, build: Path) -> Program:
        """Read manifest and graph; E0005 if the directory is not a build."""
        manifest = read_manifest(build)
        graph = parse_graph((build / GRAPH_FILE).read_text("utf-8"))
        return cls(build, manifest, graph)

    @cached_property
    def weights(self) -> ImageWeights:
        """Constants from the images."""
        return ImageWeights(self.build, self.manifest, self.graph)

    @cached_property
    def tokenizer(self) -> TokenizerModel:
        """The tokenizer as tables."""
        return read_copied_tokenizer(self.build, tuple(self.manifest.model.stop_tokens))
