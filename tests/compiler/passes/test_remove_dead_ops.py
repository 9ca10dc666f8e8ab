"""Ops whose results nobody reads disappear, together with what only they read."""

from __future__ import annotations

from small_graphs import expected, rewritten

from aretusa.passes.remove_dead_ops import remove_dead_ops


def test_dead_chains_go_and_cache_writes_stay() -> None:
    before = """
        %h: f32[tokensx1x4] = SplitHeads(src=%x) layer 0
        %r: f32[tokensx1x4] = Rope(src=%h) layer 0
        CacheAppend(src=%x, norm_eps=0.0, rope=true, cache="keys") layer 0
        %out: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer none
    """
    after = """
        CacheAppend(src=%x, norm_eps=0.0, rope=true, cache="keys") layer 0
        %out: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer none
    """
    assert rewritten(remove_dead_ops, before) == expected(after)
