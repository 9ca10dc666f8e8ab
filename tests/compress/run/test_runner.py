"""Stages run when what they depend on has changed, and only then; errors come before the work."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tiny_runs import DEPTH, LORA, WIDTH, digests, tiny_document, tiny_recipe, write_text

from aretusa_compress.errors import (
    CapacityError,
    CompressError,
    ModelError,
    ToolchainError,
    UnsupportedError,
    UsageError,
)
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run import before
from aretusa_compress.run.directory import RunDirectory
from aretusa_compress.run.memory import Need, check_need
from aretusa_compress.run.progress import Silent
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.run.state import StageState

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.results import CompressResult


class Lines(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def run(document: dict[str, Any], folder: Path, **options: Any) -> CompressResult:  # noqa: ANN401
    return run_recipe(parse_recipe(document, "tiny"), folder / "run", **options)


def reused(result: CompressResult) -> list[bool]:
    return [stage.reused for stage in result.stages[1:]]


def test_a_second_run_does_nothing_and_other_directories_get_the_same_bytes(
    tmp_path: Path,
) -> None:
    recipe = tiny_recipe(tmp_path, [DEPTH, WIDTH, LORA])
    first = run_recipe(recipe, tmp_path / "run")
    assert reused(first) == [False] * 3
    assert reused(run_recipe(recipe, tmp_path / "run")) == [True] * 3
    run_recipe(recipe, tmp_path / "elsewhere" / "other")
    assert digests(tmp_path / "run") == digests(tmp_path / "elsewhere" / "other")
    assert [path.name for path in (tmp_path / "run").glob(".*")] == [".lock"]


def test_only_what_depends_on_a_change_runs_again(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH, WIDTH, LORA])
    run(document, tmp_path)
    lines = Lines()
    changed = document | {"stages": [DEPTH, {"width": {"pattern": "1:4"}}, LORA]}
    assert reused(run(changed, tmp_path, progress=lines)) == [True, False, False]
    assert lines.lines[0] == "2-width runs again: options.pattern (2:4 -> 1:4)"
    write_text(tmp_path / "text.txt", seed=5)
    assert reused(run(changed, tmp_path)) == [False, False, False]
    training = changed["data"] | {"training": {**changed["data"]["training"], "samples": 23}}
    assert reused(run(changed | {"data": training}, tmp_path)) == [True, True, False]
    assert reused(run(changed | {"data": training, "seed": 1}, tmp_path)) == [False] * 3


def test_a_stage_that_gives_the_same_bytes_lets_later_ones_be(tmp_path: Path) -> None:
    first = {"depth": {"blocks": [1]}}
    same = {"depth": {"map": [0, 2, 3, 4]}}
    document = tiny_document(tmp_path, [first, WIDTH])
    run(document, tmp_path)
    assert reused(run(document | {"stages": [same, WIDTH]}, tmp_path)) == [False, True]


def test_a_damaged_stage_runs_again(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH, WIDTH])
    run(document, tmp_path)
    good = digests(tmp_path / "run")
    weights = tmp_path / "run" / "1-depth" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert reused(run(document, tmp_path)) == [False, True]
    assert digests(tmp_path / "run") == good


def test_stages_run_in_any_order(tmp_path: Path) -> None:
    result = run(tiny_document(tmp_path, [LORA, WIDTH, DEPTH]), tmp_path)
    assert [stage.name for stage in result.stages] == ["model", "1-lora", "2-width", "3-depth"]
    assert [stage.blocks for stage in result.stages] == [5, 5, 5, 4]
    assert result.stages[3].nonzero < result.stages[2].nonzero < result.stages[1].nonzero


def test_only_runs_one_stage_on_what_is_there(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH, WIDTH, LORA])
    with pytest.raises(UsageError, match="E0509"):
        run(document, tmp_path, only="width")
    result = run(document, tmp_path, only="depth")
    assert [stage.name for stage in result.stages] == ["model", "1-depth"]
    result = run(document, tmp_path, only="2-width")
    assert reused(result) == [True, False]
    assert not (tmp_path / "run" / "3-lora").exists()
    assert reused(run(document, tmp_path, only="width", resume=False)) == [True, False]
    with pytest.raises(UsageError, match="did you mean '2-width'"):
        run(document, tmp_path, only="2-widht")
    twice = tiny_document(tmp_path, [WIDTH, WIDTH])
    with pytest.raises(UsageError, match="no single stage"):
        run(twice, tmp_path, only="width")


def test_the_directory_keeps_the_recipe_with_all_defaults(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH])
    result = run(document, tmp_path)
    kept = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert kept["stages"][0]["depth"]["importance"] == "perplexity"
    assert parse_recipe(kept, "kept") == parse_recipe(document, "tiny")
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored == json.loads(result.model_dump_json())
    assert stored["verb"] == "compress"
    assert stored["need_bytes"]["1-depth"] > 0


def test_evaluation_texts_are_judged_for_every_stage_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tiny_document(tmp_path, [DEPTH])
    text = {"files": [str(tmp_path / "text.txt")], "samples": 2, "tokens": 16}
    document["data"]["evaluation"] = {"words": text}
    first = run(document, tmp_path)
    for stage in first.stages:
        (one,) = stage.evaluation
        assert (one.text, one.tokens) == ("words", 30)
        assert 1.0 < one.perplexity < 1e6
    from aretusa_compress.model import blocks  # noqa: PLC0415 - to see that it is not called

    monkeypatch.setattr(blocks, "mean_nats", lambda *_: pytest.fail("measured again"))
    again = run(document, tmp_path)
    assert [s.evaluation for s in again.stages] == [s.evaluation for s in first.stages]


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH])
    with RunDirectory.opened(tmp_path / "run"), pytest.raises(UsageError, match="E0504"):
        run(document, tmp_path)


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="E0002"):
        run(tiny_document(tmp_path, [DEPTH]), tmp_path)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_memory_is_estimated_before_work_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "free_bytes", lambda _: 10**6)
    with pytest.raises(CapacityError, match="E0507") as caught:
        run(tiny_document(tmp_path, [DEPTH, WIDTH, LORA]), tmp_path)
    assert caught.value.free_bytes == 10**6
    assert caught.value.need_bytes > 10**6
    assert "1-depth" in str(caught.value)
    assert not list((tmp_path / "run").glob("[.0-9]*depth"))


def test_exactly_as_much_memory_as_needed_is_enough() -> None:
    need = Need({"weights": 60, "states": 40})
    check_need("1-depth", need, 100)
    with pytest.raises(CapacityError):
        check_need("1-depth", need, 99)


@pytest.mark.parametrize("role", ["calibration", "training"])
def test_a_missing_text_is_an_error_before_any_stage_runs(tmp_path: Path, role: str) -> None:
    document = tiny_document(tmp_path, [DEPTH, LORA])
    del document["data"][role]
    with pytest.raises(UsageError, match="E0505") as caught:
        run(document, tmp_path)
    assert f"data.{role}" in caught.value.what
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "cannot be read"), (b"\xff\xfe\xff", "cannot be read"), (b"the", "too short")],
)
def test_texts_that_do_not_do_say_why(tmp_path: Path, content: bytes | None, part: str) -> None:
    document = tiny_document(tmp_path, [WIDTH])
    other = tmp_path / "other.txt"
    if content is not None:
        other.write_bytes(content)
    document["data"]["calibration"]["files"] = [str(other)]
    with pytest.raises(UsageError, match="E0230") as caught:
        run(document, tmp_path)
    assert part in str(caught.value)


def broken(model: Path, what: str) -> None:
    """Make a sound checkpoint into one that must be refused."""
    weights, config = model / "model.safetensors", model / "config.json"
    changes: dict[str, dict[str, object]] = {
        "code": {"auto_map": {"AutoModelForCausalLM": "evil.Model"}},
        "family": {"model_type": "gpt2"},
        "quantised": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        "layers": {"num_hidden_layers": 6},
    }
    index = {"weight_map": {"a": "../../elsewhere.safetensors"}}
    if what in changes:
        config.write_text(json.dumps(json.loads(config.read_text()) | changes[what]))
    elif what == "pickle":
        weights.rename(model / "pytorch_model.bin")
    elif what == "truncated":
        weights.write_bytes(weights.read_bytes()[:-7])
    elif what == "bad tokenizer":
        (model / "tokenizer.json").write_text("{}")
    elif what == "index":
        weights.unlink()
        (model / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        files = {"no weights": weights, "no config": config}
        files.get(what, model / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("what", "kind", "code"),
    [
        ("pickle", UnsupportedError, "E0124"),
        ("no weights", ModelError, "E0120"),
        ("code", UnsupportedError, "E0125"),
        ("family", UnsupportedError, "E0201"),
        ("quantised", UnsupportedError, "E0126"),
        ("layers", ModelError, "E0202"),
        ("truncated", ModelError, "E0103"),
        ("no tokenizer", ModelError, "E0220"),
        ("bad tokenizer", ModelError, "E0220"),
        ("index", ModelError, "E0121"),
        ("no config", ModelError, "E0200"),
    ],
)
def test_broken_and_hostile_checkpoints_are_coded_errors(
    tmp_path: Path, what: str, kind: type[CompressError], code: str
) -> None:
    document = tiny_document(tmp_path, [WIDTH])
    broken(tmp_path / "model", what)
    with pytest.raises(kind) as caught:
        run(document, tmp_path)
    assert caught.value.code == code
    assert str(tmp_path) in caught.value.file


def test_a_name_of_the_hub_without_a_connection_is_a_coded_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    document = tiny_document(tmp_path, [WIDTH], model="nobody/nothing-here")
    with pytest.raises(ToolchainError, match="E0503") as caught:
        run(document, tmp_path)
    assert "nobody/nothing-here" in caught.value.what
    with pytest.raises(UsageError, match="E0001"):
        run(document | {"model": "no/such/path"}, tmp_path)


def test_what_a_stage_keeps_belongs_to_one_fingerprint(tmp_path: Path) -> None:
    state = StageState(tmp_path / "state", "one")
    state.write_json("numbers", [0.1, 1e300])
    assert StageState(tmp_path / "state", "one").read_json("numbers") == [0.1, 1e300]
    assert StageState(tmp_path / "state", "two").read_json("numbers") is None
    assert StageState(tmp_path / "state", "one").read_json("numbers") is None


def test_the_model_may_be_moved(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [DEPTH])
    run(document, tmp_path)
    shutil.move(tmp_path / "model", tmp_path / "moved")
    assert reused(run(document | {"model": str(tmp_path / "moved")}, tmp_path)) == [True]
