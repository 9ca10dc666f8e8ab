"""compile_model(): what it keeps, what it makes anew, and that a failure leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checkpoints import random_tensors
from tiny_models import CHUNK, CONTEXT, VOCABULARY, runnable_config, write_gguf_model, write_model

from aretusa import driver
from aretusa.codegen.images import ImageWriter
from aretusa.driver import compile_model, parameter_count
from aretusa.errors import AretusaError, ModelError, UnsupportedError, UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.manifest import JOBS_FILE, MANIFEST_FILE, PLAN_FILE, TARGET_FILE, read_manifest
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.passes.pipeline import LOWERING
from aretusa.plan_results import PlanReport
from aretusa.planning import prompt_bytes_max
from aretusa.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.ir.graph import Graph
    from aretusa.results import CompileResult

OPTIONS = CompileOptions(context=CONTEXT, chunk=CHUNK)
STAGES = (
    "load_target",
    "open_checkpoint",
    "read_tokenizer",
    "tokenizer_image",
    "hash_of_inputs",
    "llama_graph",
    "declare_quantised",
    "lowered",
    "make_plan",
    "check_plan",
    "copy_tokenizer",
    "write_project",
)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own."""
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for nothing but the build."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def compile_there(model: Path, place: Path, options: CompileOptions = OPTIONS) -> CompileResult:
    return compile_model(model, place / "build", options)


def test_a_build_has_what_the_other_verbs_need(model: Path, place: Path) -> None:
    result = compile_there(model, place)
    assert not result.reused
    assert result.manifest == read_manifest(place / "build")
    names = {path.name for path in (place / "build").iterdir()}
    assert names == {
        *("Makefile", "link.ld", "machine.cfg", "memory_map.h", "network.c", "network.h"),
        "siracusa.ld",
        *("graph.txt", JOBS_FILE, MANIFEST_FILE, PLAN_FILE, TARGET_FILE),
        *("runtime", "tokenizer.json"),
        *(image.file_name for image in result.manifest.images),
    }
    assert [path.name for path in place.iterdir()] == ["build"]


def test_the_manifest_says_where_every_byte_is(model: Path, place: Path) -> None:
    manifest = compile_there(model, place).manifest
    for memory in manifest.memories:
        ends = [r.offset_bytes + r.size_bytes for r in manifest.regions if r.memory == memory.name]
        assert memory.used_bytes == max(ends, default=0) <= memory.capacity_bytes
    assert manifest.model.parameters == parameter_count(open_checkpoint(model))
    assert manifest.model.stop_tokens == [2]
    assert manifest.options.context == CONTEXT
    assert len(manifest.profile) == len(set(manifest.profile))


def test_a_build_holds_the_document_of_its_plan(model: Path, place: Path) -> None:
    manifest = compile_there(model, place).manifest
    report = PlanReport.model_validate_json((place / "build" / PLAN_FILE).read_text("utf-8"))
    assert report.fits
    assert report.model.parameters == manifest.model.parameters
    assert (report.options.context, report.options.chunk) == (CONTEXT, CHUNK)
    planned = {
        (r.name, r.memory, r.offset_bytes, r.size_bytes)
        for r in report.regions
        if r.kind != "image header"
    }
    assert planned == {(r.name, r.memory, r.offset_bytes, r.size_bytes) for r in manifest.regions}


def test_the_planner_chooses_the_tokens_of_a_step(model: Path, place: Path) -> None:
    options = CompileOptions(context=CONTEXT)
    manifest = compile_there(model, place, options).manifest
    assert manifest.options.chunk in options.chunks
    assert manifest.options.engine == "auto"
    assert compile_there(model, place, options).reused
    assert Program.open(place / "build").graph.chunk_max == manifest.options.chunk


@pytest.mark.parametrize("chunk", [None, 8, 33])
def test_no_step_is_longer_than_the_context(chunk: int | None, model: Path, place: Path) -> None:
    options = CompileOptions(context=7, chunk=chunk)
    chosen = compile_there(model, place, options).manifest.options.chunk
    assert 1 <= chosen <= 7
    assert chosen == 7 or chunk is None


def test_a_build_that_is_up_to_date_is_kept(model: Path, place: Path) -> None:
    first = compile_there(model, place)
    (place / "build" / "mark").write_text("kept")
    second = compile_there(model, place)
    assert second.reused
    assert second.manifest == first.manifest
    assert (place / "build" / "mark").is_file()


def test_force_compiles_again(model: Path, place: Path) -> None:
    compile_there(model, place)
    (place / "build" / "mark").write_text("gone")
    assert not compile_model(model, place / "build", OPTIONS, force=True).reused
    assert not (place / "build" / "mark").exists()


@pytest.mark.parametrize(
    "options",
    [
        CompileOptions(context=CONTEXT, chunk=CHUNK, weights="w4g32"),
        CompileOptions(context=CONTEXT - 1, chunk=CHUNK),
        CompileOptions(context=CONTEXT, chunk=CHUNK + 1),
        CompileOptions(context=CONTEXT),
        CompileOptions(context=CONTEXT, chunk=CHUNK, engine=Engine.CLUSTER),
        CompileOptions(context=CONTEXT, chunk=CHUNK, bits=4),
        CompileOptions(context=CONTEXT, chunk=CHUNK, target="siracusa-1gib"),
    ],
)
def test_other_options_compile_again(model: Path, place: Path, options: CompileOptions) -> None:
    compile_there(model, place)
    assert not compile_there(model, place, options).reused


def test_other_weights_compile_again(model: Path, place: Path) -> None:
    compile_there(model, place)
    write_model(model, seed=1)
    assert not compile_there(model, place).reused


def test_another_tokenizer_compiles_again(model: Path, place: Path) -> None:
    compile_there(model, place)
    file = model / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    content["model"]["merges"].pop()
    file.write_text(json.dumps(content), "utf-8")
    assert not compile_there(model, place).reused


def test_a_damaged_or_missing_image_compiles_again(model: Path, place: Path) -> None:
    compile_there(model, place)
    image = place / "build" / "mram.bin"
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    assert not compile_there(model, place).reused
    image.unlink()
    assert not compile_there(model, place).reused
    assert compile_there(model, place).reused


def test_a_build_of_another_version_is_replaced(model: Path, place: Path) -> None:
    compile_there(model, place)
    manifest = place / "build" / MANIFEST_FILE
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"a_later_key": 1}))
    assert not compile_there(model, place).reused


@pytest.mark.parametrize(
    ("stage", "older"),
    [*((stage, False) for stage in STAGES), ("open_checkpoint", True), ("write_project", True)],
)
def test_a_failure_in_any_stage_leaves_the_place_as_it_was(
    stage: str, older: bool, model: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if older:
        compile_there(model, place)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}

    def fail(*_: object, **__: object) -> None:
        raise ModelError("E0200", stage, fix="None")

    monkeypatch.setattr(driver, stage, fail)
    with pytest.raises(ModelError, match=stage):
        compile_model(model, place / "build", OPTIONS, force=True)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_a_full_disk_leaves_nothing(
    model: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ImageWriter, "_seal", fail)
    with pytest.raises(UsageError, match=r"E0002.*build.*No space left on device"):
        compile_there(model, place)
    assert list(place.iterdir()) == []


def test_a_bad_tensor_found_while_writing_leaves_nothing(tmp_path: Path, place: Path) -> None:
    tensors = random_tensors(runnable_config(), 0)
    tensors["model.layers.1.mlp.down_proj.weight"][3, 4] = np.nan
    model = write_model(tmp_path / "bad", tensors=tensors)
    with pytest.raises(ModelError, match=r"E0110.*down_proj"):
        compile_there(model, place)
    assert list(place.iterdir()) == []


def test_odd_tensors_are_warnings_of_the_build(tmp_path: Path, place: Path) -> None:
    tensors = random_tensors(runnable_config(), 0)
    tensors["model.layers.1.mlp.down_proj.weight"][:] = 0
    result = compile_there(write_model(tmp_path / "odd", tensors=tensors), place)
    assert len(result.manifest.warnings) == 1
    assert "W0112" in result.manifest.warnings[0]
    assert "down_proj" in result.manifest.warnings[0]
    assert compile_there(tmp_path / "odd", place).manifest.warnings == result.manifest.warnings


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path: Path, place: Path) -> None:
    model = write_model(tmp_path / "small", runnable_config(vocab_size=100))
    with pytest.raises(UnsupportedError, match=r"E0223.*270 tokens, the model 100"):
        compile_there(model, place)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("options", [{"context": 0}, {"context": 129}, {"context": -1}])
def test_a_context_out_of_range_is_refused(
    options: dict[str, int], model: Path, place: Path
) -> None:
    with pytest.raises(UsageError, match=r"E0205.*between 1 and 128"):
        compile_there(model, place, CompileOptions(chunk=CHUNK, **options))


@pytest.mark.parametrize(
    "options", [{"weights": "w3g7"}, {"weights": ""}, {"chunk": 0}, {"chunk": 257}]
)
def test_options_are_checked_before_anything_is_read(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="E0003"):
        CompileOptions(**options)  # type: ignore[arg-type]


def test_a_context_and_a_chunk_of_one_are_possible(model: Path, place: Path) -> None:
    compile_there(model, place, CompileOptions(context=1, chunk=1))
    assert Program.open(place / "build").graph.context == 1


@dataclass
class Notes:
    """Progress that remembers."""

    total: int = 0
    done: list[int] = field(default_factory=list)

    def start(self, what: str, total: int) -> None:
        assert what
        self.total = total

    def advance(self, count: int) -> None:
        self.done.append(count)


def test_progress_ends_near_its_total(model: Path, place: Path) -> None:
    notes = Notes()
    compile_model(model, place / "build", OPTIONS, progress=notes)
    assert 0.95 * notes.total <= sum(notes.done) <= notes.total


def test_an_observer_sees_every_pass(model: Path, place: Path) -> None:
    seen: list[str] = []

    def observe(name: str, graph: Graph) -> None:
        assert graph.ops
        seen.append(name)

    compile_model(model, place / "build", OPTIONS, observe=observe)
    assert seen == [step.name for step in LOWERING]


def test_a_gguf_file_compiles_like_a_directory(tmp_path: Path, place: Path) -> None:
    result = compile_there(write_gguf_model(tmp_path / "model.gguf"), place)
    assert result.manifest.model.kind == "gguf"
    assert (place / "build" / "tokenizer_gguf.json").is_file()
    assert Program.open(place / "build").tokenizer.vocab_size == VOCABULARY


def test_a_prompt_may_have_some_bytes_per_position() -> None:
    assert prompt_bytes_max(1) >= 1024
    assert prompt_bytes_max(4096) >= 4 * 4096


def test_every_error_of_the_driver_names_a_remedy(model: Path, place: Path) -> None:
    (model / "tokenizer.json").unlink()
    with pytest.raises(AretusaError) as caught:
        compile_there(model, place)
    assert caught.value.code == "E0220"
    assert caught.value.fix
    assert list(place.iterdir()) == []
