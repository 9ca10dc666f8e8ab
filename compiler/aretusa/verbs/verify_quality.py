"""judge_quality(): perplexity and divergence of the integer program from the float checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_graph import llama_graph
from aretusa.program import Program
from aretusa.quantization.schemes import Scheme
from aretusa.quantization.store import QuantisedCheckpoint
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.quality import measure_quality
from aretusa.results import QualityResult
from aretusa.tokenizer.encode import encode

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.quantization.schemes import QuantisedMatrix

DEFAULT_WINDOW: Final = 512
HELDOUT_FILE: Final = "heldout.txt"  # text that a model's directory may bring


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions:
    """Texts and how much of each is judged; no text means the model's own held-out file.

    `adapter` is the one that the build was made with.
    """

    texts: tuple[Path, ...] = ()
    window: int = DEFAULT_WINDOW
    windows: int = 3
    adapter: Path | None = None


class RealWeights:
    """The float checkpoint as the interpreter wants it; the tensors last used stay in memory."""

    def __init__(self, source: QuantisedCheckpoint) -> None:
        self._source = source
        self._load = lru_cache(maxsize=None)(source.real_matrix)

    def real_matrix(self, name: str) -> NDArray[np.float32]:
        """A matrix of real numbers."""
        return self._load(name)

    def vector(self, name: str) -> NDArray[np.float32]:
        """A vector of real numbers."""
        return self._load(name)

    def matrix(self, name: str) -> QuantisedMatrix:
        """The float graph has no quantised matrices."""
        raise AssertionError(f"{name} is not quantised in the float graph")

    def rope(self) -> RopeTables:
        """Rotary tables."""
        return self._source.rope()


def judge_quality(
    build: Path, model: Path, options: QualityOptions | None = None
) -> list[QualityResult]:
    """One result per text; the build must come from this checkpoint."""
    options = QualityOptions() if options is None else options
    program = Program.open(build)
    checkpoint = _checkpoint_of(program, model, options.adapter)
    context = program.manifest.options.context
    window = min(options.window, context)
    source = QuantisedCheckpoint(checkpoint=checkpoint, scheme=Scheme(8), context=context)
    graph = llama_graph(
        checkpoint.config,
        checkpoint.structure,
        name=checkpoint.name,
        chunk_max=window,
        context=context,
    )
    real = RealWeights(source)
    results: list[QualityResult] = []
    for text in options.texts or _own_text(model):
        tokens = _read_tokens(program, text, window * options.windows)
        report = measure_quality(
            Interpreter(graph, real),
            Interpreter(program.graph, program.weights),
            [tokens[start : start + window] for start in range(0, len(tokens), window)],
        )
        results.append(
            QualityResult(
                text=text.name,
                tokens=report.tokens,
                perplexity_float=report.perplexity_float,
                perplexity_integer=report.perplexity_integer,
                perplexity_change=report.perplexity_change,
                kl_nats=report.kl_nats,
                top1_agreement=report.top1_agreement,
            )
        )
    return results


def _checkpoint_of(program: Program, model: Path, adapter: Path | None) -> Checkpoint:
    """The checkpoint; E0008 if the program was made from another one."""
    checkpoint = open_checkpoint(model, adapter)
    if checkpoint.fingerprint() != program.manifest.model.fingerprint:
        raise UsageError(
            "E0008",
            "the build was made from another checkpoint",
            file=program.build,
            why=f"its fingerprint differs from that of {checkpoint.name}",
            fix="Give --model and --adapter those of the build, or compile again",
        )
    return checkpoint


def _own_text(model: Path) -> tuple[Path, ...]:
    path = model / HELDOUT_FILE
    if model.is_dir() and path.is_file():
        return (path,)
    raise UsageError(
        "E0230",
        "the model brings no held-out text",
        file=model,
        fix="Give --text FILE with text that the model was not trained on",
    )


def _read_tokens(program: Program, text: Path, count: int) -> list[int]:
    """The first tokens of a text; at least two, or nothing can be predicted."""
    try:
        content = text.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            "E0230", "the text cannot be read", file=text, why=str(problem), fix="Give UTF-8 text"
        ) from problem
    tokens = encode(program.tokenizer, content[: 16 * count], parse_special=False)[:count]
    if len(tokens) < 2:
        raise UsageError("E0230", "the text is too short", file=text, fix="Give a longer text")
    return tokens
