"""run_program(): text, tokens and records of one run, as Python objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny_models import CHUNK, CONTEXT, compile_tiny, copy_build, lend_programs, write_model

from aretusa.errors import UnsupportedError, UsageError
from aretusa.execution.firmware import Platform
from aretusa.program import Program
from aretusa.reference.interpreter import Interpreter
from aretusa.reference.sampling import Sampler
from aretusa.results import RunResult
from aretusa.tokenizer.encode import decode_bytes, encode
from aretusa.verbs.prompt import NEUTRAL_TEXT, Prompt, encode_segments, neutral_prompt
from aretusa.verbs.run import RunOptions, run_program

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = (
    "the sea",
    " ",
    "\n\n\t",
    "naïve café — 42 €",
    "模型 и ελληνικά",
    "👩‍🚀 zero\u200bwidth",
    "e\u0301 \ufeff\U0001f1ee\U0001f1f9",
    'quotes " and \\ and %s and */ and \0 inside',
    "<|im_end|> is plain text here",
    "a" * 40,
)


def on_host(**options: object) -> RunOptions:
    return RunOptions(platform=Platform.HOST, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def program(tiny_build: Path) -> Program:
    return Program.open(tiny_build)


def replay(program: Program, prompt: list[int], new_tokens: int, sampler: Sampler) -> list[int]:
    """Tokens of a run in NumPy."""
    machine = Interpreter(program.graph, program.weights)
    logits = machine.forward(prompt, 0, [len(prompt) - 1])[0]
    tokens: list[int] = []
    while True:
        tokens.append(sampler.sample(logits))
        if len(tokens) == new_tokens or tokens[-1] in program.manifest.model.stop_tokens:
            return tokens
        logits = machine.forward(tokens[-1:], len(prompt) + len(tokens) - 1, [0])[0]


@pytest.mark.parametrize("text", TEXTS)
def test_the_device_encodes_as_the_host_does(text: str, program: Program) -> None:
    result = run_program(program.build, Prompt(text=text), on_host(max_new_tokens=1))
    assert result.prompt_tokens == encode(program.tokenizer, text, parse_special=False)


@pytest.mark.parametrize(
    ("temperature", "top_p", "seed"),
    [
        (0.0, 1.0, 0),
        (1.0, 1.0, 1),
        (0.7, 0.9, 2),
        (5.0, 0.5, 3),
        (100.0, 1e-6, 4),
        (1.3, 0.95, 2**64 - 1),
    ],
)
def test_sampling_chooses_what_its_twin_chooses(
    temperature: float, top_p: float, seed: int, program: Program
) -> None:
    options = on_host(max_new_tokens=24, temperature=temperature, top_p=top_p, seed=seed)
    result = run_program(program.build, Prompt(text="the sea and the"), options)
    sampler = Sampler(temperature, top_p, seed)
    expected = replay(program, result.prompt_tokens, 24, sampler)
    assert [token.id for token in result.tokens] == expected


def test_seeds_differ_and_repeat(program: Program) -> None:
    def tokens(seed: int) -> list[int]:
        options = on_host(max_new_tokens=12, temperature=2.0, seed=seed)
        found = run_program(program.build, Prompt(text="the"), options).tokens
        return [token.id for token in found]

    assert tokens(1) == tokens(1)
    assert tokens(1) != tokens(2)


def test_the_text_is_what_the_tokens_spell(program: Program) -> None:
    parts: list[bytes] = []
    options = on_host(max_new_tokens=20, temperature=3.0, seed=5)
    result = run_program(program.build, Prompt(text="x"), options, on_text=parts.append)
    ids = [token.id for token in result.tokens if token.id < program.tokenizer.vocab_size]
    spelt = decode_bytes(program.tokenizer, ids)
    assert b"".join(parts) == spelt
    assert result.text == spelt.decode(errors="replace")


def test_positions_and_counts(program: Program) -> None:
    result = run_program(program.build, Prompt(text="abc"), on_host(max_new_tokens=4))
    start = len(result.prompt_tokens)
    assert [token.position for token in result.tokens] == list(range(start, start + 4))
    assert result.boot_instructions == 0  # the host cannot count
    assert result.tokens_per_second == pytest.approx((start + 4) / result.seconds)
    assert RunResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(("chunk", "cores"), [(1, 8), (3, 8), (CHUNK, 1), (0, 3), (CHUNK - 1, 5)])
def test_chunk_and_cores_change_nothing(chunk: int, cores: int, program: Program) -> None:
    options = on_host(max_new_tokens=6, chunk=chunk, cores=cores, check=True)
    result = run_program(program.build, Prompt(text="the sea and the shore"), options)
    assert result.check is not None
    assert result.check.mismatches == 0
    assert result.check.values == (len(result.prompt_tokens) + 5) * program.graph.logits.type.depth


def test_a_check_finds_a_difference(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Interpreter.forward

    def wrong(self: Interpreter, *arguments: object) -> object:
        return forward(self, *arguments) + np.float32(1)  # type: ignore[arg-type]

    monkeypatch.setattr(Interpreter, "forward", wrong)
    result = run_program(program.build, Prompt(text="x"), on_host(max_new_tokens=1, check=True))
    assert result.check is not None
    assert result.check.mismatches > 0


def test_a_chat_has_the_special_tokens_of_its_turns(program: Program) -> None:
    prompt = Prompt(text="<|im_end|>?", chat=True, system="be")
    result = run_program(program.build, prompt, on_host(max_new_tokens=1))
    assert result.prompt_tokens == encode_segments(program.tokenizer, prompt.segments(program))
    start, end = 1, 2
    assert result.prompt_tokens.count(start) == 3
    assert result.prompt_tokens.count(end) == 2  # none from the question's text


def test_a_chat_needs_a_model_that_knows_it(tiny_build: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    text = (model / "tokenizer.json").read_text("utf-8")
    (model / "tokenizer.json").write_text(text.replace("<|im_end|>", "<|other|>"), "utf-8")
    build = compile_tiny(model, tmp_path / "build")
    with pytest.raises(UnsupportedError, match=r"E0224.*Leave out --chat"):
        run_program(build, Prompt(text="x", chat=True), on_host())


def test_two_runs_at_once_do_not_meet(program: Program) -> None:
    def run(seed: int) -> list[int]:
        options = on_host(max_new_tokens=10, temperature=2.0, seed=seed, cores=2)
        return [t.id for t in run_program(program.build, Prompt(text="the"), options).tokens]

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == alone


def test_a_run_leaves_the_build_as_it_was(own_build: Path) -> None:
    before = sorted(path.name for path in own_build.iterdir())
    run_program(own_build, Prompt(text="x"), on_host(max_new_tokens=1))
    with pytest.raises(UsageError):
        run_program(own_build, Prompt(text=""), on_host(max_new_tokens=1))
    assert sorted(path.name for path in own_build.iterdir()) == before


def test_the_neutral_prompt_has_any_length(program: Program) -> None:
    for count in (1, 2, 32, CONTEXT, 3000):
        ids = neutral_prompt(program.tokenizer, count)
        assert len(ids) == count
        assert all(0 <= one < program.tokenizer.vocab_size for one in ids)
    assert NEUTRAL_TEXT.isascii()


@pytest.mark.qemu
def test_the_emulated_chip_counts_the_same_instructions_every_time(tiny_build: Path) -> None:
    options = RunOptions(platform=Platform.QEMU, max_new_tokens=3)
    one, two = (run_program(tiny_build, Prompt(text="the sea"), options) for _ in range(2))
    assert one.tokens == two.tokens
    assert one.boot_instructions == two.boot_instructions > 0
    assert one.instructions_per_token == two.instructions_per_token > 0
    host = run_program(tiny_build, Prompt(text="the sea"), on_host(max_new_tokens=3))
    assert [t.id for t in host.tokens] == [t.id for t in one.tokens]
    assert host.text == one.text


@pytest.mark.qemu
@pytest.mark.slow
def test_the_profile_names_every_kernel(tiny_build: Path, tmp_path: Path) -> None:
    build = copy_build(tiny_build, tmp_path / "build")
    lend_programs(tiny_build, build)
    options = RunOptions(platform=Platform.QEMU, max_new_tokens=3, profile=True)
    result = run_program(build, Prompt(text="the sea"), options)
    assert [row.kernel for row in result.profile] == Program.open(build).manifest.profile
    assert all(row.calls > 0 and row.instructions > 0 for row in result.profile)
    total = sum(row.instructions for row in result.profile)
    assert total <= result.prefill_instructions + sum(t.instructions for t in result.tokens)
