"""What is measured: programs that run, and models that are only planned and compiled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / "build" / "benchmarks"  # ignored by git
PROMPT: Final = "We hold these truths to be self-evident, that all men are created equal, that"
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One checkpoint, how much of it is run, and the goals that issue 2 sets for it."""

    name: str
    checkpoint: str  # below the root of the repository
    decode_tokens: int  # counted in QEMU
    compile_goal_s: float
    peak_goal_mib: int | None = None
    lines_goal: int | None = None
    make_target: str = ""  # fetches the checkpoint

    @property
    def build(self) -> Path:
        """Where it is compiled to."""
        return WORK / self.name

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return ROOT / self.checkpoint

    @property
    def absence(self) -> str | None:
        """Why it cannot be measured, None if it can."""
        if self.path.exists():
            return None
        fix = f": make {self.make_target} fetches it" if self.make_target else ""
        return f"{self.checkpoint} is missing{fix}"


TINY_ORATOR: Final = Subject(
    name="tiny-orator",
    checkpoint="examples/models/tiny-orator",
    decode_tokens=16,
    compile_goal_s=5,
)
SMOLLM2: Final = Subject(
    name="smollm2",
    checkpoint=".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    decode_tokens=4,
    compile_goal_s=60,
    peak_goal_mib=1536,
    lines_goal=5000,
    make_target="smollm2",
)
SUBJECTS: Final = (TINY_ORATOR, SMOLLM2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSubject:
    """A model that is planned and compiled, and the goals that issue 3 sets for it.

    With a `config` the checkpoint has random weights and is written first.
    """

    name: str
    checkpoint: str  # below the root of the repository
    config: str = ""
    plan_goal_s: float | None = None
    compile_goal_s: float | None = None
    peak_goal_mib: float | None = None  # of the compilation

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return ROOT / self.checkpoint


PLAN_GOAL_S: Final = 5  # of models with at most 15 million parameters
PLAN_SUBJECTS: Final = (
    PlanSubject(
        name="llama-0.5m",
        checkpoint="build/benchmarks/checkpoints/llama-0.5m",
        config="examples/configs/llama-0.5m.json",
        plan_goal_s=PLAN_GOAL_S,
        compile_goal_s=2,
        peak_goal_mib=150e6 / MIB,
    ),
    PlanSubject(name="tiny-orator", checkpoint=TINY_ORATOR.checkpoint, plan_goal_s=PLAN_GOAL_S),
    PlanSubject(
        name="llama-42m",
        checkpoint="build/benchmarks/checkpoints/llama-42m",
        config="examples/configs/llama-42m.json",
    ),
    PlanSubject(
        name="smollm2 (Q4_1)",
        checkpoint=SMOLLM2.checkpoint,
        compile_goal_s=60,
        peak_goal_mib=1536,
    ),
)
# Models whose placement is judged: a directory, a GGUF file, or a configuration alone.
PLACED: Final = {
    "tiny-orator": TINY_ORATOR.checkpoint,
    "smollm2-135m": "examples/configs/smollm2-135m.json",
    "smollm2-135m, Q4_1": SMOLLM2.checkpoint,
    "qwen3-0.6b": "examples/configs/qwen3-0.6b.json",
    "llama-3.2-1b": "examples/configs/llama-3.2-1b.json",
}
SCALED: Final = "examples/configs/llama-0.5m.json"  # with other numbers of layers


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A measurement that could not be taken, and why."""

    reason: str
