"""Quotients without a divider are those of IEEE 754, and why (docs/arithmetic.md, section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from instruction_set import READ, WRITE, Machine, Memory, stacks
from required_tools import skip_or_fail
from team_programs import XPULP, build_single, is_available

if TYPE_CHECKING:
    from instruction_set import Program
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

BLOB: Final = 0x8400_0000
MAGIC: Final = 0x7EF311C3
MANTISSAS: Final = 1 << 23
HARD: Final = 128
PAIRS: Final = 200_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """quotients.c with elements_xpulp.c."""
    if not is_available():
        skip_or_fail("needs clang-19 and lld-19")
    return build_single(tmp_path_factory.mktemp("quotients"), "quotients.c", XPULP)


def quotients(machine: Machine, program: Program, a: F32, b: F32) -> F32:
    """What the program finds."""
    count = np.array([a.size], np.uint32)
    data = np.concatenate([one.view(np.uint8) for one in (count, a, b, np.zeros_like(a))])
    memory = Memory.of(BLOB, data, READ | WRITE)
    machine.run(program, [memory, stacks()])
    return memory.data[4 + 8 * a.size :].view(np.float32)


def assert_equal(machine: Machine, program: Program, a: F32, b: F32) -> None:
    with np.errstate(all="ignore"):
        expected = a / b
    found = quotients(machine, program, a, b)
    differing = np.flatnonzero(found.view(np.uint32) != expected.view(np.uint32))
    assert [(a[i], b[i]) for i in differing[:5]] == []


@pytest.mark.clang
def test_quotients_of_any_numbers(machine: Machine, program: Program) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 0x7F800000, (2, PAIRS)).astype(np.uint32)
    moderate = rng.integers(0x30000000, 0x50000000, (2, PAIRS)).astype(np.uint32)
    for pair in (bits, moderate):
        assert_equal(machine, program, *pair.view(np.float32))


@pytest.mark.clang
def test_quotients_next_to_the_middle_of_two_numbers(machine: Machine, program: Program) -> None:
    """The hardest ones: dividends as near as they can be to divisor times such a middle."""
    rng = np.random.default_rng(2)
    divisors = rng.integers(MANTISSAS, 2 * MANTISSAS, PAIRS)
    middles = 2 * rng.integers(MANTISSAS, 2 * MANTISSAS, PAIRS) + 1  # with half a unit
    exact = divisors * middles
    shift = np.where(exact >= 1 << 48, 25, 24)
    for step in (-1, 0, 1):
        dividends = (exact >> shift) + step
        a = np.ldexp(dividends.astype(np.float32), -23).astype(np.float32)
        b = np.ldexp(divisors.astype(np.float32), -23).astype(np.float32)
        assert_equal(machine, program, a, b)
    near = np.arange(200)
    ends = np.concatenate([MANTISSAS + near, 2 * MANTISSAS - 1 - near])
    a, b = (np.ravel(one).astype(np.float32) for one in np.meshgrid(ends, ends))
    assert_equal(machine, program, a, b)


def test_reciprocals_are_near_enough_for_every_mantissa() -> None:
    """For b from 1 to 2, Newton's y misses 1 / b by less than 2^-23 / b^2: what the proof asks.

    The last 128 mantissas, for which the kernels divide, are left out.
    """
    b = np.arange(MANTISSAS, 2 * MANTISSAS - HARD, dtype=np.uint32).astype(np.float64) / MANTISSAS
    bits = b.astype(np.float32).view(np.uint32)
    y = (np.uint32(MAGIC) - bits).view(np.float32).astype(np.float64)
    for _ in range(3):
        rest = (1 - b * y).astype(np.float32).astype(np.float64)
        y = (y + y * rest).astype(np.float32).astype(np.float64)
    # b and y are whole numbers of 2^-23 and 2^-24: their product is exact in 64 bits.
    whole = np.rint(b * 2**23).astype(np.int64) * np.rint(y * 2**24).astype(np.int64)
    miss = np.abs(whole - (1 << 47)).astype(np.float64) / 2**47  # |b y - 1|
    assert np.all(miss * b < 2.0**-23 * (1 - 2.0**-22))
