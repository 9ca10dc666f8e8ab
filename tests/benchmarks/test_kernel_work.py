"""The work of a program's kernels, against numbers counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel_work import KernelWork, Step, decode_steps, kernel_work, prefill_steps
from tiny_models import lowered_graph, plan_of, runnable_config, two_kind_graph

from aretusa.codegen.network_view import NetworkViewBuilder
from aretusa.jobs.prepared import prepared_jobs
from aretusa.schedule.roll import roll
from aretusa.trace.listing import listing

if TYPE_CHECKING:
    from aretusa.ir.graph import Graph


def _names(graph: Graph) -> list[str]:
    """Rows of the profile as the code generator registers them."""
    plan = plan_of(graph)
    jobs = prepared_jobs(listing(plan))
    builder = NetworkViewBuilder(graph, roll(graph), plan.bodies, plan.memory, jobs)
    builder._parts()
    return builder.profile


def _work(graph: Graph, *steps: Step) -> dict[str, KernelWork]:
    return {work.kernel: work for work in kernel_work(graph, _names(graph), steps)}


@pytest.mark.parametrize("graph", [lowered_graph(), two_kind_graph()])
def test_each_row_of_the_profile_is_the_op_of_its_name(graph: Graph) -> None:
    for name, work in _work(graph, Step(tokens=1, position=0)).items():
        assert work.is_product == (
            name.endswith("_proj") or name in {"lm_head", "model_embed_tokens"}
        )
        assert ("attention" in name and "input" not in name) == (work.form == "CachedAttention")


def test_products_are_rows_times_columns_times_tokens_and_layers() -> None:
    config = runnable_config(layers=3)
    found = _work(lowered_graph(config), Step(tokens=5, position=2))
    gate = found["mlp_gate_proj"]
    assert gate.macs == 3 * 5 * config.ffn_size * config.hidden_size
    assert gate.rows == config.ffn_size
    assert gate.units == gate.macs


def test_the_head_runs_for_one_token_of_a_step() -> None:
    config = runnable_config()
    work = _work(lowered_graph(config), Step(tokens=5, position=0)).values()
    (head,) = (one for one in work if one.is_product and one.is_of_head)
    assert head.macs == config.vocab_size * config.hidden_size


def test_attention_reads_every_position_up_to_its_own() -> None:
    config = runnable_config(layers=1)
    found = _work(lowered_graph(config), Step(tokens=2, position=10))
    assert found["attention"].macs == 2 * config.heads * config.head_dim * (11 + 12)


def test_kernels_without_products_count_elements() -> None:
    config = runnable_config(layers=2)
    found = _work(lowered_graph(config), Step(tokens=4, position=0))
    assert found["activated_codes"].elements == 2 * 4 * config.ffn_size
    assert found["activated_codes"].macs == 0
    assert found["hidden"].elements == 4 * config.hidden_size


def test_prefill_and_decode_take_the_same_attention() -> None:
    graph = lowered_graph()
    at_once = _work(graph, *prefill_steps(11, 4))["attention"]
    one_by_one = _work(graph, *decode_steps(0, 11))["attention"]
    assert at_once.macs == one_by_one.macs


def test_a_prompt_is_cut_into_chunks() -> None:
    assert [(step.tokens, step.position) for step in prefill_steps(10, 4)] == [
        (4, 0),
        (4, 4),
        (2, 8),
    ]


def test_rows_fill_blocks_of_eight() -> None:
    work = KernelWork(
        kernel="k", form="W8", macs=1, elements=0, is_product=True, is_of_head=False, rows=84
    )
    assert work.rows_worked_on == 88


@pytest.mark.parametrize(
    ("scheme", "form"), [("w8", "W8 channel"), ("w4g32", "W4 g32"), ("w8g32", "W8 g32")]
)
def test_the_form_names_bits_and_groups(scheme: str, form: str) -> None:
    found = _work(lowered_graph(scheme=scheme), Step(tokens=1, position=0))
    assert found["mlp_up_proj"].form == form
