"""Modules and functions stay small, and names say what they hold."""

from __future__ import annotations

import ast
from typing import Final

from sources import Module, modules

MODULE_LINES: Final = 300
FUNCTION_LINES: Final = 40

# Longer functions, with the reason why a cut would not help the reader.
LONG_FUNCTIONS: Final = {
    "aretusa.cli.compile_command": "one parameter per option of the command",
    "aretusa.cli_plan.plan_command": "one parameter per option of the command",
    "aretusa.cli.run_command": "one parameter per option of the command",
    "aretusa.cli_eval.eval_command": "one parameter per option of the command",
    "aretusa.cli_verify.verify_command": "one parameter per option of the command",
    "aretusa.plan.op_cost.kernel_call": "one match arm per op, each a record",
    "aretusa.plan.rows._linear_row": "one record with a field per column of the report",
    "aretusa_sim.cli_simulate.simulate_command": "one parameter per option of the command",
    "aretusa.codegen.calls.call": "one match arm per op, each a record",
    "aretusa.codegen.network_view.build": "one record with a field per hole of the template",
}

# Words that name no content.
EMPTY_NAMES: Final = {"utils", "util", "helpers", "common", "base", "manager", "core", "misc"}


def _functions(module: Module) -> list[tuple[str, int]]:
    return [
        (f"{module.name}.{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_modules_have_at_most_300_lines() -> None:
    lengths = {m.place: len(m.path.read_text("utf-8").splitlines()) for m in modules()}
    assert {place: n for place, n in lengths.items() if n > MODULE_LINES} == {}


def test_functions_have_at_most_40_lines() -> None:
    lengths = dict(pair for module in modules() for pair in _functions(module))
    too_long = {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}
    assert {name: n for name, n in too_long.items() if name not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() <= too_long.keys(), (
        "these are short enough: take them off the list"
    )


def test_no_module_is_named_after_nothing() -> None:
    assert [m.place for m in modules() if EMPTY_NAMES & set(m.name.split("."))] == []


def test_modules_open_with_a_sentence() -> None:
    missing = [m.place for m in modules() if not (ast.get_docstring(m.tree) or "").strip()]
    assert missing == []
