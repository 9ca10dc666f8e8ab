"""compile_model(): the stages in order, one call each; read this first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Protocol

from aretusa.check.plan import check_plan
from aretusa.codegen.images import is_intact
from aretusa.codegen.project import Project, hash_of_inputs, write_project
from aretusa.codegen.staging import check_output, staged_directory
from aretusa.errors import UnsupportedError, UsageError
from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_graph import llama_graph
from aretusa.manifest import (
    MANIFEST_FILE,
    Manifest,
    ModelRecord,
    OptionsRecord,
    read_manifest,
)
from aretusa.options import CompileOptions
from aretusa.plan.make import make_plan
from aretusa.plan.summary import summarise
from aretusa.plan_results import PlanModel
from aretusa.planning import lowered, plan_request, weights_text
from aretusa.quantization.store import QuantisedCheckpoint, declare_quantised
from aretusa.results import CompileResult
from aretusa.target.load import load_target
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer_files import copy_tokenizer, read_tokenizer
from aretusa.version import TOOL

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.checkpoint import Checkpoint
    from aretusa.passes.pipeline import Observer
    from aretusa.plan.make import Plan
    from aretusa.quantization.policy import Policy
    from aretusa.target.description import Target
    from aretusa.tokenizer.model import TokenizerModel


class Progress(Protocol):
    """Told how far a long stage is."""

    def start(self, what: str, total: int) -> None:
        """A stage of `total` bytes begins."""
        ...

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        ...


@dataclass(slots=True)
class Silence:
    """Progress that nobody watches."""

    def start(self, what: str, total: int) -> None:
        """Ignore."""

    def advance(self, count: int) -> None:
        """Ignore."""


def compile_model(
    model: Path,
    output: Path,
    options: CompileOptions | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    observe: Observer | None = None,
) -> CompileResult:
    """Compile a checkpoint into a build directory.

    A build that is up to date is kept unless `force`. `observe` sees the graph after every pass.
    """
    options = CompileOptions() if options is None else options
    progress = Silence() if progress is None else progress
    check_output(output)
    inputs = _read_inputs(model, options)
    if not force and (known := _up_to_date(output, inputs.input_hash)) is not None:
        return CompileResult(build=str(output), reused=True, manifest=known)
    project = _decide(inputs, options, observe)
    constants = [region for region in project.plan.memory.regions if region.kind.is_constant]
    progress.start("writing weight images", sum(region.size_bytes for region in constants))
    with staged_directory(output) as directory:
        copy_tokenizer(inputs.checkpoint.tokenizer_source, directory)
        manifest = write_project(project, directory, progress.advance)
    return CompileResult(build=str(output), reused=False, manifest=manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """What a build is made from, read and checked."""

    target: Target
    checkpoint: Checkpoint
    tokenizer_image: bytes
    model: ModelRecord
    options: OptionsRecord
    policy: Policy
    input_hash: str


def _read_inputs(model: Path, options: CompileOptions) -> _Inputs:
    """Target, checkpoint and tokenizer; `input_hash` decides whether a build is up to date."""
    target = load_target(options.target)
    checkpoint = open_checkpoint(model, options.adapter)
    tokenizer = read_tokenizer(checkpoint)
    image = tokenizer_image(tokenizer)
    record = _model_record(checkpoint, tokenizer)
    policy = options.read_policy()
    resolved = OptionsRecord(
        weights=str(options.scheme),
        policy=policy.text or None,
        requantise=options.requantise,
        engine=options.engine_name,
        context=options.context_for(checkpoint.config.max_positions),
        chunk=options.chunk or 0,
        kv_bits=str(options.cache_bits),
        target=target.name,
    )
    input_hash = hash_of_inputs(
        TOOL,
        record.model_dump_json(),
        resolved.model_dump_json(),
        repr(target),
        hashlib.sha256(image).hexdigest(),
    )
    return _Inputs(
        target=target,
        checkpoint=checkpoint,
        tokenizer_image=image,
        model=record,
        options=resolved,
        policy=policy,
        input_hash=input_hash,
    )


def _decide(inputs: _Inputs, options: CompileOptions, observe: Observer | None) -> Project:
    """Every decision of the build, before the first file is written."""
    checkpoint, context = inputs.checkpoint, inputs.options.context
    weights = QuantisedCheckpoint(
        checkpoint=checkpoint,
        scheme=options.scheme,
        context=context,
        requantises=options.requantise,
        policy=inputs.policy,
    )
    graph = llama_graph(
        checkpoint.config, checkpoint.structure, name=checkpoint.name, chunk_max=1, context=context
    )
    graph = lowered(declare_quantised(graph, weights), options.cache_bits, observe)
    plan = make_plan(
        plan_request(graph, inputs.target, options, tokenizer_bytes=len(inputs.tokenizer_image))
    )
    check_plan(plan)
    return Project(
        tool=TOOL,
        plan=plan,
        source=weights,
        tokenizer_image=inputs.tokenizer_image,
        model=inputs.model,
        options=inputs.options.model_copy(update={"chunk": plan.working.chunk}),
        input_hash=inputs.input_hash,
        warnings=lambda: [warning.line() for warning in checkpoint.warnings],
        report=_report(plan, inputs.model, weights_text(options)),
    )


def _report(plan: Plan, record: ModelRecord, weights: str) -> str:
    """The plan's document, which `aretusa report` reads."""
    model = PlanModel(
        name=record.name,
        parameters=record.parameters,
        layers=record.layers,
        hidden_size=record.hidden_size,
        vocabulary=record.vocabulary,
    )
    return summarise(plan, model, weights=weights).model_dump_json(indent=1) + "\n"


def _up_to_date(output: Path, input_hash: str) -> Manifest | None:
    if not (output / MANIFEST_FILE).is_file():
        return None
    try:
        manifest = read_manifest(output)
    except UsageError:  # of another version of the tool
        return None
    whole = all(is_intact(output / image.file_name) for image in manifest.images)
    return manifest if whole and manifest.input_hash == input_hash else None


def _model_record(checkpoint: Checkpoint, tokenizer: TokenizerModel) -> ModelRecord:
    config = checkpoint.config
    if tokenizer.vocab_size > config.vocab_size:
        raise UnsupportedError(
            "E0223",
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {config.vocab_size}",
            file=checkpoint.path,
            fix="Take the tokenizer and the weights from one checkpoint",
        )
    special = {token.content for token in tokenizer.added if token.is_special}
    stop_tokens = sorted({*checkpoint.eos_token_ids, *tokenizer.eos_ids})
    return ModelRecord(
        name=checkpoint.name,
        kind=checkpoint.kind,
        family=config.family.value,
        fingerprint=checkpoint.fingerprint(),
        parameters=parameter_count(checkpoint),
        layers=config.layers,
        hidden_size=config.hidden_size,
        vocabulary=config.vocab_size,
        has_chatml=special.issuperset(("<|im_start|>", "<|im_end|>")),
        stop_tokens=stop_tokens,
    )


def parameter_count(checkpoint: Checkpoint) -> int:
    """Numbers in the tensors that the model uses."""
    shapes = checkpoint.store.shapes
    return sum(prod(shapes[name]) for name in checkpoint.tensor_names)
