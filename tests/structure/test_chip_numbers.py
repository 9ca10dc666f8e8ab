"""Numbers of the chip stand in target/*.toml, with unit and source, and nowhere in the code."""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING, Final

from sources import ROOT, modules

from aretusa.target.load import BUILT_IN, load_target

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGETS: Final = ROOT / "compiler" / "aretusa" / "target"

# Where the chip's memories start.
CHIP_ADDRESSES: Final = {0x1000_0000, 0x1040_0000, 0x1080_0000, 0x1C00_0000, 0x1D00_0000}

# Equal numbers that are something else.
EXCEPTIONS: Final = {
    ("compiler/aretusa/memory/scratch.py", 32768): "SCORES_BYTES of the attention kernel",
    ("compiler/aretusa/reference/interpreter.py", 0x4_0000): "work below which BLAS stays alone",
    ("compiler/aretusa/reference/linear.py", 0x4_0000): "work below which BLAS stays alone",
    ("compiler/aretusa/execution/address_map.py", 0x20_0000): "an offset in the emulated machine",
}


def _chip_sizes() -> set[int]:
    sizes: set[int] = set()
    for path in TARGETS.glob("*.toml"):
        for memory in tomllib.loads(path.read_text("utf-8")).get("memory", {}).values():
            keys = {"size_bytes", "reserved_bytes"} & memory.keys()  # a variant names what differs
            sizes |= {memory[key]["value"] for key in keys}
    return {size for size in sizes if size > 0}


def _value(node: ast.AST) -> int | None:
    """The integer that a literal, a product or a shift of literals stands for."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=ast.Mult() | ast.LShift() as operator, right=right):
            one, two = _value(left), _value(right)
            if one is None or two is None or two > 1 << 40:
                return None
            return one * two if isinstance(operator, ast.Mult) else one << min(two, 64)
        case _:
            return None


def _numbers() -> Iterator[tuple[str, int, int]]:
    for module in modules():
        for node in ast.walk(module.tree):
            value = _value(node)
            if value is not None:
                yield module.place, getattr(node, "lineno", 0), value


def test_code_holds_no_number_of_the_chip() -> None:
    forbidden = _chip_sizes() | CHIP_ADDRESSES
    wrong = [
        f"{place}:{line}: {value:#x}"
        for place, line, value in _numbers()
        if value in forbidden and (place, value) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_number_names_its_source_and_confidence() -> None:
    for name in BUILT_IN:
        for fact in load_target(name).facts:
            assert fact.source.strip(), f"{name}: {fact.key}"
