"""The stages gptq and eora on tiny models: what is written, what it stands for, what is refused."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import WIDTH, digests, tiny_document, tiny_recipe

from aretusa_compress.errors import CompressError, NumericsError, ToolchainError, UsageError
from aretusa_compress.gptq import library
from aretusa_compress.gptq.channels import code_blocks
from aretusa_compress.gptq.options import GptqOptions
from aretusa_compress.model.blocks import enter, run_blocks
from aretusa_compress.model.load import load_model
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.recipe.read import parse_recipe
from aretusa_compress.run.runner import run_recipe
from aretusa_compress.run.state import StageState

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa_compress.model.loaded import Model


def run(folder: Path, stages: list[Any]) -> Path:
    """Run a recipe; its directory."""
    run_recipe(tiny_recipe(folder, stages), folder / "run")
    return folder / "run"


def hidden(model: Model, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        entry = enter(model, ids)
        return run_blocks(model.blocks, entry.hidden, entry.arguments)


def deviation(exact: Path, other: Path) -> float:
    """Relative error of the last hidden states over random ids."""
    ids = torch.randint(3, 260, (2, 24), generator=torch.Generator().manual_seed(5))
    one = hidden(load_model(exact, dtype=torch.float32), ids)
    two = hidden(load_model(other, dtype=torch.float32, decode=True), ids)
    return float((one - two).norm() / one.norm())


def config_of(checkpoint: Path) -> dict[str, Any]:
    document = json.loads((checkpoint / "config.json").read_text())
    assert isinstance(document, dict)
    return document


CHANNEL = {"gptq": {"group": "channel", "bits": 4}}
GROUP = {"gptq": {"group": 32, "bits": 4}}
BRANCHES = {"eora": {"rank": 8, "samples": 4}}


def test_codes_per_channel_are_written_with_their_widths(tmp_path: Path) -> None:
    mixed = {"gptq": {"group": "channel", "bits": 4, "bits_of": {"mlp.down_proj": 6}}}
    mixed["gptq"]["bits_of"] |= {"0.mlp.down_proj": 8, "1.self_attn.q_proj": 2}
    output = run(tmp_path, [mixed]) / "1-gptq"

    bits = config_of(output)["aretusa"]["bits"]
    assert bits["model.layers.0.mlp.down_proj"] == 8
    assert bits["model.layers.1.mlp.down_proj"] == 6
    assert bits["model.layers.1.self_attn.q_proj"] == 2
    assert bits["model.layers.2.self_attn.q_proj"] == 4
    assert len(bits) == 5 * len(MATRICES)

    tensors = load_file(output / "model.safetensors")
    for name, width in bits.items():
        codes, scales = tensors[f"{name}.codes"], tensors[f"{name}.scales"]
        assert codes.dtype == torch.int8
        assert int(codes.max()) < 1 << (width - 1)
        assert int(codes.min()) >= -(1 << (width - 1))
        assert scales.shape == codes.shape[:1]
        assert f"{name}.weight" not in tensors


def test_more_bits_are_nearer(tmp_path: Path) -> None:
    errors = {}
    for bits in (2, 3, 4, 8):
        output = run(tmp_path / str(bits), [{"gptq": {"group": "channel", "bits": bits}}])
        errors[bits] = deviation(tmp_path / str(bits) / "model", output / "1-gptq")
    assert errors[2] > errors[3] > errors[4] > errors[8] > 0
    assert errors[8] < 0.05


def test_pruned_weights_stay_zero(tmp_path: Path) -> None:
    directory = run(tmp_path, [WIDTH, CHANNEL])
    pruned = load_file(directory / "1-width" / "model.safetensors")
    coded = load_file(directory / "2-gptq" / "model.safetensors")
    name = "model.layers.1.mlp.up_proj"
    assert torch.all(coded[f"{name}.codes"][pruned[f"{name}.weight"] == 0] == 0)
    assert config_of(directory / "2-gptq")["aretusa"]["sparsity"][name] == "2:4"


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, quantised and repaired by the library; each of its processes takes seconds."""
    folder = tmp_path_factory.mktemp("grouped")
    run(folder, [GROUP, BRANCHES])
    return folder


def test_groups_are_quantised_by_the_library_and_read_back(grouped: Path) -> None:
    output = grouped / "run" / "1-gptq"
    assert (output / "tokenizer.json").is_file()
    quantisation = config_of(output)["quantization_config"]
    assert (quantisation["bits"], quantisation["group_size"]) == (4, 32)
    assert quantisation["sym"] is True
    assert "tmp" not in json.dumps(config_of(output))
    # As far off as codes per channel of as many bits: the model is random, and errors add up.
    assert 0 < deviation(grouped / "model", output) < 0.7


def test_the_library_gives_equal_bytes(grouped: Path, tmp_path: Path) -> None:
    again = run(tmp_path, [GROUP])
    known = digests(grouped / "run")
    assert digests(again) == {name: known[name] for name in known if name.startswith("1-gptq")}


def test_reordering_leaves_the_columns_where_they_are(grouped: Path, tmp_path: Path) -> None:
    plain = run(tmp_path, [{"gptq": GROUP["gptq"] | {"reorder": False}}]) / "1-gptq"
    for checkpoint in (plain, grouped / "run" / "1-gptq"):
        stored = load_file(checkpoint / "model.safetensors")
        groups = {name: tensor for name, tensor in stored.items() if name.endswith(".g_idx")}
        assert len(groups) == 5 * len(MATRICES)
        for name, tensor in groups.items():
            assert torch.equal(tensor.long(), torch.arange(len(tensor)) // 32), name
    assert digests(tmp_path / "run") != digests(grouped / "run")
    assert 0 < deviation(tmp_path / "model", plain) < 0.7


def test_groups_with_zero_points_are_read_back(tmp_path: Path) -> None:
    output = run(tmp_path, [{"gptq": GROUP["gptq"] | {"symmetric": False}}]) / "1-gptq"
    assert config_of(output)["quantization_config"]["sym"] is False
    assert 0 < deviation(tmp_path / "model", output) < 0.7


def test_branches_of_the_library_bring_the_outputs_nearer(grouped: Path) -> None:
    check_branches(grouped / "model", grouped / "run")


def test_branches_of_our_own_bring_the_outputs_nearer(tmp_path: Path) -> None:
    stage = {"gptq": CHANNEL["gptq"] | {"bits": 2}}
    check_branches(tmp_path / "model", run(tmp_path, [stage, BRANCHES]))


def check_branches(model: Path, directory: Path) -> None:
    quantised, repaired = directory / "1-gptq", directory / "2-eora"
    tensors = load_file(repaired / "model.safetensors")
    name = "model.layers.0.mlp.up_proj"
    assert tensors[f"{name}.adapter_in.weight"].shape[0] == 8
    assert config_of(repaired)["aretusa"]["adapters"][name] == 8
    assert deviation(model, repaired) < 0.95 * deviation(model, quantised)


def test_equal_work_gives_equal_bytes_and_is_not_done_twice(tmp_path: Path) -> None:
    stages = [CHANNEL, {"eora": {"rank": 4, "samples": 2}}]
    first = digests(run(tmp_path / "a", stages))
    assert first == digests(run(tmp_path / "b", stages))
    result = run_recipe(tiny_recipe(tmp_path / "a", stages), tmp_path / "a" / "run")
    assert all(stage.reused for stage in result.stages)


@pytest.mark.parametrize(
    ("function", "after"),
    [("gptq.channels._code_block", 3), ("eora.branches._of_block", 2)],
)
def test_a_stage_that_was_killed_goes_on_with_the_next_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, after: int
) -> None:
    stages = [CHANNEL, {"eora": {"rank": 4, "samples": 2}}]
    expected = digests(run(tmp_path / "whole", stages))
    calls: list[object] = []
    module = f"aretusa_compress.{function.rpartition('.')[0]}"
    whole = getattr(import_module(module), function.rpartition(".")[2])

    def stopping(*given: object) -> object:
        calls.append(given)
        if len(calls) == after + 1:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(f"aretusa_compress.{function}", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stages)
    found = digests(run(tmp_path / "cut", stages))
    assert len(calls) == 1 + 5, "blocks that were done are not done again"
    weights = {name: value for name, value in expected.items() if "stage.json" not in name}
    assert weights.items() <= found.items()


def test_inputs_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, [CHANNEL])
    model = load_model(tmp_path / "model")
    with torch.no_grad():
        model.blocks[1].input_layernorm.weight[3] = float("nan")
    ids = torch.randint(3, 260, (1, 16))
    options = recipe.stages[0].options
    assert isinstance(options, GptqOptions)
    state = StageState(tmp_path / "state", "one")
    with pytest.raises(NumericsError, match=r"E0530.*block 1"):
        code_blocks(model, ids, options, state, progress=lambda *_: None)


def test_a_failure_of_the_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(library.Machine):
        pass

    monkeypatch.setattr("aretusa_compress.gptq.stage.Machine", Broken)
    monkeypatch.setattr(
        "aretusa_compress.gptq.stage.machine_of",
        lambda context: library.Machine(device="no-such-device", threads=1, seed=context.seed),
    )
    with pytest.raises(ToolchainError, match="E0531"):
        run(tmp_path, [GROUP])


@pytest.mark.parametrize(
    "options",
    [
        {"group": "channel", "symmetric": False},
        {"group": 128, "bits": 5},
        {"group": 128, "bits_of": {"mlp.down_proj": 4}},
        {"group": "channel", "bits_of": {"mlp.downproj": 4}},
        {"group": "rows"},
        {"bits": 9},
    ],
)
def test_options_that_no_solver_has_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="E0501"):
        parse_recipe(tiny_document(tmp_path, [{"gptq": options}]), "tiny")


def test_branches_need_quantised_weights_and_what_they_were(tmp_path: Path) -> None:
    with pytest.raises(CompressError, match=r"E0508.*quantised weights"):
        run(tmp_path / "float", [{"eora": {"rank": 2, "samples": 2}}])
    coded = run(tmp_path / "coded", [CHANNEL]) / "1-gptq"
    document = tiny_document(tmp_path / "coded", [{"eora": {"rank": 2, "samples": 2}}])
    recipe = parse_recipe(document | {"model": str(coded)}, "tiny")
    with pytest.raises(CompressError, match=r"E0508.*before quantisation"):
        run_recipe(recipe, tmp_path / "again")
