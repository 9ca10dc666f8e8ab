"""Adapters learn, leave zeros alone, and are in the checkpoint what they were in training."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import load_tiny, tiny_document, tiny_recipe, windows, write_tiny

from aretusa.driver import compile_model
from aretusa.options import CompileOptions
from aretusa_compress.errors import NumericsError, UsageError
from aretusa_compress.lora.adapters import attach, keep_adapters, trained
from aretusa_compress.lora.options import Keep, LoraOptions
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.texts.options import QuestionOptions
from aretusa_compress.texts.prompts import question_prompt
from aretusa_compress.texts.windows import NO_TARGET, question_examples, read_tokenizer
from aretusa_compress.training.loop import batch_indices, rate

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.results import CompressResult

LEARNING = {"rank": 4, "steps": 12, "batch": 4, "accumulation": 1, "learning_rate": 0.01}


def run_lora(folder: Path, stages: list[Any], **changes: Any) -> CompressResult:  # noqa: ANN401
    return run_recipe(tiny_recipe(folder, stages, **changes), folder / "run")


def with_random_adapters(model: Any, options: LoraOptions) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """Put on adapters whose B is not zero either; returns their values."""
    parameters = trained(attach(model.network, options))
    generator = torch.Generator().manual_seed(1)
    for value in parameters.values():
        value.data = 0.1 * torch.randn(value.shape, generator=generator)
    return {name: value.detach().clone() for name, value in parameters.items()}


@pytest.mark.parametrize("keep", list(Keep))
def test_the_kept_adapter_is_the_trained_one_and_zeros_stay(tmp_path: Path, keep: Keep) -> None:
    model, other = load_tiny(tmp_path), load_model(tmp_path)
    name = "model.layers.2.self_attn.q_proj"
    for one in (model, other):
        one.network.get_submodule(name).weight.data[:, ::2] = 0
    options = LoraOptions(rank=3, steps=1, keep=keep)
    tensors = with_random_adapters(model, options)
    keep_adapters(other, tensors, options)
    model.network.eval()
    with torch.no_grad():
        before = load_model(tmp_path).network(input_ids=windows()).logits
        trained_logits = model.network(input_ids=windows()).logits
        kept_logits = other.network(input_ids=windows()).logits
    torch.testing.assert_close(kept_logits, trained_logits, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before, kept_logits, atol=1e-2)
    weight = other.network.get_submodule(name).weight
    assert int((weight[:, ::2] != 0).sum()) == 0
    assert int((weight[:, 1::2] == 0).sum()) == 0


def test_training_lowers_the_loss_on_what_it_sees(tmp_path: Path) -> None:
    losses = run_lora(tmp_path, [{"lora": LEARNING}]).stages[1].report["losses"]
    assert len(losses) == 12
    assert sum(losses[-3:]) < sum(losses[:3]) - 0.3


def test_pruned_weights_stay_zero_and_all_others_may_change(tmp_path: Path) -> None:
    run_lora(tmp_path, [{"width": {"pattern": "2:4"}}, {"lora": LEARNING}])
    before = load_file(tmp_path / "run" / "1-width" / "model.safetensors")
    after = load_file(tmp_path / "run" / "2-lora" / "model.safetensors")
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    for name in changed:
        assert torch.equal(before[name] == 0, after[name] == 0)
    config = json.loads((tmp_path / "run" / "2-lora" / "config.json").read_text())
    assert config["aretusa"]["sparsity"]["model.layers.0.mlp.up_proj"] == "2:4"


def test_a_branch_is_stored_beside_untouched_weights_and_grows(tmp_path: Path) -> None:
    branch = {"lora": {**LEARNING, "steps": 2, "keep": "branch", "matrices": ["down_proj"]}}
    run_lora(tmp_path, [branch, branch])
    source = load_file(tmp_path / "model" / "model.safetensors")
    found = load_file(tmp_path / "run" / "2-lora" / "model.safetensors")
    assert all(torch.equal(found[name], source[name]) for name in source)
    module = "model.layers.0.mlp.down_proj"
    assert found[f"{module}.adapter_in.weight"].shape == (8, 96)
    assert found[f"{module}.adapter_out.weight"].shape == (64, 8)
    config = json.loads((tmp_path / "run" / "2-lora" / "config.json").read_text())
    assert config["aretusa"]["adapters"][module] == 8
    first = load_file(tmp_path / "run" / "1-lora" / "model.safetensors")
    old = first[f"{module}.adapter_in.weight"]
    assert torch.equal(found[f"{module}.adapter_in.weight"][:4], old)
    options = CompileOptions(context=32, chunk=4)
    compile_model(tmp_path / "run" / "2-lora", tmp_path / "build", options)
    assert "adapter" in (tmp_path / "build" / "graph.txt").read_text()


def test_shared_blocks_are_not_trained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="E0508"):
        run_lora(tmp_path, [{"depth": {"map": [0, 1, 1]}}, {"lora": LEARNING}])


def test_a_loss_that_is_no_number_stops_and_names_step_and_layer(tmp_path: Path) -> None:
    tensors = {name: t.numpy() for name, t in load_file(_written(tmp_path)).items()}
    tensors["model.layers.1.mlp.up_proj.weight"][:] = 3e38  # finite, but its products are not
    write_tiny(tmp_path / "model", tensors=tensors)
    with pytest.raises(NumericsError, match="E0506") as caught:
        run_lora(tmp_path, [{"lora": {**LEARNING, "mixed_precision": False}}])
    assert "at step 1" in caught.value.what
    assert "model.layers.1.mlp" in caught.value.why
    assert not (tmp_path / "run" / "1-lora").exists()


def _written(folder: Path) -> Path:
    return write_tiny(folder / "model") / "model.safetensors"


def test_every_example_is_seen_once_before_any_is_seen_again() -> None:
    seen = [index for step in range(7) for index in batch_indices(step, 4, 14, seed=3)]
    assert sorted(seen[:14]) == list(range(14))
    assert sorted(seen[14:]) == list(range(14))
    assert seen[:14] != seen[14:]


def test_the_rate_rises_to_its_value_and_falls_to_nothing() -> None:
    options = LoraOptions(steps=100, warmup=0.1, learning_rate=2.0)
    rates = [rate(step, 100, options) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * k for k in range(1, 11)])
    assert max(rates) == 2.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(2.0 / 90)


def test_answers_are_targets_and_questions_are_only_read(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write_tiny(tmp_path))
    records = [
        {"question": "in the tin", "answers": ["hen", "other"], "context": "on the tin"},
        {"question": "the " * 90, "answers": ["too long"]},
    ]
    options = QuestionOptions(files=("unused",), kind="questions", tokens=64, open_book=True)
    found = question_examples(records, tokenizer, options, seed=0)
    assert found.ids.shape[0] == 1
    row, targets = found.ids[0].tolist(), found.targets[0].tolist()
    read = [token for token, target in zip(row, targets, strict=True) if target == NO_TARGET]
    learnt = [target for target in targets if target != NO_TARGET]
    assert tokenizer.decode(read) == question_prompt("in the tin", "on the tin")
    assert tokenizer.decode(learnt) == " hen\n"


def test_questions_train_too(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [{"lora": {**LEARNING, "steps": 3}}])
    lines = [{"question": f"tin {n}", "answers": ["hen"]} for n in range(9)]
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, lines)))
    document["data"]["training"] = {"kind": "questions", "files": [str(tmp_path / "qa.jsonl")]}
    result = run_recipe(parse_recipe(document, "tiny"), tmp_path / "run")
    assert all(math.isfinite(loss) for loss in result.stages[1].report["losses"])


def test_a_line_that_is_no_question_is_shown(tmp_path: Path) -> None:
    document = tiny_document(tmp_path, [{"lora": LEARNING}])
    (tmp_path / "qa.jsonl").write_text('{"question": "x"}\n')
    document["data"]["training"] = {"kind": "questions", "files": [str(tmp_path / "qa.jsonl")]}
    with pytest.raises(UsageError, match="E0230") as caught:
        run_recipe(parse_recipe(document, "tiny"), tmp_path / "run")
    assert caught.value.file.endswith("qa.jsonl")
