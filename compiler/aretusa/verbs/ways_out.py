"""Changes of the options that make a plan fit, each of them tried."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

from aretusa.options import DEFAULT_WEIGHTS
from aretusa.plan_results import WayOut
from aretusa.quantization.cache_bits import CacheBits
from aretusa.target.load import BUILT_IN, load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aretusa.options import CompileOptions

    Attempt = Callable[[CompileOptions], int | None]

WANTED: Final = 3  # ways out that are listed
LEAST_CONTEXT: Final = 32


def ways_out(
    options: CompileOptions, context: int, *, has_own_codes: bool, attempt: Attempt
) -> list[WayOut]:
    """The mildest change of each kind that fits, then changes of two kinds; at most three."""
    contexts = list(_contexts(context))
    widths = list(_widths(options))
    targets = _larger_targets(options.target)
    found: list[WayOut] = []
    single = [
        [_with_context(options, context) for context in contexts],
        [_with_bits(options, bits, has_own_codes=has_own_codes) for bits in widths],
        [_with_target(options, name) for name in targets],
        [_with_chunk(options)] if options.chunk not in {None, 1} else [],
        [_with_cache(options, bits) for bits in _narrower_caches(options)],
    ]
    for changes in single:
        found += _mildest(changes, attempt)
    fewer_bits = [_with_bits(options, bits, has_own_codes=has_own_codes) for bits in widths]
    if len(found) < WANTED:
        shorter = [
            _together(first, _with_context(first.options, last))
            for first, last in product(fewer_bits, contexts)
        ]
        found += _mildest(shorter, attempt)
    larger = [
        _together(first, _with_target(first.options, last))
        for first, last in product(fewer_bits, targets)
    ]
    if len(found) < WANTED:
        found += _mildest(larger, attempt)
    if len(found) < WANTED:  # more than the mildest of a kind
        known = {way.option for way in found}
        rest = [change for change in (*fewer_bits, *larger) if change.option not in known]
        found += _all_that_fit(rest, attempt, WANTED - len(found))
    found.sort(key=lambda way: way.decode_cycles_per_token or 0)
    return found[:WANTED]


def _larger_targets(target: str) -> list[str]:
    """Built-in targets with more memory: a variant of another kind is no way out."""
    room = _capacity_bytes(target)
    return [name for name in BUILT_IN if _built_in_bytes(name) > room]


@cache
def _built_in_bytes(name: str) -> int:
    return _capacity_bytes(name)


def _capacity_bytes(target: str) -> int:
    return sum(memory.capacity_bytes for memory in load_target(target).memories)


class _Change:
    """Options that differ, in words and as a command line."""

    def __init__(self, options: CompileOptions, what: str, option: str) -> None:
        self.options, self.what, self.option = options, what, option


def _mildest(changes: list[_Change], attempt: Attempt) -> Iterator[WayOut]:
    """The first change that fits, if any does."""
    for change in changes:
        cycles = attempt(change.options)
        if cycles is not None:
            yield WayOut(
                what=change.what,
                option=change.option,
                fits=True,
                decode_cycles_per_token=cycles,
            )
            return


def _all_that_fit(changes: list[_Change], attempt: Attempt, most: int) -> list[WayOut]:
    found: list[WayOut] = []
    for change in changes:
        if len(found) < most:
            found += _mildest([change], attempt)
    return found


def _contexts(context: int) -> Iterator[int]:
    while context // 2 >= LEAST_CONTEXT:
        context //= 2
        yield context


def _widths(options: CompileOptions) -> Iterator[int]:
    yield from range(options.scheme.bits - 1, 1, -1)


def _with_context(options: CompileOptions, context: int) -> _Change:
    changed = replace(options, context=context)
    return _Change(changed, f"a context of {context} positions", f"--context {context}")


def _with_bits(options: CompileOptions, bits: int, *, has_own_codes: bool) -> _Change:
    requantise = options.requantise or has_own_codes
    changed = replace(options, weights="w8", bits=bits, requantise=requantise)
    flags = [] if options.weights == DEFAULT_WEIGHTS else [f"--weights w{bits}"]
    if not flags or options.bits is not None:  # together they must not contradict each other
        flags.append(f"--bits {bits}")
    if requantise and not options.requantise:
        flags.append("--requantise")
    return _Change(changed, f"{bits} bits per weight", " ".join(flags))


def _with_target(options: CompileOptions, name: str) -> _Change:
    return _Change(replace(options, target=name), f"the target {name}", f"--target {name}")


def _narrower_caches(options: CompileOptions) -> Iterator[str]:
    """Values lose least with four bits."""
    now = options.cache_bits
    yield from (
        str(bits)
        for bits in (CacheBits(now.keys, 4), CacheBits(4, 4))
        if bits.keys + bits.values < now.keys + now.values
    )


def _with_cache(options: CompileOptions, bits: str) -> _Change:
    keys = "values" if bits == "8:4" else "keys and values"
    return _Change(replace(options, kv_bits=bits), f"{keys} of 4 bits", f"--kv-bits {bits}")


def _with_chunk(options: CompileOptions) -> _Change:
    return _Change(replace(options, chunk=1), "steps of one token", "--chunk 1")


def _together(first: _Change, second: _Change) -> _Change:
    """Both: `second` was made from the options of `first`."""
    return _Change(
        second.options, f"{first.what} and {second.what}", f"{first.option} {second.option}"
    )
