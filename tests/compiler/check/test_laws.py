"""Laws of plans: any program on any chip is planned so that the checker agrees, or refused."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import KIB, PLANS, plan_named
from tiny_models import lowered_graph, plan_of, resized, runnable_config

from aretusa.check.plan import check_plan
from aretusa.errors import CapacityError
from aretusa.frontend.llama_config import Family
from aretusa.neureka.linear import Engine
from aretusa.target.load import load_target

PRINT_PLAN: Final = """
from listings import plan_named
plan = plan_named("paged split")
print(plan.memory.regions, plan.working, plan.options, plan.rolled, plan.load, sep="\\n")
"""


@st.composite
def models(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, Any]]:
    """A configuration; scheme, chunk, context and width of the caches of a small program."""
    kv_heads = draw(st.sampled_from([1, 2, 3]))
    heads = kv_heads * draw(st.sampled_from([1, 2, 3]))
    config = {
        "family": draw(st.sampled_from(list(Family))),
        "hidden_size": draw(st.sampled_from([32, 64, 96, 160])),
        "layers": draw(st.integers(1, 3)),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": draw(st.sampled_from([8, 10, 16, 64])),
        "ffn_size": draw(st.sampled_from([32, 96, 200, 640])),
        "ties_embeddings": draw(st.booleans()),
    }
    scheme = draw(st.sampled_from(["w8", "w4", "w2", "w3", "w4g32", "w8g64"]))
    context = draw(st.sampled_from([1, 7, 24, 64, 128]))
    chunk = draw(st.sampled_from([size for size in (1, 2, 3, 4, 5, 7, 12, 32) if size <= context]))
    kv_bits = draw(st.sampled_from(["8", "4", "8:4", "4:8"]))
    return config, {"scheme": scheme, "chunk": chunk, "context": context, "kv_bits": kv_bits}


@settings(max_examples=settings().max_examples // 2)
@given(
    model=models(),
    engine=st.sampled_from([None, *Engine]),
    sizes=st.fixed_dictionaries(
        {
            "l1": st.sampled_from([20 * KIB, 40 * KIB, 80 * KIB, 220 * KIB]),
            "l2": st.sampled_from([64 * KIB, 256 * KIB, 1024 * KIB]),
            "sram": st.sampled_from([64 * KIB, 384 * KIB, 1024 * KIB]),
            "mram": st.sampled_from([32 * KIB, 256 * KIB, 1024 * KIB]),
        }
    ),
)
def test_a_program_is_planned_soundly_or_refused(
    model: tuple[dict[str, object], dict[str, Any]], engine: Engine | None, sizes: dict[str, int]
) -> None:
    config, options = model
    graph = lowered_graph(runnable_config(**config), **options)
    try:
        plan = plan_of(graph, resized(load_target(), **sizes), engine=engine)
    except CapacityError:
        return
    check_plan(plan)


@pytest.mark.parametrize("name", PLANS)
def test_regions_that_are_alive_together_share_no_byte(name: str) -> None:
    for one, other in combinations(plan_named(name).memory.regions, 2):
        is_apart = (
            one.memory is not other.memory
            or one.end_bytes <= other.offset_bytes
            or other.end_bytes <= one.offset_bytes
        )
        both = [region for region in (one, other) if region.last >= 0]
        are_alive = len(both) < 2 or (one.first <= other.last and other.first <= one.last)
        assert is_apart or not are_alive, f"{one.name} and {other.name}"


def test_plans_do_not_depend_on_the_process_or_its_directory(tmp_path: object) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PRINT_PLAN],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": seed},
            cwd=cwd,  # type: ignore[call-overload]
            check=True,
            capture_output=True,
        ).stdout
        for seed, cwd in (("0", None), ("4711", tmp_path))
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10_000
