"""Values that are not finite (case 10) or look like a mistake (case 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from checkpoints import tiny_config, write_gguf_llama, write_hf_llama

from aretusa.errors import ExitCode, ModelError
from aretusa.frontend.check_values import check_finite, find_oddity
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.weights import CodedWeight, FloatWeight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "model.layers.1.mlp.up_proj.weight"


def coded(scale: float, minimum: float | None = None, *, ramp: bool = True) -> CodedWeight:
    codes = np.arange(64, dtype=np.uint8).reshape(1, 64) % 16 if ramp else np.full((1, 64), 3)
    scales = np.full((1, 2), scale, dtype=np.float16)
    minimums = None if minimum is None else np.full((1, 2), minimum, dtype=np.float16)
    return CodedWeight(codes.astype(np.uint8), scales, minimums, bits=4, group=32, zero=0)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_count_and_the_first_place_are_named(tmp_path: Path, dtype: str) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    source[NAME][17, 40] = np.nan
    source[NAME][95, 63] = -np.inf
    write_hf_llama(tmp_path, tiny_config(), tensors=source, dtype=dtype, shards=1)
    checkpoint = open_checkpoint(tmp_path)
    with pytest.raises(ModelError) as caught:
        checkpoint.load(NAME)
    assert (caught.value.code, caught.value.exit_code) == ("E0110", ExitCode.MODEL)
    for part in (NAME, "contains 2 ", "[17, 40]", "model.safetensors"):
        assert part in caught.value.line()


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1"])
def test_scales_must_be_finite_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tiny.gguf"
    source = write_gguf_llama(path, tiny_config())
    source[NAME][3, 32:] = 1e9
    source[NAME][3, 33] = -1e9
    with np.errstate(over="ignore", invalid="ignore"):
        write_gguf_llama(path, tiny_config(), tensors=source, matrix_type=kind)
    with pytest.raises(ModelError) as caught:
        open_checkpoint(path).load(NAME)
    assert caught.value.code == "E0110"
    assert "[3, 1]" in caught.value.line()
    assert "tiny.gguf" in caught.value.line()


def test_minimums_must_be_finite(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="minimums of tensor"):
        check_finite(NAME, coded(1.0, np.inf), tmp_path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((96, 64)), "is all zero"),
        (np.full((96, 64), 0.5), "is constant"),
        (np.linspace(-1e-39, 1e-39, 96 * 64).reshape(96, 64), "denormal"),
    ],
)
def test_odd_matrices_are_reported_once(
    tmp_path: Path, values: NDArray[np.float64], says: str
) -> None:
    source = write_hf_llama(tmp_path, tiny_config())
    source[NAME] = values.astype(np.float32)
    write_hf_llama(tmp_path, tiny_config(), tensors=source, dtype="float32")
    checkpoint = open_checkpoint(tmp_path)
    for name in (*checkpoint.tensor_names, NAME):
        checkpoint.load(name)
    (warning,) = checkpoint.warnings
    assert (warning.code, warning.tensor) == ("W0112", NAME)
    assert says in warning.line()
    assert "model.safetensors" in warning.line()


def test_fresh_norms_and_biases_are_not_odd(tmp_path: Path) -> None:
    ones, zeros = FloatWeight(np.ones(8, np.float32)), FloatWeight(np.zeros(8, np.float32))
    assert find_oddity("model.norm.weight", ones, tmp_path) is None
    assert find_oddity("q_proj.bias", zeros, tmp_path) is None
    assert find_oddity("model.norm.weight", zeros, tmp_path) is not None


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (coded(0.0), "is all zero"),
        (coded(0.0, 0.0), "is all zero"),
        (coded(0.0, 1.0), "is constant"),
        (coded(0.5, ramp=False), "is constant"),
        (coded(0.5), None),
        (coded(0.5, 1.0), None),
    ],
)
def test_odd_codes(tmp_path: Path, weight: CodedWeight, says: str | None) -> None:
    warning = find_oddity(NAME, weight, tmp_path)
    assert (warning.what if warning else None) == says
