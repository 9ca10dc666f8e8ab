"""The constants of the C exponential are those of the contract."""

from __future__ import annotations

import re

import numpy as np
from kernel_programs import RUNTIME

from aretusa.reference import arithmetic

FLOAT = re.compile(r"-?0x[0-9a-f.]+p[+-]?[0-9]+(?=f)")


def floats_in(name: str) -> list[float]:
    text = (RUNTIME / "src" / "kernels" / name).read_text()
    return [float.fromhex(found) for found in FLOAT.findall(text)]


def test_table_is_the_contracts() -> None:
    assert np.array(floats_in("exp_table.c"), np.float32).tolist() == arithmetic.EXP_TABLE.tolist()


def test_constants_are_the_contracts() -> None:
    assert floats_in("exp.h") == [
        float(arithmetic.EXP_INVERSE_STEP),
        float(arithmetic.EXP_STEP_HIGH),
        float(arithmetic.EXP_STEP_LOW),
        float(arithmetic.EXP_C3),
    ]


def test_exponential_is_accurate() -> None:
    x = np.linspace(-87, 88, 200001).astype(np.float32)
    true = np.exp(x.astype(np.float64))
    assert np.max(np.abs(arithmetic.exp(x) - true) / true) < 2.0**-23
