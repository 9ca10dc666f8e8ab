"""The token loop, on the host and on the harts of QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from aretusa.execution.firmware import Platform
from aretusa.execution.machine import RunOutcome, run_host, run_qemu
from aretusa.execution.records import StopReason
from aretusa.execution.request import IdSegment, RunRequest, TextSegment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import FakeNetwork

FAULT_LATE_HANG = 89
HELLO = [ord(c) - 31 for c in "Hello"]
MACHINES = [
    pytest.param("host", id="host"),
    pytest.param("qemu", id="qemu", marks=pytest.mark.qemu),
    pytest.param("qemu-zfinx", id="qemu-zfinx", marks=pytest.mark.zfinx),
]
pytestmark = pytest.mark.usefixtures("tools")


def run(
    machine: str,
    build: Path,
    request: RunRequest,
    cores: int = 8,
    on_text: Callable[[bytes], None] | None = None,
) -> RunOutcome:
    if machine == "host":
        return run_host(build, request, on_text=on_text, threads=cores, timeout_s=60)
    return run_qemu(
        build,
        request,
        on_text=on_text,
        harts=cores,
        platform=Platform(machine),
        timeout_s=60,
    )


def hello(max_new_tokens: int = 20, **options: object) -> RunRequest:
    return RunRequest(
        segments=(TextSegment("Hello"),),
        max_new_tokens=max_new_tokens,
        **{"ignore_stop": True, **options},
    )


def chosen(outcome: RunOutcome) -> list[int]:
    assert outcome.records is not None
    return [record.token for record in outcome.records.tokens]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("cores", [1, 2, 8])
def test_every_number_of_cores_chooses_the_same_tokens(
    machine: str, cores: int, fake_build: Path, fake_network: FakeNetwork
) -> None:
    outcome = run(machine, fake_build, hello(), cores)

    assert chosen(outcome) == fake_network.greedy(HELLO, 20)
    assert outcome.records is not None
    assert outcome.records.prompt == tuple(HELLO)
    assert [record.position for record in outcome.records.tokens] == list(range(5, 25))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("chunk", [1, 7, 32])
def test_every_chunk_of_the_prompt_gives_the_same_logits(
    machine: str, chunk: int, fake_build: Path, fake_network: FakeNetwork
) -> None:
    prompt = [(13 * i + 5) % 90 for i in range(34)]
    request = RunRequest(
        segments=(IdSegment(tuple(prompt)),),
        max_new_tokens=3,
        chunk=chunk,
        logits=True,
        ignore_stop=True,
    )

    outcome = run(machine, fake_build, request)

    tokens = prompt + fake_network.greedy(prompt, 3)
    assert chosen(outcome) == tokens[34:]
    assert outcome.records is not None
    assert [record.position for record in outcome.records.logits] == list(range(36))
    for record in outcome.records.logits:
        expected = fake_network.logits(tokens[: record.position + 1])
        assert record.logits.tolist() == expected, record.position


class Enough(Exception):  # noqa: N818 - not an error: the test has seen what it wanted
    pass


@pytest.mark.parametrize("machine", MACHINES)
def test_text_comes_before_the_end(
    machine: str, fake_build: Path, fake_network: FakeNetwork
) -> None:
    """The program prints three tokens and then hangs."""
    prompt = [FAULT_LATE_HANG, 50, 51]
    expected = "".join(chr(token + 31) for token in fake_network.greedy(prompt, 3)).encode()
    request = RunRequest(segments=(IdSegment(tuple(prompt)),), max_new_tokens=9, ignore_stop=True)
    pieces: list[bytes] = []

    def listen(piece: bytes) -> None:
        pieces.append(piece)
        if b"".join(pieces) == expected:
            raise Enough

    with pytest.raises(Enough):
        run(machine, fake_build, request, on_text=listen)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_text_is_what_was_chosen(machine: str, fake_build: Path) -> None:
    outcome = run(machine, fake_build, hello(30))

    assert outcome.text == "".join(chr(token + 31) for token in chosen(outcome) if token != 0)


@pytest.mark.parametrize("machine", MACHINES)
def test_stops_at_an_end_token_and_does_not_print_it(
    machine: str, fake_build: Path, fake_network: FakeNetwork
) -> None:
    endless = fake_network.greedy(HELLO, 35)
    where = next(i for i, token in enumerate(endless) if token in fake_network.stop_tokens)

    outcome = run(machine, fake_build, hello(35, ignore_stop=False))

    assert chosen(outcome) == endless[: where + 1]
    assert outcome.text == "".join(chr(token + 31) for token in endless[:where])
    assert outcome.records is not None
    assert outcome.records.stop.reason is StopReason.END_TOKEN
    assert outcome.records.stop.new_tokens == where + 1


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("prompt_tokens", "new_tokens"), [(1, 40), (5, 36), (39, 2), (40, 1)])
def test_stops_when_the_context_is_full(
    machine: str, prompt_tokens: int, new_tokens: int, fake_build: Path
) -> None:
    ids = tuple(range(20, 20 + prompt_tokens))
    request = RunRequest(segments=(IdSegment(ids),), max_new_tokens=1000, ignore_stop=True)

    outcome = run(machine, fake_build, request)

    assert outcome.records is not None
    assert outcome.records.stop.reason is StopReason.CONTEXT_FULL
    assert outcome.records.stop.prompt_tokens == prompt_tokens
    assert len(outcome.records.tokens) == outcome.records.stop.new_tokens == new_tokens


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("budget", [0, 1, 3])
def test_stops_at_the_token_budget(machine: str, budget: int, fake_build: Path) -> None:
    outcome = run(machine, fake_build, hello(budget, logits=True))

    assert outcome.records is not None
    assert outcome.records.stop.reason is StopReason.TOKEN_BUDGET
    assert len(outcome.records.tokens) == budget
    assert len(outcome.records.logits) == 5 + max(0, budget - 1)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (IdSegment(tuple(range(41))), StopReason.PROMPT_TOO_LONG),
        (TextSegment("x" * 41), StopReason.PROMPT_TOO_LONG),
        (TextSegment("x" * 40, begin=True), StopReason.PROMPT_TOO_LONG),
        (IdSegment((5, 96)), StopReason.BAD_TOKEN),
        (IdSegment((5, -1)), StopReason.BAD_TOKEN),
        (IdSegment(()), StopReason.BAD_TOKEN),
        (TextSegment(""), StopReason.BAD_TOKEN),
        (TextSegment("ü"), StopReason.BAD_TOKEN),
    ],
)
def test_refuses_a_prompt_before_any_computation(
    machine: str, segment: IdSegment | TextSegment, reason: StopReason, fake_build: Path
) -> None:
    request = RunRequest(segments=(segment,), max_new_tokens=4)

    outcome = run(machine, fake_build, request)

    assert outcome.records is not None
    assert outcome.records.stop.reason is reason
    assert outcome.records.tokens == ()
    assert b"aretusa fault: the prompt" in outcome.console


def test_segments_are_joined_and_special_tokens_obey(fake_build: Path) -> None:
    segments = (
        TextSegment("a^", begin=True),
        IdSegment((40, 41, 42)),
        TextSegment("^b", special=True),
        TextSegment(""),
    )

    outcome = run_host(fake_build, RunRequest(segments=segments, max_new_tokens=1))

    assert outcome.records is not None
    assert outcome.records.prompt == (0, 66, 63, 40, 41, 42, 0, 67)


def test_begin_alone_is_a_prompt(fake_build: Path) -> None:
    request = RunRequest(segments=(TextSegment("", begin=True),), max_new_tokens=1)

    outcome = run_host(fake_build, request)

    assert outcome.records is not None
    assert outcome.records.prompt == (0,)
    assert outcome.records.stop.reason is StopReason.TOKEN_BUDGET


@pytest.mark.parametrize("machine", MACHINES)
def test_the_seed_decides_what_is_drawn(machine: str, fake_build: Path) -> None:
    def draw(seed: int) -> list[int]:
        request = hello(20, temperature=1.5, top_p=0.9, seed=seed)
        return chosen(run(machine, fake_build, request))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw(1) != draw(1 << 40)


@pytest.mark.parametrize("machine", MACHINES[1:])
def test_host_and_qemu_draw_the_same(machine: str, fake_build: Path) -> None:
    request = hello(30, temperature=0.8, top_p=0.95, seed=12345, logits=True)
    host = run_host(fake_build, request)
    qemu = run(machine, fake_build, request)

    assert chosen(host) == chosen(qemu)
    assert host.console == qemu.console
    assert host.records is not None
    assert qemu.records is not None
    for one, two in zip(host.records.logits, qemu.records.logits, strict=True):
        assert np.array_equal(one.logits, two.logits)


@pytest.mark.qemu
def test_qemu_counts_the_same_instructions_every_time(fake_build: Path) -> None:
    first, second = (run_qemu(fake_build, hello(5)).records for _ in range(2))

    assert first == second
    assert first is not None
    assert first.stop.boot_instructions > 0
    assert first.stop.prefill_instructions > 0
    assert all(record.instructions > 0 for record in first.tokens)


@pytest.mark.qemu
def test_a_profile_has_a_row_per_kernel(fake_build: Path) -> None:
    records = run_qemu(fake_build, hello(5, chunk=2, profile=True)).records

    assert records is not None
    body, head = records.profile
    assert (body.calls, head.calls) == (3 + 4, 5)
    counted = records.stop.prefill_instructions + sum(r.instructions for r in records.tokens)
    assert 0 < body.instructions + head.instructions < counted


def test_records_are_left_out_when_nobody_asks(fake_build: Path) -> None:
    outcome = run_host(fake_build, hello(5, record=False))

    assert outcome.records is None
    assert outcome.console


@pytest.mark.qemu
def test_qemu_runs_without_records_too(fake_build: Path) -> None:
    assert run_qemu(fake_build, hello(5, record=False)).console
