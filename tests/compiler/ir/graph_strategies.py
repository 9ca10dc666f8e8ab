"""Hypothesis strategies: configurations of every family and the graphs made from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checkpoints import tiny_config
from hypothesis import strategies as st

from aretusa.frontend.llama_config import Family
from aretusa.frontend.llama_graph import llama_graph
from aretusa.ir.types import DenseType, Weight
from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.quantization.cache_bits import CACHE_WIDTHS, CacheBits, declare_caches

if TYPE_CHECKING:
    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.ir.graph import Graph


@st.composite
def configs(draw: st.DrawFn) -> LlamaConfig:
    """Any mixture of what the families may have."""
    kv_heads = draw(st.integers(1, 3))
    return tiny_config(
        draw(st.sampled_from(Family)),
        hidden_size=draw(st.integers(1, 80)),
        layers=draw(st.integers(1, 3)),
        heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=2 * draw(st.integers(1, 20)),
        ffn_size=draw(st.integers(1, 120)),
        vocab_size=draw(st.integers(2, 100)),
        norm_eps=draw(st.floats(1e-8, 1e-3)),
        ties_embeddings=draw(st.booleans()),
        has_qkv_bias=draw(st.booleans()),
        has_qk_norm=draw(st.booleans()),
    )


@st.composite
def dense_types(draw: st.DrawFn, shape: DenseType) -> DenseType:
    """The shape in any stored form."""
    has_minimum = draw(st.booleans())
    pattern = draw(st.none() | st.sampled_from([(1, 2), (2, 4), (12, 16)]))
    return replace(
        shape,
        bits=draw(st.integers(2, 8)),
        group=draw(st.sampled_from([0, 32, 64, 128])),
        zero=draw(st.sampled_from([0, 8])),
        has_minimum=has_minimum,
        has_zeros=has_minimum and draw(st.booleans()),
        pattern=pattern,
        is_packed=pattern is not None and draw(st.booleans()),
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs after any number of passes, real or quantised, under any name."""
    graph = llama_graph(
        draw(configs()),
        name=draw(st.text()),
        chunk_max=draw(st.integers(1, 64)),
        context=draw(st.integers(1, 4096)),
    )
    declared = tuple(
        Weight(weight.name, draw(dense_types(weight.type)))
        if isinstance(weight.type, DenseType) and draw(st.booleans())
        else weight
        for weight in graph.weights
    )
    widths = st.sampled_from(CACHE_WIDTHS)
    graph = declare_caches(graph, CacheBits(draw(widths), draw(widths)))
    passes = LOWERING[: draw(st.integers(0, len(LOWERING)))]
    return run_passes(replace(graph, weights=declared), passes)
