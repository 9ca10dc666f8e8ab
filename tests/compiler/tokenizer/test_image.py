from __future__ import annotations

import struct

import pytest
from tokenizer_cases import KINDS, trained

from aretusa.tokenizer.image import (
    MAGIC,
    MAX_TEXT_BYTES,
    Table,
    encode_scratch_bytes,
    tokenizer_image,
)
from aretusa.tokenizer.read_hf import parse_hf


@pytest.mark.parametrize("kind", KINDS)
def test_equal_models_give_equal_bytes(kind: str) -> None:
    case = trained(kind)
    again = parse_hf(case.oracle.to_str().encode(), file="other.json", eos_ids=(0,))
    assert tokenizer_image(case.model) == tokenizer_image(again)


def test_the_header_says_how_long_the_image_is() -> None:
    image = tokenizer_image(trained("gpt2").model)
    magic, version, size_bytes = struct.unpack_from("<3I", image)
    assert (magic, version, size_bytes) == (MAGIC, 1, len(image))
    assert len(image) % 4 == 0


def test_tables_that_a_model_does_not_use_are_empty() -> None:
    image = tokenizer_image(trained("smollm").model)
    sizes = dict(zip(Table, struct.unpack_from("<32I", image, 32)[1::2], strict=True))
    empty = {table for table, size_bytes in sizes.items() if not size_bytes}
    expected = {Table.CHARS, Table.WORDS, Table.BOS, Table.COMBINING}
    assert empty == expected | {Table.DECOMPOSITIONS, Table.COMPOSITIONS}


def test_scratch_has_a_limit() -> None:
    assert encode_scratch_bytes(0) > 0
    assert encode_scratch_bytes(MAX_TEXT_BYTES) > 0
    assert encode_scratch_bytes(MAX_TEXT_BYTES + 1) == 0
