"""Codes, low-rank pairs, adapters and maps of blocks, read unchanged; damaged ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from compressed_checkpoints import CompressedModel
from tiny_models import runnable_config

from aretusa.errors import AretusaError, ExitCode
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.outline import open_outline
from aretusa.frontend.tensor_shapes import parameter_count
from aretusa.frontend.weights import CodedWeight
from aretusa.verbs.inspect import inspect_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Q_PROJ: Final = "model.layers.0.self_attn.q_proj"
DOWN: Final = "model.layers.1.mlp.down_proj"


def read_all(path: Path) -> None:
    checkpoint = open_checkpoint(path)
    for name in checkpoint.tensor_names:
        checkpoint.load(name)


def refusal(path: Path) -> AretusaError:
    with pytest.raises(AretusaError) as caught:
        read_all(path)
    assert caught.value.line().isprintable()
    assert len(caught.value.line()) < 900
    return caught.value


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_of_every_width_come_unchanged(tmp_path: Path, bits: int) -> None:
    model = CompressedModel()
    model.code(Q_PROJ, bits)
    stored = model.tensors[f"{Q_PROJ}.codes"]
    checkpoint = open_checkpoint(model.write(tmp_path))
    weight = checkpoint.load(f"{Q_PROJ}.weight")
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.codes.astype(np.int16) - weight.zero, stored)
    np.testing.assert_array_equal(weight.scales, model.tensors[f"{Q_PROJ}.scales"])
    np.testing.assert_array_equal(weight.dequantise(), model.meant(f"{Q_PROJ}.weight"))
    assert checkpoint.store.forms[f"{Q_PROJ}.weight"].bits == bits
    assert f"{Q_PROJ}.weight" in checkpoint.tensor_names


def test_embedding_and_head_may_be_codes(tmp_path: Path) -> None:
    model = CompressedModel()
    model.code("model.embed_tokens", 6)
    model.code("lm_head", 5)
    checkpoint = open_checkpoint(model.write(tmp_path))
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weight = checkpoint.load(name)
        assert isinstance(weight, CodedWeight)
        np.testing.assert_array_equal(weight.dequantise(), model.meant(name))


def test_pairs_and_adapters_take_the_place_of_their_module(tmp_path: Path) -> None:
    model = CompressedModel()
    model.low_rank(Q_PROJ, 12)
    model.adapter(DOWN, 4)
    model.code(f"{Q_PROJ}.low_rank_in", 3)
    checkpoint = open_checkpoint(model.write(tmp_path))
    assert checkpoint.structure.ranks == {Q_PROJ: 12}
    assert checkpoint.structure.adapters == {DOWN: 4}
    names = checkpoint.tensor_names
    assert f"{Q_PROJ}.weight" not in names
    at = names.index(f"{Q_PROJ}.low_rank_in.weight")
    assert names[at + 1] == f"{Q_PROJ}.low_rank_out.weight"
    assert {f"{DOWN}.weight", f"{DOWN}.adapter_in.weight", f"{DOWN}.adapter_out.weight"} <= {*names}
    for name in names:
        assert checkpoint.load(name).shape == model.meant(name).shape
    count = sum(model.meant(name).size for name in names)
    assert parameter_count(checkpoint.config, checkpoint.structure) == count


def test_a_map_of_blocks_repeats_and_leaves_out(tmp_path: Path) -> None:
    model = CompressedModel(runnable_config(layers=3))
    model.keys["aretusa"] = {"version": 1, "layers": [0, 2, 2, 0]}
    for layers in (3, 4):  # as many as are stored, or as many as run
        model.keys["num_hidden_layers"] = layers
        checkpoint = open_checkpoint(model.write(tmp_path))
        assert checkpoint.config.layers == 4
        assert checkpoint.structure.layer_map == (0, 2, 2, 0)
        used = {name.split(".")[2] for name in checkpoint.tensor_names if ".layers." in name}
        assert used == {"0", "2"}


def test_a_configuration_alone_says_the_same(tmp_path: Path) -> None:
    model = CompressedModel()
    model.low_rank(Q_PROJ, 12)
    model.adapter(DOWN, 4)
    model.code(DOWN, 5)
    model.set_own("ranks", Q_PROJ, 12)
    model.set_own("adapters", DOWN, 4)
    model.keys["aretusa"]["layers"] = [0, 1, 1]
    whole = open_outline(model.write(tmp_path))
    assert whole.forms.keys() == {f"{DOWN}.weight"}
    (tmp_path / "model.safetensors").unlink()
    assert open_outline(tmp_path) == whole


def test_inspect_names_the_parts(tmp_path: Path) -> None:
    model = CompressedModel()
    model.low_rank(Q_PROJ, 12)
    model.code(DOWN, 3)
    result = inspect_model(model.write(tmp_path))
    stored = {tensor.name: tensor.stored for tensor in result.tensors}
    assert stored[f"{DOWN}.weight"] == "codes of 3 bits"
    assert stored[f"{Q_PROJ}.low_rank_in.weight"] == "real numbers"


def drop(name: str) -> Callable[[CompressedModel], object]:
    return lambda model: model.tensors.pop(name)


def put(name: str, value: object) -> Callable[[CompressedModel], object]:
    return lambda model: model.tensors.__setitem__(name, np.asarray(value))


def own(**keys: object) -> Callable[[CompressedModel], object]:
    return lambda model: model.keys["aretusa"].update(keys)


def scaled(name: str, change: Callable[[Any], Any]) -> Callable[[CompressedModel], object]:
    return lambda model: model.tensors.__setitem__(name, change(model.tensors[name]))


DAMAGE: Final[list[tuple[str, Callable[[CompressedModel], object], str]]] = [
    ("E0140", drop(f"{Q_PROJ}.scales"), "lacks"),
    ("E0140", drop(f"{Q_PROJ}.codes"), "lacks"),
    ("E0140", put(f"{Q_PROJ}.weight", np.zeros((64, 64), np.float32)), "twice"),
    ("E0140", own(bits={}), "no width"),
    ("E0140", drop(f"{DOWN}.low_rank_out.weight"), "low_rank_out"),
    ("E0141", scaled(f"{Q_PROJ}.scales", lambda a: a[:-1]), "63"),
    ("E0141", scaled(f"{Q_PROJ}.scales", lambda a: a.astype(np.float16)), "F16"),
    ("E0141", scaled(f"{Q_PROJ}.codes", lambda a: a.astype(np.int32)), "I32"),
    ("E0141", scaled(f"{DOWN}.low_rank_in.weight", lambda a: a[:-1]), "[7, 96]"),
    ("E0142", scaled(f"{Q_PROJ}.codes", lambda a: a + np.int8(1)), "-8 to 7"),
    ("E0202", scaled(f"{Q_PROJ}.codes", lambda a: a[:, :-1]), "wrong shape"),
    ("E0110", scaled(f"{Q_PROJ}.scales", lambda a: a * np.float32(np.inf)), "scales of"),
    ("E0145", own(version=2), "version 2"),
    ("E0145", own(version=True), "True"),
    ("E0145", own(bitz={}), "did you mean 'bits'"),
    ("E0145", own(bits=[4]), "no object"),
    ("E0145", own(bits={Q_PROJ: 9}), "2 to 8"),
    ("E0145", own(bits={Q_PROJ: 4, "model.layers.7.mlp.up_proj": 4}), "layers.7"),
    ("E0145", own(ranks={DOWN: 9}), "have 8"),
    ("E0145", own(ranks={Q_PROJ: 9}), "none"),
    ("E0145", own(sparsity={Q_PROJ: "4:2"}), "N:M"),
    ("E0145", own(sparsity={Q_PROJ: 2}), "N:M"),
    ("E0145", own(layers=[]), "list of block numbers"),
    ("E0145", own(layers=[0, -1]), "list of block numbers"),
    ("E0145", own(layers=[0, True]), "list of block numbers"),
    ("E0145", own(layers=[0, 1, 5, 1]), "num_hidden_layers is 2"),
    ("E0202", own(layers=[0, 2]), "missing"),
]


@pytest.mark.parametrize(("code", "damage", "says"), DAMAGE)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, code: str, damage: Callable[[CompressedModel], object], says: str
) -> None:
    model = CompressedModel()
    model.code(Q_PROJ, 4)
    model.low_rank(DOWN, 8)
    damage(model)
    error = refusal(model.write(tmp_path))
    assert (error.code, error.exit_code) == (code, ExitCode.MODEL)
    assert says in error.line()


def test_whole_numbers_in_a_real_tensor_are_refused(tmp_path: Path) -> None:
    model = CompressedModel()
    model.tensors["model.norm.weight"] = np.ones(64, np.int32)
    assert refusal(model.write(tmp_path)).code == "E0109"
