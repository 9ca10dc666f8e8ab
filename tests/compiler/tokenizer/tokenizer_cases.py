"""Texts to encode, and tokenizers of every kind, trained here, to compare with."""

# ruff: noqa: RUF001 (letters of many scripts are the point)
from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from required_tools import skip_or_fail
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from aretusa.frontend.gguf_file import open_gguf
from aretusa.tokenizer.read_hf import parse_hf

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.tokenizer.model import TokenizerModel

_ROOT = Path(__file__).parents[3]
TEXT_COUNT = 2200
VOCAB_SIZE = 1200

WORDS = (
    *("the quick brown fox", "it's we've I'LL don'T you're he'd 'S 'Re 'lL 'ſ", "naïve façade"),
    *("Zażółć gęślą jaźń", "Привет, мир", "Ελλάδα ΐ ὕ", "日本語テキスト", "中文字符，测试。"),
    *("한국어 문장", "\u1112\u1161\u11ab\u1100\u1173\u11af", "שָׁלוֹם", "مرحبا بالعالم", "नमस्ते दुनिया"),
    *(
        "ภาษาไทย",
        "ქართული",
        "አማርኛ",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
        "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈",
        "e\u0301 a\u0323\u0302 \u0301x o\u0302\u0323",
    ),
    *(
        "q\u0307\u0323\u0307",
        "\u212b \u2126 \uf900",
        "1234567890",
        "3.14159e-10",
        "٣٤٥ ৪২ Ⅷ ½ ² 〇",
    ),
    *("def f(x):\n\treturn x**2", "a_b-c/d\\e", "{'k': [1, 2]}", "if (a && b) { c += 1; }"),
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_", "<s>", "</s>", "<unk>", "<0x41>"),
    *("<tool_call>", "<tool>", "...", "!?!?", "--", "\u2581\u2581x", "$100.00", "#!@%^&*()"),
    *("supercalifragilistic" * 3, "aaaaaaaaaaaaaaaaaaaaa", "ABCDefgh", "\u00df\u1e9e", "'"),
)
SPACES = (
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\n\n",
    "   \n ",
    "\u00a0",
    "\u3000",
    "\u2028",
    " \t ",
    "",
    "",
)
ODD_CODES = ((0x80, 0x2FF), (0x300, 0x36F), (0x900, 0x97F), (0x1E00, 0x1FFF), (0x2000, 0x2BFF))
ODD_CODES = (*ODD_CODES, (0, 0x1F), (0xFB00, 0xFFFF), (0x10000, 0x1FFFF), (0xE0000, 0xE01EF))
EDGES = (
    *("", " ", "  ", "\n", "a", "\u0301", "\0", "\x1c \x1d", "\ufeffx", "\ufffd", "\U0010ffff"),
    *("'", "'s", "s'", " '", "' s", "x\u0338 >\u0338", "\u0344\u0345\u0340", "\r", "\r\n\r\n \r"),
    *("a   b", "a \n  b", "   ", "a   ", "1 2  3", "12345", " 1", "\U00011de1\U00016ff5"),
    *("<|endoftext|><|endoftext|>", " <|endoftext|> ", "<|endoftext", "<<|endoftext|>>"),
)


def texts(count: int = TEXT_COUNT) -> list[str]:
    """The same texts every time: edge cases, each fragment on its own, then mixtures."""
    dice = random.Random(20260101)  # noqa: S311 (not a secret)
    found = [*EDGES, *WORDS, *(f" {word}" for word in WORDS)]
    while len(found) < count:
        parts: list[str] = []
        for _ in range(dice.randint(1, 9)):
            parts += [dice.choice(WORDS if dice.random() < 0.7 else (_odd(dice),))]
            parts += [dice.choice(SPACES)]
        text = "".join(parts)
        cut = dice.randint(0, len(text))
        found.append(text[cut:] if dice.random() < 0.2 else text)
    return found


def _odd(dice: random.Random) -> str:
    low, high = dice.choice(ODD_CODES)
    codes = (dice.randint(low, high) for _ in range(dice.randint(1, 4)))
    return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


@dataclass(frozen=True)
class Case:
    """One tokenizer, ours and the library's."""

    model: TokenizerModel
    oracle: Tokenizer


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>"]


def _byte_level(splitter: Any, normalizer: Any = None) -> Tokenizer:  # noqa: ANN401 (no types)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        show_progress=False,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts(600), trainer)
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
    return tokenizer


def _split(pattern: str) -> Any:  # noqa: ANN401 (the library has no types)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level])


def _gpt2(*, add_prefix_space: bool = False) -> Tokenizer:
    return _byte_level(pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space))


def _smollm() -> Tokenizer:
    digits = pre_tokenizers.Digits(individual_digits=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _byte_level(pre_tokenizers.Sequence([digits, byte_level]))


def _llama3() -> Tokenizer:
    tokenizer = _with_model(_byte_level(_split(LLAMA3)), ignore_merges=True)
    begin = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), begin]
    )
    return tokenizer


def _sentencepiece(**model: bool) -> Tokenizer:
    """Llama 2's pipeline; the bytes are added to the vocabulary after training."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 (not a secret)
    prepare = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    tokenizer.normalizer = normalizers.Sequence(prepare)
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz\u2581 \n"),
        limit_alphabet=90,
    )
    tokenizer.train_from_iterator([text[:40] for text in texts(300)], trainer)
    plain = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*plain, decoders.Strip(" ", 1, 0)])
    return _with_model(tokenizer, **model)


def _with_model(tokenizer: Tokenizer, **changes: bool) -> Tokenizer:
    """The same tokenizer with other settings of its model; byte_fallback brings the bytes."""
    root = json.loads(tokenizer.to_str())
    root["model"].update(changes)
    if changes.get("byte_fallback"):
        vocab = root["model"]["vocab"]
        for byte in range(256):
            vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    return Tokenizer.from_str(json.dumps(root))


def _metaspace(scheme: str, *, split: bool) -> Tokenizer:
    tokenizer = _sentencepiece(byte_fallback=True)
    root = json.loads(tokenizer.to_str())
    root["normalizer"] = None
    changed = Tokenizer.from_str(json.dumps(root))
    changed.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    return changed


_MAKERS: dict[str, Callable[[], Tokenizer]] = {
    "gpt2": _gpt2,
    "gpt2-prefix": lambda: _gpt2(add_prefix_space=True),
    "gpt2-split": lambda: _byte_level(_split(GPT2)),
    "llama3": _llama3,
    "qwen2": lambda: _byte_level(_split(QWEN2), normalizers.NFC()),
    "smollm": _smollm,
    "sentencepiece": lambda: _sentencepiece(byte_fallback=True, fuse_unk=True),
    "sentencepiece-unknown": lambda: _sentencepiece(fuse_unk=False),
    "sentencepiece-fused": lambda: _sentencepiece(fuse_unk=True),
    "metaspace-first": lambda: _metaspace("first", split=False),
    "metaspace-always": lambda: _metaspace("always", split=True),
}
KINDS = tuple(_MAKERS)


@cache
def trained(kind: str) -> Case:
    """The tokenizer of one kind, trained once per session."""
    oracle = _MAKERS[kind]()
    return Case(parse_hf(oracle.to_str().encode(), file=f"{kind}.json", eos_ids=(0,)), oracle)


def find_smollm2_metadata() -> dict[str, Any]:
    """Metadata of the real file; without it the test fails in CI and is skipped elsewhere."""
    named = os.environ.get("ARETUSA_SMOLLM2_GGUF")
    cached = sorted((_ROOT / ".cache" / "smollm2").glob("*.gguf"))
    found = [Path(named)] if named else cached
    if not found or not found[0].is_file():
        skip_or_fail("there is no SmolLM2 file; make smollm2 fetches it")
    return dict(open_gguf(found[0]).metadata)


def oracle_of_gguf(metadata: dict[str, Any]) -> Tokenizer:
    """The library's tokenizer for SmolLM2, put together by hand from the GGUF metadata."""
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: one for one, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = metadata["tokenizer.ggml.token_type"]
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in control])
    return tokenizer
