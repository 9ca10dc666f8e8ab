"""GGUF files that are wrong: cases 19 to 22, and metadata that is not supported."""

from __future__ import annotations

import os
import struct
import time
from errno import EACCES
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
from checkpoints import random_tensors, tiny_config, write_gguf_llama

from aretusa.errors import AretusaError, ExitCode
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.gguf_file import open_gguf
from aretusa.frontend.llama_config import Family

if TYPE_CHECKING:
    from pathlib import Path

CODES_WITH_EXIT_4 = {"E0133", "E0201", "E0204"}
STRING, ARRAY, BOOL, UINT32, FLOAT32 = 8, 9, 7, 4, 6


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def row(name: str, dims: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


def container(*, pairs: list[bytes] = [], rows: list[bytes] = [], data: bytes = b"") -> bytes:  # noqa: B006
    head = b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(pairs)) + b"".join(pairs + rows)
    return head + bytes(-len(head) % 32) + data


def refusal(path: Path, content: bytes | None = None) -> AretusaError:
    if content is not None:
        path.write_bytes(content)
    start_seconds = time.monotonic()
    with pytest.raises(AretusaError) as caught:
        open_checkpoint(path)
    assert time.monotonic() - start_seconds < 5
    error = caught.value
    expected = ExitCode.UNSUPPORTED if error.code in CODES_WITH_EXIT_4 else ExitCode.MODEL
    assert error.exit_code == expected
    assert path.name in error.line()
    assert error.line().isprintable()
    assert len(error.line()) < 900
    return error


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a GGUF file"),
        (b"GG", "not a GGUF file"),
        (b"GGML" + bytes(40), "not a GGUF file"),
        (b"GGUF\x01\x00\x00\x00" + bytes(40), "version 1"),
        (b"GGUF\x04\x00\x00\x00" + bytes(40), "version 4"),
        (b"GGUF\x00\x00\x00\x03" + bytes(40), "big-endian"),
    ],
)
def test_another_start(tmp_path: Path, content: bytes, says: str) -> None:
    error = refusal(tmp_path / "bad.gguf", content)
    assert error.code == "E0130"
    assert says in error.line()


def counts(tensors: int, pairs: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs)


@pytest.mark.parametrize(
    "content",
    [
        b"GGUF\x03\x00",
        counts(1, 0),
        counts(2**60, 0) + bytes(64),
        counts(0, 2**60) + bytes(64),
        counts(0, 2**64 - 1) + bytes(64),
        counts(0, 1) + struct.pack("<Q", 2**60) + bytes(64),
        counts(0, 1) + pair("k", STRING, struct.pack("<Q", 2**40)) + bytes(64),
        counts(0, 1) + pair("k", ARRAY, struct.pack("<IQ", UINT32, 2**60)) + bytes(64),
        counts(0, 1) + pair("k", ARRAY, struct.pack("<IQ", STRING, 2**60)) + bytes(64),
        counts(0, 1) + pair("k", ARRAY, struct.pack("<IQ", ARRAY, 1)) + bytes(64),
        counts(0, 1) + pair("k", ARRAY, struct.pack("<IQ", 99, 1)) + bytes(64),
        counts(0, 1) + pair("k", 99, b"") + bytes(64),
        counts(0, 1) + text(b"\xff\xfe") + bytes(64),
        counts(0, 1) + pair("k", STRING, text(b"\xff")) + bytes(64),
        counts(1, 0) + text("t") + struct.pack("<I", 0) + bytes(64),
        counts(1, 0) + text("t") + struct.pack("<I", 2**32 - 1) + bytes(64),
    ],
)
def test_lengths_are_checked_before_they_are_used(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path / "bad.gguf", content).code == "E0131"


def test_an_array_over_the_budget(tmp_path: Path) -> None:
    length = 2**21 + 1
    content = counts(0, 1) + pair("k", ARRAY, struct.pack("<IQ", 0, length) + bytes(length))
    error = refusal(tmp_path / "bad.gguf", content)
    assert error.code == "E0131"
    assert "2,097,153 elements" in error.line()


def test_a_header_over_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    with path.open("wb") as file:
        file.write(counts(0, 1) + text("k") + struct.pack("<IQ", STRING, 2**30))
        file.truncate(2**31)
    assert refusal(path).code == "E0131"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (container(pairs=[pair("k", BOOL, b"\x01")] * 2), "key 'k' appears twice"),
        (
            container(pairs=[pair("general.alignment", UINT32, struct.pack("<I", 0))]),
            "alignment 0 is not a power of two",
        ),
        (
            container(pairs=[pair("general.alignment", UINT32, struct.pack("<I", 24))]),
            "alignment 24 is not",
        ),
        (
            container(pairs=[pair("general.alignment", UINT32, struct.pack("<I", 2**31))]),
            "alignment 2147483648 is not",
        ),
        (container(pairs=[pair("general.alignment", BOOL, b"\x01")]), "alignment True is not"),
        (container(pairs=[pair("general.alignment", STRING, text("32"))]), "alignment 32 is not"),
        (container(rows=[row("t", (4,)), row("t", (4,))], data=bytes(64)), "'t' appears twice"),
        (container(rows=[row("t", (4,), offset=4)], data=bytes(64)), "'t' is not aligned"),
        (container(rows=[row("a", (9,)), row("b", (9,), 0, 32)], data=bytes(99)), "overlap"),
        (container(rows=[row("t", (4,))], data=bytes(13)), "ends 3 bytes behind"),
        (container(rows=[row("t", (4,), offset=2**63)], data=bytes(16)), "behind the end"),
        (container(rows=[row("t", (2**33, 2**33))], data=bytes(16)), "out of range"),
        (container(rows=[row("t", (2**31,) * 4)], data=bytes(16)), "behind the end"),
        (container(rows=[row("t", (0,))], data=bytes(16)), "out of range"),
        (container(rows=[row("t", (33, 2), 8)], data=bytes(96)), "33 columns are not whole"),
    ],
)
def test_inconsistent_tables(tmp_path: Path, content: bytes, says: str) -> None:
    error = refusal(tmp_path / "bad.gguf", content)
    assert error.code == "E0132"
    assert says in error.line()


def test_foreign_quantisations_are_named_together(tmp_path: Path) -> None:
    rows = [row("a", (256,), 12), row("b", (256,), 39), row("c", (256,), 9999)]
    error = refusal(tmp_path / "bad.gguf", container(rows=rows, data=bytes(1024)))
    assert error.code == "E0133"
    assert "Q4_K, MXFP4, type 9999" in error.line()
    assert "F32 F16 Q4_0 Q4_1 Q8_0 BF16" in error.line()


def test_a_quantised_vector(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    write_gguf_llama(path, tiny_config(), matrix_type="F32", embedding_type="F32")
    name = b"blk.0.attn_norm.weight"
    content = path.read_bytes()
    # 64 elements as Q8_0 take 68 bytes, which fit into the space of 64 float32.
    at = content.index(name) + len(name) + 4 + 8
    path.write_bytes(content[:at] + struct.pack("<I", 8) + content[at + 4 :])
    checkpoint = open_checkpoint(path)
    with pytest.raises(AretusaError) as caught:
        checkpoint.load("model.layers.0.input_layernorm.weight")
    assert caught.value.code == "E0133"
    assert "bad.gguf" in caught.value.line()


def test_arrays_and_scalars_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    ints = struct.pack("<IQ3h", 3, 3, -1, 0, 7)
    bools = struct.pack("<IQ2B", BOOL, 2, 0, 1)
    texts = struct.pack("<IQ", STRING, 2) + text("") + text("é")
    pairs = [
        pair("ints", ARRAY, ints),
        pair("bools", ARRAY, bools),
        pair("texts", ARRAY, texts),
        pair("empty", ARRAY, struct.pack("<IQ", FLOAT32, 0)),
        pair("double", 12, struct.pack("<d", 0.1)),
        pair("long", 10, struct.pack("<Q", 2**64 - 1)),
    ]
    path.write_bytes(container(pairs=pairs))
    assert open_gguf(path).metadata == {
        "ints": [-1, 0, 7],
        "bools": [False, True],
        "texts": ["", "é"],
        "empty": [],
        "double": 0.1,
        "long": 2**64 - 1,
    }


def test_version_2_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config())
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack("<I", 2) + content[8:])
    assert open_checkpoint(path).kind == "gguf"


def write_with_metadata(
    path: Path, changes: dict[str, Any], extra: dict[str, Any] | None = None, arch: str = "llama"
) -> None:
    """A tiny file whose `llama.*` metadata differs; a None takes the key out."""
    config = tiny_config()
    values: dict[str, Any] = {
        "context_length": 128,
        "embedding_length": 64,
        "block_count": 2,
        "feed_forward_length": 96,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    writer = gguf.GGUFWriter(path, arch)
    for key, value in (values | changes).items():
        full_key = key if key.startswith("tokenizer") else f"{arch}.{key}"
        match value:
            case None:
                continue
            case str():
                writer.add_string(full_key, value)
            case list():
                writer.add_array(full_key, value)
            case float():
                writer.add_float32(full_key, value)
            case _:
                writer.add_uint64(full_key, value)
    writer.add_token_list([f"t{i}" for i in range(config.vocab_size)])
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    tensors = random_tensors(config, seed=0)
    for name, gguf_name in names.items():
        writer.add_tensor(gguf_name, tensors[name])
    for name, values_of_extra in (extra or {}).items():
        writer.add_tensor(name, values_of_extra)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"embedding_length": None}, "E0200", "'llama.embedding_length' is missing"),
        ({"attention.layer_norm_rms_epsilon": None}, "E0200", "epsilon' is missing"),
        ({"context_length": "128"}, "E0200", "must be an integer, found str"),
        ({"tokenizer.ggml.eos_token_id": 80}, "E0200", "from 0 to 79"),
        ({"attention.head_count": [4, 4]}, "E0200", "must be an integer, found list"),
        ({"block_count": 10**9}, "E0203", "layers is 1000000000"),
        ({"vocab_size": 81}, "E0202", "vocab_size expects 81 tokens"),
        ({"block_count": 1}, "E0202", "9 tensors are missing"),
        ({"attention.head_count": 6}, "E0204", "does not divide into 6 heads"),
        ({"attention.head_count_kv": 3}, "E0204", "cannot share 3"),
        ({"attention.key_length": 15}, "E0204", "odd"),
        ({"attention.value_length": 8}, "E0204", "differs from head_dim 16"),
        ({"rope.dimension_count": 8}, "E0204", "differs from head_dim 16"),
        ({"rope.scaling.type": "linear"}, "E0204", "rope.scaling.type"),
        ({"rope.scaling.factor": 2.0}, "E0204", "rope.scaling.factor"),
        ({"attention.sliding_window": 64}, "E0204", "slides over 64"),
        ({"expert_count": 8}, "E0204", "experts"),
    ],
)
def test_metadata_that_is_wrong(
    tmp_path: Path, changes: dict[str, Any], code: str, says: str
) -> None:
    path = tmp_path / "tiny.gguf"
    write_with_metadata(path, changes)
    error = refusal(path)
    assert error.code == code
    assert says in error.line()


def test_another_architecture(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_with_metadata(path, {}, arch="mamba")
    error = refusal(path)
    assert error.code == "E0201"
    assert "llama, qwen2, qwen3" in error.line()


def test_stored_rope_factors(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_with_metadata(path, {}, extra={"rope_freqs.weight": np.ones(8, np.float32)})
    error = refusal(path)
    assert error.code == "E0204"
    assert "rope_freqs.weight" in error.line()


def test_biases_of_a_llama_are_unexpected(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    tensors = random_tensors(tiny_config(Family.QWEN2), seed=0)
    write_gguf_llama(path, tiny_config(), tensors=tensors)
    error = refusal(path)
    assert error.code == "E0202"
    assert "q_proj.bias" in error.line()


def test_content_of_another_kind(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 98362432\n"
    error = refusal(tmp_path / "model.gguf", pointer)
    assert error.code == "E0150"
    assert "98,362,432 bytes expected" in error.line()


def test_a_file_without_the_right_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf_llama(path, tiny_config())
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything

        def refused(*_arguments: object) -> int:
            raise PermissionError(EACCES, "Permission denied", str(path))

        monkeypatch.setattr(os, "open", refused)
    assert refusal(path).code == "E0100"
