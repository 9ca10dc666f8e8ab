"""GPTQ checkpoints: the codes come unchanged, and mean what the format says in every bit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from compressed_checkpoints import CompressedModel, Gptq, pack_rows
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import runnable_config

from aretusa.errors import AretusaError, ModelError, UnsupportedError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.gptq_values import unpack_fields
from aretusa.frontend.llama_config import Family
from aretusa.frontend.outline import open_outline
from aretusa.frontend.weights import CodedWeight, CodeForm, FloatWeight
from aretusa.quantization.schemes import Scheme
from aretusa.quantization.store import QuantisedCheckpoint
from aretusa.verbs.inspect import inspect_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.frontend.checkpoint import Checkpoint

DOWN: Final = "model.layers.1.mlp.down_proj"
CONFIG: Final = runnable_config(hidden_size=160, ffn_size=288)
FORMS: Final = [
    (Gptq(bits=4, group_size=32), CodeForm(bits=4, group=32, zero=8)),
    (Gptq(bits=4, group_size=128), CodeForm(bits=4, group=128, zero=8)),
    (Gptq(bits=2, group_size=64), CodeForm(bits=2, group=64, zero=8)),
    (Gptq(bits=3, group_size=64, version=2), CodeForm(bits=3, group=64, zero=8)),
    (Gptq(bits=8, group_size=64), CodeForm(bits=8, group=64, zero=0)),
    (Gptq(bits=4, group_size=96), CodeForm(bits=4, group=32, zero=8)),
    (Gptq(bits=4, group_size=256), CodeForm(bits=4, group=128, zero=8)),
    (Gptq(bits=4, group_size=-1), CodeForm(bits=4, group=0, zero=8)),
    (Gptq(bits=8, group_size=-1), CodeForm(bits=8, group=0, zero=0)),
    (Gptq(bits=3, group_size=1024), CodeForm(bits=3, group=0, zero=8)),
]
WITH_ZEROS: Final = [
    (Gptq(bits=bits, group_size=group, symmetric=False, version=version), form)
    for version in (1, 2)
    for bits, group, form in (
        (4, 32, CodeForm(bits=4, group=32, zero=0, has_minimum=True, has_zeros=True)),
        (2, 128, CodeForm(bits=2, group=128, zero=0, has_minimum=True, has_zeros=True)),
        (3, 64, CodeForm(bits=3, group=64, zero=0, has_minimum=True, has_zeros=True)),
        (8, 64, CodeForm(bits=8, group=64, zero=0, has_minimum=True, has_zeros=True)),
        (8, -1, CodeForm(bits=8, group=128, zero=0, has_minimum=True, has_zeros=True)),
        (2, -1, CodeForm(bits=3, group=0, zero=8)),
        (3, -1, CodeForm(bits=4, group=0, zero=8)),
        (4, -1, CodeForm(bits=5, group=0, zero=0)),
    )
]


def gptq_model(options: Gptq, config: object = CONFIG) -> CompressedModel:
    model = CompressedModel(config)  # type: ignore[arg-type]
    for module in model.modules():
        model.gptq(module, options)
    return model


def quantised(checkpoint: Checkpoint, *, requantises: bool = False) -> QuantisedCheckpoint:
    return QuantisedCheckpoint(
        checkpoint=checkpoint, scheme=Scheme(8), context=16, requantises=requantises
    )


@pytest.mark.parametrize(("options", "form"), [*FORMS, *WITH_ZEROS])
def test_codes_mean_scale_times_code_less_zero(
    tmp_path: Path, options: Gptq, form: CodeForm
) -> None:
    model = gptq_model(options)
    checkpoint = open_checkpoint(model.write(tmp_path))
    assert checkpoint.store.forms[f"{DOWN}.weight"] == form
    source = quantised(checkpoint)
    for module in model.modules():
        name = f"{module}.weight"
        weight = checkpoint.load(name)
        assert isinstance(weight, CodedWeight)
        np.testing.assert_array_equal(weight.dequantise(), model.meant(name))
        np.testing.assert_array_equal(source.matrix(name).dequantise(), model.meant(name))
    assert isinstance(checkpoint.load("lm_head.weight"), FloatWeight)


@pytest.mark.parametrize(("options", "form"), [*FORMS, *WITH_ZEROS])
def test_a_configuration_alone_says_the_forms(
    tmp_path: Path, options: Gptq, form: CodeForm
) -> None:
    whole = open_outline(gptq_model(options).write(tmp_path))
    assert whole.forms[f"{DOWN}.weight"] == form
    (tmp_path / "model.safetensors").unlink()
    assert open_outline(tmp_path) == whole


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("label", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_wrong_label_of_symmetric_codes_does_no_harm(
    tmp_path: Path, bits: int, label: str, version: int
) -> None:
    model = gptq_model(Gptq(bits=bits, version=version, label=label))
    checkpoint = open_checkpoint(model.write(tmp_path))
    weight = checkpoint.load(f"{DOWN}.weight")
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.dequantise(), model.meant(f"{DOWN}.weight"))


def test_without_g_idx_groups_are_runs(tmp_path: Path) -> None:
    model = gptq_model(Gptq(group_size=128, with_g_idx=False))
    weight = open_checkpoint(model.write(tmp_path)).load(f"{DOWN}.weight")
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.dequantise(), model.meant(f"{DOWN}.weight"))


def test_options_in_a_file_of_their_own(tmp_path: Path) -> None:
    model = gptq_model(Gptq(symmetric=False, version=2))
    options = model.keys.pop("quantization_config")
    del options["quant_method"]
    model.write(tmp_path)
    (tmp_path / "quantize_config.json").write_text(json.dumps(options))
    checkpoint = open_checkpoint(tmp_path)
    weight = checkpoint.load(f"{DOWN}.weight")
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.dequantise(), model.meant(f"{DOWN}.weight"))
    assert tmp_path / "quantize_config.json" in checkpoint.config_files


def test_biases_of_zeros_that_autogptq_adds_are_left_out(tmp_path: Path) -> None:
    model = gptq_model(Gptq())
    model.tensors[f"{DOWN}.bias"] = np.zeros(160, np.float16)
    assert f"{DOWN}.bias" not in open_checkpoint(model.write(tmp_path)).tensor_names
    model.tensors[f"{DOWN}.bias"] = np.ones(160, np.float16)
    with pytest.raises(ModelError, match="unexpected"):
        open_checkpoint(model.write(tmp_path))


def test_biases_of_qwen2_stay(tmp_path: Path) -> None:
    model = gptq_model(Gptq(), runnable_config(Family.QWEN2))
    name = "model.layers.0.self_attn.q_proj.bias"
    model.tensors[name] = np.zeros(64, np.float32)
    assert name in open_checkpoint(model.write(tmp_path)).tensor_names


def test_an_embedding_of_gptq_codes_is_refused(tmp_path: Path) -> None:
    model = CompressedModel()
    model.gptq("model.embed_tokens", Gptq())
    with pytest.raises(UnsupportedError) as caught:
        open_checkpoint(model.write(tmp_path))
    assert caught.value.code == "E0126"


def test_inspect_says_how_it_is_stored(tmp_path: Path) -> None:
    model = gptq_model(Gptq(bits=3, group_size=64, symmetric=False))
    stored = {t.name: t.stored for t in inspect_model(model.write(tmp_path)).tensors}
    assert stored[f"{DOWN}.weight"] == "GPTQ, 3 bits, groups of 64, zero points"
    assert stored["lm_head.weight"] == "real numbers"


def permuted(model: CompressedModel) -> None:
    model.gptq(f"{DOWN}", Gptq(permuted=True))


def refused_forms(checkpoint: Checkpoint) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        checkpoint.store.forms  # noqa: B018 - the property refuses
    return caught.value


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (Gptq(permuted=True), "E0143", "desc_act=False"),
        (Gptq(group_size=16), "E0144", "groups of 16"),
        (Gptq(group_size=48, symmetric=False), "E0144", "groups of 48"),
    ],
)
def test_what_kernels_cannot_read_can_be_quantised_anew(
    tmp_path: Path, options: Gptq, code: str, says: str
) -> None:
    model = gptq_model(options)
    checkpoint = open_checkpoint(model.write(tmp_path))
    error = refused_forms(checkpoint)
    assert error.code == code
    assert says in error.line()
    assert "--requantise" in error.line()
    weight = checkpoint.load(f"{DOWN}.weight")
    assert isinstance(weight, FloatWeight)
    np.testing.assert_array_equal(weight.values, model.meant(f"{DOWN}.weight"))
    anew = quantised(checkpoint, requantises=True)
    assert anew.declared.forms == {}
    assert anew.matrix(f"{DOWN}.weight").bits == 8


def test_scales_beyond_binary16_are_refused(tmp_path: Path) -> None:
    model = gptq_model(Gptq())
    scales = model.tensors[f"{DOWN}.scales"].astype(np.float32) * np.float32(1.0001)
    model.tensors[f"{DOWN}.scales"] = scales
    assert refused_forms(open_checkpoint(model.write(tmp_path))).code == "E0144"
    model = gptq_model(Gptq(group_size=-1))
    exact = model.tensors[f"{DOWN}.scales"].astype(np.float32)
    model.tensors[f"{DOWN}.scales"] = exact * np.float32(1.0001)
    weight = open_checkpoint(model.write(tmp_path / "channel")).load(f"{DOWN}.weight")
    assert isinstance(weight, CodedWeight)
    np.testing.assert_array_equal(weight.scales, exact[0] * np.float32(1.0001))


def change(part: str, edit: Callable[..., object]) -> Callable[[CompressedModel], object]:
    def apply(model: CompressedModel) -> None:
        model.tensors[DOWN + part] = edit(model.tensors[DOWN + part])  # type: ignore[assignment]

    return apply


def one_zero(model: CompressedModel) -> None:
    zeros = np.full((9, 160), 8)
    zeros[3, 5] = 7
    model.tensors[f"{DOWN}.qzeros"] = pack_rows(zeros - 1, 4)


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        (lambda m: m.tensors.pop(f"{DOWN}.qzeros"), "E0140", "qzeros"),
        (lambda m: m.tensors.pop(f"{DOWN}.scales"), "E0140", "scales"),
        (lambda m: m.tensors.pop(f"{DOWN}.qweight"), "E0140", "qweight"),
        (change(".scales", lambda a: a[:, :-1]), "E0141", "[9, 159]"),
        (change(".scales", lambda a: a[:-1]), "E0141", "8 groups"),
        (change(".qzeros", lambda a: a[:, :-1]), "E0141", "[9, 19]"),
        (change(".scales", lambda a: a.astype(np.int32)), "E0141", "I32"),
        (change(".g_idx", lambda a: a.astype(np.float32)), "E0141", "F32"),
        (change(".g_idx", lambda a: a + 1), "E0142", "there are 9 groups"),
        (change(".g_idx", lambda a: a - 1), "E0142", "from -1 to 7"),
        (change(".g_idx", lambda a: a[:100]), "E0144", "36 words"),
        (change(".qweight", lambda a: a[:-1]), "E0144", "35 words"),
        (one_zero, "E0141", "symmetric"),
        (change(".scales", lambda a: a * np.float16(np.nan)), "E0110", "scales of"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, damage: Callable[[CompressedModel], object], code: str, says: str
) -> None:
    model = gptq_model(Gptq(group_size=32))
    damage(model)
    with pytest.raises(AretusaError) as caught:
        quantised(open_checkpoint(model.write(tmp_path))).matrix(f"{DOWN}.weight")
    assert caught.value.code == code
    assert says in caught.value.line()


def test_zeros_of_version_1_borrow_as_their_writer_made_them(tmp_path: Path) -> None:
    """A zero point of 0 is stored as a whole word less 0x11111111."""
    model = gptq_model(replace(Gptq(), symmetric=False))
    zeros = model.random.integers(0, 16, (9, 160))
    words = pack_rows(zeros, 4).view(np.uint32) - np.uint32(0x11111111)
    model.tensors[f"{DOWN}.qzeros"] = words.view(np.int32)
    weight = open_checkpoint(model.write(tmp_path)).load(f"{DOWN}.weight")
    assert isinstance(weight, CodedWeight)
    assert weight.zeros is not None
    np.testing.assert_array_equal(weight.zeros, zeros.T)


@given(st.sampled_from((2, 3, 4, 8)), st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 4))
def test_fields_are_unpacked_as_packed(bits: int, seed: int, rows: int, runs: int) -> None:
    fields = np.random.default_rng(seed).integers(0, 1 << bits, (rows, 32 * runs))
    words = pack_rows(fields, bits).view(np.uint32)
    np.testing.assert_array_equal(unpack_fields(words, bits, 32 * runs), fields)
