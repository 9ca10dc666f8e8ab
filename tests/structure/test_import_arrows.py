"""Who may import whom. docs/architecture.md shows the same arrows."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest
from sources import IMPORT_ROOTS, PACKAGES, ROOT, imported, modules

# Parts of `aretusa` and the parts that each may import, itself apart. What is not named here stands
# above them all (the driver, the verbs, the command) and may import everything.
ARROWS: Final[dict[str, set[str]]] = {
    "version": set(),
    "errors": set(),
    "error_codes": set(),
    "resources": set(),
    "target": {"errors", "neureka"},
    "ir": set(),
    "frontend": {"errors", "ir"},
    "tokenizer": {"errors", "frontend"},
    "quantization": {"errors", "frontend", "ir"},
    "passes": {"ir"},
    "schedule": {"ir"},
    "neureka": set(),
    "cost": {"ir", "neureka", "target"},
    "memory": {"ir", "neureka", "quantization", "schedule", "target"},
    "mapping": {"ir", "neureka", "quantization"},
    "manifest": {"errors", "memory", "target"},
    "plan_results": {"manifest", "version"},
    "plan": {
        "cost",
        "errors",
        "ir",
        "mapping",
        "memory",
        "neureka",
        "plan_results",
        "quantization",
        "schedule",
        "target",
    },
    "trace": {"cost", "ir", "memory", "neureka", "plan", "schedule", "target"},
    "check": {"errors", "ir", "memory", "neureka", "plan", "schedule", "target", "trace"},
    "jobs": {"ir", "memory", "neureka", "target", "trace"},
    "report": {"manifest", "plan_results", "resources"},
    "options": {"errors", "neureka", "quantization"},
    "shapes": {"frontend", "quantization", "tokenizer"},
    "planning": {"ir", "options", "passes", "plan", "quantization", "target", "tokenizer"},
    "codegen": {
        "errors",
        "frontend",
        "ir",
        "jobs",
        "manifest",
        "memory",
        "neureka",
        "plan",
        "quantization",
        "resources",
        "schedule",
        "target",
        "trace",
    },
    "execution": {"errors", "resources", "target"},
    "reference": {"errors", "frontend", "ir", "quantization"},
}
ABOVE: Final = {"verbs"}

# The command line, which alone knows all three packages.
COMMAND_LINE: Final = {
    "aretusa.cli",
    "aretusa.cli_compress",
    "aretusa.cli_eval",
    "aretusa.cli_table",
}

# Single imports against the arrows, with the reason.
MACHINE: Final = "the build directory holds the files of the machine that runs it"
EXCEPTIONS: Final = {
    ("aretusa.ir.types", "aretusa.quantization.schemes"): "DenseType.of describes a matrix",
    ("aretusa.codegen.project", "aretusa.execution.address_map"): MACHINE,
    ("aretusa.codegen.project", "aretusa.execution.machine_files"): MACHINE,
}

# Heavy or optional libraries that the core must do without.
NOT_IN_THE_CORE: Final = {"torch", "transformers", "gguf", "pandas", "requests"}


def _part(name: str) -> str:
    """`aretusa.ir.types.DType` -> `ir`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def _edges() -> list[tuple[str, str]]:
    return [(module.name, name) for module in modules() for name in sorted(imported(module))]


def test_parts_import_only_what_comes_before_them() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in _edges()
        if module.startswith("aretusa.")
        and name.startswith("aretusa.")
        and _part(module) in ARROWS
        and _part(name) not in {_part(module), *ARROWS[_part(module)]}
        and (module, name.rpartition(".")[0]) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_folder_has_its_arrows() -> None:
    folders = {path.parent.name for path in (ROOT / "compiler" / "aretusa").glob("*/__init__.py")}
    assert folders <= {*ARROWS, *ABOVE}, (
        "say in ARROWS and in docs/architecture.md what it may import"
    )


def test_every_exception_is_needed() -> None:
    edges = {(module, name.rpartition(".")[0]) for module, name in _edges()}
    assert EXCEPTIONS.keys() <= edges


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("aretusa", ("aretusa_sim", "aretusa_compress")),
        ("aretusa_sim", ("aretusa_compress",)),
        ("aretusa_compress", ("aretusa", "aretusa_sim")),
    ],
)
def test_packages_meet_in_files(package: str, others: tuple[str, ...]) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in _edges()
        if module.split(".")[0] == package
        and name.split(".")[0] in others
        and module not in COMMAND_LINE
    ]
    assert wrong == []


def test_the_core_never_mentions_heavy_libraries() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in _edges()
        if module.split(".")[0] in PACKAGES[:2] and name.split(".")[0] in NOT_IN_THE_CORE
    ]
    assert wrong == []


def test_importing_every_module_loads_no_torch() -> None:
    names = [module.name for module in modules() if module.name.split(".")[0] in PACKAGES[:2]]
    names = [name for name in names if not name.endswith("__main__")]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    paths = ":".join(str(ROOT / root) for root in IMPORT_ROOTS)
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "torch was loaded"
