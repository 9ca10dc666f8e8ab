"""Widths of cached keys and values: how they are written, and what a graph declares."""

from __future__ import annotations

import pytest
from checkpoints import tiny_config

from aretusa.errors import UsageError
from aretusa.frontend.llama_graph import llama_graph
from aretusa.quantization.cache_bits import CacheBits, declare_caches


@pytest.mark.parametrize(
    ("text", "keys", "values"), [("8", 8, 8), ("4", 4, 4), ("8:4", 8, 4), ("4:8", 4, 8)]
)
def test_one_width_or_two(text: str, keys: int, values: int) -> None:
    bits = CacheBits.parse(text)
    assert bits == CacheBits(keys, values)
    assert str(bits) == text


def test_two_equal_widths_are_one() -> None:
    assert str(CacheBits.parse("4:4")) == "4"


@pytest.mark.parametrize(
    "text", ["", "3", "16", "four", "4:", ":4", "4:5", "4:4:4", "-4", "\uff14"]
)
def test_another_width_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="bits per cached key") as caught:
        CacheBits.parse(text)
    assert caught.value.code == "E0003"
    assert "--kv-bits" in str(caught.value)


def test_numbers_are_checked_too() -> None:
    with pytest.raises(UsageError, match="'8:2' bits per cached key and value"):
        CacheBits(8, 2)


def test_keys_and_values_are_declared_apart() -> None:
    graph = llama_graph(tiny_config(layers=2), name="x", chunk_max=1, context=4)
    declared = declare_caches(graph, CacheBits(8, 4))
    assert [(cache.name, cache.bits) for cache in declared.caches] == [
        ("l0.keys", 8),
        ("l0.values", 4),
        ("l1.keys", 8),
        ("l1.values", 4),
    ]
    assert declare_caches(declared, CacheBits()) == graph


def test_keys_of_four_bits_have_zero_points() -> None:
    graph = llama_graph(tiny_config(layers=1), name="x", chunk_max=1, context=4)
    declared = declare_caches(graph, CacheBits(4, 4))
    assert [(cache.name, cache.has_zeros) for cache in declared.caches] == [
        ("l0.keys", True),
        ("l0.values", False),
    ]
