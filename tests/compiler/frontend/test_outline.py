"""Models without their weights: a configuration alone says the same as the whole checkpoint."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from checkpoints import hf_config, tiny_config, write_gguf_llama, write_hf_llama

from aretusa.errors import AretusaError, ModelError, UnsupportedError, UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.gguf_file import GgufFile
from aretusa.frontend.llama_config import Family
from aretusa.frontend.outline import ModelOutline, open_outline
from aretusa.frontend.tensor_shapes import parameter_count
from aretusa.frontend.tokenizer_source import GgufTokenizerSource, HfTokenizerSource
from aretusa.frontend.weights import CodedWeight

if TYPE_CHECKING:
    from pathlib import Path


def same_but_the_weights(outline: ModelOutline, path: Path) -> None:
    checkpoint = open_checkpoint(path)
    assert outline.config == checkpoint.config
    assert outline.kind == checkpoint.kind
    assert outline.name == checkpoint.name
    assert outline.eos_token_ids == checkpoint.eos_token_ids
    assert outline.tokenizer == checkpoint.tokenizer
    assert outline.forms == checkpoint.store.forms


@pytest.mark.parametrize("family", Family)
def test_a_directory_needs_no_weights(tmp_path: Path, family: Family) -> None:
    write_hf_llama(tmp_path, tiny_config(family))
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 9]}')
    whole = open_outline(tmp_path)
    same_but_the_weights(whole, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert open_outline(tmp_path) == whole
    assert whole.eos_token_ids == (7, 9)
    assert whole.tokenizer == HfTokenizerSource(tmp_path / "tokenizer.json")


def test_weights_of_a_directory_are_not_looked_at(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    for content in (b"", b"version https://git-lfs.github.com/spec/v1\n", b"\0" * 100):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert open_outline(tmp_path).config == tiny_config()
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert open_outline(tmp_path).forms == {}


def test_config_json_stands_for_its_directory(tmp_path: Path) -> None:
    write_hf_llama(tmp_path / "model", tiny_config())
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    assert open_outline(tmp_path / "model" / "config.json") == open_outline(tmp_path / "model")
    assert open_outline(tmp_path / "model").name == "model"


def test_a_configuration_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "some.model.json"
    path.write_text(json.dumps(hf_config(tiny_config())))
    (tmp_path / "tokenizer.json").write_text("{}")  # of another model
    outline = open_outline(path)
    assert outline.name == "some.model"
    assert outline.config == tiny_config()
    assert outline.eos_token_ids == (2,)
    assert outline.tokenizer is None


def test_a_name_is_printable(tmp_path: Path) -> None:
    path = tmp_path / "evil\nname\u202e.json"
    path.write_text(json.dumps(hf_config(tiny_config())))
    assert open_outline(path).name == "evil?name?"


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "F16"])
def test_a_gguf_file_says_the_forms_of_its_codes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config(), matrix_type=kind, embedding_type="Q8_0")
    outline = open_outline(path)
    same_but_the_weights(outline, path)
    assert isinstance(outline.tokenizer, GgufTokenizerSource)
    checkpoint = open_checkpoint(path)
    for name in checkpoint.tensor_names:
        weight = checkpoint.load(name)
        form = outline.forms.get(name)
        assert isinstance(weight, CodedWeight) == (form is not None)
        if isinstance(weight, CodedWeight):
            assert form is not None
            assert (weight.bits, weight.group, weight.zero) == (form.bits, form.group, form.zero)
            assert (weight.minimums is not None) == form.has_minimum


def test_a_gguf_file_is_read_up_to_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config())
    monkeypatch.delattr(GgufFile, "raw")
    assert open_outline(path).config.vocab_size == tiny_config().vocab_size


def test_parameters_are_counted_without_weights(tmp_path: Path) -> None:
    for config in (tiny_config(), tiny_config(Family.QWEN2), tiny_config(ties_embeddings=True)):
        source = write_hf_llama(tmp_path, config)
        assert parameter_count(config) == sum(values.size for values in source.values())


def refusal(path: Path) -> AretusaError:
    with pytest.raises(AretusaError) as caught:
        open_outline(path)
    assert caught.value.line().isprintable()
    return caught.value


def test_a_path_to_nothing(tmp_path: Path) -> None:
    for name in ("absent", "absent.json", "config.json", "absent.gguf"):
        error = refusal(tmp_path / name)
        assert isinstance(error, UsageError)
        assert error.code == "E0001"


def test_a_directory_without_a_configuration(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert isinstance(error, ModelError)
    assert error.code == "E0200"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E0200"),
        ("[]", "E0200"),
        ("{}", "E0200"),
        ('{"model_type": "mamba"}', "E0201"),
        ("<!doctype html>", "E0150"),
    ],
)
def test_a_broken_configuration(tmp_path: Path, text: str, code: str) -> None:
    for place in (tmp_path / "some.json", tmp_path / "config.json"):
        place.write_text(text)
        error = refusal(place)
        assert error.code == code
        assert place.name in error.line()


def test_weights_by_themselves_are_no_model(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    assert refusal(tmp_path / "model.safetensors").code == "E0001"
    (tmp_path / "model.bin").write_bytes(b"x")
    error = refusal(tmp_path / "model.bin")
    assert isinstance(error, UnsupportedError)
    assert error.code == "E0124"


def test_a_configuration_behind_a_link_that_leaves_is_refused(tmp_path: Path) -> None:
    write_hf_llama(tmp_path / "secret", tiny_config())
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").symlink_to(tmp_path / "secret" / "config.json")
    assert refusal(tmp_path / "model").code == "E0121"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert refusal(tmp_path / "config.json").code == "E0001"
    assert refusal(tmp_path).code == "E0200"


def test_what_the_system_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "is_dir", refuse)
    error = refusal(tmp_path)
    assert error.code == "E0100"
    assert "Permission denied" in error.line()
