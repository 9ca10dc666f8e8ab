"""The page from measurements that were made up."""

from __future__ import annotations

import json
from dataclasses import replace

from compile_cost import CompileCost, ElfSize
from emulated import BootCost, EmulatedCost, KernelCount, TextCost
from goals import compile_verdicts, emulated_verdicts
from host_speed import HostRun, HostSpeed
from isolated_kernels import IsolatedCount
from kernel_work import KernelWork
from machine_facts import MachineFacts
from measurements import Measured, Measurements, as_json
from reference_engine import ReferenceRun
from report import report
from subjects import SMOLLM2, TINY_ORATOR

MACHINE = MachineFacts(
    commit="abc",
    product="aretusa 1",
    processor="a processor",
    cores=2,
    memory_gib=8.0,
    load=(0.5, 0.25, 0.0),
    python="3.11",
    numpy="2",
    tools={"make": "4"},
)
COMPILED = CompileCost(
    wall_s=(3.0, 2.0, 9.0),
    cpu_s=(1.0, 1.5, 2.0),
    peak_bytes=1 << 30,
    generated_lines=4999,
    generated_files_lines=5200,
    image_bytes={"l2": 1000, "mram": 2000},
    weight_bytes=2500,
    parameters=2000,
    make_wall_s=4.0,
    make_cpu_s=3.0,
    firmware=ElfSize(code=100, constants=20, variables=3, monitor=4),
)


def _kernel(instructions: int, *, form: str = "W8 g32") -> KernelCount:
    work = KernelWork(
        kernel="k_proj",
        form=form,
        macs=1000,
        elements=0,
        is_product=True,
        is_of_head=False,
        rows=84,
    )
    return KernelCount(work=work, instructions=instructions)


EMULATED = EmulatedCost(
    harts=8,
    prompt_tokens=4,
    decode_tokens=2,
    boot=70,
    prefill_total=8000,
    per_token=(4000, 4100),
    per_token_one_hart=(3900, 4000),
    profiled_per_token=(4010, 4110),
    decode=(_kernel(3600),),
    prefill=(_kernel(2900),),
    is_repeated_exactly=True,
)
BOOT = BootCost(
    image_bytes=3000,
    checks=21000,
    texts=(TextCost(text="English", text_bytes=10, tokens=5, instructions=1000),),
)
HOST = HostSpeed(
    threads=2,
    decoded=2,
    ours=(HostRun(prompt=[1], tokens=[5, 6, 7], decode_s=0.5, decode_cpu_s=1.0),),
    theirs=(
        ReferenceRun(
            version="0.3",
            system="AVX2 = 1",
            prompt=[1],
            tokens=[5, 6, 8],
            prefill_s=0.1,
            decode_s=0.25,
            decode_cpu_s=0.5,
        ),
    ),
    no_reference="",
)
KERNELS = tuple(
    IsolatedCount(kernel=name, instructions=700, units=100)
    for name in (
        "linear w4 group 32 zero 0 576x1536 tokens 1",
        "linear w4 group 32 zero 0 576x1536 tokens 8",
        "attention AttentionShape(tokens=1, heads=9, dim=64, position=127, context=512)",
        "crc32c of 65536 bytes at 0",
    )
)
ALL = Measurements(
    machine=MACHINE,
    minutes=1.5,
    models=(
        Measured(subject=SMOLLM2, compiled=COMPILED, emulated=EMULATED, boot=BOOT, host=(HOST,)),
        Measured(subject=TINY_ORATOR, absence="it is missing"),
    ),
    kernels=KERNELS,
)


def test_a_missed_goal_is_said_with_its_reason() -> None:
    page = report(ALL)
    assert "| smollm2, decode, W8 g32 matrices | < 3.5 per MAC | 3.60 | **no** |" in page
    assert "smollm2, decode, W8 g32 matrices: 3.60 instead of < 3.5 per MAC. To the" in page
    assert "k_proj has 84 rows and works on 88" in page


def test_a_goal_that_is_met_needs_no_reason() -> None:
    met = replace(EMULATED, decode=(_kernel(3499),))
    verdicts = list(emulated_verdicts(SMOLLM2, met))
    assert all(verdict.is_met and not verdict.reason for verdict in verdicts)


def test_counts_that_differ_between_runs_miss_a_goal() -> None:
    verdicts = list(emulated_verdicts(SMOLLM2, replace(EMULATED, is_repeated_exactly=False)))
    assert [verdict.found for verdict in verdicts if not verdict.is_met][-1] == "different"


def test_compile_goals_take_the_least_disturbed_run() -> None:
    found = {verdict.what: verdict for verdict in compile_verdicts(SMOLLM2, COMPILED)}
    assert found["compile smollm2"].found == "2.0 s (processor 1.5 s)"
    assert found["peak memory of compiling smollm2"].found == "1,024 MiB"
    assert all(verdict.is_met for verdict in found.values())


def test_the_ratio_is_of_tokens_per_second() -> None:
    page = " ".join(report(ALL).split())
    assert "tokens per second: 0.500 / 0.500 / 0.500; by processor time 0.500" in page
    assert "The ids of the prompt are the same; the first 2 of 3 tokens are alike" in page


def test_a_missing_reference_engine_is_one_line() -> None:
    host = replace(HOST, theirs=(), no_reference="it is not there")
    page = report(replace(ALL, models=(Measured(subject=SMOLLM2, host=(host,)),)))
    assert "llama.cpp: not measured: it is not there." in page


def test_a_missing_model_is_one_line() -> None:
    assert "tiny-orator: not measured: it is missing" in report(ALL)


def test_isolated_kernels_have_short_names() -> None:
    page = " ".join(report(ALL).split())
    assert "| W4 g32 min | 7.000 | 7.000 |" in page
    assert "attention, 9 heads of 64, 128 positions" in page
    assert "The checksum alone takes 7.00 instructions per byte." in page


def test_the_json_has_every_figure() -> None:
    document = json.loads(as_json(ALL))
    assert document["models"][0]["emulated"]["decode"][0]["work"]["macs"] == 1000
    assert document["models"][0]["subject"]["checkpoint"].endswith(".gguf")
