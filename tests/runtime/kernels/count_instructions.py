"""Instructions per multiply-accumulate of each kernel on RV32IMFC, counted by QEMU with -icount.

Run as a script to print them as JSON; deterministic for one compiler.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "compiler"))

from cache_cases import AttentionShape, random_attention_case
from case_catalogue import rope_tables
from kernel_cases import (
    Case,
    HeadTransform,
    heads_case,
    linear_case,
    normal,
    quantise_case,
    random_matrix,
    random_rows,
    rmsnorm_case,
    sample_case,
    silu_mul_case,
)
from kernel_programs import BareMetal

if TYPE_CHECKING:
    from collections.abc import Sequence

# bits, group, whether there are minimums
FORMS: Final = (
    (8, 0, False),
    (8, 32, False),
    (4, 0, False),
    (4, 32, False),
    (4, 32, True),
    (4, 64, True),
    (4, 128, False),
)
SHAPES: Final = ((576, 576), (192, 576), (576, 1536))


class Count(TypedDict):
    """One measured call; `units` are MACs of a product and elements of a row kernel."""

    kernel: str
    instructions: int
    units: int
    per_unit: float


def linear_cases(tokens: int) -> list[Case]:
    """Matrix-vector products (tokens 1) or prefill of SmolLM2's shapes."""
    rng = np.random.default_rng(0)
    return [
        linear_case(
            random_matrix(rng, shape, width, group, minimums=minimums),
            *random_rows(rng, tokens, shape[1]),
        )
        for width, group, minimums in FORMS
        for shape in SHAPES
    ]


def other_cases() -> list[tuple[Case, int]]:
    """The other kernels with the number of elements they work on."""
    rng = np.random.default_rng(0)
    rows = normal(rng, 1, 1536)
    cosine, sine = rope_tables(512, 64)
    heads = normal(rng, 1, 9, 64)
    cases = [
        (quantise_case(rows), 1536),
        (rmsnorm_case(rows[:, :576].copy(), normal(rng, 576), 1e-5), 576),
        (silu_mul_case(normal(rng, 1, 1536, scale=3), rows), 1536),
        (heads_case(heads, HeadTransform(cosine=cosine, sine=sine), 100), 9 * 64),
        (sample_case(normal(rng, 49152, scale=3), 0.0, 1.0, 1, 1), 49152),
        (sample_case(normal(rng, 49152, scale=3), 0.8, 0.95, 1, 1), 49152),
    ]
    for position in (15, 127, 511):
        shape = AttentionShape(
            tokens=1, heads=9, kv_heads=3, dim=64, position=position, context=512
        )
        case = random_attention_case(rng, shape)
        cases.append((case, case.macs))
    return cases


def count(program: BareMetal, cases: Sequence[tuple[Case, int]]) -> list[Count]:
    """Check the results and count the instructions of each case."""
    found = program.check([case for case, _ in cases])
    return [
        Count(
            kernel=case.name,
            instructions=instructions,
            units=units,
            per_unit=round(instructions / units, 3),
        )
        for (case, units), instructions in zip(cases, found, strict=True)
    ]


def count_all(folder: Path) -> list[Count]:
    """Build the kernels in a folder and count every case."""
    products = [(case, case.macs) for tokens in (1, 2, 8) for case in linear_cases(tokens)]
    return count(BareMetal.build(folder), [*products, *other_cases()])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(count_all(Path(name)), indent=1) + "\n")
