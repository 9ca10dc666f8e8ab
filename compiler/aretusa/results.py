"""What every verb returns: the same objects that `--json` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aretusa.manifest import SCHEMA_VERSION, Manifest, Record


class CompileResult(Record):
    """A build directory and its manifest."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["compile"] = "compile"
    build: str
    reused: bool
    manifest: Manifest


class TokenRecord(Record):
    """One generated token: instructions in QEMU, cycles of the cluster on the chip, else 0."""

    id: int
    position: int
    instructions: int
    cycles: int


class KernelProfile(Record):
    """One kernel over a whole run: instructions of all cores in QEMU, cycles on the chip."""

    kernel: str
    instructions: int
    cycles: int
    calls: int


class CheckResult(Record):
    """A run replayed in NumPy: how many logits were compared, and how many differ."""

    values: int
    mismatches: int


class RunResult(Record):
    """Text and tokens of one run."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["run"] = "run"
    build: str
    platform: str
    prompt_tokens: list[int]
    tokens: list[TokenRecord]
    text: str
    stop: str
    boot_instructions: int
    prefill_instructions: int
    instructions_per_token: int
    boot_cycles: int
    prefill_cycles: int
    cycles_per_token: int
    seconds: float
    tokens_per_second: float
    profile: list[KernelProfile]
    check: CheckResult | None


class ExecutionResult(Record):
    """One execution compared with the NumPy reference."""

    name: str
    detail: str
    values: int
    mismatches: int
    seconds: float


class QualityResult(Record):
    """The integer program against the float checkpoint on held-out text."""

    text: str
    tokens: int
    perplexity_float: float
    perplexity_integer: float
    perplexity_change: float = Field(description="relative, 0.01 is one per cent more")
    kl_nats: float
    top1_agreement: float


class VerifyResult(Record):
    """Every execution of one program, and whether all agree in every bit."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["verify"] = "verify"
    build: str
    prompt_tokens: list[int]
    new_tokens: list[int]
    executions: list[ExecutionResult]
    mismatches: int
    quality: list[QualityResult]

    @property
    def passed(self) -> bool:
        """Whether no value differs."""
        return self.mismatches == 0


class TensorResult(Record):
    """One tensor of a checkpoint."""

    name: str
    shape: list[int]
    stored: str


class InspectResult(Record):
    """What a checkpoint holds, without compiling it."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["inspect"] = "inspect"
    path: str
    name: str
    kind: str
    family: str
    parameters: int
    stored_bytes: int
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_size: int
    vocabulary: int
    max_positions: int
    cache_bytes: dict[str, int]  # per position, by --kv-bits
    ties_embeddings: bool
    tokenizer: str
    chat_template_sha256: str
    tensors: list[TensorResult]


class ToolResult(Record):
    """One tool that the product calls."""

    name: str
    path: str
    version: str
    needed_for: str
    found: bool
    optional: bool
    fix: str


class DoctorResult(Record):
    """What this machine can do."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["doctor"] = "doctor"
    version: str
    python: str
    tools: list[ToolResult]
    packages: dict[str, str]
    ok: bool


class ReportResult(Record):
    """Where the files of a report were written."""

    schema_version: int = SCHEMA_VERSION
    verb: Literal["report"] = "report"
    build: str
    directory: str
    files: list[str]
