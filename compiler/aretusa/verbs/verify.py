"""verify_build(): run one prompt through every execution and count the values that differ."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.execution.firmware import PLAIN, Flavour, Platform
from aretusa.execution.toolchain import Tool, survey
from aretusa.program import Program
from aretusa.results import ExecutionResult, VerifyResult
from aretusa.verbs.executions import (
    Execution,
    Task,
    Transcript,
    compiled_execution,
    numpy_execution,
    onnx_execution,
)
from aretusa.verbs.prompt import neutral_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CHUNKS: Final = (1, 7)  # beside the largest that the program has
CORES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How much is compared. Small models take a longer prompt in the same time."""

    prompt_tokens: int = 32
    new_tokens: int = 16
    executions: tuple[Execution, ...] = ()


def default_executions(chunk_max: int) -> tuple[Execution, ...]:
    """Every execution in several chunkings, the compiled ones on one core and on eight.

    The chip's own build where its compiler is installed, its virtual platform where that is.
    """
    chunks = (chunk_max, *(chunk for chunk in CHUNKS if chunk < chunk_max))
    compiled = [
        compiled_execution(platform, cores=cores, chunk=chunk)
        for platform in (Platform.HOST, Platform.QEMU)
        for cores, chunk in (*((CORES, chunk) for chunk in chunks), (1, chunk_max))
    ]
    return (
        *(numpy_execution(chunk) for chunk in chunks),
        *(onnx_execution(chunk) for chunk in sorted({chunk_max, 1}, reverse=True)),
        *compiled,
        *_of_chip(chunk_max),
    )


def _of_chip(chunk: int) -> list[Execution]:
    """What this computer can run of the chip's own build, with floats in the integer registers."""
    found = survey()
    has_compiler = isinstance(found["clang"], Tool) and isinstance(found["linker"], Tool)
    flavours = [(Platform.QEMU_ZFINX, PLAIN)] if has_compiler else []
    if has_compiler and isinstance(found["gvsoc"], Tool):
        flavours += [(Platform.SIRACUSA, PLAIN), (Platform.SIRACUSA, Flavour(xpulp=True))]
    return [
        compiled_execution(platform, cores=CORES, chunk=chunk, flavour=flavour)
        for platform, flavour in flavours
    ]


def verify_build(
    build: Path,
    options: VerifyOptions | None = None,
    *,
    on_result: Callable[[ExecutionResult], None] | None = None,
) -> VerifyResult:
    """Compare all executions with the first; differences are counted, not raised."""
    options = VerifyOptions() if options is None else options
    program = Program.open(build)
    _check_length(program, options)
    executions = options.executions or default_executions(program.manifest.options.chunk)
    prompt = neutral_prompt(program.tokenizer, options.prompt_tokens)
    task = Task(prompt=tuple(prompt), new_tokens=options.new_tokens)
    reference, results = _compare(program, task, executions, on_result)
    return VerifyResult(
        build=str(build),
        prompt_tokens=prompt,
        new_tokens=list(reference.tokens),
        executions=results,
        mismatches=sum(result.mismatches for result in results),
        quality=[],
    )


def _compare(
    program: Program,
    task: Task,
    executions: Sequence[Execution],
    on_result: Callable[[ExecutionResult], None] | None,
) -> tuple[Transcript, list[ExecutionResult]]:
    reference: Transcript | None = None
    results: list[ExecutionResult] = []
    for execution in executions:
        start = time.monotonic()
        transcript = execution.run(program, task)
        reference = transcript if reference is None else reference
        results.append(
            ExecutionResult(
                name=execution.name,
                detail=execution.detail,
                values=transcript.values,
                mismatches=transcript.mismatches(reference),
                seconds=time.monotonic() - start,
            )
        )
        if on_result is not None:
            on_result(results[-1])
    assert reference is not None, "there is at least one execution"
    return reference, results


def _check_length(program: Program, options: VerifyOptions) -> None:
    context = program.manifest.options.context
    if options.prompt_tokens < 1 or options.new_tokens < 1:
        raise UsageError(
            "E0003", "a verification needs tokens", fix="Give at least one token of each kind"
        )
    if options.prompt_tokens + options.new_tokens > context:
        raise UsageError(
            "E0006",
            f"{options.prompt_tokens} + {options.new_tokens} tokens do not fit {context} positions",
            file=program.build,
            fix="Give fewer tokens or compile with a larger --context",
        )
