"""How results look in a terminal: plain lines of at most 80 columns, progress on stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from aretusa.manifest import Manifest
    from aretusa.results import (
        DoctorResult,
        ExecutionResult,
        InspectResult,
        RunResult,
        VerifyResult,
    )
    from aretusa.verbs.targets import TargetResult


@dataclass(slots=True)
class TerminalProgress:
    """A bar on stderr, only when that is a terminal."""

    quiet: bool = False
    _progress: Progress = field(init=False)
    _task: TaskID | None = None

    def __post_init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=self.quiet or not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, what: str, total: int) -> None:
        """A stage begins."""
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        if self._task is not None:
            self._progress.advance(self._task, count)


def size_text(size_bytes: int) -> str:
    """A size in KiB or MiB."""
    return f"{size_bytes / 1024:.1f} KiB" if size_bytes < 2**20 else f"{size_bytes / 2**20:.2f} MiB"


def count_text(count: int) -> str:
    """A large number with a unit."""
    for factor, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return str(count)


def manifest_lines(manifest: Manifest) -> Iterator[str]:
    """Model and memories of a build, six lines."""
    model, options = manifest.model, manifest.options
    stored = sum(image.size_bytes for image in manifest.images)
    yield (
        f"model    {model.name}, {count_text(model.parameters)} parameters, {options.weights}, "
        f"{size_text(stored)} stored"
    )
    parts = [
        f"{memory.name.upper()} {size_text(memory.used_bytes)}"
        for memory in manifest.memories
        if memory.used_bytes
    ]
    yield f"memory   {', '.join(parts)}"
    places = _weight_places(manifest)
    yield f"weights  {places}; context {options.context}, chunk {options.chunk}"


def _weight_places(manifest: Manifest) -> str:
    totals: dict[str, int] = {}
    for region in manifest.regions:
        if region.kind == "weight":
            totals[region.memory] = totals.get(region.memory, 0) + region.size_bytes
    stored = sum(totals.values()) or 1
    return ", ".join(
        f"{memory.upper()} {100 * size / stored:.0f} %" for memory, size in totals.items()
    )


def run_lines(result: RunResult, manifest: Manifest) -> Iterator[str]:
    """Summary of a run, at most ten lines."""
    yield from manifest_lines(manifest)
    count = len(result.tokens)
    yield (
        f"tokens   {len(result.prompt_tokens)} of the prompt, {count} new, "
        f"stopped by {result.stop.replace('_', ' ')}"
    )
    yield (
        f"speed    {result.tokens_per_second:.1f} tokens/s of the "
        f"{'host' if result.platform == 'host' else 'emulation'}, boot included "
        f"({result.seconds:.1f} s)"
    )
    if result.instructions_per_token:
        yield (
            f"work     {count_text(result.instructions_per_token)} instructions per token on all "
            "harts (QEMU)"
        )
    if result.cycles_per_token:
        yield (
            f"work     {count_text(result.cycles_per_token)} cycles per token, "
            f"{count_text(result.prefill_cycles)} for the prompt, of the cluster's clock (GVSoC)"
        )
    if result.check is not None:
        verdict = "equal" if result.check.mismatches == 0 else "DIFFERENT"
        yield (
            f"check    {verdict}: {result.check.mismatches} of {result.check.values:,} logits "
            "differ from NumPy"
        )
    yield f"files    {result.build}"


def execution_line(result: ExecutionResult) -> str:
    """One row of the table of verify."""
    return (
        f"{result.name:<12} {result.detail:<28} {result.values:>12,} "
        f"{result.mismatches:>10,} {result.seconds:>7.1f} s"
    )


EXECUTION_HEADER = f"{'execution':<12} {'':<28} {'values':>12} {'differ':>10} {'time':>9}"


def verify_lines(result: VerifyResult) -> Iterator[str]:
    """Verdict and quality."""
    verdict = "all executions agree in every bit" if result.passed else "EXECUTIONS DIFFER"
    yield f"{verdict}: {result.mismatches} mismatches"
    for quality in result.quality:
        yield (
            f"quality  {quality.text}, {quality.tokens} tokens: perplexity "
            f"{quality.perplexity_float:.3f} float, {quality.perplexity_integer:.3f} integer "
            f"({100 * quality.perplexity_change:+.2f} %),"
        )
        yield (
            f"         KL {quality.kl_nats:.4f} nats per token, the likeliest token agrees "
            f"for {100 * quality.top1_agreement:.1f} %"
        )


def inspect_lines(result: InspectResult) -> Iterator[str]:
    """Shapes and formats of a checkpoint."""
    yield f"{result.name}: {result.family} from {result.kind}, {size_text(result.stored_bytes)}"
    yield f"parameters  {result.parameters:,}"
    yield (
        f"shape       {result.layers} layers, hidden {result.hidden_size}, FFN {result.ffn_size}, "
        f"vocabulary {result.vocabulary}"
    )
    yield (
        f"attention   {result.heads} heads of {result.head_dim}, {result.kv_heads} for keys and "
        f"values, {result.max_positions} positions"
    )
    yield "cache       " + ", ".join(
        f"{size:,} bytes a position with {bits} bits" for bits, size in result.cache_bytes.items()
    )
    yield f"embedding   {'tied to the head' if result.ties_embeddings else 'apart from the head'}"
    yield f"tokenizer   {result.tokenizer}"
    formats: dict[str, int] = {}
    for tensor in result.tensors:
        formats[tensor.stored] = formats.get(tensor.stored, 0) + 1
    for name, count in formats.items():
        yield f"tensors     {count} in {name}"


def target_lines(result: TargetResult) -> Iterator[str]:
    """One line per number, its source below."""
    yield result.name
    for fact in result.facts:
        value = f"{fact.value:#x}" if fact.key.endswith("base_address") else f"{fact.value:,}"
        extent = "" if fact.low is None else f", {fact.low:,} to {fact.high:,}"
        yield f"{fact.key:<38} {value:>14} {fact.unit:<8} {fact.confidence}{extent}"
        yield f"    {fact.source}"


def doctor_lines(result: DoctorResult) -> Iterator[str]:
    """Tools and packages, one line each."""
    yield f"aretusa {result.version}, Python {result.python}"
    for tool in result.tools:
        if tool.found:
            yield f"ok       {tool.name:<16} {tool.version}"
        else:
            state = "--" if tool.optional else "missing"
            yield f"{state:<8} {tool.name:<16} {tool.needed_for}. {tool.fix}"
    for name, version in result.packages.items():
        yield f"{'--' if version == 'not installed' else 'ok':<8} {name:<16} {version}"
    yield "ready" if result.ok else "not ready: see the lines that say missing"


def profile_lines(result: RunResult) -> Iterator[str]:
    """Instructions or cycles per kernel, the dearest first."""
    counts = {row.kernel: row.instructions + row.cycles for row in result.profile}
    total = sum(counts.values()) or 1
    for row in sorted(result.profile, key=lambda row: -counts[row.kernel]):
        count = counts[row.kernel]
        share = 100 * count / total
        yield f"  {row.kernel:<28} {row.calls:>8} calls {count:>16,} {share:5.1f} %"
