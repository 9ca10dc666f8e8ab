"""The shipped model and SmolLM2, compiled from real weights: equal in every bit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from required_tools import skip_or_fail
from tiny_models import lend_programs

from aretusa.driver import compile_model
from aretusa.execution.firmware import Platform
from aretusa.options import CompileOptions
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.sampling import Sampler
from aretusa.tokenizer.encode import encode
from aretusa.verbs.executions import compiled_execution, numpy_execution, onnx_execution
from aretusa.verbs.prompt import Prompt
from aretusa.verbs.run import RunOptions, run_program
from aretusa.verbs.verify import VerifyOptions, verify_build

SHIPPED: Final = Path(__file__).resolve().parents[2] / "examples" / "models" / "tiny-orator"
TEXTS: Final = (
    "The President shall, from time to time, give to the Congress",
    "Call me Ishmael. Some years ago—never mind how long precisely—",
    "naïve café, 42 €; ÅÄÖ \u017ftrange \ufb01gures",
    "模型 и ελληνικά עברית हिन्दी 한국어",
    "👩‍🚀🏳️‍🌈 \u200b\ufeff e\u0301\r\n\t  end  ",
    "<|endoftext|> and <|im_start|> are text here",
    "x" * 200 + " 1234567890 " * 5,
)


def compiled(model: Path, build: Path, donor: Path, chunk: int) -> Path:
    compile_model(model, build, CompileOptions(chunk=chunk))
    lend_programs(donor, build)
    return build


@pytest.fixture(scope="session")
def orator(donor: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (SHIPPED / "model.safetensors").is_file():
        skip_or_fail("the shipped model has no weights")
    return compiled(SHIPPED, tmp_path_factory.mktemp("orator") / "build", donor, 32)


@pytest.fixture(scope="session")
def smollm2(smollm2_gguf: Path, donor: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(smollm2_gguf, tmp_path_factory.mktemp("smollm2") / "build", donor, 8)


def check_text(build: Path, text: str) -> None:
    program = Program.open(build)
    options = RunOptions(platform=Platform.HOST, max_new_tokens=1)
    result = run_program(build, Prompt(text=text), options)
    assert result.prompt_tokens == encode(program.tokenizer, text, parse_special=False)


@pytest.mark.slow
@pytest.mark.qemu
def test_verify_finds_no_difference_in_the_shipped_model(orator: Path) -> None:
    result = verify_build(orator)
    assert {f"{one.name} {one.detail}": one.mismatches for one in result.executions} == {
        f"{one.name} {one.detail}": 0 for one in result.executions
    }
    names = {one.name for one in result.executions}
    assert names - {"gvsoc"} == {"numpy", "onnxruntime", "host", "qemu", "qemu-zfinx"}
    assert {one.values for one in result.executions} == {(32 + 16 - 1) * 2048 + 16}
    assert result.passed


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_the_shipped_model_reads_texts_as_the_host_does(text: str, orator: Path) -> None:
    check_text(orator, text)


@pytest.mark.slow
def test_the_shipped_model_draws_what_numpy_draws(orator: Path) -> None:
    program = Program.open(orator)
    options = RunOptions(
        platform=Platform.HOST, max_new_tokens=48, temperature=0.8, top_p=0.9, seed=1851
    )
    result = run_program(orator, Prompt(text="The whale"), options)
    machine, sampler = Interpreter(program.graph, program.weights), Sampler(0.8, 0.9, 1851)
    prompt = result.prompt_tokens
    logits = machine.forward(prompt, 0, [len(prompt) - 1])[0]
    for index, token in enumerate(result.tokens):
        assert token.id == sampler.sample(logits)
        logits = machine.forward([token.id], len(prompt) + index, [0])[0]


@pytest.mark.slow
def test_the_chip_holds_the_shipped_model(orator: Path) -> None:
    manifest = Program.open(orator).manifest
    places = {region.memory for region in manifest.regions if region.kind == "weight"}
    assert places <= {"l2", "mram", "sram"}
    assert sum(len(text.splitlines()) for text in [(orator / "network.c").read_text()]) < 5000


@pytest.mark.slow
@pytest.mark.qemu
def test_smollm2_agrees_in_every_bit(smollm2: Path) -> None:
    executions = (
        numpy_execution(8),
        onnx_execution(8),
        compiled_execution(Platform.HOST, cores=8, chunk=8),
        compiled_execution(Platform.HOST, cores=1, chunk=3),
        compiled_execution(Platform.QEMU, cores=8, chunk=8),
    )
    options = VerifyOptions(prompt_tokens=8, new_tokens=4, executions=executions)
    result = verify_build(smollm2, options)
    assert [one.mismatches for one in result.executions] == [0] * len(executions)
    assert {one.values for one in result.executions} == {(8 + 4 - 1) * 49152 + 4}


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS[:5])
def test_smollm2_reads_texts_as_the_host_does(text: str, smollm2: Path) -> None:
    check_text(smollm2, text)


@pytest.mark.slow
def test_the_c_of_smollm2_is_short(smollm2: Path) -> None:
    assert len((smollm2 / "network.c").read_text().splitlines()) < 5000
