"""The shipped model as a subject against transformers' own way of running it."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import compile_tiny, runnable_config, write_gguf_model, write_model
from transformers import AutoModelForCausalLM

from aretusa.verbs.program_subject import ProgramSubject
from aretusa_compress.errors import ModelError, UsageError
from aretusa_compress.evaluation.noise import block_noise
from aretusa_compress.evaluation.open_checkpoint import open_subject
from aretusa_compress.evaluation.perplexity import cut_windows, judge_text
from aretusa_compress.model.gguf_import import import_gguf

MODEL = Path(__file__).parents[3] / "examples" / "models" / "tiny-orator"


@pytest.fixture(scope="module")
def subject():  # noqa: ANN201
    return open_subject(MODEL)


@pytest.fixture(scope="module")
def plain():  # noqa: ANN201
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def test_logits_are_those_of_the_model(subject, plain) -> None:  # noqa: ANN001
    tokens = subject.encode("The President shall have power, by and with the advice of the Senate")
    with torch.inference_mode():
        expected = plain(torch.tensor([tokens])).logits[0].numpy()
    assert np.allclose(np.concatenate(list(subject.logits(tokens))), expected, atol=1e-5)


def test_continuation_is_greedy_generation(subject, plain) -> None:  # noqa: ANN001
    tokens = subject.encode("My fellow citizens,")
    expected = plain.generate(
        torch.tensor([tokens]), max_new_tokens=12, do_sample=False, eos_token_id=None
    )[0, len(tokens) :]
    assert list(islice(subject.continuation(tokens), 12)) == expected.tolist()


def test_text_goes_to_tokens_and_back_and_only_the_end_ends(subject) -> None:  # noqa: ANN001
    tokens = subject.encode("Fellow citizens of the Senate")
    assert subject.decode(tokens) == "Fellow citizens of the Senate"
    end = json.loads((MODEL / "config.json").read_text())["eos_token_id"]
    assert subject.is_end(end)
    assert not any(map(subject.is_end, tokens))


def test_the_held_out_text_has_the_known_perplexity(subject) -> None:  # noqa: ANN001
    tokens = subject.encode((MODEL / "heldout.txt").read_text("utf-8"))
    quality = judge_text(subject, cut_windows(tokens, 512)[:3])
    # README.md shows the same figure, computed by the NumPy float reference of the compiler.
    assert quality.perplexity == pytest.approx(13.460, abs=0.002)


def test_tensors_that_do_not_fit_the_configuration_are_refused(tmp_path: Path) -> None:
    directory = shutil.copytree(MODEL, tmp_path / "model")
    config = json.loads((directory / "config.json").read_text())
    config["num_hidden_layers"] += 1
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="E0202"):
        open_subject(directory)


def test_a_gguf_file_is_judged_as_the_checkpoint_that_it_becomes(tmp_path: Path) -> None:
    file = write_gguf_model(tmp_path / "tiny.gguf", runnable_config(layers=2))
    found = open_subject(file)
    assert found.name == "tiny.gguf"
    import_gguf(file, tmp_path / "model")
    tokens = found.encode("the hen in the tin")
    expected = list(open_subject(tmp_path / "model").logits(tokens))
    assert np.array_equal(list(found.logits(tokens)), expected)


@pytest.mark.parametrize("name", ["run/2-gptq", "nowhere", "weights.bin"])
def test_what_is_no_model_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="E0001"):
        open_subject(tmp_path / name)


def test_a_program_departs_from_its_checkpoint_block_by_block(tmp_path) -> None:  # noqa: ANN001
    model = write_model(tmp_path / "model", runnable_config(layers=4), dtype="float32")
    exact = open_subject(model)
    levels = {}
    for bits in (4, 8):
        program = ProgramSubject.open(compile_tiny(model, tmp_path / str(bits), bits=bits))
        levels[bits] = block_noise(program, exact, list(range(3, 33)))
    assert len(levels[4]) == len(levels[8]) == 4
    assert all(fine > coarse + 10 for coarse, fine in zip(levels[4], levels[8], strict=True))
    assert block_noise(exact, exact, list(range(3, 33))) == [None] * 4


def test_hidden_states_are_those_of_the_model(subject, plain) -> None:  # noqa: ANN001
    tokens = subject.encode("The President shall have power")
    with torch.inference_mode():
        expected = plain(torch.tensor([tokens]), output_hidden_states=True).hidden_states
    found = subject.blocks(tokens)
    assert len(found) == len(expected) - 1
    for state, known in zip(found[:-1], expected[1:-1], strict=True):  # the last one is normed
        assert np.allclose(state, known[0].numpy(), atol=1e-5)


def test_a_text_begins_with_a_token_that_the_program_knows_too(tmp_path) -> None:  # noqa: ANN001
    model = write_model(tmp_path / "model")
    program = ProgramSubject.open(compile_tiny(model, tmp_path / "build"))
    assert open_subject(model).start == program.start
