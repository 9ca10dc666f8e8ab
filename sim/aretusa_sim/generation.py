"""run(): tokens and logits of a build, and the time that they take on the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.errors import UsageError
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.tokenizer.encode import decode_bytes
from aretusa.verbs.prompt import Prompt, encode_segments
from aretusa_sim.listings import built_listing, with_clock
from aretusa_sim.results import ModelSummary
from aretusa_sim.schedule import prefill_steps
from aretusa_sim.summarise import Tokens, summarise
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.trace.listing import Listing
    from aretusa_sim.results import SimulationResult
    from aretusa_sim.timing import StepTiming

DEFAULT_PROMPT: Final = "Once upon a time"
DEFAULT_NEW_TOKENS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A run: its document, and the logits that each new token was chosen from.

    `timings` have the intervals of all units, where they were asked for.
    """

    result: SimulationResult
    logits: NDArray[np.float32]  # [new tokens, vocabulary]
    listing: Listing
    timings: tuple[StepTiming, ...]


def run(
    build: Path,
    prompt: str | Prompt | tuple[int, ...] = DEFAULT_PROMPT,
    max_new_tokens: int = DEFAULT_NEW_TOKENS,
    *,
    clock_hz: int | None = None,
    ignores_stop: bool = False,
    has_contention: bool = True,
    has_intervals: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Generate greedily, as the program does, and time every step of it.

    Tokens and logits are those that `verify` compares, in every bit. `clock_hz` is the cluster's;
    the target's own without it. `progress` is told how many tokens of how many are run.
    """
    program = Program.open(build)
    ids = _prompt_ids(program, prompt)
    listing = with_clock(built_listing(program), clock_hz)
    simulator = Simulator(listing, has_contention=has_contention, has_intervals=has_intervals)
    machine = Interpreter(program.graph, program.weights)
    stops = frozenset() if ignores_stop else _stops(program)
    done = _Run(
        simulator=simulator,
        machine=machine,
        prompt=ids,
        max_new_tokens=max_new_tokens,
        stops=stops,
        progress=progress,
    )
    done.all()
    return Simulation(
        result=_result(program, done, listing, has_contention=has_contention),
        logits=np.stack(done.logits),
        listing=listing,
        timings=(*done.prefill, *done.decode),
    )


def _result(
    program: Program, done: _Run, listing: Listing, *, has_contention: bool
) -> SimulationResult:
    new = tuple(done.new)
    shown = [token for token in new if token not in done.stops]
    text = decode_bytes(program.tokenizer, shown).decode("utf-8", "replace")
    summary = built_summary(program, listing, has_contention=has_contention)
    tokens = Tokens(prompt=done.prompt, new=new, text=text, is_estimate=False)
    return summarise(listing, summary, done.prefill, done.decode, tokens)


def built_summary(program: Program, listing: Listing, *, has_contention: bool) -> ModelSummary:
    """What a build is."""
    options = program.manifest.options
    return ModelSummary(
        name=program.manifest.model.name,
        target=listing.target.name,
        weights=options.weights if options.policy is None else f"{options.weights}, with a policy",
        context=options.context,
        chunk=options.chunk,
        has_contention=has_contention,
    )


def _stops(program: Program) -> frozenset[int]:
    return frozenset(program.manifest.model.stop_tokens)


def _prompt_ids(program: Program, prompt: str | Prompt | tuple[int, ...]) -> tuple[int, ...]:
    """Ids as the program encodes them; E0006 and E0007 as in `run`."""
    if isinstance(prompt, tuple):
        ids = prompt
    else:
        asked = Prompt(text=prompt) if isinstance(prompt, str) else prompt
        ids = tuple(encode_segments(program.tokenizer, asked.segments(program)))
    context = program.manifest.options.context
    if len(ids) > context:
        raise UsageError(
            "E0006",
            f"the prompt does not fit the context of {context} positions",
            file=program.build,
            fix="Shorten the prompt or compile with a larger --context",
        )
    if not ids or not all(0 <= one < program.manifest.model.vocabulary for one in ids):
        raise UsageError(
            "E0007",
            "the prompt is empty or holds a token that the model does not have",
            file=program.build,
            fix="Give a prompt of at least one character",
        )
    return ids


class _Run:
    """Steps in the order of art_program: prefill in chunks, then token after token."""

    def __init__(
        self,
        *,
        simulator: Simulator,
        machine: Interpreter,
        prompt: tuple[int, ...],
        max_new_tokens: int,
        stops: frozenset[int],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.simulator = simulator
        self.machine = machine
        self.prompt = prompt
        self.room = max(1, min(max_new_tokens, machine.graph.context + 1 - len(prompt)))
        self.stops = stops
        self.progress = progress
        self.prefill: list[StepTiming] = []
        self.decode: list[StepTiming] = []
        self.logits: list[NDArray[np.float32]] = []
        self.new: list[int] = []

    def all(self) -> None:
        """Until a stop token, the number that was asked for, or the end of the context."""
        for step in prefill_steps(len(self.prompt), self.machine.graph.chunk_max):
            here = self.prompt[step.position : step.position + step.tokens]
            logits = self.machine.forward(here, step.position, [len(here) - 1])
            if step.has_head:
                self._choose(logits)
            self.prefill.append(
                self.simulator.step(step.tokens, step.position, has_head=step.has_head)
            )
            self._tell(step.position + step.tokens)
        while len(self.new) < self.room and self.new[-1] not in self.stops:
            position = len(self.prompt) + len(self.new) - 1
            self.decode.append(self.simulator.step(1, position, has_head=True))
            self._choose(self.machine.forward(self.new[-1:], position, [0]))
            self._tell(position + 1)

    def _choose(self, logits: NDArray[np.float32]) -> None:
        """The likeliest token of the only row."""
        self.logits.append(logits[0])
        self.new.append(int(np.argmax(logits[0])))

    def _tell(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, len(self.prompt) + self.room - 1)
