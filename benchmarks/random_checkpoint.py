"""Checkpoints with random weights and a tokenizer, in the shapes of a configuration."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING, Final

from subjects import ROOT
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from aretusa.frontend.outline import open_outline

_TESTS: Final = ROOT / "tests"
if str(_TESTS) not in sys.path:
    sys.path.append(str(_TESTS))

from checkpoints import write_hf_llama  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from pathlib import Path

SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
STORED: Final = "float32"


def write_random_checkpoint(config: Path, directory: Path, *, layers: int | None = None) -> Path:
    """A Hugging Face directory with seeded weights; `layers` replaces that of the configuration."""
    shapes = open_outline(config).config
    if layers is not None:
        shapes = replace(shapes, layers=layers)
    write_hf_llama(directory, shapes, seed=0, dtype=STORED)
    write_pair_tokenizer(directory, shapes.vocab_size)
    return directory


def write_pair_tokenizer(directory: Path, vocabulary: int) -> None:
    """tokenizer.json with so many tokens: the special ones, the bytes, then pairs of bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    room = vocabulary - len(SPECIAL) - len(alphabet)
    merges = list(islice(product(alphabet, alphabet), room))
    tokens = [*SPECIAL, *alphabet, *(left + right for left, right in merges)]
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(directory / "tokenizer.json"))
