"""The executions that must agree: each turns the same prompt into logits and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import numpy as np

from aretusa.execution.firmware import PLAIN, Flavour, Platform
from aretusa.execution.machine import run_host, run_qemu
from aretusa.execution.request import IdSegment, RunRequest
from aretusa.execution.virtual_platform import run_gvsoc
from aretusa.reference.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.execution.machine import RunOutcome
    from aretusa.program import Program

TIMEOUT_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Logits after every position that was run, and the tokens that were chosen."""

    logits: NDArray[np.float32]  # [prompt + new - 1, vocabulary]
    tokens: tuple[int, ...]

    def mismatches(self, reference: Transcript) -> int:
        """Values that differ in any bit: logits and tokens. A missing value counts as different."""
        tokens = sum(a != b for a, b in zip(self.tokens, reference.tokens, strict=False)) + abs(
            len(self.tokens) - len(reference.tokens)
        )
        if self.logits.shape != reference.logits.shape:
            return tokens + max(self.logits.size, reference.logits.size)
        differs = self.logits.view(np.uint32) != reference.logits.view(np.uint32)
        return tokens + int(np.count_nonzero(differs))

    @property
    def values(self) -> int:
        """How many values are compared."""
        return self.logits.size + len(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every execution is given."""

    prompt: tuple[int, ...]
    new_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One way to run the program."""

    name: str
    detail: str
    run: Callable[[Program, Task], Transcript]


class ForwardMachine(Protocol):
    """A reference that runs chunks of tokens."""

    def forward(
        self, tokens: Sequence[int], position: int, rows: Sequence[int]
    ) -> NDArray[np.float32]:
        """Logits of the given rows."""
        ...


def greedy(machine: ForwardMachine, task: Task, chunk: int) -> Transcript:
    """Prefill in chunks, then decode token by token, always the likeliest token."""
    logits: list[NDArray[np.float32]] = []
    for start in range(0, len(task.prompt), chunk):
        part = task.prompt[start : start + chunk]
        logits.extend(machine.forward(part, start, range(len(part))))
    tokens: list[int] = []
    for step in range(task.new_tokens):
        tokens.append(int(np.argmax(logits[-1])))
        if step + 1 < task.new_tokens:
            logits.extend(machine.forward(tokens[-1:], len(task.prompt) + step, [0]))
    return Transcript(logits=np.stack(logits), tokens=tuple(tokens))


def numpy_execution(chunk: int) -> Execution:
    """The reference itself, in another chunking."""

    def run(program: Program, task: Task) -> Transcript:
        return greedy(Interpreter(program.graph, program.weights), task, chunk)

    return Execution(name="numpy", detail=f"chunk {chunk}", run=run)


def onnx_execution(chunk: int) -> Execution:
    """ONNX Runtime on standard ops, optimisations off."""

    def run(program: Program, task: Task) -> Transcript:
        # Imported late: ONNX Runtime is slow to load and only this execution needs it.
        from aretusa.reference.onnx_runtime import OnnxProgram  # noqa: PLC0415

        return greedy(OnnxProgram(program.graph, program.weights), task, chunk)

    return Execution(name="onnxruntime", detail=f"chunk {chunk}", run=run)


def _outcome(
    build: Path, request: RunRequest, platform: Platform, cores: int, flavour: Flavour
) -> RunOutcome:
    match platform:
        case Platform.HOST:
            return run_host(
                build,
                request,
                threads=cores,
                sanitizer=flavour.sanitizer,
                timeout_s=TIMEOUT_S,
            )
        case Platform.QEMU | Platform.QEMU_ZFINX:
            return run_qemu(build, request, harts=cores, platform=platform, timeout_s=TIMEOUT_S)
        case Platform.SIRACUSA:
            return run_gvsoc(build, request, cores=cores, xpulp=flavour.xpulp, timeout_s=TIMEOUT_S)
        case _:
            assert_never(platform)


def compiled_execution(
    platform: Platform, *, cores: int, chunk: int, flavour: Flavour = PLAIN
) -> Execution:
    """The generated C, on this computer, on emulated harts or on the chip's virtual platform."""

    def run(program: Program, task: Task) -> Transcript:
        request = RunRequest(
            segments=(IdSegment(task.prompt),),
            max_new_tokens=task.new_tokens,
            chunk=chunk,
            logits=True,
            ignore_stop=True,
        )
        outcome = _outcome(program.build, request, platform, cores, flavour)
        records = outcome.records
        assert records is not None, "logits were asked for"
        return Transcript(
            logits=np.stack([record.logits for record in records.logits]),
            tokens=tuple(token.token for token in records.tokens),
        )

    unit = {Platform.HOST: "threads", Platform.SIRACUSA: "cores"}.get(platform, "harts")
    checked = f", {flavour.sanitizer.value}" if flavour.sanitizer else ""
    checked += ", xpulp" if flavour.xpulp else ""
    name = "gvsoc" if platform is Platform.SIRACUSA else platform.value
    return Execution(name=name, detail=f"{cores} {unit}, chunk {chunk}{checked}", run=run)
