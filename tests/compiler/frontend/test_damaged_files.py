"""Whatever happens to the bytes of a file, it loads or is refused with a code."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from checkpoints import tiny_config, write_gguf_llama, write_hf_llama
from compressed_checkpoints import CompressedModel, Gptq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aretusa.errors import AretusaError
from aretusa.frontend.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# One layer keeps the headers, where damage is interesting, a large share of the files.
CONFIG = tiny_config(layers=1, hidden_size=32, heads=2, kv_heads=1, ffn_size=32, vocab_size=8)
EXAMPLES = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def flip(content: bytes, at: int, value: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes([content[at] ^ value]) + content[at + 1 :]


def cut(content: bytes, at: int, value: int) -> bytes:
    return content[: at % len(content)]


def insert(content: bytes, at: int, value: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes([value]) * (1 + value % 9) + content[at:]


def remove(content: bytes, at: int, value: int) -> bytes:
    at %= len(content)
    return content[:at] + content[at + 1 + value % 9 :]


def enlarge(content: bytes, at: int, value: int) -> bytes:
    at %= len(content)
    return content[:at] + b"\xff" * (1 + value % 8) + content[at + 1 + value % 8 :]


Damage = tuple["Callable[[bytes, int, int], bytes]", int, int]
damages = st.lists(
    st.tuples(
        st.sampled_from([flip, cut, insert, remove, enlarge]),
        st.one_of(st.integers(0, 1500), st.integers(0, 2**16)),
        st.integers(1, 255),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, steps: list[Damage]) -> bytes:
    for change, at, value in steps:
        content = change(content, at, value) or b"\0"
    return content


def load_or_refuse(path: Path) -> None:
    try:
        checkpoint = open_checkpoint(path)
        for name in checkpoint.tensor_names:
            checkpoint.load(name)
        checkpoint.fingerprint()
        assert checkpoint.store.forms is not None
    except AretusaError as error:
        assert error.code  # noqa: PT017
        assert error.line().isprintable()  # noqa: PT017


@given(steps=damages)
@EXAMPLES
def test_damaged_gguf(tmp_path: Path, steps: list[Damage]) -> None:
    right, wrong = tmp_path / "right.gguf", tmp_path / "wrong.gguf"
    if not right.exists():
        write_gguf_llama(right, CONFIG, matrix_type="Q4_1")
    wrong.write_bytes(damaged(right.read_bytes(), steps))
    load_or_refuse(wrong)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@given(steps=damages)
@EXAMPLES
def test_damaged_directory(tmp_path: Path, name: str, steps: list[Damage]) -> None:
    right = tmp_path / name
    original = tmp_path / f"{name}.right"
    if not original.exists():
        write_hf_llama(tmp_path, CONFIG)
        original.write_bytes(right.read_bytes())
    right.write_bytes(damaged(original.read_bytes(), steps))
    load_or_refuse(tmp_path)


@pytest.mark.parametrize(
    "name", ["model-00001-of-00002.safetensors", "model.safetensors.index.json"]
)
@given(steps=damages)
@settings(EXAMPLES, max_examples=100)
def test_damaged_shards(tmp_path: Path, name: str, steps: list[Damage]) -> None:
    original = tmp_path / f"{name}.right"
    if not original.exists():
        write_hf_llama(tmp_path, CONFIG, shards=2)
        original.write_bytes((tmp_path / name).read_bytes())
    (tmp_path / name).write_bytes(damaged(original.read_bytes(), steps))
    load_or_refuse(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@given(steps=damages)
@settings(EXAMPLES, max_examples=150)
def test_damaged_compressed_directory(tmp_path: Path, name: str, steps: list[Damage]) -> None:
    original = tmp_path / f"{name}.right"
    if not original.exists():
        model = CompressedModel(CONFIG)
        gate, up, down, *_ = (m for m in model.modules() if ".mlp." in m)
        model.gptq(gate, Gptq(group_size=16))
        model.gptq(up, Gptq(symmetric=False))
        model.low_rank(down, 4)
        model.code(f"{down}.low_rank_in", 3)
        model.keys["quantization_config"] = Gptq(symmetric=False).config
        original.write_bytes((model.write(tmp_path) / name).read_bytes())
    (tmp_path / name).write_bytes(damaged(original.read_bytes(), steps))
    load_or_refuse(tmp_path)


_OPEN_ALL = """
import sys
from pathlib import Path
from aretusa.errors import AretusaError
from aretusa.frontend.checkpoint import open_checkpoint
for path in sys.argv[1:]:
    try:
        open_checkpoint(Path(path))
    except AretusaError as error:
        print(error.code)
"""


@pytest.mark.slow
def test_bombs_stay_within_time_and_memory(tmp_path: Path) -> None:
    """Nested or huge JSON and a header of empty strings within 1 GiB and 20 seconds."""
    paths = [_json_bomb(tmp_path), _gguf_bomb(tmp_path), _wide_bomb(tmp_path)]
    result = subprocess.run(
        [sys.executable, "-c", _OPEN_ALL, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)),
    )
    assert result.stderr == ""
    assert result.stdout.split() == ["E0123", "E0131", "E0200"]


def _json_bomb(tmp_path: Path) -> Path:
    directory = tmp_path / "nested"
    write_hf_llama(directory, CONFIG)
    (directory / "config.json").write_bytes(b"[" * (15 * 2**20))
    return directory


def _gguf_bomb(tmp_path: Path) -> Path:
    path = tmp_path / "strings.gguf"
    length = 2**21
    key = (1).to_bytes(8, "little") + b"k" + (9).to_bytes(4, "little")
    array = (8).to_bytes(4, "little") + length.to_bytes(8, "little") + bytes(8 * length)
    head = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (2).to_bytes(8, "little")
    path.write_bytes(head + key + array + key[:8] + b"l" + key[9:] + array[:-1])
    return path


def _wide_bomb(tmp_path: Path) -> Path:
    directory = tmp_path / "wide"
    write_hf_llama(directory, CONFIG)
    (directory / "config.json").write_bytes(b"[" + b"{}," * 2**21 + b"{}]")
    return directory
