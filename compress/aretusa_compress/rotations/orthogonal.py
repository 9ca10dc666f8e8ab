"""orthogonal(): a matrix that spreads every value over all places, where possible a Hadamard one.

Hadamard matrices of order 4 k: Sylvester's doubling, and Paley's constructions from the quadratic
residues of a prime p: order p + 1 for p = 3 mod 4, order 2 (p + 1) for p = 1 mod 4 (R. Paley, On
orthogonal matrices, J. Math. Phys. 12, 1933). Together they give 252, 576 and most widths in use.
"""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonal(size: int, seed: int) -> Tensor:
    """Q [size, size] in binary64 with Q Q^T = 1; random signs, or all of it, come from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    spread = hadamard(size)
    if spread is None:
        normal = torch.randn(size, size, generator=generator, dtype=torch.float64)
        found: Tensor = torch.linalg.qr(normal).Q
        return found
    signs = torch.randint(0, 2, (size,), generator=generator, dtype=torch.float64) * 2 - 1
    return signs[:, None] * spread / size**0.5


def hadamard(size: int) -> Tensor | None:
    """Entries 1 and -1 with rows at right angles; None where no construction here gives one."""
    if size in {1, 2}:
        return torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)[:size, :size]
    if size % 4:
        return None
    found = _first_paley(size)
    if found is None:
        found = _second_paley(size)
    if found is not None:
        return found
    half = hadamard(size // 2)
    return None if half is None else torch.cat([_row(half, half), _row(half, -half)])


def _first_paley(size: int) -> Tensor | None:
    prime = size - 1
    if prime % 4 != 3 or not _is_prime(prime):
        return None
    skew = torch.zeros(size, size, dtype=torch.float64)
    skew[0, 1:], skew[1:, 0], skew[1:, 1:] = 1, -1, _jacobsthal(prime)
    return skew + torch.eye(size, dtype=torch.float64)


def _second_paley(size: int) -> Tensor | None:
    prime = size // 2 - 1
    if prime % 4 != 1 or not _is_prime(prime):
        return None
    order = prime + 1
    symmetric = torch.zeros(order, order, dtype=torch.float64)
    symmetric[0, 1:], symmetric[1:, 0], symmetric[1:, 1:] = 1, 1, _jacobsthal(prime)
    unit = torch.eye(order, dtype=torch.float64)
    corner = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    diagonal = torch.tensor([[1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
    return torch.kron(symmetric, corner) + torch.kron(unit, diagonal)


def _jacobsthal(prime: int) -> Tensor:
    """1 where i - j is a square modulo the prime, -1 where it is none, 0 on the diagonal."""
    character = torch.full((prime,), -1.0, dtype=torch.float64)
    character[[number * number % prime for number in range(1, prime)]] = 1
    character[0] = 0
    places = torch.arange(prime)
    return character[(places[:, None] - places[None, :]) % prime]


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


def _row(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left, right], dim=1)
