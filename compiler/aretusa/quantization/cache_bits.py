"""Widths of cached keys and values: as options name them, and as a graph declares them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.ir import ops

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph

CACHE_WIDTHS: Final = (4, 8)


@dataclass(frozen=True, slots=True)
class CacheBits:
    """Bits per code of keys and of values."""

    keys: int = 8
    values: int = 8

    def __post_init__(self) -> None:
        for bits in (self.keys, self.values):
            if bits not in CACHE_WIDTHS:
                raise _refusal(str(self))

    def __str__(self) -> str:
        return f"{self.keys}" if self.keys == self.values else f"{self.keys}:{self.values}"

    @classmethod
    def parse(cls, text: str) -> CacheBits:
        """From `4`, both, or `8:4`, keys and values; E0003 for anything else."""
        keys, colon, values = text.partition(":")
        widths = {str(bits): bits for bits in CACHE_WIDTHS}
        if keys not in widths or (colon and values not in widths):
            raise _refusal(text)
        return cls(widths[keys], widths[values if colon else keys])


def declare_caches(graph: Graph, bits: CacheBits) -> Graph:
    """The graph with caches of these widths."""
    reads = [op for op in graph.ops if isinstance(op, ops.Attention | ops.CachedAttention)]
    keys = {op.key_cache for op in reads}
    caches = tuple(
        replace(cache, bits=bits.keys, has_zeros=bits.keys == 4)
        if cache.name in keys
        else replace(cache, bits=bits.values)
        for cache in graph.caches
    )
    return replace(graph, caches=caches)


def graph_cache_bits(graph: Graph) -> CacheBits:
    """The widths that a graph declares, the same for all layers."""
    for op in graph.ops:
        if isinstance(op, ops.Attention | ops.CachedAttention):
            return CacheBits(graph.cache(op.key_cache).bits, graph.cache(op.value_cache).bits)
    return CacheBits()


def _refusal(text: str) -> UsageError:
    return UsageError(
        "E0003",
        f"{text!r} bits per cached key and value are not possible",
        why="codes in the KV cache have 4 or 8 bits",
        fix="Choose --kv-bits 8, 4, or 8:4 and 4:8 for keys and values apart",
    )
