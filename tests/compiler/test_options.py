"""CompileOptions: short forms, and choices that are not possible or contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aretusa.errors import ExitCode, UsageError
from aretusa.neureka.linear import Engine
from aretusa.options import BITS, CompileOptions
from aretusa.quantization.policy import Policy
from aretusa.quantization.schemes import CHANNEL, SCHEMES, Scheme

if TYPE_CHECKING:
    from pathlib import Path


def test_by_default_weights_have_8_bits_per_row_and_no_policy() -> None:
    options = CompileOptions()
    assert options.scheme == Scheme(8, CHANNEL)
    assert options.read_policy() == Policy()
    assert options.read_policy().text == ""


@pytest.mark.parametrize("bits", BITS)
def test_bits_are_short_for_a_scheme_per_row(bits: int) -> None:
    assert str(CompileOptions(bits=bits).scheme) == f"w{bits}"
    assert CompileOptions(bits=bits, weights=f"w{bits}").scheme == SCHEMES[f"w{bits}"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bits": 1}, "1 bits per weight are not possible. Choose --bits between 2 and 8"),
        ({"bits": 9}, "9 bits"),
        ({"bits": -4}, "-4 bits"),
        ({"bits": 4, "weights": "w4g32"}, "--bits 4 and --weights w4g32 contradict"),
        ({"bits": 4, "weights": "w3"}, "contradict"),
        ({"bits": 4, "weights": "w9"}, "unknown weight scheme 'w9'"),
        ({"weights": "w1"}, "unknown weight scheme 'w1'"),
        ({"kv_bits": "5"}, "'5' bits per cached key and value are not possible"),
        ({"kv_bits": "4:2"}, "Choose --kv-bits 8, 4, or 8:4 and 4:8 for keys and values apart"),
    ],
)
def test_impossible_choices_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        CompileOptions(**options)
    assert (caught.value.code, caught.value.exit_code) == ("E0003", ExitCode.USAGE)
    assert says in caught.value.line()


def test_the_policy_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    options = CompileOptions(policy=path, bits=4)
    with pytest.raises(UsageError, match="E0012"):
        options.read_policy()
    path.write_text('[[rule]]\nmatch = "lm_head.weight"\nweights = "w6"\n')
    found = options.read_policy()
    assert found.scheme_of("lm_head.weight") == Scheme(6)
    assert found.text == path.read_text()


def test_the_planner_tries_steps_of_32_tokens_and_halves() -> None:
    options = CompileOptions()
    assert (options.chunk, options.engine, options.engine_name) == (None, None, "auto")
    assert options.chunks == (32, 16, 8, 4, 2, 1)


@pytest.mark.parametrize("chunk", [1, 7, 256])
def test_a_step_that_is_asked_for_is_the_only_one(chunk: int) -> None:
    assert CompileOptions(chunk=chunk).chunks == (chunk,)


@pytest.mark.parametrize("engine", Engine)
def test_an_engine_that_is_asked_for_has_its_name(engine: Engine) -> None:
    assert CompileOptions(engine=engine).engine_name == engine.value
