"""Whatever a model, a directory or a tensor is called, nothing of it appears in the C."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checkpoints import random_tensors
from tiny_models import compile_tiny, lend_programs, runnable_config, write_model

from aretusa.errors import ModelError
from aretusa.execution.firmware import Platform, build_firmware
from aretusa.ir.text import parse_graph, print_graph
from aretusa.program import Program
from aretusa.verbs.executions import compiled_execution, numpy_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from pathlib import Path

MARK = "zqx"  # in every name below, and in no file of the project
NAMES = {
    "quotes": f'{MARK}"; system("ls"); "',
    "end of comment": f"*\N{DIVISION SLASH} {MARK} int main(void) {{}} \N{DIVISION SLASH}*",
    "newline": f"{MARK}\n#error {MARK}",
    "format": f"{MARK}%s%n%d",
    "trigraph": f"{MARK}??=??'??(",
    "backslash": f"{MARK}\\",
    "bidi": f"{MARK}\N{RIGHT-TO-LEFT OVERRIDE}evil\N{POP DIRECTIONAL FORMATTING}",
    "jinja": f"{{{{ {MARK} }}}}{{% raw %}}",
    "shell": f"$({MARK}) `{MARK}` ; & | $HOME",
    "make": f"$(error {MARK}) : = #",
    "keyword": f"while {MARK}",
    "longest": MARK * 70,
    "unicode": f"{MARK} modèle 模型 \N{WATER WAVE}",
    "blanks": f" {MARK} two  spaces ",
    "option": f"--{MARK}",
}
C_FILES = ("network.c", "network.h", "memory_map.h", "Makefile", "link.ld", "machine.cfg")


def check_c(build: Path) -> None:
    for name in C_FILES:
        text = (build / name).read_text("utf-8")
        assert MARK not in text
        assert text.isascii()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_directory_of_a_model_may_have_any_name(name: str, tmp_path: Path) -> None:
    build = compile_tiny(write_model(tmp_path / name), tmp_path / "build")
    check_c(build)
    program = Program.open(build)  # the name survives in the graph's text and in the manifest
    assert parse_graph(print_graph(program.graph)) == program.graph
    assert MARK in program.manifest.model.name
    assert program.manifest.model.name.isprintable()


@pytest.mark.parametrize("name", [*NAMES.values(), "*/ " + MARK * 3000], ids=[*NAMES, "10,000"])
def test_a_tensor_of_any_other_name_is_refused_in_one_short_line(name: str, tmp_path: Path) -> None:
    tensors = random_tensors(runnable_config(), 0) | {name: np.ones((2, 2), np.float32)}
    model = write_model(tmp_path / "model", tensors=tensors)
    with pytest.raises(ModelError, match="E0202") as caught:
        compile_tiny(model, tmp_path / "build")
    line = caught.value.line()
    assert line.isprintable()
    assert len(line) < 1000
    assert MARK in line
    assert not (tmp_path / "build").exists()


def test_unknown_keys_of_the_configuration_reach_nothing(tmp_path: Path) -> None:
    changes = {"_name_or_path": NAMES["quotes"], NAMES["newline"]: [NAMES["bidi"]]}
    model = write_model(tmp_path / "model", changes=changes)
    assert MARK in json.dumps(json.loads((model / "config.json").read_text()))
    check_c(compile_tiny(model, tmp_path / "build"))


@pytest.mark.parametrize(
    "name",
    [
        *("quotes", "unicode"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("shell", "make", "blanks")),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("option", "format")),
    ],
)
def test_a_build_directory_with_an_odd_name_builds_and_runs(
    name: str, tmp_path: Path, tiny_build: Path
) -> None:
    build = tmp_path / NAMES[name] / f"build {NAMES[name]}"
    compile_tiny(write_model(tmp_path / "model"), build)
    lend_programs(tiny_build, build)
    build_firmware(build, Platform.HOST)
    options = VerifyOptions(
        prompt_tokens=3,
        new_tokens=2,
        executions=(numpy_execution(8), compiled_execution(Platform.HOST, cores=2, chunk=8)),
    )
    assert verify_build(build, options).mismatches == 0
