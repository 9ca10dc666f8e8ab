"""GptqTensor: a matrix as GPTQModel and AutoGPTQ store it, and its codes without a change.

qweight int32 [depth * bits / 32, rows]: a column of the file is a row of the matrix, its codes one
stream of bits from the lowest bit up. qzeros int32 [groups, rows * bits / 32], alike along the
rows; scales [groups, rows]; g_idx int32 [depth], the group of each input. value = scale * (code -
zero point). Version 1 of the format stores zero points less 1.
Read from ModelCloud/GPTQModel 7.6.0, gptqmodel/nn_modules/qlinear and gptqmodel/utils/model.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aretusa.errors import UnsupportedError
from aretusa.frontend.code_tensors import (
    NIBBLE_BITS,
    damaged,
    inconsistent,
    stored_codes,
    stored_zero,
)
from aretusa.frontend.gptq_values import halves, is_order, unpack_fields, zero_points
from aretusa.frontend.printable import printable
from aretusa.frontend.weights import CodedWeight, CodeForm, FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.compression_config import GptqConfig
    from aretusa.frontend.safetensors_file import SafetensorsFile
    from aretusa.frontend.weights import StoredWeight

QWEIGHT: Final = ".qweight"
QZEROS: Final = ".qzeros"
SCALES: Final = ".scales"
G_IDX: Final = ".g_idx"
GROUPS: Final = (128, 64, 32)  # lengths that the kernels know
WORD_BITS: Final = 32
BITS_MAX: Final = 8  # of a code


def group_here(bits: int, group_size: int, depth: int, *, is_symmetric: bool) -> int:
    """Columns of a group in this compiler's forms: a length that kernels know, 0 for whole rows.

    Longer groups are cut, each part with the same scale. Zero points of 8 bits around one scale per
    row do not fit codes of 8 bits, so that such rows become groups as well. A length that no known
    one divides is returned as it is.
    """
    if group_size >= depth and (is_symmetric or bits < BITS_MAX):
        return 0
    length = max(GROUPS) if group_size >= depth else group_size
    return next((known for known in GROUPS if length % known == 0), length)


def form_of_groups(bits: int, group_size: int, depth: int, *, is_symmetric: bool) -> CodeForm:
    """How codes are stored here. Whole rows with zero points become codes of one bit more."""
    group = group_here(bits, group_size, depth, is_symmetric=is_symmetric)
    if group == 0:
        width = bits if is_symmetric else bits + 1
        return CodeForm(bits=width, group=0, zero=stored_zero(width))
    if is_symmetric:
        return CodeForm(bits=bits, group=group, zero=stored_zero(bits))
    return CodeForm(bits=bits, group=group, zero=0, has_minimum=True, has_zeros=True)


@dataclass(frozen=True, kw_only=True)
class GptqTensor:
    """Where the parts of a matrix lie; what decides about its form is read on first use."""

    module: str
    parts: dict[str, SafetensorsFile]
    config: GptqConfig | None
    bits: int
    group_size: int  # of the file: columns that share a scale

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and depth."""
        words, rows = self._entry_shape(QWEIGHT)
        return rows, words * WORD_BITS // self.bits

    @property
    def file(self) -> Path:
        """The file that holds the codes."""
        return self.parts[QWEIGHT].mapped.path

    @property
    def groups(self) -> int:
        """Scales per row in the file."""
        return self._entry_shape(SCALES)[0]

    @property
    def label(self) -> str:
        """What the checkpoint holds, in words."""
        zero = "" if self.is_symmetric else ", zero points"
        order = ", act order" if self.is_permuted else ""
        return f"GPTQ, {self.bits} bits, {self._group_text}{zero}{order}"

    @property
    def form(self) -> CodeForm:
        """How the codes are stored here; E0143 and E0144 where they cannot be."""
        if self.is_permuted:
            raise self._not_imported(
                "E0143",
                "has its columns in activation order (desc_act)",
                "groups are then no runs of columns",
                "Quantise again with desc_act=False, or add --requantise",
            )
        if self.group not in {0, *GROUPS}:
            raise self._not_imported(
                "E0144",
                f"has groups of {self.group_size} columns",
                "kernels know multiples of 32",
                "Quantise again with a group size of 32, 64, 128 or -1, or add --requantise",
            )
        if self.group and self._scale_halves is None:
            raise self._not_imported(
                "E0144",
                "has scales that binary16 cannot hold",
                "group scales are binary16 numbers",
                "Quantise again with float16 scales, or add --requantise",
            )
        return form_of_groups(
            self.bits, self.group_size, self.shape[1], is_symmetric=self.is_symmetric
        )

    @cached_property
    def group(self) -> int:
        """Columns of a group here."""
        return group_here(self.bits, self.group_size, self.shape[1], is_symmetric=self.is_symmetric)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether every zero point is the middle of the codes."""
        return bool((self.zeros == 1 << (self.bits - 1)).all())

    @cached_property
    def is_permuted(self) -> bool:
        """Whether the groups are no runs of columns."""
        return not is_order(self.group_numbers, self.group_size)

    @cached_property
    def group_numbers(self) -> NDArray[np.int32]:
        """The group of each column; E0142 for one that is not there."""
        if G_IDX not in self.parts:
            return (np.arange(self.shape[1]) // self.group_size).astype(np.int32)
        numbers = self._array(G_IDX, "<i4")
        if int(numbers.min()) < 0 or int(numbers.max()) >= self.groups:
            raise damaged(
                self.module,
                f"has group numbers from {int(numbers.min())} to {int(numbers.max())}",
                self.parts[G_IDX].mapped.path,
                f"there are {self.groups} groups",
            )
        return numbers

    @cached_property
    def zeros(self) -> NDArray[np.int16]:
        """Zero points [rows, groups]; E0141 where a symmetric matrix has others."""
        rows = self.shape[0]
        points = zero_points(self._array(QZEROS, "<u4"), self.bits, rows, self.config)
        if points is None:
            raise inconsistent(
                self.module,
                "zero points differ, yet the configuration says symmetric",
                self.parts[QZEROS].mapped.path,
                f"expected: all {1 << (self.bits - 1)}, or one less in version 1",
            )
        return points

    def read(self) -> StoredWeight:
        """Codes and scales; the real numbers they mean where `form` refuses them."""
        try:
            form = self.form
        except UnsupportedError:
            return FloatWeight(self._real_values())
        signed = self._codes()
        if form.has_zeros:
            return self._with_zeros(signed, form)
        signed -= self._per_column(self.zeros)
        scales: NDArray[Any] = self._scales()[0]
        if form.group:
            scales = self._per_group(self._scale_halves_checked())
        return CodedWeight(
            codes=stored_codes(signed.astype(np.int8), form.bits),
            scales=scales,
            minimums=None,
            bits=form.bits,
            group=form.group,
            zero=form.zero,
        )

    def _with_zeros(self, codes: NDArray[np.int16], form: CodeForm) -> CodedWeight:
        """Codes of 8 bits are moved into int8, and their zero points with them."""
        middle = 0 if form.bits < 8 else 128
        moved = codes - np.int16(middle)
        return CodedWeight(
            codes=moved.astype(np.uint8) if form.bits <= NIBBLE_BITS else moved.astype(np.int8),
            scales=self._per_group(self._scale_halves_checked()),
            minimums=None,
            bits=form.bits,
            group=form.group,
            zero=form.zero,
            zeros=self._per_group(self.zeros - np.int16(middle)),
        )

    def _real_values(self) -> NDArray[np.float32]:
        codes = (self._codes() - self._per_column(self.zeros)).astype(np.float32)
        values: NDArray[np.float32] = codes * self._scales().T[:, self.group_numbers]
        return values

    def _codes(self) -> NDArray[np.int16]:
        """Codes [rows, depth], not negative."""
        rows, depth = self.shape
        words = self._array(QWEIGHT, "<u4").reshape(-1, rows)
        return unpack_fields(np.ascontiguousarray(words.T), self.bits, depth)

    def _per_column(self, numbers: NDArray[np.int16]) -> NDArray[np.int16]:
        return numbers[:, self.group_numbers]

    def _per_group(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Numbers [rows, groups of the file] for the groups here."""
        firsts = np.arange(0, self.shape[1], self.group)
        return np.ascontiguousarray(numbers[:, self.group_numbers[firsts]])

    def _scales(self) -> NDArray[np.float32]:
        """Scales [groups, rows] of the file."""
        file = self.parts[SCALES]
        entry = file.entries[self.module + SCALES]
        return halves(file.raw(self.module + SCALES), entry.dtype).reshape(entry.shape)

    @cached_property
    def _scale_halves(self) -> NDArray[np.float16] | None:
        """Scales [rows, groups] as binary16 where that changes none of them."""
        scales = self._scales().T
        with np.errstate(over="ignore"):
            narrow = scales.astype(np.float16)
        same = np.array_equal(narrow.astype(np.float32), scales, equal_nan=True)
        return narrow if same else None

    def _scale_halves_checked(self) -> NDArray[np.float16]:
        assert self._scale_halves is not None, f"{self.module} has no binary16 scales"
        return self._scale_halves

    def _array(self, part: str, dtype: str) -> NDArray[Any]:
        file = self.parts[part]
        entry = file.entries[self.module + part]
        return np.frombuffer(file.raw(self.module + part), dtype).reshape(entry.shape)

    def _entry_shape(self, part: str) -> tuple[int, ...]:
        return self.parts[part].entries[self.module + part].shape

    @property
    def _group_text(self) -> str:
        return "one scale per row" if self.groups == 1 else f"groups of {self.group_size}"

    def _not_imported(self, code: str, what: str, why: str, fix: str) -> UnsupportedError:
        return UnsupportedError(
            code, f"'{printable(self.module)}' {what}", file=self.file, why=why, fix=fix
        )
