"""Attention over floats becomes appends to caches and attention over the caches."""

from __future__ import annotations

from small_graphs import expected, rewritten

from aretusa.passes.expand_attention import expand_attention


def test_attention_becomes_four_ops() -> None:
    before = """
        %q: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %k: f32[tokensx1x4] = Rope(src=%q) layer 0
        %v: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %a: f32[tokensx1x4] = Attention(query=%q, key=%k, value=%v, key_cache="keys", \
value_cache="values") layer 0
        %out: f32[tokensx4] = MergeHeads(src=%a) layer 0
    """
    after = """
        %q: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %k: f32[tokensx1x4] = Rope(src=%q) layer 0
        %v: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %q.codes: q8[tokensx1x4] = Quantise(src=%q) layer 0
        CacheAppend(src=%k, norm_eps=0.0, rope=false, cache="keys") layer 0
        CacheAppend(src=%v, norm_eps=0.0, rope=false, cache="values") layer 0
        %a: f32[tokensx1x4] = CachedAttention(query=%q.codes, key_cache="keys", \
value_cache="values") layer 0
        %out: f32[tokensx4] = MergeHeads(src=%a) layer 0
    """
    assert rewritten(expand_attention, before) == expected(after)
