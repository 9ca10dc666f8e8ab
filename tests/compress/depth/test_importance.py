"""Importance against the plain way to get it: build the other model, run it as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tiny_runs import LAYERS, load_tiny, windows

from aretusa_compress.depth.importance import importance
from aretusa_compress.depth.options import Importance
from aretusa_compress.errors import NumericsError
from aretusa_compress.model.blocks import mean_nats
from aretusa_compress.run.progress import Silent
from aretusa_compress.run.state import StageState

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model

CANDIDATES = [1, 2, 3]


def measured(kind: Importance, model: Model, folder: Path, key: str = "one") -> dict[int, float]:
    state = StageState(folder / "state", "a fingerprint")
    return importance(kind, model, CANDIDATES, windows(), state=state, key=key, progress=Silent())


def hf_loss(model: Model) -> torch.Tensor:
    """Mean loss of transformers' own code, each window by itself."""
    losses = [model.network(input_ids=w[None], labels=w[None]).loss for w in windows()]
    return torch.stack(losses).mean()


def test_running_block_by_block_is_running_the_network(tmp_path: Path) -> None:
    model = load_tiny(tmp_path)
    with torch.no_grad():
        assert mean_nats(model, windows()) == pytest.approx(float(hf_loss(model)), rel=1e-6)


def test_perplexity_is_that_of_the_model_without_the_block(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    found = measured(Importance.PERPLEXITY, model, tmp_path)
    blocks = model.blocks
    for index in CANDIDATES:
        kept = [i for i in range(LAYERS) if i != index]
        model.set_blocks([blocks[i] for i in kept], kept)
        with torch.no_grad():
            assert found[index] == pytest.approx(float(hf_loss(model)), rel=1e-6)


def test_taylor_is_gradient_times_weight(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    found = measured(Importance.TAYLOR, model, tmp_path)
    model.network.requires_grad_(requires_grad=True)
    hf_loss(model).backward()
    for index in CANDIDATES:
        weights = [weight for weight in model.blocks[index].parameters() if weight.ndim == 2]
        expected = sum(float((w * w.grad).detach().abs().sum()) for w in weights)
        assert found[index] == pytest.approx(expected, rel=1e-4)


def test_block_influence_is_one_minus_the_cosine_of_input_and_output(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    found = measured(Importance.BLOCK_INFLUENCE, model, tmp_path)
    for index in CANDIDATES:
        values = []
        for window in windows():
            with torch.no_grad():
                states = model.network(
                    input_ids=window[None], output_hidden_states=True
                ).hidden_states
            one, two = states[index][0], states[index + 1][0]
            cosine = (one * two).sum(-1) / (one.norm(dim=-1) * two.norm(dim=-1))
            values.append(1 - float(cosine.mean()))
        assert found[index] == pytest.approx(sum(values) / len(values), abs=1e-6)


def test_magnitude_is_the_sum_of_absolute_weights(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    found = measured(Importance.MAGNITUDE, model, tmp_path)
    matrices = [w for name, w in model.blocks[2].named_parameters() if "norm" not in name]
    assert found[2] == pytest.approx(sum(float(w.detach().abs().sum()) for w in matrices), rel=1e-6)


def test_measuring_goes_on_after_the_last_window_that_was_kept(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    whole = measured(Importance.PERPLEXITY, model, tmp_path / "a")
    state = StageState(tmp_path / "b" / "state", "a fingerprint")
    one = importance(
        Importance.PERPLEXITY,
        model,
        CANDIDATES,
        windows()[:1],
        state=state,
        key="one",
        progress=Silent(),
    )
    assert one != whole
    assert measured(Importance.PERPLEXITY, model, tmp_path / "b") == whole


def test_a_loss_that_is_no_number_names_the_layer(tmp_path: Path) -> None:
    model = load_tiny(tmp_path / "model")
    model.blocks[3].mlp.up_proj.weight.data[0, 0] = float("nan")
    with pytest.raises(NumericsError, match=r"model\.layers\.3\.mlp\.up_proj") as caught:
        measured(Importance.PERPLEXITY, model, tmp_path)
    assert caught.value.code == "E0506"
    assert "without block 1" in caught.value.what
