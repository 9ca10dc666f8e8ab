"""Every code of the compiler has one meaning, and docs/errors.md lists them all."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aretusa
import aretusa_compress
import aretusa_sim
from aretusa.error_codes import CODES
from aretusa.errors import AretusaError, ExitCode
from aretusa.failures import CompilerBugError

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES: Final = tuple(
    Path(one.__file__).parent for one in (aretusa, aretusa_sim, aretusa_compress)
)
CODE: Final = re.compile(r"\b([EW]0\d{3})\b")
CHAPTERS: Final = {
    "0": "The command line and directories",
    "1": "Files of weights",
    "2": "What the model is: configuration, tokenizer, texts",
    "3": "The target description",
    "4": "Room in the chip's memories",
    "5": "Compression: recipes, stages, texts",
    "6": "Comparing results",
    "7": "Tools of this computer",
    "8": "What the compiled program reports",
    "9": "Bugs of the tool",
}
EXIT_CODES: Final = {
    ExitCode.OK: "done",
    ExitCode.INTERNAL: "a bug of the tool",
    ExitCode.USAGE: "the command, an option or an output path is not usable",
    ExitCode.MODEL: "a file of the model is broken, hostile or inconsistent",
    ExitCode.UNSUPPORTED: "the model is sound but uses what is not supported",
    ExitCode.CAPACITY: "the program does not fit a memory",
    ExitCode.NUMERICS: "two executions differ, or quality is out of bounds",
    ExitCode.TOOLCHAIN: "a compiler, an emulator or a runtime is missing or failed",
    ExitCode.FIRMWARE: "the compiled program reported a fault",
    ExitCode.GATE: "a gate of a comparison fired",
    ExitCode.INTERRUPTED: "interrupted by the user",
}


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
    return [path for path in found if path.name != "error_codes.py"]


def codes_in_sources() -> set[str]:
    return {code for path in modules() for code in CODE.findall(path.read_text("utf-8"))}


def errors_page() -> str:
    """docs/errors.md."""
    lines = [
        "# Errors, warnings and exit codes",
        "",
        "Every error is one line on stderr: `error[CODE]: FILE: WHAT (WHY). FIX`. With `--json` it",
        "is one document on stdout as well, with the keys `code`, `what`, `file`, `why`, `fix` and",
        "`exit_code`. A code keeps its meaning for ever; those that begin with W are warnings and",
        "change no exit code. This page is written from `compiler/aretusa/error_codes.py` by",
        "`make golden`.",
        "",
        "| exit code | meaning |",
        "| --- | --- |",
        *(f"| {int(code)} | {meaning} |" for code, meaning in EXIT_CODES.items()),
    ]
    for digit, title in CHAPTERS.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| code | what it means | what to do |",
            "| --- | --- | --- |",
        ]
        for code, meaning in CODES.items():
            if code[2] == digit:
                what, _, todo = meaning.rpartition("; ")
                lines.append(f"| {code} | {what} | {todo[0].upper()}{todo[1:].rstrip('.')} |")
    return "\n".join(lines) + "\n"


def test_codes_and_sources_agree() -> None:
    assert codes_in_sources() == CODES.keys()


def test_codes_are_sorted_and_belong_to_a_chapter() -> None:
    assert list(CODES) == sorted(CODES, key=lambda code: code[1:])
    assert {code[2] for code in CODES} == CHAPTERS.keys()


def test_meanings_are_a_cause_and_a_remedy() -> None:
    for code, meaning in CODES.items():
        cause, _, remedy = meaning.rpartition("; ")
        assert cause, f"{code} says no remedy"
        assert remedy.endswith("."), f"{code} ends without a full stop"


def test_every_exit_code_has_a_kind_of_error_and_a_meaning() -> None:
    assert EXIT_CODES.keys() == set(ExitCode)
    kinds = {kind.exit_code for kind in (*AretusaError.__subclasses__(), CompilerBugError)}
    assert kinds >= set(ExitCode) - {ExitCode.OK, ExitCode.INTERRUPTED}


def test_a_code_always_comes_with_the_same_kind_of_error() -> None:
    kinds: dict[str, set[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(value=str(code)), *_]):
                    if kind.endswith("Error") and CODE.fullmatch(code):
                        kinds.setdefault(code, set()).add(kind)
    assert kinds
    assert {code: found for code, found in kinds.items() if len(found) > 1} == {}


def test_the_page_of_errors_is_up_to_date(check_golden: Callable[[str, str], None]) -> None:
    check_golden("../../docs/errors.md", errors_page())
