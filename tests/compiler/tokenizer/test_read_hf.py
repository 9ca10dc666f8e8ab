"""What read_hf accepts beyond what test_encode.py trains, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tokenizer_cases import LLAMA3, trained
from tokenizers import Tokenizer

from aretusa.errors import AretusaError, ModelError, UnsupportedError
from aretusa.tokenizer import read_hf as reader
from aretusa.tokenizer.encode import encode
from aretusa.tokenizer.model import Pattern
from aretusa.tokenizer.read_hf import parse_hf, read_hf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]


def root_of(kind: str = "gpt2") -> Json:
    root: Json = json.loads(trained(kind).oracle.to_str())
    return root


def parse(root: Json) -> Any:  # noqa: ANN401 (a TokenizerModel)
    return parse_hf(json.dumps(root).encode(), file="tokenizer.json")


def set_at(*path: Any) -> Callable[[Json], None]:  # noqa: ANN401 (keys, then a value)
    *keys, last, value = path

    def change(root: Json) -> None:
        node: Any = root
        for key in keys:
            node = node[key]
        node[last] = value

    return change


def add_token(**fields: Any) -> Callable[[Json], None]:  # noqa: ANN401
    def change(root: Json) -> None:
        one = len(root["model"]["vocab"]) + 1  # after <tool_call>
        flags = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False)
        token = {"id": one, "content": "<x>", "special": True, **flags, **fields}
        root["added_tokens"].append(token)

    return change


def drop_model(root: Json) -> None:
    del root["model"]


def rename_token(root: Json) -> None:
    vocab = root["model"]["vocab"]
    vocab["no such token"] = vocab.pop("he")


BROKEN = {
    "no model": drop_model,
    "empty vocabulary": set_at("model", "vocab", {}),
    "id too large": set_at("model", "vocab", "he", 999_999_999),
    "negative id": set_at("model", "vocab", "he", -1),
    "id twice": set_at("model", "vocab", "he", 5),
    "id is text": set_at("model", "vocab", "he", "5"),
    "id is true": set_at("model", "vocab", "he", True),  # noqa: FBT003 (a value)
    "vocabulary is a list": set_at("model", "vocab", ["a"]),
    "unknown merge": rename_token,
    "merge of three": set_at("model", "merges", [["a", "b", "c"]]),
    "merge is text of three": set_at("model", "merges", ["a b c"]),
    "merge is a number": set_at("model", "merges", [7]),
    "merges is text": set_at("model", "merges", "a b"),
    "huge added id": add_token(id=999_999_999),
    "added id of another": add_token(id=5),
    "added twice": add_token(content="<|endoftext|>", id=0),
    "added is empty": add_token(content=""),
    "added is a list": set_at("added_tokens", 0, []),
    "unknown token is unknown": set_at("model", "unk_token", "nowhere"),
    "surrogate": add_token(content="\ud800"),
    "deep sequence": set_at("normalizer", {"type": "Sequence", "normalizers": []}),
}
_deep: Json = {"type": "NFC"}
for _ in range(40):
    _deep = {"type": "Sequence", "normalizers": [_deep]}
BROKEN["deep sequence"] = set_at("normalizer", _deep)

UNSUPPORTED = {
    "WordPiece": set_at("model", "type", "WordPiece"),
    "Unigram": set_at("model", "type", "Unigram"),
    "dropout": set_at("model", "dropout", 0.1),
    "end of word": set_at("model", "end_of_word_suffix", "</w>"),
    "prefix": set_at("model", "continuing_subword_prefix", "##"),
    "byte fallback": set_at("model", "byte_fallback", True),  # noqa: FBT003 (a value)
    "NFKC": set_at("normalizer", {"type": "NFKC"}),
    "Lowercase": set_at(
        "normalizer", {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    ),
    "regex normaliser": set_at(
        "normalizer", {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
    ),
    "BertPreTokenizer": set_at("pre_tokenizer", {"type": "BertPreTokenizer"}),
    "whole digits": set_at(
        "pre_tokenizer",
        {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
            ],
        },
    ),
    "foreign regex": set_at(
        "pre_tokenizer",
        {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        },
    ),
    "no decoder": set_at("decoder", None),
    "WordPiece decoder": set_at("decoder", {"type": "WordPiece"}),
    "BertProcessing": set_at("post_processor", {"type": "BertProcessing"}),
    "template with an end": set_at(
        "post_processor",
        {"type": "TemplateProcessing", "single": [{"Sequence": {}}, {"SpecialToken": {}}]},
    ),
    "lstrip": add_token(lstrip=True),
    "rstrip": add_token(rstrip=True),
    "single_word": add_token(single_word=True),
    "normalized overlaps": add_token(content="<|im_start|>x", normalized=True),
    "replacement character": add_token(content="\ufffd"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refuses_what_contradicts_itself(name: str) -> None:
    root = root_of()
    BROKEN[name](root)
    with pytest.raises(ModelError) as caught:
        parse(root)
    assert caught.value.code == "E0220"
    assert "tokenizer.json" in caught.value.line()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_refuses_what_is_not_on_the_list(name: str) -> None:
    root = root_of()
    UNSUPPORTED[name](root)
    with pytest.raises(UnsupportedError) as caught:
        parse(root)
    assert caught.value.code == "E0222"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"model": 1}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b"<!DOCTYPE html>",
    ],
)
def test_refuses_what_is_no_tokenizer(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        parse_hf(data)
    assert caught.value.code == "E0220"


def test_refuses_a_file_above_the_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 100)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b" " * 101)
    with pytest.raises(ModelError, match="more than 100 bytes") as caught:
        read_hf(path)
    assert caught.value.code == "E0221"


def test_refuses_a_token_above_the_budget() -> None:
    root = root_of()
    add_token(content="x" * 1025)(root)
    with pytest.raises(ModelError, match="1,025 bytes") as caught:
        parse(root)
    assert caught.value.code == "E0221"


def test_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AretusaError, match="no-such-file") as caught:
        read_hf(tmp_path / "no-such-file.json")
    assert caught.value.code == "E0220"


def test_reads_merges_as_text() -> None:
    root = root_of()
    root["model"]["merges"] = [" ".join(pair) for pair in root["model"]["merges"]]
    assert parse(root).merges == trained("gpt2").model.merges


def test_an_inverted_split_is_the_same() -> None:
    root = root_of("llama3")
    split = root["pre_tokenizer"]["pretokenizers"][0]
    assert split["pattern"]["Regex"] == LLAMA3
    split.update(behavior="Removed", invert=True)
    model = parse(root)
    assert model.cutting.pattern is Pattern.LLAMA3
    oracle = Tokenizer.from_str(json.dumps(root))
    text = "It'S 12345 \n\n x\u0301 !!\r\n  end"
    assert encode(model, text) == oracle.encode(text).ids


def test_late_tokens_that_overlap_nothing_are_read() -> None:
    root = root_of()
    add_token(content="[late]", normalized=True, special=False)(root)
    oracle = Tokenizer.from_str(json.dumps(root))
    assert encode(parse(root), "a[late]<s>b") == oracle.encode("a[late]<s>b").ids


def test_a_late_token_in_normalised_text_is_refused() -> None:
    root = root_of("qwen2")
    add_token(content="[late]", normalized=True)(root)
    with pytest.raises(UnsupportedError, match="normalized"):
        parse(root)
