"""Which files the rules are about."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
IMPORT_ROOTS: Final = ("compiler", "sim", "compress")  # folders that hold the packages
PACKAGES: Final = ("aretusa", "aretusa_sim", "aretusa_compress")


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A Python file of the product."""

    name: str  # as it is imported
    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        """The path from the root, as messages show it."""
        return self.path.relative_to(ROOT).as_posix()


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the packages, in order; parsed once for all rules."""
    return tuple(
        Module(
            _import_name(path.relative_to(ROOT / root)), path, ast.parse(path.read_text("utf-8"))
        )
        for root in IMPORT_ROOTS
        for path in sorted((ROOT / root).rglob("*.py"))
    )


def _import_name(path: Path) -> str:
    """`aretusa/ir/__init__.py` -> `aretusa.ir`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(module: Module) -> frozenset[str]:
    """Absolute names that a module imports, for the type checker too; no import is relative."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                found.update(f"{source}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                raise AssertionError(f"{module.place}:{node.lineno}: a relative import")
    return frozenset(found)


def c_files(folder: str = "runtime") -> list[Path]:
    """The C sources and headers below a folder of the checkout."""
    return sorted(path for path in (ROOT / folder).rglob("*.[ch]"))
