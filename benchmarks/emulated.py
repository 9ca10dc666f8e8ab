"""Instructions of a program in QEMU: per token, per kernel, before the first token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel_work import KernelWork, decode_steps, kernel_work, prefill_steps
from subjects import PROMPT

from aretusa.execution.machine import run_qemu
from aretusa.execution.request import IdSegment, RunRequest, TextSegment
from aretusa.program import Program
from aretusa.tokenizer.encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from subjects import Subject

    from aretusa.execution.records import RunRecords
    from aretusa.execution.request import Segment

HARTS: Final = 8
TIMEOUT_S: Final = 1800.0
# What a tokenizer may be given; each is repeated to about the same number of bytes.
TEXTS: Final = {
    "English": PROMPT + " ",
    "digits": "3.14159 26535 89793, 2718281828; ",
    "code": "for (int i = 0; i < n; i++) { sum += x[i]; }\n",
    "Unicode": "Déjà vu: naïve Zürich, здравствуй, 你好 🙂. ",
}
TEXT_BYTES: Final = 400  # at most so many tokens, which fits every context


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCount:
    """Instructions of one kernel on all harts, over the same steps as its work."""

    work: KernelWork
    instructions: int

    @property
    def per_unit(self) -> float:
        """Instructions per multiply-accumulate, or per element where there are none."""
        return self.instructions / self.work.units


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedCost:
    """One model in QEMU. `decode` and `prefill` sum over all their steps and layers."""

    harts: int
    prompt_tokens: int
    decode_tokens: int
    boot: int
    prefill_total: int
    per_token: tuple[int, ...]  # of the decoded tokens, without profile
    per_token_one_hart: tuple[int, ...]
    profiled_per_token: tuple[int, ...]
    decode: tuple[KernelCount, ...]
    prefill: tuple[KernelCount, ...]
    is_repeated_exactly: bool  # a second run had the same tokens and counts

    @property
    def mean_per_token(self) -> int:
        """Instructions per decoded token, without the counting itself."""
        return sum(self.per_token) // len(self.per_token)


def measure_emulated(subject: Subject) -> EmulatedCost:
    """Three plain runs, of which one on a single hart, and two that count per kernel."""
    program = Program.open(subject.build)
    budget = subject.decode_tokens + 1  # the first token needs no forward pass of its own
    plain = _run(subject, budget)
    again = _run(subject, budget)
    one_hart = _run(subject, budget, harts=1)
    one = _run(subject, 1, profile=True)
    all_tokens = _run(subject, budget, profile=True)
    prompt = len(plain.prompt)
    options = program.manifest.options
    names = program.manifest.profile
    before = [row.instructions for row in one.profile]
    after = [row.instructions for row in all_tokens.profile]
    prefill = kernel_work(program.graph, names, prefill_steps(prompt, options.chunk))
    decode = kernel_work(program.graph, names, decode_steps(prompt, subject.decode_tokens))
    return EmulatedCost(
        harts=HARTS,
        prompt_tokens=prompt,
        decode_tokens=subject.decode_tokens,
        boot=plain.stop.boot_instructions,
        prefill_total=plain.stop.prefill_instructions,
        per_token=_per_token(plain),
        per_token_one_hart=_per_token(one_hart),
        profiled_per_token=_per_token(all_tokens),
        decode=tuple(
            KernelCount(work=work, instructions=last - first)
            for work, first, last in zip(decode, before, after, strict=True)
        ),
        # The head has no part in the prompt; the run of one token called it once.
        prefill=tuple(
            KernelCount(work=work, instructions=count)
            for work, count in zip(prefill, before, strict=True)
            if not work.is_of_head
        ),
        is_repeated_exactly=plain.tokens == again.tokens and plain.stop == again.stop,
    )


def _per_token(records: RunRecords) -> tuple[int, ...]:
    return tuple(token.instructions for token in records.tokens[1:])


def _run(subject: Subject, tokens: int, *, harts: int = HARTS, profile: bool = False) -> RunRecords:
    request = RunRequest(
        segments=(TextSegment(PROMPT, begin=True),),
        max_new_tokens=tokens,
        profile=profile,
        ignore_stop=True,
    )
    return _records(subject, request, harts=harts)


def _records(subject: Subject, request: RunRequest, *, harts: int) -> RunRecords:
    outcome = run_qemu(subject.build, request, harts=harts, timeout_s=TIMEOUT_S)
    assert outcome.records is not None, "every run here records"
    return outcome.records


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCost:
    """What the tokenizer needs for one text."""

    text: str
    text_bytes: int
    tokens: int
    instructions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootCost:
    """Instructions before the first token: checksums of the images, and the prompt's encoding."""

    image_bytes: int
    checks: int  # all of the boot of a run that has no text
    texts: tuple[TextCost, ...]


def measure_boot(subject: Subject) -> BootCost:
    """Runs that end when the prompt is encoded, since ids behind it exceed the context.

    The difference to a run with the ids alone is the tokenizer.
    """
    program = Program.open(subject.build)
    ids = IdSegment((0,) * (program.manifest.options.context + 1))
    checks = _boot(subject, (ids,))
    texts = []
    for name, part in TEXTS.items():
        text = part * (TEXT_BYTES // len(part.encode()) + 1)
        tokens = len(encode(program.tokenizer, text))
        assert tokens < program.manifest.options.context, "the encoder would stop early"
        spent = _boot(subject, (TextSegment(text), ids)) - checks
        texts.append(
            TextCost(text=name, text_bytes=len(text.encode()), tokens=tokens, instructions=spent)
        )
    return BootCost(
        image_bytes=sum(image.size_bytes for image in program.manifest.images),
        checks=checks,
        texts=tuple(texts),
    )


def _boot(subject: Subject, segments: Sequence[Segment]) -> int:
    request = RunRequest(segments=tuple(segments), max_new_tokens=0)
    return _records(subject, request, harts=HARTS).stop.boot_instructions
