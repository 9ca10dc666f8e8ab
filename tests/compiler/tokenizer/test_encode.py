"""Token-exact against the `tokenizers` library, for every kind of tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_cases import KINDS, TEXT_COUNT, Case, oracle_of_gguf, texts, trained
from tokenizers import Tokenizer

from aretusa.errors import ModelError
from aretusa.tokenizer.encode import decode_bytes, encode
from aretusa.tokenizer.model import MAX_PROMPT_CHARS
from aretusa.tokenizer.read_gguf import read_gguf
from aretusa.tokenizer.read_hf import parse_hf, read_hf

BYTE_LEVEL = ("gpt2", "gpt2-split", "llama3", "smollm")  # no NFC and no prefix: nothing is lost


def check(case: Case, *, parse_special: bool, count: int = TEXT_COUNT) -> None:
    case.oracle.encode_special_tokens = not parse_special
    for text in texts(count):
        expected = case.oracle.encode(text).ids
        assert encode(case.model, text, parse_special=parse_special) == expected, repr(text)
        shown = decode_bytes(case.model, expected).decode("utf-8", "replace")
        assert shown == case.oracle.decode(expected, skip_special_tokens=True), repr(text)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_library(kind: str) -> None:
    check(trained(kind), parse_special=True)


@pytest.mark.parametrize("kind", ["gpt2", "llama3"])
def test_equals_the_library_without_special_tokens(kind: str) -> None:
    check(trained(kind), parse_special=False, count=700)


def test_no_merge_makes_a_special_token_though_the_library_does_it() -> None:
    root = json.loads(trained("sentencepiece").oracle.to_str())
    vocab = root["model"]["vocab"]
    vocab["<s"] = len(vocab)
    root["model"]["merges"] = [["<", "s"], ["<s", ">"]]
    oracle = Tokenizer.from_str(json.dumps(root))
    oracle.encode_special_tokens = True
    text, begin = "a<s>", oracle.token_to_id("<s>")
    assert begin in oracle.encode(text).ids
    model = parse_hf(json.dumps(root).encode())
    assert begin not in encode(model, text, parse_special=False)
    assert encode(model, text) == [*oracle.encode("a").ids, begin]


def test_equals_the_library_on_smollm2(smollm2_metadata: dict[str, object]) -> None:
    case = Case(read_gguf(smollm2_metadata), oracle_of_gguf(smollm2_metadata))
    check(case, parse_special=True)
    check(case, parse_special=False, count=700)


def test_equals_the_library_on_the_shipped_model() -> None:
    path = Path(__file__).parents[3] / "examples" / "models" / "tiny-orator" / "tokenizer.json"
    check(Case(read_hf(path), Tokenizer.from_file(str(path))), parse_special=True, count=700)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_text_makes_no_special_token(kind: str) -> None:
    model = trained(kind).model
    unknown = {model.unknown_id}
    for text in texts(600):
        ids = encode(model, text, parse_special=False, add_bos=False)
        assert not (set(ids) & model.special) - unknown, repr(text)


@pytest.mark.parametrize("kind", BYTE_LEVEL)
@given(text=st.text())
@settings(max_examples=60, deadline=None)
def test_decoding_undoes_encoding(kind: str, text: str) -> None:
    model = trained(kind).model
    ids = encode(model, text, parse_special=False, add_bos=False)
    assert decode_bytes(model, ids) == text.encode()


@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "smollm"])
@given(ids=st.lists(st.integers(0, 1000) | st.integers(0, 1 << 20)))
@settings(max_examples=60, deadline=None)
def test_decodes_any_ids_as_the_library(kind: str, ids: list[int]) -> None:
    case = trained(kind)
    shown = decode_bytes(case.model, ids).decode("utf-8", "replace")
    assert shown == case.oracle.decode(ids, skip_special_tokens=True)


def test_lone_surrogates_count_as_replacement_characters() -> None:
    model = trained("gpt2").model
    assert encode(model, "a\ud800b\udc00") == encode(model, "a\ufffdb\ufffd")


def test_bos_can_be_left_out() -> None:
    model = trained("llama3").model
    assert model.bos_ids == (3,)
    assert encode(model, "hi") == [3, *encode(model, "hi", add_bos=False)]


def test_refuses_a_prompt_above_the_budget() -> None:
    with pytest.raises(ModelError, match="1,000,001 characters") as caught:
        encode(trained("gpt2").model, "x" * (MAX_PROMPT_CHARS + 1))
    assert caught.value.code == "E0221"
