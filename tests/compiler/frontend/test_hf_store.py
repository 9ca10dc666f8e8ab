"""Directories whose files are wrong: cases 13 to 17 and the paths that lead elsewhere."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checkpoints import safetensors_bytes, tiny_config, write_hf_llama

from aretusa.errors import AretusaError, ExitCode
from aretusa.frontend.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "model.safetensors.index.json"
SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A right directory with two shards, to be damaged."""
    directory = tmp_path / "model"
    write_hf_llama(directory, tiny_config(), shards=2)
    return directory


def refusal(path: Path) -> AretusaError:
    with pytest.raises(AretusaError) as caught:
        open_checkpoint(path)
    error = caught.value
    assert path.name in error.line()
    assert error.line().isprintable()
    assert len(error.line()) < 900
    return error


def rename_in_index(directory: Path, name: str) -> None:
    """Let the index look for the first shard under another name."""
    index = json.loads((directory / INDEX).read_text())
    index["weight_map"] = {
        tensor: name if file == SHARD else file for tensor, file in index["weight_map"].items()
    }
    (directory / INDEX).write_text(json.dumps(index))


def test_missing_shards_are_listed(sharded: Path) -> None:
    (sharded / SHARD).unlink()
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0120", ExitCode.MODEL)
    assert "1 of 2" in error.line()
    assert SHARD in error.line()


def test_no_weights_at_all(sharded: Path) -> None:
    (sharded / INDEX).unlink()
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0120", ExitCode.MODEL)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../model.safetensors",
        "sub/model.safetensors",
        "/etc/passwd",
        "C:model.safetensors",
        "..\\model.safetensors",
        "model\x00.safetensors",
        "model\n.safetensors",
        "model\ud800.safetensors",
        "m" * 5000,
    ],
)
def test_shard_names_that_are_no_plain_names(sharded: Path, name: str) -> None:
    rename_in_index(sharded, name)
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0121", ExitCode.MODEL)


def test_a_shard_that_links_out_of_the_directory(sharded: Path) -> None:
    outside = sharded.parent / "outside.safetensors"
    (sharded / SHARD).rename(outside)
    (sharded / SHARD).symlink_to(outside)
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0121", ExitCode.MODEL)
    assert "link" in error.line()


def test_a_shard_that_is_a_hard_link(sharded: Path) -> None:
    os.link(sharded / SHARD, sharded.parent / "outside.safetensors")
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0121", ExitCode.MODEL)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_other_files_may_not_link_out_either(tmp_path: Path, name: str) -> None:
    write_hf_llama(tmp_path / "model", tiny_config())
    outside = tmp_path / "outside"
    if name == "tokenizer.json":
        outside.write_text("{}")
    else:
        (tmp_path / "model" / name).rename(outside)
    (tmp_path / "model" / name).symlink_to(outside)
    assert refusal(tmp_path / "model").code == "E0121"


def test_a_link_within_the_directory_is_fine(sharded: Path) -> None:
    (sharded / SHARD).rename(sharded / "part.safetensors")
    (sharded / SHARD).symlink_to("part.safetensors")
    assert open_checkpoint(sharded).kind == "huggingface"


def test_the_index_lists_what_no_shard_has(sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    index["weight_map"]["ghost.weight"] = SHARD
    (sharded / INDEX).write_text(json.dumps(index))
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0122", ExitCode.MODEL)
    assert "ghost.weight" in error.line()


def test_a_shard_has_what_the_index_does_not_list(sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    del index["weight_map"]["model.norm.weight"]
    (sharded / INDEX).write_text(json.dumps(index))
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0122", ExitCode.MODEL)
    assert "model.norm.weight" in error.line()


@pytest.mark.parametrize("text", ["{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}'])
def test_an_index_without_a_map(sharded: Path, text: str) -> None:
    (sharded / INDEX).write_text(text)
    assert refusal(sharded).code == "E0122"


def test_a_tensor_in_two_shards(sharded: Path) -> None:
    extra = {"model.norm.weight": np.ones(64, dtype=np.float32)}
    for part in (1, 2):
        path = sharded / f"model-0000{part}-of-00002.safetensors"
        path.write_bytes(safetensors_bytes(extra))
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0106", ExitCode.MODEL)


def test_an_index_over_the_budget(sharded: Path) -> None:
    with (sharded / INDEX).open("wb") as file:
        file.truncate(200 * 2**20)
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0123", ExitCode.MODEL)


@pytest.mark.parametrize("name", [INDEX, "config.json"])
def test_json_nested_ten_thousand_deep(sharded: Path, name: str) -> None:
    (sharded / name).write_text('{"a": ' * 10_000 + "1" + "}" * 10_000)
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0123", ExitCode.MODEL)
    assert name in error.line()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth"])
def test_pickles_are_not_read(tmp_path: Path, name: str) -> None:
    write_hf_llama(tmp_path, tiny_config())
    (tmp_path / "model.safetensors").rename(tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        error = refusal(path)
        assert (error.code, error.exit_code) == ("E0124", ExitCode.UNSUPPORTED)
        assert name in error.line()
        assert "safe_serialization" in error.fix


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", INDEX])
def test_a_pointer_in_place_of_a_file(sharded: Path, name: str) -> None:
    (sharded / name).write_text("version https://git-lfs.github.com/spec/v1\nsize 99\n")
    error = refusal(sharded)
    assert (error.code, error.exit_code) == ("E0150", ExitCode.MODEL)
    assert name in error.line()


def test_a_foreign_element_type_names_its_tensor(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config(), dtype="bfloat16")
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"BF16"', b'"I16" '))
    error = refusal(tmp_path)
    assert (error.code, error.exit_code) == ("E0109", ExitCode.UNSUPPORTED)
    assert "model.embed_tokens.weight" in error.line()


@pytest.mark.parametrize("name", ["nothing", "nul\x00byte", "sur\ud800rogate"])
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(AretusaError) as caught:
        open_checkpoint(tmp_path / name)
    assert (caught.value.code, caught.value.exit_code) == ("E0001", ExitCode.USAGE)
    assert name[:3] in caught.value.line()


def test_a_single_file_of_a_directory(tmp_path: Path) -> None:
    write_hf_llama(tmp_path, tiny_config())
    error = refusal(tmp_path / "model.safetensors")
    assert (error.code, error.exit_code) == ("E0001", ExitCode.USAGE)


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert refusal(tmp_path / "pipe.gguf").exit_code in {ExitCode.USAGE, ExitCode.MODEL}
