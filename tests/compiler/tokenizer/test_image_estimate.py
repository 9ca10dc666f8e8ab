"""The estimate of a tokenizer's image against images of real tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from checkpoints import tiny_config

from aretusa.frontend.llama_config import Family
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer.image_estimate import estimated_image_bytes
from aretusa.tokenizer.read_hf import read_hf

SHIPPED: Final = Path(__file__).parents[3] / "examples/models/tiny-orator/tokenizer.json"


@pytest.mark.parametrize(
    ("family", "vocabulary", "image_bytes", "excess"),
    [
        # tokenizer_image() of the tokenizer.json that was published with each model
        (Family.LLAMA, 128_256, 6_380_468, 0.02),  # Llama 3
        (Family.QWEN3, 151_936, 4_062_944, 0.03),  # Qwen3
        (Family.LLAMA, 49_152, 934_424, 0.53),  # SmolLM2
        (Family.LLAMA, 2_048, 39_412, 0.71),  # tiny-orator
    ],
)
def test_it_is_a_little_too_large(
    family: Family, vocabulary: int, image_bytes: int, excess: float
) -> None:
    estimate = estimated_image_bytes(tiny_config(family, vocab_size=vocabulary))
    assert estimate % 4 == 0
    assert image_bytes <= estimate <= image_bytes * (1 + excess)


def test_the_shipped_tokenizer_has_the_size_that_is_compared() -> None:
    assert len(tokenizer_image(read_hf(SHIPPED, eos_ids=(0,)))) == 39_412


def test_more_tokens_never_need_less() -> None:
    sizes = (1, 2, 100, 65_535, 65_536, 65_537, 2**20)
    for family in Family:
        estimates = [estimated_image_bytes(tiny_config(family, vocab_size=n)) for n in sizes]
        assert estimates == sorted(estimates)
