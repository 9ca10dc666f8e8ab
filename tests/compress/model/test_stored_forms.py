"""Every stored form against the matrices it was made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from aretusa_compress.errors import ModelError
from aretusa_compress.model.gptq_words import unpack_gptq
from aretusa_compress.model.stored_forms import dense_tensors

if TYPE_CHECKING:
    from pathlib import Path

Q = "model.layers.0.self_attn.q_proj"


def stored(directory: Path, tensors: dict[str, torch.Tensor], **config: object) -> Path:
    (directory / "config.json").write_text(json.dumps(config))
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        directory / "model.safetensors",
    )
    return directory


def randoms(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


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
    # Version 1 stores zero points less one, so none of 0 can be stored.
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


def test_codes_with_scales(tmp_path: Path) -> None:
    codes = torch.arange(-8, 4, dtype=torch.int8).reshape(3, 4)
    scales = torch.tensor([0.5, 1.0, 0.25])
    directory = stored(tmp_path, {f"{Q}.codes": codes, f"{Q}.scales": scales})
    assert torch.equal(dense_tensors(directory)[f"{Q}.weight"], codes.float() * scales[:, None])


def test_factors_in_place_of_a_matrix_may_be_codes_themselves(tmp_path: Path) -> None:
    inner, outer = torch.randint(-9, 9, (2, 6), dtype=torch.int8), randoms(5, 2)
    scales = torch.tensor([0.5, 2.0])
    tensors = {
        f"{Q}.low_rank_in.codes": inner,
        f"{Q}.low_rank_in.scales": scales,
        f"{Q}.low_rank_out.weight": outer,
    }
    found = dense_tensors(stored(tmp_path, tensors))
    assert set(found) == {f"{Q}.weight"}
    assert torch.equal(found[f"{Q}.weight"], outer @ (inner.float() * scales[:, None]))


def test_a_branch_beside_a_matrix_is_added(tmp_path: Path) -> None:
    dense, inner, outer = randoms(5, 6), randoms(2, 6), randoms(5, 2)
    tensors = {
        f"{Q}.weight": dense,
        f"{Q}.adapter_in.weight": inner,
        f"{Q}.adapter_out.weight": outer,
    }
    found = dense_tensors(stored(tmp_path, tensors))
    assert torch.equal(found[f"{Q}.weight"], dense + outer @ inner)


def test_blocks_that_share_weights_get_each_a_name(tmp_path: Path) -> None:
    name = "mlp.up_proj.weight"
    tensors = {f"model.layers.{layer}.{name}": randoms(2, 3 + layer) for layer in range(2)}
    tensors["model.norm.weight"] = randoms(4)
    found = dense_tensors(stored(tmp_path, tensors, aretusa={"version": 1, "layers": [0, 1, 1, 0]}))
    assert len(found) == 5
    for layer, source in enumerate([0, 1, 1, 0]):
        expected = tensors[f"model.layers.{source}.{name}"]
        assert torch.equal(found[f"model.layers.{layer}.{name}"], expected)


@pytest.mark.parametrize(
    "tensors",
    [
        {f"{Q}.codes": torch.zeros(2, 3, dtype=torch.int8)},
        {f"{Q}.low_rank_in.weight": torch.zeros(2, 3)},
        {
            f"{Q}.low_rank_in.weight": torch.zeros(2, 3),
            f"{Q}.low_rank_out.weight": torch.zeros(4, 3),
        },
        {f"{Q}.adapter_in.weight": torch.zeros(2, 3), f"{Q}.adapter_out.weight": torch.zeros(4, 2)},
        {f"{Q}.qweight": torch.zeros(2, 3, dtype=torch.int32)},
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    tmp_path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(ModelError, match="E0505"):
        dense_tensors(stored(tmp_path, tensors))


def test_a_map_to_a_block_that_is_not_stored_is_refused(tmp_path: Path) -> None:
    tensors = {"model.layers.0.mlp.up_proj.weight": randoms(2, 3)}
    directory = stored(tmp_path, tensors, aretusa={"version": 1, "layers": [0, 2]})
    with pytest.raises(ModelError, match="block 2"):
        dense_tensors(directory)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ModelError, match="E0120"):
        dense_tensors(tmp_path)
