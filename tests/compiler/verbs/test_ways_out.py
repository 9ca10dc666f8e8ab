"""What is offered when a plan does not fit: tried, few, and the mildest of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.options import CompileOptions
from aretusa.verbs.ways_out import LEAST_CONTEXT, WANTED, ways_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.plan_results import WayOut

    Fits = Callable[[CompileOptions], bool]

SIZES = {"siracusa": 100.0, "siracusa-1gib": 400.0}


def need(options: CompileOptions, context: int) -> float:
    """A model that is as large as its bits, and its context."""
    caches = (options.cache_bits.keys + options.cache_bits.values) / 16
    positions = (options.context or context) * caches
    return 20 * options.scheme.bits + positions / 8 + (options.chunk or 1) / 8


def ways(options: CompileOptions, fits: Fits, *, context: int = 512, **more: Any) -> list[WayOut]:  # noqa: ANN401
    """Plans are slower with more bits."""
    return ways_out(
        options,
        context,
        has_own_codes=more.get("has_own_codes", False),
        attempt=lambda changed: changed.scheme.bits * 100 if fits(changed) else None,
    )


def applied(options: CompileOptions, way: WayOut) -> CompileOptions:
    """The options of a command line that has the old ones and then those of the way out."""
    given_options = {"--weights": options.weights, "--bits": options.bits}
    given_options |= {"--context": options.context, "--chunk": options.chunk}
    given_options |= {"--target": options.target, "--requantise": options.requantise}
    given_options |= {"--kv-bits": options.kv_bits}
    words = iter(way.option.split())
    for word in words:
        given_options[word] = True if word == "--requantise" else next(words)
    numbers = {key: given_options[key] for key in ("--bits", "--context", "--chunk")}
    return CompileOptions(
        weights=str(given_options["--weights"]),
        requantise=bool(given_options["--requantise"]),
        target=str(given_options["--target"]),
        kv_bits=str(given_options["--kv-bits"]),
        **{key[2:]: None if value is None else int(value) for key, value in numbers.items()},
    )


@given(
    bits=st.integers(2, 8),
    context=st.sampled_from((32, 64, 512, 4096)),
    chunk=st.sampled_from((None, 1, 32)),
    scale=st.floats(0.1, 3),
)
def test_every_way_out_fits_and_there_are_at_most_three(
    bits: int, context: int, chunk: int | None, scale: float
) -> None:
    options = CompileOptions(bits=bits, context=context, chunk=chunk)

    def fits(changed: CompileOptions) -> bool:
        return need(changed, context) <= scale * SIZES[changed.target]

    found = ways(options, fits, context=context)
    assert len(found) <= WANTED
    assert len({way.option for way in found}) == len(found)
    cycles = [way.decode_cycles_per_token or 0 for way in found]
    assert cycles == sorted(cycles)
    for way in found:
        assert way.fits
        assert fits(applied(options, way))


def test_the_mildest_of_a_kind_is_offered() -> None:
    def fits(options: CompileOptions) -> bool:
        return options.scheme.bits <= 5 or (options.context or 512) <= 128

    options = {way.option for way in ways(CompileOptions(), fits)}
    assert {"--bits 5", "--context 128"} <= options


def test_two_changes_are_offered_where_one_is_not_enough() -> None:
    def fits(options: CompileOptions) -> bool:
        return options.scheme.bits <= 4 and (
            (options.context or 512) <= 128 or options.target == "siracusa-1gib"
        )

    found = {way.option: way.what for way in ways(CompileOptions(), fits)}
    assert found["--bits 4 --context 128"] == "4 bits per weight and a context of 128 positions"
    assert (
        found["--bits 4 --target siracusa-1gib"] == "4 bits per weight and the target siracusa-1gib"
    )


def test_nothing_is_offered_where_nothing_helps() -> None:
    assert ways(CompileOptions(), lambda _: False) == []


@pytest.mark.parametrize(("chunk", "expected"), [(None, []), (1, []), (32, ["--chunk 1"])])
def test_shorter_steps_help_who_asked_for_long_ones(chunk: int | None, expected: list[str]) -> None:
    found = ways(CompileOptions(chunk=chunk), lambda options: options.chunk == 1 != chunk)
    assert [way.option for way in found] == expected


def test_codes_of_a_checkpoint_are_quantised_anew() -> None:
    def fits(options: CompileOptions) -> bool:
        return options.requantise and options.scheme.bits == 3

    found = {way.option for way in ways(CompileOptions(), fits, has_own_codes=True)}
    assert "--bits 3 --requantise" in found
    again = {way.option for way in ways(CompileOptions(requantise=True), fits, has_own_codes=True)}
    assert "--bits 3" in again


@pytest.mark.parametrize(
    "options",
    [
        CompileOptions(bits=4),
        CompileOptions(weights="w4"),
        CompileOptions(weights="w4", bits=4),
        CompileOptions(weights="w4g32"),
    ],
)
def test_fewer_bits_contradict_no_other_option(options: CompileOptions) -> None:
    found = ways(options, lambda changed: changed.scheme.bits == 2)
    assert found
    assert {applied(options, way).scheme.bits for way in found} == {2}


def test_no_context_is_shorter_than_useful() -> None:
    tried: list[int | None] = []

    def fits(options: CompileOptions) -> bool:
        tried.append(options.context)
        return False

    ways(CompileOptions(context=100), fits, context=100)
    assert min(context for context in tried if context is not None) >= LEAST_CONTEXT


@pytest.mark.parametrize(
    ("kv_bits", "enough", "option"),
    [
        ("8", 12, "--kv-bits 8:4"),
        ("8", 8, "--kv-bits 4"),
        ("8:4", 8, "--kv-bits 4"),
        ("4", 6, None),
    ],
)
def test_narrower_caches_are_offered(kv_bits: str, enough: int, option: str | None) -> None:
    def fits(options: CompileOptions) -> bool:
        return options.cache_bits.keys + options.cache_bits.values <= enough

    found = ways(CompileOptions(kv_bits=kv_bits), fits)
    assert [way.option for way in found] == ([] if option is None else [option])
