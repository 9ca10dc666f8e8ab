"""The stage tune: other scales and gains, the same codes, and a model nearer to the original."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import runnable_config, write_model
from tiny_runs import WIDTH, digests, tiny_recipe, windows, write_text
from tokenizers import Tokenizer

from aretusa.frontend.llama_config import Family
from aretusa_compress.errors import CompressError
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.training import loop
from aretusa_compress.tune.network import tunable
from aretusa_compress.tune.options import Part

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model

# Scales behind a product of codes in the place of a product of values: binary32 along the blocks.
FLOAT_NOISE = 2e-5
GPTQ: dict[str, Any] = {"gptq": {"group": "channel", "bits": 3}}
EORA: dict[str, Any] = {"eora": {"rank": 4, "samples": 4}}


def tune(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    options = {"steps": 6, "batch": 2, "accumulation": 2, "save_every": 2, "learning_rate": 0.01}
    return {"tune": options | changes}


def run(folder: Path, stages: list[Any], **changes: Any) -> Path:  # noqa: ANN401
    run_recipe(tiny_recipe(folder, stages, **changes), folder / "run")
    return folder / "run"


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def logits(model: Model, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.network(input_ids=ids).logits
    return found


def divergence(original: Path, changed: Path) -> float:
    """KL(original || changed), nats a token, on text like that of the stage, which it did not see.

    Words are drawn at random, so that other seeds make other texts.
    """
    text = write_text(changed / "other.txt", words=400, seed=9).read_text()
    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    ids = torch.tensor(tokenizer.encode(text).ids[:256]).reshape(16, 16)
    wanted, found = (
        torch.log_softmax(logits(load_model(one, decode=True), ids), dim=-1)
        for one in (original, changed)
    )
    return float((wanted.exp() * (wanted - found)).sum(dim=-1).mean())


def untouched(directory: Path) -> None:
    """The network with layers of codes computes what the decoded one does, and gives them back."""
    model = load_model(directory, decode=True)
    expected = logits(model, windows(2))
    stored = weights(directory)
    layers = tunable(model, stored)
    torch.testing.assert_close(
        logits(model, windows(2)), expected, rtol=FLOAT_NOISE, atol=FLOAT_NOISE
    )
    learned = layers.learned()
    assert learned.keys() <= stored.keys()
    assert all(torch.equal(value, stored[name]) for name, value in learned.items())
    norms = {name for name in stored if name.endswith("norm.weight") and "q_n" not in name}
    norms = {name for name in norms if "k_norm" not in name}
    coded = {name for name in stored if name.endswith(".scales")}
    assert learned.keys() >= norms | coded


@pytest.mark.parametrize("family", list(Family))
def test_the_network_computes_what_the_checkpoint_means(tmp_path: Path, family: Family) -> None:
    model = write_model(tmp_path / "model", runnable_config(family, layers=3), dtype="float32")
    directory = run(tmp_path, [GPTQ, EORA], model=str(model))
    untouched(directory / "1-gptq")
    untouched(directory / "2-eora")


@pytest.mark.parametrize("is_tied", [True, False])
def test_embedding_and_head_of_codes(tmp_path: Path, *, is_tied: bool) -> None:
    config = runnable_config(layers=3, ties_embeddings=is_tied)
    model = write_model(tmp_path / "model", config, dtype="float32")
    fit = {"fit": {"budgets": ["bits<=4"], "samples": 1, "swaps": 0, "front": 0, "measured": [4]}}
    directory = run(tmp_path, [fit], model=str(model))
    assert "model.embed_tokens.codes" in weights(directory / "1-fit")
    assert ("lm_head.codes" in weights(directory / "1-fit")) is not is_tied
    untouched(directory / "1-fit")


def test_a_head_of_codes_learns_beside_an_embedding_of_floats(tmp_path: Path) -> None:
    config = runnable_config(layers=2, ties_embeddings=False)
    write_model(tmp_path, config, dtype="float32")
    model = load_model(tmp_path)
    stored = {"lm_head.codes": torch.ones(config.vocab_size, 64, dtype=torch.int8)}
    stored["lm_head.scales"] = torch.full((config.vocab_size,), 0.5)
    layers = tunable(model, stored)
    (scales,) = layers.parameters([Part.SCALES]).values()
    model.network(input_ids=windows(1)).logits.sum().backward()
    assert scales.grad is not None
    assert bool((scales.grad != 0).all())


def test_blocks_that_share_codes_learn_together(tmp_path: Path) -> None:
    shared = {"depth": {"map": [0, 1, 2, 2, 4]}}
    directory = run(tmp_path, [shared, GPTQ, tune()])
    untouched(directory / "2-gptq")
    assert weights(directory / "3-tune").keys() == weights(directory / "2-gptq").keys()


def test_factors_of_codes_learn(tmp_path: Path) -> None:
    directory = run(tmp_path, [{"svd": {"rank": 8, "bits": 4}}, tune()])
    before, after = (weights(directory / name) for name in ("1-svd", "2-tune"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.endswith("low_rank_in.scales") for name in changed)
    assert divergence(tmp_path / "model", directory / "2-tune") < divergence(
        tmp_path / "model", directory / "1-svd"
    )


def test_tuning_brings_the_model_nearer_and_leaves_codes_alone(tmp_path: Path) -> None:
    directory = run(tmp_path, [GPTQ, tune(steps=30)])
    before, after = (weights(directory / name) for name in ("1-gptq", "2-tune"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"scales", "weight"}
    assert all(name.endswith((".scales", "norm.weight")) for name in changed)
    assert all(before[name].dtype == after[name].dtype for name in before)
    assert (directory / "1-gptq" / "config.json").read_bytes() == (
        directory / "2-tune" / "config.json"
    ).read_bytes()
    original = tmp_path / "model"
    assert divergence(original, directory / "2-tune") < 0.9 * divergence(
        original, directory / "1-gptq"
    )
    report = json.loads((directory / "2-tune" / "stage.json").read_text())["report"]
    assert len(report["losses"]) == 30
    scales = sum(value.numel() for name, value in before.items() if name.endswith(".scales"))
    gains = sum(value.numel() for name, value in before.items() if name.endswith("norm.weight"))
    assert report["parameters"] == scales + gains


def test_each_part_can_learn_alone(tmp_path: Path) -> None:
    endings = {Part.SCALES: ".scales", Part.NORMS: "norm.weight", Part.BRANCHES: ""}
    for part, ending in endings.items():
        directory = run(tmp_path / part, [GPTQ, EORA, tune(parts=[part.value])])
        before, after = (weights(directory / name) for name in ("2-eora", "3-tune"))
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
        assert all(name.endswith(ending) for name in changed)
        if part is Part.BRANCHES:
            assert all(".adapter_" in name for name in changed)


def test_rows_of_zeros_and_pruned_weights_stay_zero(tmp_path: Path) -> None:
    directory = run(tmp_path, [WIDTH, GPTQ])
    tensors = weights(directory / "2-gptq")
    tensors["model.layers.1.mlp.up_proj.scales"][3] = 0.0
    model = load_model(directory / "2-gptq", decode=True)
    layers = tunable(model, tensors)
    with torch.no_grad():
        for value in layers.parameters([Part.SCALES]).values():
            value.fill_(0.5)
    learned = layers.learned()["model.layers.1.mlp.up_proj.scales"]
    assert float(learned[3]) == 0.0
    torch.testing.assert_close(
        learned, tensors["model.layers.1.mlp.up_proj.scales"] * torch.tensor(0.5).exp()
    )


@pytest.mark.parametrize("updates", [1, 4])
def test_a_killed_stage_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, updates: int
) -> None:
    expected = digests(run(tmp_path / "whole", [GPTQ, tune()]))
    update, left = loop._update, [updates]

    def stopping(*given: Any) -> float:  # noqa: ANN401
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return update(*given)

    monkeypatch.setattr(loop, "_update", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", [GPTQ, tune()])
    left[0] = 99
    again = digests(run(tmp_path / "cut", [GPTQ, tune()]))
    assert left[0] == 99 - (6 - updates // 2 * 2)
    same = {name: value for name, value in expected.items() if "stage.json" not in name}
    assert same.items() <= again.items()


@pytest.mark.parametrize(
    ("stages", "what"),
    [
        ([tune()], "tune needs quantised weights"),
        ([{"gptq": {"bits": 4, "group": 16}}, tune()], "GPTQModel's words"),
        ([GPTQ, tune(parts=["branches"])], "nothing to tune"),
    ],
)
def test_what_cannot_be_tuned_is_refused(tmp_path: Path, stages: list[Any], what: str) -> None:
    with pytest.raises(CompressError, match=f"E0508.*{what}"):
        run(tmp_path, stages)


def test_a_recipe_that_begins_with_codes_has_no_teacher(tmp_path: Path) -> None:
    coded = run(tmp_path, [GPTQ]) / "1-gptq"
    with pytest.raises(CompressError, match=r"E0508.*before quantisation"):
        run(tmp_path / "other", [tune()], model=str(coded))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(CompressError, match=r"E0506.*step 2.*layers\.0"):
        run(tmp_path, [GPTQ, tune(learning_rate=1e6, warmup=0.0)])


def test_unknown_parts_are_named() -> None:
    document = {"model": "m", "stages": [tune(parts=["biases"])]}
    with pytest.raises(CompressError, match=r"E0501.*parts"):
        parse_recipe(document, "tiny")
