"""CodesTensor: int8 codes with one binary32 scale per row, as compression writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aretusa.errors import ModelError
from aretusa.frontend.printable import printable
from aretusa.frontend.weights import CodedWeight, CodeForm

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.safetensors_file import SafetensorsFile

CODES = ".codes"
SCALES = ".scales"
NIBBLE_BITS = 4  # codes of so many bits are stored unsigned around 8
NIBBLE_ZERO = 8


def stored_codes(signed: NDArray[np.int8], bits: int) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Signed codes as a CodedWeight holds them; their zero is `stored_zero(bits)`."""
    if bits > NIBBLE_BITS:
        return signed
    codes: NDArray[np.uint8] = (signed + np.int8(NIBBLE_ZERO)).astype(np.uint8)
    return codes


def stored_zero(bits: int) -> int:
    """The stored code that stands for 0."""
    return NIBBLE_ZERO if bits <= NIBBLE_BITS else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesTensor:
    """Where a matrix of codes lies; value[r, k] = codes[r, k] * scales[r]."""

    module: str
    codes: SafetensorsFile
    scales: SafetensorsFile
    bits: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and depth."""
        return self.codes.entries[self.module + CODES].shape

    @property
    def file(self) -> Path:
        """The file that holds the codes."""
        return self.codes.mapped.path

    @property
    def form(self) -> CodeForm:
        """How the codes are stored."""
        return CodeForm(bits=self.bits, group=0, zero=stored_zero(self.bits))

    @property
    def label(self) -> str:
        """What the checkpoint holds, in words."""
        return f"codes of {self.bits} bits"

    def check(self) -> None:
        """E0141 unless codes and scales have the types and shapes that belong together."""
        codes = self.codes.entries[self.module + CODES]
        scales = self.scales.entries[self.module + SCALES]
        if (codes.dtype, scales.dtype) != ("I8", "F32") or len(codes.shape) != 2:
            raise inconsistent(
                self.module,
                f"codes are {codes.dtype} {list(codes.shape)}, scales {scales.dtype}",
                self.file,
                "expected: I8 [rows, depth] and F32 [rows]",
            )
        if scales.shape != codes.shape[:1]:
            raise inconsistent(
                self.module,
                f"{list(scales.shape)} scales for codes {list(codes.shape)}",
                self.scales.mapped.path,
                f"expected: [{codes.shape[0]}]",
            )

    def read(self) -> CodedWeight:
        """The matrix; E0142 for a code beyond the width."""
        codes = np.frombuffer(self.codes.raw(self.module + CODES), np.int8).reshape(self.shape)
        scales = np.frombuffer(self.scales.raw(self.module + SCALES), "<f4").astype(np.float32)
        limit = 1 << (self.bits - 1)
        low, high = int(codes.min()), int(codes.max())
        if low < -limit or high >= limit:
            raise damaged(
                self.module,
                f"has codes from {low} to {high}",
                self.file,
                f"{self.bits} bits hold {-limit} to {limit - 1}",
            )
        return CodedWeight(
            codes=stored_codes(codes, self.bits),
            scales=scales,
            minimums=None,
            bits=self.bits,
            group=0,
            zero=stored_zero(self.bits),
        )


def inconsistent(module: str, what: str, file: Path, why: str) -> ModelError:
    """The error E0141: parts of one matrix contradict each other."""
    return ModelError(
        "E0141",
        f"parts of '{printable(module)}' disagree: {what}",
        file=file,
        why=why,
        fix="Write the checkpoint again.",
    )


def damaged(module: str, what: str, file: Path, why: str) -> ModelError:
    """The error E0142: a value that no writer of this layout stores."""
    return ModelError(
        "E0142",
        f"'{printable(module)}' {what}",
        file=file,
        why=why,
        fix="Download the checkpoint or write it again.",
    )
