"""Views, head norms and rotations move into the ops that quantise heads."""

from __future__ import annotations

import pytest
from small_graphs import expected, rewritten, small_graph

from aretusa.passes.fuse_heads import fuse_heads

BEFORE = """
    %h: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
    %n: f32[tokensx1x4] = RmsNorm(src=%h, weight="norm", eps=1e-06) layer 0
    %r: f32[tokensx1x4] = Rope(src=%n) layer 0
    %r.codes: q8[tokensx1x4] = Quantise(src=%r) layer 0
    CacheAppend(src=%r, norm_eps=0.0, rope=false, cache="keys") layer 0
    CacheAppend(src=%h, norm_eps=0.0, rope=false, cache="values") layer 0
    %a.heads: f32[tokensx1x4] = CachedAttention(query=%r.codes, key_cache="keys", \
value_cache="values") layer 0
    %a: f32[tokensx4] = MergeHeads(src=%a.heads) layer 0
    %out: f32[tokensx4] = Add(lhs=%x, rhs=%a) layer 0
"""


def test_norm_and_rope_go_into_the_quantising_op() -> None:
    after = """
        %h: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %n: f32[tokensx1x4] = RmsNorm(src=%h, weight="norm", eps=1e-06) layer 0
        %r: f32[tokensx1x4] = Rope(src=%n) layer 0
        %r.codes: q8[tokensx1x4] = HeadsQuantise(src=%x, norm_weight="norm", norm_eps=1e-06, \
rope=true) layer 0
        CacheAppend(src=%x, norm_weight="norm", norm_eps=1e-06, rope=true, cache="keys") layer 0
        CacheAppend(src=%x, norm_eps=0.0, rope=false, cache="values") layer 0
        %a: f32[tokensx4] = CachedAttention(query=%r.codes, key_cache="keys", \
value_cache="values") layer 0
        %out: f32[tokensx4] = Add(lhs=%x, rhs=%a) layer 0
    """
    assert rewritten(fuse_heads, BEFORE) == expected(after)


def test_heads_that_were_never_split_are_a_bug() -> None:
    graph = small_graph("""
        %h: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %f: f32[tokensx4] = MergeHeads(src=%h) layer 0
        CacheAppend(src=%f, norm_eps=0.0, rope=false, cache="keys") layer 0
        %out: f32[tokensx4] = Add(lhs=%x, rhs=%f) layer 0
    """)
    with pytest.raises(AssertionError, match=r"%f: .* does not come from SplitHeads"):
        fuse_heads(graph)
