"""What is measured: the shipped model and SmolLM2, each compiled into a directory of its own."""

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


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A measurement that could not be taken, and why."""

    reason: str
