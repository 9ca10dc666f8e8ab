"""The command line: exit codes, stdout and stderr, one JSON document, one-line errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tiny_models import (
    CHUNK,
    CONTEXT,
    compile_tiny,
    lend_programs,
    write_model,
    write_target,
)

import aretusa
from aretusa import cli
from aretusa.error_codes import CODES
from aretusa.errors import ExitCode
from aretusa.manifest import SCHEMA_VERSION, read_manifest
from aretusa.plan_results import PlanReport
from aretusa.results import (
    CompileResult,
    DoctorResult,
    InspectResult,
    ReportResult,
    RunResult,
    VerifyResult,
)
from aretusa.verbs import verify
from aretusa.verbs.executions import numpy_execution
from aretusa.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES: Final = Path(aretusa.__file__).parents[1]
CONFIGS: Final = Path(__file__).resolve().parents[2] / "examples" / "configs"
ERROR_LINE: Final = re.compile(r"error\[(E\d{4})\]: .+\n")
SMALL: Final = ("--context", str(CONTEXT), "--chunk", str(CHUNK))
HOST: Final = ("--platform", "host")


class Console:
    """Runs a command in this process and keeps what it printed."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self.capture = capture
        self.code = 0
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: object) -> Console:
        self.capture.readouterr()
        self.code = cli.main([str(argument) for argument in arguments])
        found = self.capture.readouterr()  # a model may write what is no UTF-8
        self.out, self.err = found.out.decode(errors="replace"), found.err.decode()
        return self

    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    def check_error(self, code: str, exit_code: ExitCode) -> str:
        """One line on stderr with the code; returns the line."""
        assert self.code == exit_code, self.err
        match = ERROR_LINE.fullmatch(self.err)
        assert match, self.err
        assert match[1] == code
        assert code in CODES
        assert "Traceback" not in self.out + self.err
        return self.err


@pytest.fixture
def aretusa_command(capsysbinary: pytest.CaptureFixture[bytes]) -> Console:
    return Console(capsysbinary)


def start(*arguments: object, script: str = "", **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
    """The command as a process of its own; `script` runs before it in the same interpreter."""
    command = [str(argument) for argument in arguments]
    program = f"import sys\n{script}\nfrom aretusa.cli import main\nsys.exit(main({command!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(PACKAGES)} | options.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def names(path: Path) -> list[str]:
    return sorted(child.name for child in path.iterdir())


# ---- results


def test_compile_prints_a_summary_of_80_columns(
    tiny_model: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("compile", tiny_model, "-o", tmp_path / "b", *SMALL)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "memory", "weights", "files"]
    assert all(len(line) <= 80 for line in lines[:-1])
    assert lines[-1] == f"files    {tmp_path / 'b'} (compiled)"
    again = aretusa_command("compile", tiny_model, "-o", tmp_path / "b", *SMALL)
    assert again.out.splitlines()[-1].endswith("(up to date)")
    forced = aretusa_command("compile", tiny_model, "-o", tmp_path / "b", *SMALL, "--force")
    assert forced.out.splitlines()[-1].endswith("(compiled)")


def test_compile_prints_one_document(
    tiny_model: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("compile", tiny_model, "-o", tmp_path / "b", *SMALL, "--json")
    assert (done.code, done.err) == (0, "")
    result = CompileResult.model_validate_json(done.out)
    assert result.schema_version == 1
    assert result.manifest == read_manifest(tmp_path / "b")


def test_inspect(tiny_model: Path, aretusa_command: Console) -> None:
    done = aretusa_command("inspect", tiny_model, "--json")
    assert (done.code, done.err) == (0, "")
    result = InspectResult.model_validate_json(done.out)
    assert (result.layers, result.hidden_size, result.kind) == (2, 64, "huggingface")
    text = aretusa_command("inspect", tiny_model)
    assert text.out.startswith("tiny-model: llama from huggingface")
    assert all(len(line) <= 80 for line in text.out.splitlines())


def test_doctor(aretusa_command: Console) -> None:
    done = aretusa_command("doctor", "--json")
    result = DoctorResult.model_validate_json(done.out)
    assert done.code == (0 if result.ok else ExitCode.TOOLCHAIN)
    assert {tool.name for tool in result.tools} >= {"make", "emulator", "cross-compiler"}
    text = aretusa_command("doctor")
    assert text.out.splitlines()[-1].startswith("ready" if result.ok else "not ready")


def test_run_streams_prompt_and_text(tiny_build: Path, aretusa_command: Console) -> None:
    arguments = ("run", tiny_build, "--prompt", "the sea", *HOST, "--max-new-tokens", 5)
    done = aretusa_command(*arguments, "--json")
    result = RunResult.model_validate_json(done.out)
    assert (done.code, done.err) == (0, "")
    assert len(result.tokens) == 5
    assert result.stop == "token_budget"
    text = aretusa_command(*arguments)
    assert (text.code, text.err) == (0, "")
    assert text.out == f"the sea{result.text}\n"


def test_run_prints_a_summary_of_ten_lines(tiny_build: Path, aretusa_command: Console) -> None:
    done = aretusa_command(
        *("run", tiny_build, "--prompt", "the", *HOST, "--max-new-tokens", 3),
        *("--summary", "--check"),
    )
    assert done.code == 0
    summary = done.out[done.out.index("model  ") :].splitlines()
    assert len(summary) <= 10
    assert all(len(line) <= 80 for line in summary[:-1])
    assert any(line.startswith("check    equal: 0 of ") for line in summary)


def test_verify_prints_a_table_and_a_verdict(
    tiny_build: Path, aretusa_command: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = (numpy_execution(8), numpy_execution(3))
    monkeypatch.setattr(verify, "default_executions", lambda _: two)
    arguments = ("verify", tiny_build, "--prompt-tokens", 5, "--new-tokens", 2)
    done = aretusa_command(*arguments, "--json")
    result = VerifyResult.model_validate_json(done.out)
    assert (done.code, done.err, result.mismatches) == (0, "", 0)
    text = aretusa_command(*arguments)
    assert len(text.out.splitlines()) == 1 + len(two) + 1
    assert all(len(line) <= 80 for line in text.out.splitlines())
    assert text.out.splitlines()[-1] == "all executions agree in every bit: 0 mismatches"


def test_verify_fails_when_executions_differ(
    tiny_build: Path, aretusa_command: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = numpy_execution(8)

    def run(program: Any, task: Any) -> Any:  # noqa: ANN401
        right = wrong.run(program, task)
        logits = right.logits.copy()
        logits[0, 0] += 1
        return replace(right, logits=logits)

    both = (wrong, replace(wrong, run=run))
    monkeypatch.setattr(verify, "default_executions", lambda _: both)
    arguments = ("verify", tiny_build, "--prompt-tokens", 5, "--new-tokens", 2)
    done = aretusa_command(*arguments, "--json")
    assert done.code == ExitCode.NUMERICS
    assert VerifyResult.model_validate_json(done.out).mismatches == 1
    text = aretusa_command(*arguments)
    assert text.code == ExitCode.NUMERICS
    assert text.out.splitlines()[-1] == "EXECUTIONS DIFFER: 1 mismatches"


def test_plan_prints_what_it_would_do_and_writes_nothing(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aretusa_command: Console
) -> None:
    monkeypatch.chdir(tmp_path)
    done = aretusa_command("plan", tiny_model, *SMALL)
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert names(tmp_path) == []


def test_plan_prints_one_document(tiny_model: Path, aretusa_command: Console) -> None:
    arguments = ("plan", tiny_model, *SMALL, "--prefill", 20, "--decode", 5, "--json")
    done = aretusa_command(*arguments)
    assert (done.code, done.err) == (0, "")
    report = PlanReport.model_validate_json(done.out)
    assert (report.schema_version, report.verb, report.fits) == (SCHEMA_VERSION, "plan", True)
    assert (report.options.prefill_tokens, report.options.decode_tokens) == (20, 5)
    assert (report.options.context, report.options.chunk) == (CONTEXT, CHUNK)


def test_plan_takes_a_config_alone(aretusa_command: Console) -> None:
    done = aretusa_command("plan", CONFIGS / "llama-0.5m.json", "--bits", 4, "--json")
    assert (done.code, done.err) == (0, "")
    report = PlanReport.model_validate_json(done.out)
    matrices = [row for row in report.layers if row.op == "linear" and row.layer is not None]
    assert {row.bits for row in matrices} == {4}


def test_a_plan_that_does_not_fit_exits_with_5_and_offers_what_does(
    tmp_path: Path, aretusa_command: Console
) -> None:
    target = write_target(
        tmp_path / "other.toml", l2=360_000, sram=100_000, mram=100_000, l3=200_000
    )
    model = CONFIGS / "llama-0.5m.json"
    arguments = ("plan", model, "--target", target)
    done = aretusa_command(*arguments, "--json")
    assert (done.code, done.err) == (ExitCode.CAPACITY, "")
    report = PlanReport.model_validate_json(done.out)
    assert report.shortage is not None
    assert 1 <= len(report.ways_out) <= 3
    text = aretusa_command(*arguments)
    assert (text.code, text.err) == (ExitCode.CAPACITY, "")
    printed = text.out
    for way in report.ways_out:
        assert way.option in printed
        again = aretusa_command(*arguments, *way.option.split(), "--json")
        assert (again.code, again.err) == (0, "")


def test_report_writes_the_files_of_a_build(
    own_build: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("report", own_build, "-o", tmp_path / "report", "--json")
    assert (done.code, done.err) == (0, "")
    result = ReportResult.model_validate_json(done.out)
    assert sorted(result.files) == names(tmp_path / "report")
    document = PlanReport.model_validate_json((tmp_path / "report" / "report.json").read_text())
    assert document.fits
    text = aretusa_command("report", own_build)
    assert text.code == 0
    assert sorted(result.files) == names(own_build / "report")


def test_a_build_without_its_plan_has_no_report(own_build: Path, aretusa_command: Console) -> None:
    (own_build / "plan.json").write_text("{}")
    done = aretusa_command("report", own_build)
    assert "Make it again" in done.check_error("E0005", ExitCode.USAGE)


@pytest.mark.parametrize(
    "verb", ["compile", "plan", "report", "run", "verify", "inspect", "doctor"]
)
def test_help_opens_with_an_example(verb: str, aretusa_command: Console) -> None:
    done = aretusa_command(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Example: aretusa {verb}" in done.out


def test_the_version_is_one_line(aretusa_command: Console) -> None:
    done = aretusa_command("--version")
    assert (done.code, done.out) == (0, f"aretusa {VERSION}\n")


def test_no_arguments_show_the_help(aretusa_command: Console) -> None:
    done = aretusa_command()
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert "Usage: aretusa" in done.err
    assert "error[" not in done.err


def test_graphs_are_dumped_on_stderr(
    tiny_model: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    arguments = ("compile", tiny_model, "-o", tmp_path / "b", *SMALL, "--json")
    assert aretusa_command(*arguments).code == 0
    done = aretusa_command(*arguments, "--dump-after", "fuse_heads")  # though it is up to date
    assert done.code == 0
    assert done.document()["verb"] == "compile"
    assert done.err.startswith('# after fuse_heads\ngraph "tiny-model"')
    assert done.err.count("# after") == 1


# ---- errors


MISTAKES: Final = [
    (["bogus"], "E0004", ExitCode.USAGE),
    (["compile"], "E0004", ExitCode.USAGE),
    (["compile", "MODEL"], "E0004", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--nonsense"], "E0004", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--chunk", "many"], "E0004", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--chunk", "0"], "E0003", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--chunk", "257"], "E0003", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--weights", "w3g9"], "E0003", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--kv-bits", "3"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--kv-bits", "8:5"], "E0003", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--context", "0"], "E0205", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--context", "4097"], "E0205", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--target", "mars"], "E0301", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "OUT", "--dump-after", "x"], "E0003", ExitCode.USAGE),
    (["compile", "NOTHING", "-o", "OUT"], "E0001", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "MODEL"], "E0002", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "MODEL/config.json"], "E0002", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "MODEL/config.json/x"], "E0002", ExitCode.USAGE),
    (["compile", "MODEL", "-o", "n" * 300], "E0002", ExitCode.USAGE),
    (["plan"], "E0004", ExitCode.USAGE),
    (["plan", "NOTHING"], "E0001", ExitCode.USAGE),
    (["plan", "MODEL", "--chunk", "0"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--bits", "9"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--bits", "4", "--weights", "w3"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--prefill", "0"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--decode", "-3"], "E0003", ExitCode.USAGE),
    (["plan", "MODEL", "--context", "0"], "E0205", ExitCode.USAGE),
    (["plan", "MODEL", "--target", "mars"], "E0301", ExitCode.USAGE),
    (["plan", "MODEL", "--engine", "warp"], "E0004", ExitCode.USAGE),
    (["report", "MODEL"], "E0005", ExitCode.USAGE),
    (["report", "NOTHING"], "E0005", ExitCode.USAGE),
    (["inspect", "NOTHING"], "E0001", ExitCode.USAGE),
    (["inspect", "MODEL/config.json"], "E0001", ExitCode.USAGE),
    (["inspect", "MODEL/tokenizer.txt"], "E0130", ExitCode.MODEL),
    (["run", "MODEL", "--prompt", "x"], "E0005", ExitCode.USAGE),
    (["run", "NOTHING", "--prompt", "x"], "E0005", ExitCode.USAGE),
    (["verify", "MODEL"], "E0005", ExitCode.USAGE),
    (["run", "BUILD"], "E0004", ExitCode.USAGE),
    (["run", "BUILD", "--prompt", "x", "--platform", "moon"], "E0004", ExitCode.USAGE),
    (["run", "BUILD", "--prompt", "x", "--cores", "9"], "E0004", ExitCode.USAGE),
    (["run", "BUILD", "--prompt", "x", "--max-new-tokens", "-1"], "E0004", ExitCode.USAGE),
    (["run", "BUILD", "--prompt", "x", "--temperature", "nan"], "E0004", ExitCode.USAGE),
    (["run", "BUILD", "--prompt", "x", "--temperature", "-1"], "E0004", ExitCode.USAGE),
    (["verify", "BUILD", "--prompt-tokens", "0"], "E0003", ExitCode.USAGE),
    (
        ["verify", "BUILD", "--prompt-tokens", "60", "--new-tokens", "5"],
        "E0006",
        ExitCode.USAGE,
    ),
]


@pytest.fixture
def words(tiny_model: Path, tiny_build: Path, tmp_path: Path) -> dict[str, str]:
    """What the capital words of MISTAKES stand for; the command runs in a directory of its own."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "tokenizer.txt").write_text("no GGUF")
    return {
        "MODEL": str(model),
        "BUILD": str(tiny_build),
        "OUT": str(tmp_path / "out"),
        "NOTHING": str(tmp_path / "nothing"),
    }


@pytest.mark.parametrize(("arguments", "code", "exit_code"), MISTAKES)
def test_an_error_is_one_line(
    arguments: list[str],
    code: str,
    exit_code: ExitCode,
    words: dict[str, str],
    aretusa_command: Console,
) -> None:
    place = Path(words["OUT"]).parent
    filled = [re.sub("|".join(words), lambda m: words[m[0]], one) for one in arguments]
    done = aretusa_command(*filled)
    line = done.check_error(code, exit_code)
    assert done.out in {"", "x\n"} or arguments[0] == "verify"
    aretusa_command(*filled, "--json").check_error(code, exit_code)
    error = done.document()["error"]
    assert (error["code"], error["exit_code"]) == (code, exit_code)
    assert error["fix"]
    assert error["what"][:20] in line
    assert names(place) == ["model"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--top-p", "0"),
        ("--top-p", "1.5"),
        ("--top-p", "nan"),
        ("--temperature", "inf"),
        ("--temperature", "101"),
        ("--seed", str(2**64)),
        ("--max-new-tokens", str(2**32)),
    ],
)
def test_a_run_out_of_range_names_the_range(
    option: str, value: str, tiny_build: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("run", tiny_build, "--prompt", "x", *HOST, option, value)
    line = done.check_error("E0010", ExitCode.USAGE)
    assert "between" in line


def test_a_chunk_that_the_program_lacks_is_refused(
    tiny_build: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("run", tiny_build, "--prompt", "x", *HOST, "--chunk", CHUNK + 1)
    assert f"up to {CHUNK}" in done.check_error("E0003", ExitCode.USAGE)


def test_a_bug_is_one_line_unless_debug(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    aretusa_command: Console,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(cli, "compile_model", fail)
    arguments = ("compile", tiny_model, "-o", tmp_path / "b")
    line = aretusa_command(*arguments).check_error("E0900", ExitCode.INTERNAL)
    assert "ZeroDivisionError (two?lines)" in line
    done = aretusa_command(*arguments, "--json")
    done.check_error("E0900", ExitCode.INTERNAL)
    assert done.document()["error"]["exit_code"] == 1
    assert "Traceback" in aretusa_command(*arguments, "--debug").err


def test_debug_shows_where_an_error_comes_from(tmp_path: Path, aretusa_command: Console) -> None:
    done = aretusa_command("inspect", tmp_path / "nothing", "--debug")
    assert done.code == ExitCode.USAGE
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error[E0001]")


def test_a_model_that_does_not_fit_exits_with_5(
    tiny_model: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    everything = dict.fromkeys(("l1", "l2", "sram", "mram", "l3"), 4096)
    target = write_target(tmp_path / "other.toml", **everything)
    done = aretusa_command("compile", tiny_model, "-o", tmp_path / "b", "--target", target)
    line = done.check_error("E0401", ExitCode.CAPACITY)
    assert "too few" in line
    assert names(tmp_path) == ["other.toml"]


# ---- stops of a run


@pytest.mark.parametrize(
    ("new_tokens", "stop", "count"), [(0, "token_budget", 0), (7, "token_budget", 7)]
)
def test_a_run_stops_at_its_budget(
    new_tokens: int, stop: str, count: int, tiny_build: Path, aretusa_command: Console
) -> None:
    done = aretusa_command(
        *("run", tiny_build, "--prompt", "the", *HOST, "--max-new-tokens", new_tokens, "--json")
    )
    result = RunResult.model_validate_json(done.out)
    assert (result.stop, len(result.tokens)) == (stop, count)


def test_a_run_stops_when_the_context_is_full(tiny_build: Path, aretusa_command: Console) -> None:
    arguments = ("run", tiny_build, "--prompt", "a b c d", *HOST, "--max-new-tokens", 1000)
    done = aretusa_command(*arguments, "--json", "--check")
    result = RunResult.model_validate_json(done.out)
    assert done.code == 0
    assert result.stop == "context_full"
    assert len(result.prompt_tokens) + len(result.tokens) == CONTEXT + 1
    assert result.check is not None
    assert result.check.mismatches == 0


def test_a_prompt_may_fill_the_context(tiny_build: Path, aretusa_command: Console) -> None:
    done = aretusa_command("run", tiny_build, "--prompt", "!" * CONTEXT, *HOST, "--json")
    result = RunResult.model_validate_json(done.out)
    assert (len(result.prompt_tokens), len(result.tokens)) == (CONTEXT, 1)
    assert result.stop == "context_full"


@pytest.mark.parametrize("length", [CONTEXT + 1, 5000, 200_000])
def test_a_prompt_beyond_the_context_is_refused(
    length: int, tiny_build: Path, aretusa_command: Console
) -> None:
    done = aretusa_command("run", tiny_build, "--prompt", "!" * length, *HOST, "--json")
    assert f"{CONTEXT} positions" in done.check_error("E0006", ExitCode.USAGE)
    assert done.document()["error"]["code"] == "E0006"


def test_an_empty_prompt_is_refused(tiny_build: Path, aretusa_command: Console) -> None:
    done = aretusa_command("run", tiny_build, "--prompt", "", *HOST, "--json")
    done.check_error("E0007", ExitCode.USAGE)


def test_a_run_stops_at_the_end_token(
    tiny_build: Path, tmp_path: Path, aretusa_command: Console
) -> None:
    arguments = ("--prompt", "the", *HOST, "--max-new-tokens", 6, "--json")
    first = RunResult.model_validate_json(aretusa_command("run", tiny_build, *arguments).out)
    end = first.tokens[0].id
    model = write_model(tmp_path / "model", changes={"eos_token_id": end})
    build = compile_tiny(model, tmp_path / "build")
    lend_programs(tiny_build, build)
    result = RunResult.model_validate_json(aretusa_command("run", build, *arguments).out)
    assert result.stop == "end_token"
    assert [token.id for token in result.tokens] == [end]
    assert result.text == ""


# ---- the machine


def test_a_flipped_bit_is_a_fault_of_the_image(
    tiny_model: Path, tiny_build: Path, own_build: Path, aretusa_command: Console
) -> None:
    image = own_build / "mram.bin"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 0x10
    image.write_bytes(data)
    arguments = ("run", own_build, "--prompt", "the", *HOST, "--max-new-tokens", 2)
    line = aretusa_command(*arguments).check_error("E0803", ExitCode.FIRMWARE)
    assert "mram.bin" in line
    assert "Compile the model again" in line
    assert aretusa_command("compile", tiny_model, "-o", own_build, *SMALL).code == 0
    lend_programs(tiny_build, own_build)
    assert aretusa_command(*arguments).code == 0


def with_word(image: Path, offset: int, word: int) -> bytes:
    data = bytearray(image.read_bytes())
    data[offset : offset + 4] = word.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda image: image.unlink(), "E0801"),
        (lambda image: image.write_bytes(b""), "E0801"),
        (lambda image: image.write_bytes(bytes(4096)), "E0801"),
        (lambda image: image.write_bytes(b"ARTI" + bytes(4096)), "E0801"),
        (lambda image: image.write_bytes(with_word(image, 12, 0xFFFFFFFF)), "E0802"),
        (lambda image: image.write_bytes(with_word(image, 16, 0)), "E0802"),
        (lambda image: image.write_bytes(image.read_bytes()[:-4]), "E0803"),
        (lambda image: shutil.copy(image.with_name("l2.bin"), image), "E0804"),
    ],
)
def test_other_damage_of_an_image_has_its_own_code(
    damage: Callable[[Path], object], code: str, own_build: Path, aretusa_command: Console
) -> None:
    damage(own_build / "mram.bin")
    done = aretusa_command("run", own_build, "--prompt", "the", *HOST)
    assert done.code == ExitCode.FIRMWARE
    assert "mram.bin" in done.err
    assert done.err.startswith(f"error[{code}]"), done.err


def test_missing_tools_are_named(
    tiny_build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aretusa_command: Console
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    host = aretusa_command("run", tiny_build, "--prompt", "x", *HOST)
    assert "apt-get install make" in host.check_error("E0701", ExitCode.TOOLCHAIN)
    chip = aretusa_command("run", tiny_build, "--prompt", "x")
    assert "qemu-system-misc" in chip.check_error("E0704", ExitCode.TOOLCHAIN)
    doctor = aretusa_command("doctor", "--json")
    assert doctor.code == ExitCode.TOOLCHAIN
    result = DoctorResult.model_validate_json(doctor.out)
    assert not result.ok
    assert not any(tool.found for tool in result.tools)
    packaged = [tool for tool in result.tools if tool.name != "gvsoc"]  # that one is built
    assert len(packaged) == len(result.tools) - 1
    assert all("apt-get install" in tool.fix for tool in packaged)


def test_compiling_needs_no_tools(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aretusa_command: Console
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert aretusa_command("compile", tiny_model, "-o", tmp_path / "b", *SMALL).code == 0


# ---- as a process


def test_an_interrupt_leaves_nothing_behind(tiny_model: Path, tmp_path: Path) -> None:
    script = """
import time
from aretusa.codegen.images import ImageWriter
def wait(*_):
    print("writing", flush=True)
    time.sleep(60)
ImageWriter._seal = wait
"""
    process = start("compile", tiny_model, "-o", tmp_path / "b", script=script)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert names(tmp_path) != []
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err == "interrupted\n"
    assert names(tmp_path) == []


def test_an_interrupted_run_ends_its_program(own_build: Path) -> None:
    script = """
import time
from aretusa.execution import process
def wait(process, *_):
    print(process.pid, flush=True)
    time.sleep(60)
process._listen = wait
"""
    before = names(own_build)
    process = start("run", own_build, "--prompt", "x", *HOST, "--json", script=script)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, "interrupted\n")
    assert names(own_build) == before
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_file_that_cannot_grow_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    process = start("compile", tiny_model, "-o", tmp_path / "b", "--json", script=script)
    out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.USAGE
    assert json.loads(out)["error"]["code"] == "E0002"
    assert "File too large" in err
    assert names(tmp_path) == []


def test_nobody_needs_to_read_the_output(tiny_model: Path) -> None:
    process = start("inspect", tiny_model, "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""


@pytest.mark.slow
def test_the_module_runs_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aretusa", "--version"],
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("aretusa ")


@pytest.mark.slow
def test_the_command_line_does_not_load_what_it_seldom_needs() -> None:
    script = "import sys, aretusa.cli; print([m for m in ('torch', 'onnx') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
