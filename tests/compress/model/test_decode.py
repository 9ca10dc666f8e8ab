"""Quantised tensors against the matrices that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch

from aretusa_compress.errors import ModelError
from aretusa_compress.model.decode import decoded, is_quantised
from aretusa_compress.model.gptq_words import unpack_gptq

Q: Final = "model.layers.0.self_attn.q_proj"
HERE: Final = Path("model")


def packed_along_rows(codes: np.ndarray, bits: int) -> np.ndarray:
    """[count, columns] -> words, bit by bit: slow, and written from the format's description."""
    count, columns = codes.shape
    words = np.zeros((-(-count * bits // 32), columns), np.uint32)
    for row in range(count):
        for bit in range(bits):
            place = row * bits + bit
            words[place // 32] |= ((codes[row].astype(np.uint32) >> bit) & 1) << (place % 32)
    return words.view(np.int32)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("form", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("is_symmetric", [True, False])
def test_words_of_gptq(bits: int, form: str, is_symmetric: bool) -> None:
    random = np.random.default_rng(bits)
    depth, rows, groups = 96, 64, 3
    codes = random.integers(0, 1 << bits, (depth, rows))
    offset = 1 if form == "gptq" else 0
    middle = 1 << (bits - 1)
    # Zero points of 0 have a test of their own.
    zeros = np.full((groups, rows), middle)
    if not is_symmetric:
        zeros = random.integers(1, 1 << bits, (groups, rows))
    scales = random.random((groups, rows)).astype(np.float16)
    index = random.permutation(np.arange(depth) % groups)

    words = {
        "qweight": torch.from_numpy(packed_along_rows(codes, bits)),
        "qzeros": torch.from_numpy(packed_along_rows((zeros - offset).T, bits).T.copy()),
        "scales": torch.from_numpy(scales),
        "g_idx": torch.from_numpy(index.astype(np.int32)),
    }
    expected = scales[index].astype(np.float32) * (codes - zeros[index]).astype(np.float32)
    # Symmetric zero points tell the version even where the label is wrong.
    label = "gptq_v2" if is_symmetric else form
    found = unpack_gptq(words, {"bits": bits, "checkpoint_format": label})
    assert np.array_equal(found.numpy(), expected.T)


def test_zero_points_of_zero_borrow_from_their_neighbours() -> None:
    zeros = np.array([[0, 3, 0, 15, 7, 0, 0, 1]])
    word = sum(int(zero) << (4 * place) for place, zero in enumerate(zeros[0]))
    stored = (word - 0x11111111) & 0xFFFFFFFF
    words = {
        "qweight": torch.from_numpy(packed_along_rows(np.zeros((32, 8), np.int64), 4)),
        "qzeros": torch.from_numpy(np.array([[stored]], np.uint32).view(np.int32)),
        "scales": torch.ones(1, 8, dtype=torch.float16),
        "g_idx": torch.zeros(32, dtype=torch.int32),
    }
    found = unpack_gptq(words, {"bits": 4, "checkpoint_format": "gptq"})
    assert np.array_equal(found.numpy(), -np.repeat(zeros.T, 32, axis=1))


def test_codes_with_scales_and_what_is_no_code() -> None:
    codes = torch.arange(-8, 4, dtype=torch.int8).reshape(3, 4)
    scales = torch.tensor([0.5, 1.0, 0.25])
    norm = torch.ones(4)
    tensors = {f"{Q}.codes": codes, f"{Q}.scales": scales, "model.norm.weight": norm}
    assert is_quantised(tensors)
    found = decoded(tensors, {}, HERE)
    assert set(found) == {f"{Q}.weight", "model.norm.weight"}
    assert torch.equal(found[f"{Q}.weight"], codes.float() * scales[:, None])
    assert not is_quantised(found)
    assert f"{Q}.codes" in tensors  # what was given is left as it was


def test_words_of_a_checkpoint_need_their_configuration() -> None:
    codes = np.arange(32 * 8).reshape(32, 8) % 16
    tensors = {
        f"{Q}.qweight": torch.from_numpy(packed_along_rows(codes, 4)),
        f"{Q}.qzeros": torch.from_numpy(packed_along_rows(np.full((8, 1), 7), 4).T.copy()),
        f"{Q}.scales": torch.ones(1, 8, dtype=torch.float16),
        f"{Q}.g_idx": torch.zeros(32, dtype=torch.int32),
    }
    found = decoded(tensors, {"quantization_config": {"bits": 4}}, HERE)
    assert np.array_equal(found[f"{Q}.weight"].numpy(), (codes - 8).T)
    with pytest.raises(ModelError, match=r"E0202.*unpacked"):
        decoded(tensors, {}, HERE)
    with pytest.raises(ModelError, match=r"E0202.*unpacked"):
        decoded(tensors, {"quantization_config": {"bits": 5}}, HERE)


@pytest.mark.parametrize(
    "tensors",
    [
        {f"{Q}.codes": torch.zeros(2, 3, dtype=torch.int8)},
        {f"{Q}.codes": torch.zeros(2, 3, dtype=torch.int8), f"{Q}.scales": torch.zeros(3)},
        {f"{Q}.qweight": torch.zeros(2, 3, dtype=torch.int32)},
    ],
)
def test_parts_that_do_not_belong_together_are_refused(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelError, match="E0202"):
        decoded(tensors, {}, HERE)
