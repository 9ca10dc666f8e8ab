"""Masks against a plain reading of the published algorithm, weight by weight, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import load_tiny, windows

from aretusa_compress.model.blocks import enter
from aretusa_compress.width.options import Pattern, WidthOptions
from aretusa_compress.width.stage import _prune_block
from aretusa_compress.width.wanda import (
    InputNorm,
    lowest,
    pattern_mask,
    share_mask,
    wanda_scores,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa_compress.model.loaded import Model

PATTERNS = ("1:2", "2:4", "3:4", "1:8", "4:8", "6:8", "1:16", "8:16", "12:16")


def published_mask(
    weight: NDArray[np.float32], inputs: NDArray[np.float32], removed: int, group: int
) -> NDArray[np.bool_]:
    """For each row and each group of columns: the `removed` smallest |W| * ||x|| go."""
    norm = np.sqrt((inputs.astype(np.float64) ** 2).sum(axis=0)).astype(np.float32)
    mask = np.zeros(weight.shape, dtype=bool)
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], group):
            columns = range(start, min(start + group, weight.shape[1]))
            ranked = sorted(columns, key=lambda k: abs(weight[row, k]) * norm[k])
            for column in ranked[: removed * len(columns) // group]:
                mask[row, column] = True
    return mask


def random_layer(columns: int = 96) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A matrix, and inputs some columns of which are much larger than others."""
    chosen = np.random.default_rng(3)
    weight = chosen.standard_normal((40, columns)).astype(np.float32)
    scale = np.exp(2 * chosen.standard_normal(columns))
    return weight, (chosen.standard_normal((64, columns)) * scale).astype(np.float32)


def mask_of(weight: NDArray[Any], inputs: NDArray[Any], pattern: str) -> NDArray[np.bool_]:
    norm = InputNorm(weight.shape[1], torch.device("cpu"))
    for part in np.array_split(inputs, 3):
        norm.add(torch.from_numpy(part)[None])
    scores = wanda_scores(torch.from_numpy(weight), norm.norm())
    return pattern_mask(scores, Pattern.parse(pattern)).numpy()


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("columns", [96, 92])  # 92: the last group of 8 and of 16 is short
def test_masks_are_those_of_the_published_algorithm(pattern: str, columns: int) -> None:
    weight, inputs = random_layer(columns)
    parsed = Pattern.parse(pattern)
    expected = published_mask(weight, inputs, parsed.removed, parsed.group)
    np.testing.assert_array_equal(mask_of(weight, inputs, pattern), expected)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_group_loses_exactly_as_many_as_the_pattern_says(pattern: str) -> None:
    weight, inputs = random_layer()
    parsed = Pattern.parse(pattern)
    groups = mask_of(weight, inputs, pattern).reshape(-1, parsed.group)
    assert (groups.sum(axis=1) == parsed.removed).all()


def test_a_share_is_taken_from_each_row() -> None:
    weight, inputs = random_layer()
    norm = np.sqrt((inputs.astype(np.float64) ** 2).sum(axis=0)).astype(np.float32)
    mask = share_mask(wanda_scores(torch.from_numpy(weight), torch.from_numpy(norm)), 0.3).numpy()
    assert (mask.sum(axis=1) == int(0.3 * 96)).all()
    scores = np.abs(weight) * norm
    for row in range(len(weight)):
        assert scores[row][mask[row]].max() <= scores[row][~mask[row]].min()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.integers(0, 12))
def test_of_equal_scores_the_first_go(values: list[int], count: int) -> None:
    mask = lowest(torch.tensor([values], dtype=torch.float32), min(count, len(values)))[0]
    ranked = sorted(range(len(values)), key=lambda k: (values[k], k))
    assert mask.nonzero().flatten().tolist() == sorted(ranked[:count])


def _inputs_of(model: Model, ids: torch.Tensor, name: str) -> NDArray[np.float32]:
    """What reaches a layer when the whole network runs."""
    seen: list[torch.Tensor] = []
    layer = model.network.get_submodule(name)
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        for window in ids:
            model.network(input_ids=window[None])
    handle.remove()
    return torch.cat([one.flatten(0, 1) for one in seen]).numpy()


def test_each_block_is_judged_on_what_the_pruned_blocks_before_it_give(tmp_path: Path) -> None:
    model = load_tiny(tmp_path)
    ids = windows()
    options = WidthOptions(pattern="2:4")
    with torch.no_grad():
        stream = [enter(model, window[None]) for window in ids]
    zeros: dict[str, int] = {}
    for index in range(3):
        names = [f"model.layers.{index}.{n}" for n in ("self_attn.v_proj", "mlp.down_proj")]
        before = {n: model.network.get_submodule(n).weight.detach().clone() for n in names}
        # Blocks before this one are pruned already, this one is not.
        expected = {
            n: published_mask(before[n].numpy(), _inputs_of(model, ids, n), 2, 4) for n in names
        }
        stream = _prune_block(model, index, options, stream, zeros)
        for name in names:
            pruned = model.network.get_submodule(name).weight.detach()
            np.testing.assert_array_equal((pruned == 0).numpy(), expected[name])
            assert torch.equal(pruned[pruned != 0], before[name][pruned != 0])
    assert zeros["model.layers.2.mlp.down_proj"] == 64 * 96 // 2


def test_magnitude_without_a_pattern_compares_the_whole_matrix(tmp_path: Path) -> None:
    model = load_tiny(tmp_path)
    options = WidthOptions(sparsity=0.25, score="magnitude")
    weight = model.network.get_submodule("model.layers.0.mlp.up_proj").weight.detach().clone()
    _prune_block(model, 0, options, [], {})
    pruned = model.network.get_submodule("model.layers.0.mlp.up_proj").weight.detach()
    assert int((pruned == 0).sum()) == weight.numel() // 4
    assert weight[pruned == 0].abs().max() <= weight[pruned != 0].abs().min()
    assert len({int(row) for row in (pruned == 0).sum(1)}) > 1, "rows lose different numbers"
