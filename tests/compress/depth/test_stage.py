"""What depth writes: other blocks under new numbers, shared ones once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import LAYERS, load_tiny, tiny_recipe, windows

from aretusa.driver import compile_model
from aretusa.options import CompileOptions
from aretusa_compress.depth import merge
from aretusa_compress.depth.merge import collapse
from aretusa_compress.depth.options import MergeOptions
from aretusa_compress.errors import UsageError
from aretusa_compress.model.load import load_model
from aretusa_compress.run.progress import Silent
from aretusa_compress.run.runner import run_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.results import CompressResult


def run_depth(folder: Path, **options: Any) -> CompressResult:  # noqa: ANN401
    return run_recipe(tiny_recipe(folder, [{"depth": options}]), folder / "run")


def logits(checkpoint: Path) -> torch.Tensor:
    with torch.no_grad():
        return load_model(checkpoint).network(input_ids=windows()).logits


def expected_logits(folder: Path, order: list[int]) -> torch.Tensor:
    """Logits of the source's blocks in another order, run by hand."""
    model = load_model(folder / "model")
    network = model.network.model
    with torch.no_grad():
        ids = windows()
        hidden = network.embed_tokens(ids)
        places = torch.arange(ids.shape[1])[None]
        angles = network.rotary_emb(hidden, position_ids=places)
        for index in order:
            hidden = model.blocks[index](
                hidden, attention_mask=None, position_embeddings=angles, position_ids=places
            )
        return model.network.lm_head(network.norm(hidden))


def test_the_least_important_blocks_go_and_the_rest_is_renumbered(tmp_path: Path) -> None:
    result = run_depth(tmp_path, remove=2, protect_first=1, protect_last=1)
    report = result.stages[1].report
    scores = report["rounds"][0]["importance"]
    gone = sorted(scores, key=lambda index: scores[index])[:2]
    assert sorted(scores) == ["1", "2", "3"]
    assert report["rounds"][0]["removed"] == [int(index) for index in gone]
    kept = [index for index in range(LAYERS) if str(index) not in gone]
    assert report["blocks"] == kept
    checkpoint = tmp_path / "run" / "1-depth"
    assert json.loads((checkpoint / "config.json").read_text())["num_hidden_layers"] == 3
    torch.testing.assert_close(logits(checkpoint), expected_logits(tmp_path, kept))
    tensors = load_file(checkpoint / "model.safetensors")
    source = load_file(tmp_path / "model" / "model.safetensors")
    for new, old in enumerate(kept):
        name = "mlp.down_proj.weight"
        assert torch.equal(
            tensors[f"model.layers.{new}.{name}"], source[f"model.layers.{old}.{name}"]
        )


def test_iterative_removal_measures_again_after_each_block(tmp_path: Path) -> None:
    result = run_depth(tmp_path, remove=2, iterative=True, protect_first=1, protect_last=1)
    rounds = result.stages[1].report["rounds"]
    assert [len(one["removed"]) for one in rounds] == [1, 1]
    first = rounds[0]["removed"][0]
    assert sorted(map(int, rounds[1]["importance"])) == [i for i in (1, 2, 3) if i != first]
    again = run_depth(tmp_path, blocks=[first])
    assert again.stages[1].blocks == LAYERS - 1


def test_a_fixed_list_goes_whatever_its_importance(tmp_path: Path) -> None:
    run_depth(tmp_path, blocks=[0, 3])
    torch.testing.assert_close(
        logits(tmp_path / "run" / "1-depth"), expected_logits(tmp_path, [1, 2, 4])
    )


def test_a_map_repeats_blocks_and_stores_their_weights_once(tmp_path: Path) -> None:
    order = [0, 1, 1, 4, 1]
    result = run_depth(tmp_path, map=order)
    checkpoint = tmp_path / "run" / "1-depth"
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["aretusa"] == {"layers": [0, 1, 1, 2, 1], "version": 1}
    assert config["num_hidden_layers"] == 5
    stored = {
        name.split(".")[2]
        for name in load_file(checkpoint / "model.safetensors")
        if "layers" in name
    }
    assert stored == {"0", "1", "2"}
    torch.testing.assert_close(logits(checkpoint), expected_logits(tmp_path, order))
    model = load_model(checkpoint)
    assert model.blocks[1].mlp.up_proj.weight is model.blocks[4].mlp.up_proj.weight
    assert result.stages[1].blocks == 5


def test_maps_of_maps_and_pruning_shared_blocks_keep_what_is_shared(tmp_path: Path) -> None:
    stages = [
        {"depth": {"map": [0, 1, 1, 4]}},
        {"width": {"pattern": "2:4"}},
        {"depth": {"map": [3, 2, 1, 0]}},
    ]
    run_recipe(tiny_recipe(tmp_path, stages), tmp_path / "run")
    config = json.loads((tmp_path / "run" / "3-depth" / "config.json").read_text())
    assert config["aretusa"]["layers"] == [0, 1, 1, 2]
    model = load_model(tmp_path / "run" / "3-depth")
    weight = model.blocks[1].mlp.up_proj.weight
    assert int((weight == 0).sum()) == weight.numel() // 2


def test_merging_adds_the_differences_of_later_blocks(tmp_path: Path) -> None:
    model = load_tiny(tmp_path)
    source = [dict(block.named_parameters()) for block in load_model(tmp_path).blocks]
    options = MergeOptions(span=3, threshold=-0.99)
    done = collapse(
        model, windows(), remove=2, span=range(1, 4), options=options, progress=Silent()
    )
    assert done.groups == [[0], [1, 2, 3], [4]]
    name = "self_attn.o_proj.weight"
    expected = source[1][name] + (source[2][name] - source[1][name])
    expected = expected + (source[3][name] - source[1][name])
    torch.testing.assert_close(dict(done.blocks[1].named_parameters())[name], expected)
    assert torch.equal(dict(done.blocks[2].named_parameters())[name], source[4][name])


def test_merging_lowers_the_threshold_until_enough_blocks_are_gone(tmp_path: Path) -> None:
    asked = {"span": 2, "threshold": 0.99, "threshold_step": 0.3, "interval": 1}
    result = run_depth(tmp_path, remove=2, merge=asked, protect_first=0, protect_last=0)
    report = result.stages[1].report
    assert result.stages[1].blocks == LAYERS - 2
    assert report["threshold"] < 0.99
    assert report["similarity"] > report["threshold"]
    assert sorted(index for group in report["merged"] for index in group[1:]) != []


def test_passes_with_a_lower_threshold_measure_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[float] = []
    similarity = merge._similarity

    def counting(*given: Any) -> float:  # noqa: ANN401
        measured.append(similarity(*given))
        return measured[-1]

    monkeypatch.setattr(merge, "_similarity", counting)
    options = MergeOptions(span=2, threshold=0.9999, threshold_step=0.001)
    done = collapse(
        load_tiny(tmp_path),
        windows(),
        remove=1,
        span=range(LAYERS),
        options=options,
        progress=Silent(),
    )
    assert len(done.blocks) == LAYERS - 1
    assert len(measured) == len(set(measured)) == LAYERS - 1, "once for each pair of neighbours"
    assert done.similarity == max(measured)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"remove": 4, "protect_first": 1, "protect_last": 1}, "only 3 of 5 may"),
        ({"remove": 1}, "only 0 of 5 may"),
        ({"blocks": [9]}, "the model has no block 9"),
        ({"map": [0, 5]}, "the model has no block 5"),
        ({"blocks": [0, 1, 2, 3, 4]}, "no block would be left"),
    ],
)
def test_what_the_model_cannot_give_is_an_error(
    tmp_path: Path, options: dict[str, Any], part: str
) -> None:
    with pytest.raises(UsageError, match="E0508") as caught:
        run_depth(tmp_path, **options)
    assert part in caught.value.what


def test_blocks_that_share_weights_are_not_merged(tmp_path: Path) -> None:
    stages = [
        {"depth": {"map": [0, 1, 1, 2]}},
        {"depth": {"remove": 1, "merge": {}, "protect_first": 0, "protect_last": 0}},
    ]
    with pytest.raises(UsageError, match="E0508"):
        run_recipe(tiny_recipe(tmp_path, stages), tmp_path / "run")


def test_the_compiler_takes_what_depth_writes(tmp_path: Path) -> None:
    run_depth(tmp_path, map=[0, 1, 1, 4])
    options = CompileOptions(context=32, chunk=4)
    compiled = compile_model(tmp_path / "run" / "1-depth", tmp_path / "build", options)
    assert compiled.manifest.model.layers == 4
