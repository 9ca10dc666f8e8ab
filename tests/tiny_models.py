"""Tiny models that compile and run: checkpoints with a tokenizer, and programs that build fast."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import checkpoints
import numpy as np
from checkpoints import tiny_config, write_gguf_llama, write_hf_llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from aretusa.codegen.project import Project, write_project
from aretusa.driver import compile_model
from aretusa.execution.firmware import Platform, build_firmware
from aretusa.frontend.llama_graph import llama_graph
from aretusa.frontend.rope_tables import rope_tables
from aretusa.frontend.structure import plain_structure
from aretusa.frontend.weights import FloatWeight
from aretusa.ir.text import parse_graph, print_graph
from aretusa.ir.types import DenseType
from aretusa.ir.verify import verify
from aretusa.manifest import ModelRecord, OptionsRecord
from aretusa.options import CompileOptions
from aretusa.passes.pipeline import LOWERING, run_passes
from aretusa.plan.goal import Goal
from aretusa.plan.make import Request, make_plan
from aretusa.planning import workspace_bytes
from aretusa.quantization.cache_bits import CacheBits, declare_caches
from aretusa.quantization.schemes import SCHEMES, Scheme, quantise_matrix
from aretusa.quantization.store import QuantisedCheckpoint, declare_quantised
from aretusa.schedule.roll import roll
from aretusa.target.load import load_target
from aretusa.tokenizer.image import tokenizer_image
from aretusa.tokenizer.read_hf import read_hf
from aretusa.tokenizer_files import HF_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import gguf
    import pytest
    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import LlamaConfig
    from aretusa.frontend.rope_tables import RopeTables
    from aretusa.ir.graph import Graph
    from aretusa.neureka.linear import Engine
    from aretusa.plan.make import Plan
    from aretusa.quantization.schemes import QuantisedMatrix
    from aretusa.target.description import Target

SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES: Final = ("t h", "h e", "th e", "Ġ t", "Ġt he", "i n", "e r", "a n", "n d", "Ġ a", "o n")
VOCABULARY: Final = 280  # specials, byte alphabet and merges are 270; the rest has no text
NORMAL, CONTROL, UNUSED = 1, 3, 5  # types of tokens in GGUF
CONTEXT: Final = 64
CHUNK: Final = 8
COMPILERS: Final = {
    Platform.HOST: "cc",
    Platform.QEMU: "riscv64-unknown-elf-gcc",
    Platform.QEMU_ZFINX: "clang-19",
    Platform.SIRACUSA: "clang-19",
}


def runnable_config(*args: Any, **changes: Any) -> LlamaConfig:  # noqa: ANN401
    """A tiny configuration whose vocabulary holds the tiny tokenizer."""
    return tiny_config(*args, **({"vocab_size": VOCABULARY} | changes))


def vocabulary() -> list[str]:
    """Tokens of the tiny byte-level tokenizer in the order of their ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [*SPECIAL, *alphabet, *(merge.replace(" ", "") for merge in MERGES)]


def write_tokenizer(directory: Path) -> None:
    """tokenizer.json of the tiny byte-level tokenizer."""
    ids = {token: index for index, token in enumerate(vocabulary())}
    pairs = [(left, right) for left, right in (merge.split() for merge in MERGES)]
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(directory / "tokenizer.json"))


def write_model(directory: Path, config: LlamaConfig | None = None, **options: Any) -> Path:  # noqa: ANN401
    """A Hugging Face directory that compiles; options are those of write_hf_llama."""
    write_hf_llama(directory, runnable_config() if config is None else config, **options)
    write_tokenizer(directory)
    return directory


def write_gguf_model(file: Path, config: LlamaConfig | None = None, **options: Any) -> Path:  # noqa: ANN401
    """A GGUF file that compiles; options are those of write_gguf_llama."""
    add_metadata = checkpoints._add_metadata

    def add_own_tokenizer(writer: gguf.GGUFWriter, config: LlamaConfig) -> None:
        add_metadata(writer, config)
        for name in ("tokens", "merges"):
            del writer.kv_data[0][f"tokenizer.ggml.{name}"]
        tokens = vocabulary()
        unused = [f"<|unused{index}|>" for index in range(config.vocab_size - len(tokens))]
        types = [CONTROL if token in SPECIAL else NORMAL for token in tokens]
        writer.add_token_list(tokens + unused)
        writer.add_token_types(types + [UNUSED] * len(unused))
        writer.add_token_merges(list(MERGES))
        writer.add_tokenizer_pre("gpt-2")

    with mock.patch.object(checkpoints, "_add_metadata", add_own_tokenizer):
        write_gguf_llama(file, runnable_config() if config is None else config, **options)
    return file


def compile_tiny(model: Path, build: Path, **options: Any) -> Path:  # noqa: ANN401
    """Compile with a short context and chunk; returns the build."""
    settings: dict[str, Any] = {"context": CONTEXT, "chunk": CHUNK} | options
    compile_model(model, build, CompileOptions(**settings))
    return build


def lowered_graph(
    config: LlamaConfig | None = None,
    *,
    scheme: str = "w8",
    context: int = CONTEXT,
    chunk: int = CHUNK,
    kv_bits: str = "8",
) -> Graph:
    """What the driver makes of a configuration, without any weights."""
    config = runnable_config() if config is None else config
    graph = llama_graph(config, name="tiny", chunk_max=chunk, context=context)
    checkpoint: Any = SimpleNamespace(
        store=SimpleNamespace(forms={}), structure=plain_structure(config.layers)
    )
    source = QuantisedCheckpoint(checkpoint=checkpoint, scheme=SCHEMES[scheme], context=context)
    graph = declare_caches(declare_quantised(graph, source), CacheBits.parse(kv_bits))
    return run_passes(graph, LOWERING)


def two_kind_graph(*, layers: int = 3, wide: tuple[int, ...] = (1,), ffn_size: int = 160) -> Graph:
    """A lowered graph in which some layers have a wider feed-forward network."""
    config = runnable_config(layers=layers)
    lines = []
    for line in print_graph(lowered_graph(config)).splitlines():
        is_wide = any(f".{layer}.mlp." in line or f"%l{layer}." in line for layer in wide)
        width = re.compile(rf"(?<=x){config.ffn_size}(?=\])|(?<=\[){config.ffn_size}(?=x)")
        lines.append(width.sub(str(ffn_size), line) if is_wide else line)
    graph = parse_graph("\n".join(lines) + "\n")
    verify(graph, after="widening")
    return graph


def plan_of(
    graph: Graph,
    target: Target | None = None,
    *,
    engine: Engine | None = None,
    tokenizer_bytes: int = 5000,
) -> Plan:
    """The plan of a lowered graph, with its own chunk."""
    return make_plan(
        Request(
            graph=graph,
            target=load_target() if target is None else target,
            goal=Goal.within(graph.context),
            engine=engine,
            chunks=(graph.chunk_max,),
            tokenizer_bytes=tokenizer_bytes,
            workspace_bytes=workspace_bytes(graph.context),
        )
    )


def resized(target: Target, **size_bytes: int) -> Target:
    """The target with other sizes of memories, none of them reserved."""
    memories = tuple(
        replace(memory, size_bytes=size_bytes[memory.id.key], reserved_bytes=0)
        if memory.id.key in size_bytes
        else memory
        for memory in target.memories
    )
    return replace(target, memories=memories)


def write_target(path: Path, *, signed_input: int = 1, **capacity_bytes: int) -> Path:
    """A target file: Siracusa with other capacities; what is reserved stays as it is."""
    target = load_target()
    entry = '{{ value = {}, confidence = "assumed", source = "a test" }}'
    lines = ['base = "siracusa"', 'name = "other"']
    for memory in target.memories:
        if memory.id.key in capacity_bytes:
            size_bytes = memory.reserved_bytes + capacity_bytes[memory.id.key]
            lines += [f"[memory.{memory.id.key}]", f"size_bytes = {entry.format(size_bytes)}"]
    lines += ["[neureka_features]", f"signed_input = {entry.format(signed_input)}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class RandomConstants:
    """Constants of any graph, made from the names of the weights."""

    graph: Graph
    config: LlamaConfig

    def matrix(self, name: str) -> QuantisedMatrix:
        """Random weights in the declared form."""
        kind = self.graph.weight_types()[name]
        assert isinstance(kind, DenseType)
        values = 0.1 * self._random(name).standard_normal((kind.rows, kind.depth))
        scheme = Scheme(kind.bits, kind.group)
        return quantise_matrix(FloatWeight(values.astype(np.float32)), scheme, name=name)

    def vector(self, name: str) -> NDArray[np.float32]:
        """Random numbers near one."""
        kind = self.graph.weight_types()[name]
        assert not isinstance(kind, DenseType)
        values = 1 + 0.1 * self._random(name).standard_normal(kind.size)
        return values.astype(np.float32)

    def rope(self) -> RopeTables:
        """The rotary tables of the configuration."""
        return rope_tables(self.config, self.graph.context)

    def _random(self, name: str) -> np.random.Generator:
        return np.random.default_rng(list(name.encode()))


def write_build(graph: Graph, build: Path, config: LlamaConfig | None = None) -> Path:
    """A whole build directory of any graph of tiny layers, with random constants.

    `config` says the rotary angles.
    """
    build.mkdir(parents=True)
    write_tokenizer(build)
    tokenizer = read_hf(build / HF_FILE, eos_ids=(0,))
    image = tokenizer_image(tokenizer)
    plan = plan_of(graph, tokenizer_bytes=len(image))
    config = runnable_config() if config is None else config
    project = Project(
        tool="aretusa test",
        plan=plan,
        source=RandomConstants(graph, config),
        tokenizer_image=image,
        model=ModelRecord(
            name=graph.name,
            kind="test",
            family="llama",
            fingerprint="",
            parameters=0,
            layers=len(roll(graph).order),
            hidden_size=64,
            vocabulary=graph.logits.type.depth,
            has_chatml=True,
            stop_tokens=[0, 2],
        ),
        options=_options_record(graph, plan.request.target.name),
        input_hash="",
        report="",
        warnings=list,
    )
    write_project(project, build, lambda _: None)
    return build


def _options_record(graph: Graph, target: str) -> OptionsRecord:
    """The default options, whatever they are, with the graph's context and chunk."""
    defaults = CompileOptions()
    values = {name: getattr(defaults, name) for name in OptionsRecord.model_fields}
    plain = {name: getattr(value, "value", value) for name, value in values.items()}
    known = {
        "context": graph.context,
        "chunk": graph.chunk_max,
        "engine": defaults.engine_name,
        "target": target,
    }
    return OptionsRecord(**(plain | known))


def copy_build(build: Path, place: Path) -> Path:
    """A copy without the working directories of runs that happen at the same time."""
    ignored = shutil.ignore_patterns("run-*")
    return shutil.copytree(build, place, symlinks=True, ignore=ignored)


def lend_programs(donor: Path, build: Path) -> None:
    """Give a build the objects of another, so that make compiles only what differs.

    The times say what make must believe: what is equal in both builds is older than the objects,
    what differs is younger.
    """
    shutil.copytree(donor / "objects", build / "objects", dirs_exist_ok=True)
    for program in donor.glob("aretusa-*"):
        shutil.copy(program, build)
    now = (build / "manifest.json").stat().st_mtime
    for path in build.rglob("*"):
        if path.is_file():
            twin = donor / path.relative_to(build)
            is_equal = twin.is_file() and twin.read_bytes() == path.read_bytes()
            is_made = path.is_relative_to(build / "objects") or path.name.startswith("aretusa-")
            age_s = 10 if is_made else 20 if is_equal else 0
            os.utime(path, (now - age_s, now - age_s))


def donor_build(factory: pytest.TempPathFactory) -> Path:
    """A build whose programs stand for host and QEMU; made once for all workers. Only read it."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    build = root / "donor" / "build"
    with _locked(root / "donor.lock"):
        if not build.is_dir():
            model = write_model(root / "donor" / "tiny-model")
            unfinished = compile_tiny(model, root / "donor" / "unfinished")
            for platform, tool in COMPILERS.items():
                if shutil.which(tool):
                    build_firmware(unfinished, platform)
            unfinished.rename(build)
    return build


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
