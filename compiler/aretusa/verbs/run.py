"""run_program(): generate text with a compiled program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from aretusa.errors import UsageError
from aretusa.execution.firmware import Platform
from aretusa.execution.machine import run_host, run_qemu
from aretusa.execution.records import StopReason
from aretusa.execution.request import RunRequest
from aretusa.execution.virtual_platform import run_gvsoc
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.results import CheckResult, KernelProfile, RunResult, TokenRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.execution import records as execution
    from aretusa.execution.machine import RunOutcome
    from aretusa.execution.records import RunRecords
    from aretusa.verbs.prompt import Prompt

# The chip's program is run on its virtual platform.
RUN_NAMES: Final = {Platform.SIRACUSA: "gvsoc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How tokens are chosen and where the program runs."""

    platform: Platform = Platform.QEMU
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    chunk: int = 0
    cores: int = 8
    xpulp: bool | None = (
        None  # on GVSoC: kernels in the cores' own instructions; None: the target's
    )
    profile: bool = False
    check: bool = False
    timeout_s: float = 3600.0


def run_program(
    build: Path,
    prompt: Prompt,
    options: RunOptions | None = None,
    *,
    on_text: Callable[[bytes], None] | None = None,
) -> RunResult:
    """Run a build on the host, in QEMU or on GVSoC.

    `on_text` gets the text's bytes as they appear.
    """
    options = RunOptions() if options is None else options
    program = Program.open(build)
    _check_chunk(program, options.chunk)
    request = RunRequest(
        segments=prompt.segments(program),
        max_new_tokens=options.max_new_tokens,
        chunk=options.chunk,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        profile=options.profile,
        logits=options.check,
    )
    return _result(program, options, _execute(build, request, options, on_text))


def _execute(
    build: Path,
    request: RunRequest,
    options: RunOptions,
    on_text: Callable[[bytes], None] | None,
) -> RunOutcome:
    match options.platform:
        case Platform.HOST:
            return run_host(
                build,
                request,
                on_text=on_text,
                threads=options.cores,
                timeout_s=options.timeout_s,
            )
        case Platform.QEMU | Platform.QEMU_ZFINX:
            return run_qemu(
                build,
                request,
                on_text=on_text,
                harts=options.cores,
                platform=options.platform,
                timeout_s=options.timeout_s,
            )
        case Platform.SIRACUSA:
            return run_gvsoc(
                build,
                request,
                on_text=on_text,
                cores=options.cores,
                xpulp=options.xpulp,
                timeout_s=options.timeout_s,
            )
        case _:
            assert_never(options.platform)


def _check_chunk(program: Program, chunk: int) -> None:
    most = program.manifest.options.chunk
    if not 0 <= chunk <= most:
        raise UsageError(
            "E0003",
            f"the program cannot run {chunk} prompt tokens in one step",
            file=program.build,
            fix=f"Choose --chunk up to {most}, or compile with a larger --chunk",
        )


def _result(program: Program, options: RunOptions, outcome: RunOutcome) -> RunResult:
    records = outcome.records
    assert records is not None, "every run of this verb records"
    _refuse_bad_stop(program, records)
    steps = [token.instructions for token in records.tokens[1:]]
    per_token = sum(steps) // len(steps) if steps else 0
    # What the program counts: cycles on the chip, instructions in QEMU, nothing on the host.
    in_cycles = int(options.platform is Platform.SIRACUSA)
    in_instructions = 1 - in_cycles
    return RunResult(
        build=str(program.build),
        platform=RUN_NAMES.get(options.platform, options.platform.value),
        prompt_tokens=list(records.prompt),
        tokens=[_token(token, in_cycles) for token in records.tokens],
        text=outcome.text,
        stop=records.stop.reason.name.lower(),
        boot_instructions=in_instructions * records.stop.boot_instructions,
        prefill_instructions=in_instructions * records.stop.prefill_instructions,
        instructions_per_token=in_instructions * per_token,
        boot_cycles=in_cycles * records.stop.boot_instructions,
        prefill_cycles=in_cycles * records.stop.prefill_instructions,
        cycles_per_token=in_cycles * per_token,
        seconds=outcome.wall_s,
        tokens_per_second=(len(records.prompt) + len(records.tokens)) / outcome.wall_s,
        profile=[
            _kernel(name, row, in_cycles)
            for name, row in zip(program.manifest.profile, records.profile, strict=False)
        ],
        check=_replay(program, records) if options.check else None,
    )


def _token(token: execution.TokenRecord, in_cycles: int) -> TokenRecord:
    return TokenRecord(
        id=token.token,
        position=token.position,
        instructions=(1 - in_cycles) * token.instructions,
        cycles=in_cycles * token.instructions,
    )


def _kernel(name: str, row: execution.ProfileRow, in_cycles: int) -> KernelProfile:
    return KernelProfile(
        kernel=name,
        instructions=(1 - in_cycles) * row.instructions,
        cycles=in_cycles * row.instructions,
        calls=row.calls,
    )


def _replay(program: Program, records: RunRecords) -> CheckResult:
    """Feed the run's own tokens to the NumPy reference and compare every logit."""
    machine = Interpreter(program.graph, program.weights)
    prompt = records.prompt
    expected = list(machine.forward(prompt, 0, range(len(prompt))))
    # A full context ends a run after the last token was run; else the last token was only chosen.
    run_tokens = [token.token for token in records.tokens][: len(records.logits) - len(prompt)]
    for step, token in enumerate(run_tokens):
        expected.extend(machine.forward([token], len(prompt) + step, [0]))
    found = np.stack([record.logits for record in records.logits])
    differs = found.view(np.uint32) != np.stack(expected).view(np.uint32)
    return CheckResult(values=found.size, mismatches=int(np.count_nonzero(differs)))


def _refuse_bad_stop(program: Program, records: RunRecords) -> None:
    context = program.manifest.options.context
    match records.stop.reason:
        case StopReason.PROMPT_TOO_LONG:
            raise UsageError(
                "E0006",
                f"the prompt does not fit the context of {context} positions",
                file=program.build,
                fix="Shorten the prompt or compile with a larger --context",
            )
        case StopReason.BAD_TOKEN:
            raise UsageError(
                "E0007",
                "the prompt is empty or holds a token that the model does not have",
                file=program.build,
                fix="Give a prompt of at least one character",
            )
        case _:
            return
