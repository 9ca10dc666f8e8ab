"""Valid plans of tiny models, one for each way a program can be put together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tiny_models import (
    lowered_graph,
    plan_of,
    runnable_config,
    two_kind_graph,
    write_tokenizer,
)

from aretusa.frontend.llama_config import Family
from aretusa.neureka.linear import Engine
from aretusa.target.load import load_target
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer.read_hf import read_hf
from aretusa.tokenizer_files import HF_FILE
from aretusa.trace.listing import listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.ir.graph import Graph
    from aretusa.plan.make import Plan
    from aretusa.target.description import Target
    from aretusa.trace.listing import Listing

KIB: Final = 1024


@cache
def tokenizer_bytes() -> int:
    """Of the tiny tokenizer's image."""
    with TemporaryDirectory() as name:
        write_tokenizer(Path(name))
        return len(tokenizer_image(read_hf(Path(name) / HF_FILE, eos_ids=(0,))))


def _tight() -> Target:
    """So little weight memory that most weights lie in L3, and little L1 and L2."""
    free = {"l1": 64 * KIB, "l2": 256 * KIB, "sram": 320 * KIB, "mram": 64 * KIB, "l3": 2048 * KIB}
    target = load_target()
    memories = tuple(
        replace(memory, size_bytes=free[memory.id.key] + memory.reserved_bytes)
        for memory in target.memories
    )
    return replace(target, memories=memories)


def _unsigned() -> Target:
    target = load_target()
    return replace(target, neureka_features=replace(target.neureka_features, signed_input=0))


def _of(
    graph: Callable[[], Graph],
    engine: Engine | None = None,
    target: Callable[[], Target] = load_target,
) -> Callable[[], Plan]:
    return lambda: plan_of(graph(), target(), engine=engine, tokenizer_bytes=tokenizer_bytes())


def _model(**changes: object) -> Callable[[], Graph]:
    chunk, scheme = changes.pop("chunk", 8), changes.pop("scheme", "w8")
    kv_bits = changes.pop("kv_bits", "8")
    family = changes.pop("family", Family.LLAMA)
    return lambda: lowered_graph(
        runnable_config(family, **changes),
        scheme=scheme,  # type: ignore[arg-type]
        chunk=chunk,  # type: ignore[arg-type]
        kv_bits=kv_bits,  # type: ignore[arg-type]
    )


PLANS: Final[dict[str, Callable[[], Plan]]] = {
    "chosen": _of(_model()),
    "cluster": _of(_model(chunk=5), Engine.CLUSTER),
    "3x3": _of(_model(chunk=6, scheme="w4"), Engine.NEUREKA_3X3),
    "1x1": _of(_model(chunk=8), Engine.NEUREKA_1X1),
    "split": _of(_model(chunk=3), Engine.SPLIT),
    "one token": _of(_model(chunk=1), Engine.NEUREKA_3X3),
    "groups": _of(_model(scheme="w4g32")),
    "groups 3x3": _of(_model(chunk=5, scheme="w4g32"), Engine.NEUREKA_3X3),
    "groups on the cluster": _of(_model(scheme="w8g64"), Engine.CLUSTER),
    "biases": _of(_model(family=Family.QWEN2), Engine.SPLIT),
    "norms of heads": _of(_model(family=Family.QWEN3), Engine.CLUSTER),
    "two kinds": _of(two_kind_graph),
    "unsigned 3x3": _of(_model(), Engine.NEUREKA_3X3, _unsigned),
    "unsigned 1x1": _of(_model(), Engine.NEUREKA_1X1, _unsigned),
    "tied": _of(_model(ties_embeddings=True)),
    "paged 3x3": _of(_model(chunk=4, scheme="w4", ffn_size=1024), Engine.NEUREKA_3X3, _tight),
    "paged 1x1": _of(_model(chunk=8, scheme="w4", ffn_size=1024), Engine.NEUREKA_1X1, _tight),
    "paged split": _of(_model(chunk=2, scheme="w4", ffn_size=1024), Engine.SPLIT, _tight),
    "narrow caches": _of(_model(kv_bits="4", head_dim=10)),
    "narrow values": _of(_model(kv_bits="8:4", chunk=3), target=_tight),
    "streamed": _of(_model(chunk=4, ffn_size=1024), Engine.CLUSTER, _tight),
}


@cache
def plan_named(name: str) -> Plan:
    """One of the plans; made once."""
    return PLANS[name]()


@cache
def listing_named(name: str) -> Listing:
    """Its numbers."""
    return listing(plan_named(name))
