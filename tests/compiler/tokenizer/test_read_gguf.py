from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from tokenizer_cases import texts, trained

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.tokenizer_source import GgufTokenizerSource
from aretusa.tokenizer.encode import encode
from aretusa.tokenizer.model import SpacePrefix
from aretusa.tokenizer.read import read_tokenizer
from aretusa.tokenizer.read_gguf import read_gguf

NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
PIECES_OF_LLAMA = {"<unk>": UNKNOWN, "<s>": CONTROL, "</s>": CONTROL}


def byte_level(kind: str, pre: str) -> dict[str, Any]:
    """Metadata as a converter writes it for a trained tokenizer."""
    root = json.loads(trained(kind).oracle.to_str())
    vocab = root["model"]["vocab"]
    types = dict.fromkeys(vocab, NORMAL)
    for token in root["added_tokens"]:
        vocab[token["content"]] = token["id"]
        types[token["content"]] = CONTROL if token["special"] else USER
    tokens = sorted(vocab, key=lambda token: vocab[token])
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [types[token] for token in tokens],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in root["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": 3,
        "tokenizer.ggml.eos_token_id": 0,
        "general.architecture": "llama",
    }


def sentencepiece() -> dict[str, Any]:
    """A small Llama 2 vocabulary; longer pieces have lower scores."""
    words = ("\u2581", "a", "b", "ab", "\u2581a", "\u2581ab", "ba", "abba", "c", "cab", "ca")
    types = {**PIECES_OF_LLAMA, **{f"<0x{byte:02X}>": BYTE for byte in range(256)}}
    tokens = [*types, *words]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [types.get(token, NORMAL) for token in tokens],
        "tokenizer.ggml.scores": [-float(place) for place in range(len(tokens))],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


@pytest.mark.parametrize(
    ("kind", "pre"),
    [("gpt2", "gpt-2"), ("smollm", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2")],
)
def test_reads_the_same_model_as_from_json(kind: str, pre: str) -> None:
    model = read_gguf(byte_level(kind, pre))
    assert model == trained(kind).model


def test_a_source_is_read_by_its_kind() -> None:
    metadata = byte_level("gpt2", "gpt-2")
    assert read_tokenizer(GgufTokenizerSource(metadata)) == trained("gpt2").model


def naive_sentencepiece(metadata: dict[str, Any], text: str) -> list[int]:
    """Merge the pair whose token has the highest score, leftmost first; nothing clever."""
    tokens = metadata["tokenizer.ggml.tokens"]
    ids = {token: one for one, token in enumerate(tokens)}
    scores = metadata["tokenizer.ggml.scores"]
    prepared = "\u2581" + text.replace(" ", "\u2581")
    pieces: list[str] = []
    for char in prepared:
        pieces += [char] if char in ids else [f"<0x{byte:02X}>" for byte in char.encode()]
    while True:
        joined = [one + two for one, two in pairwise(pieces)]
        best = max(
            (place for place, piece in enumerate(joined) if piece in ids),
            key=lambda place: scores[ids[joined[place]]],
            default=None,
        )
        if best is None:
            return [1, *(ids[piece] for piece in pieces)]
        pieces[best : best + 2] = [joined[best]]


def test_sentencepiece_merges_by_score() -> None:
    metadata = sentencepiece()
    model = read_gguf(metadata)
    for text in ("ab", "abba cab", "a b\u00e9", "cabbage  ab", "bab\nabab", *texts(200)):
        if text and "<" not in text:
            assert encode(model, text) == naive_sentencepiece(metadata, text), repr(text)


def test_the_space_in_front_can_be_off() -> None:
    metadata = sentencepiece() | {"tokenizer.ggml.add_space_prefix": False}
    model = read_gguf(metadata)
    assert model.cutting.prefix is SpacePrefix.NEVER
    assert not model.strips_first_space


BROKEN = {
    "no tokens": ("tokens", []),
    "tokens are numbers": ("tokens", [1, 2]),
    "token twice": ("tokens", ["a"] * 267),
    "types too few": ("token_type", [1]),
    "unknown type": ("token_type", [9] * 267),
    "scores too few": ("scores", [0.0]),
    "scores are not numbers": ("scores", [float("nan")] * 267),
    "no bos": ("bos_token_id", None),
    "bos out of range": ("bos_token_id", 5000),
    "eos out of range": ("eos_token_id", -1),
    "flag is text": ("add_bos_token", "yes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refuses_what_contradicts_itself(name: str) -> None:
    key, value = BROKEN[name]
    metadata = sentencepiece()
    assert len(metadata["tokenizer.ggml.tokens"]) == 270
    metadata[f"tokenizer.ggml.{key}"] = value[:1] * 270 if _is_filler(value) else value
    with pytest.raises(ModelError) as caught:
        read_gguf(metadata, file="model.gguf")
    assert caught.value.code == "E0220"
    assert "model.gguf" in caught.value.line()


def _is_filler(value: object) -> bool:
    return isinstance(value, list) and len(value) == 267


@pytest.mark.parametrize("merge", ["ab", "a b c", " a", "a ", "a nowhere"])
def test_refuses_a_broken_merge(merge: str) -> None:
    metadata = byte_level("gpt2", "gpt-2")
    metadata["tokenizer.ggml.merges"][7] = merge
    with pytest.raises(ModelError, match="merge 7") as caught:
        read_gguf(metadata)
    assert caught.value.code == "E0220"


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "bert"), ("model", None), ("pre", "default"), ("pre", 7), ("add_eos_token", True)],
)
def test_refuses_what_is_not_on_the_list(key: str, value: object) -> None:
    metadata = byte_level("gpt2", "gpt-2") | {f"tokenizer.ggml.{key}": value}
    with pytest.raises(UnsupportedError) as caught:
        read_gguf(metadata)
    assert caught.value.code == "E0222"
