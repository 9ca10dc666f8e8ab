"""Bytes and cycles of one matrix, dense and with zero columns left out: decision 0018.

`python benchmarks/sparse_layouts.py` prints its table. Cycles are those of one token.
"""

from __future__ import annotations

from typing import Final

from aretusa.ir import ops
from aretusa.ir.types import DenseType, DType, TensorType, Value
from aretusa.memory.working_set import Ring, WorkingSet
from aretusa.neureka.linear import Engine
from aretusa.plan.goal import Goal
from aretusa.plan.linear_options import Setting, linear_options
from aretusa.target.description import MemoryId
from aretusa.target.load import load_target

ROWS: Final = 1536
DEPTH: Final = 576
PATTERNS: Final = ((1, 2), (2, 4), (4, 8), (3, 4), (6, 8), (12, 16))
KIB: Final = 1024
SHOWN: Final = (Engine.NEUREKA_3X3, Engine.CLUSTER)

Row = dict[MemoryId, tuple[int, int]]  # home -> bytes, cycles


def rows_of(pattern: tuple[int, int]) -> dict[str, Row]:
    """Each layout with its homes."""
    setting = Setting(
        target=load_target(),
        goal=Goal(prefill_tokens=1, decode_tokens=1),
        working=WorkingSet(
            chunk=1,
            tiles=Ring(memory=MemoryId.L1, slots=2, slot_bytes=56 * KIB),
            pages=Ring(memory=MemoryId.SRAM, slots=4, slot_bytes=64 * KIB),
        ),
    )
    src = Value("src", TensorType((1, DEPTH), DType.Q8))
    out = Value("out", TensorType((1, ROWS), DType.F32))
    op = ops.Linear(layer=0, src=src, weight="w", bias=None, residual=None, out=out)
    matrix = DenseType(rows=ROWS, depth=DEPTH, bits=8, pattern=pattern)
    found: dict[str, Row] = {}
    for option in linear_options(op, matrix, setting, None):
        if option.engine in SHOWN:
            form = f"{pattern[0]}:{pattern[1]}" if option.is_packed else "dense"
            home, size = option.usage[0]
            cycles = max(option.load.decode_work, option.load.decode_link)
            found.setdefault(f"{form}, {option.engine}", {})[home] = (size, cycles)
    return found


def main() -> None:
    """Print the table of the decision."""
    print(f"{f'{ROWS} x {DEPTH}, 8 bits':20} {'bytes':>12} {'in MRAM':>12} {'from L3':>12}")
    layouts: dict[str, Row] = {}
    for pattern in PATTERNS:
        layouts |= rows_of(pattern)
    for name, homes in layouts.items():
        (size, on_chip), (_, off_chip) = homes[MemoryId.MRAM], homes[MemoryId.L3]
        print(f"{name:20} {size:12,} {on_chip:12,} {off_chip:12,}")


if __name__ == "__main__":
    main()
