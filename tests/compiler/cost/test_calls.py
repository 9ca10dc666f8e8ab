"""Laws of kernel costs: more work, fewer cores or slower memories never make a call shorter."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.cost import kernels
from aretusa.cost.attention import AttentionShape, attention_call
from aretusa.cost.code_cache import CodeCache
from aretusa.cost.events import COUNTS, kernel_events
from aretusa.cost.products import linear_call
from aretusa.ir.types import DenseType
from aretusa.neureka.registers import Mode
from aretusa.target.description import Kernels, MemoryId, Target
from aretusa.target.load import load_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa.cost.calls import KernelCall

    Build = Callable[[int, dict[str, int]], KernelCall]

TARGET: Final = load_target()
FORMS: Final = (
    (8, 0, False),
    (8, 32, False),
    (8, 32, True),
    (8, 64, False),
    (8, 128, True),
    (4, 0, False),
    (4, 32, True),
    (4, 64, False),
    (4, 128, False),
)


def with_cores(cores: int) -> Target:
    return replace(TARGET, cluster=replace(TARGET.cluster, cores=cores))


def cycles(build: Build, sizes: dict[str, int], cores: int = 8) -> int:
    return build(cores, sizes).cycles(with_cores(cores))


def linear(form: tuple[int, int, bool]) -> Build:
    bits, group, minimum = form

    def build(cores: int, sizes: dict[str, int]) -> KernelCall:
        matrix = DenseType(
            rows=sizes["rows"],
            depth=sizes["depth"],
            bits=bits,
            group=group,
            has_minimum=minimum,
        )
        return linear_call(cores, matrix, tokens=sizes["tokens"], has_residual=True, has_bias=True)

    return build


def rows_of(call: Callable[..., KernelCall], **options: object) -> Build:
    return lambda cores, sizes: call(cores, **sizes, **options)


def attend(cores: int, sizes: dict[str, int]) -> KernelCall:
    """Positions in tiles of 32: a lane's last three keys take longer than four at once."""
    shape = AttentionShape(
        tokens=sizes["tokens"],
        heads=sizes["kv_heads"] * sizes["repeat"],
        kv_heads=sizes["kv_heads"],
        dim=8 * sizes["columns"],
        position=32 * sizes["reach"] - sizes["tokens"],
        context=600,
        tile_positions=32,
    )
    return attention_call(cores, shape)


KERNELS: Final[dict[str, tuple[Build, dict[str, tuple[int, int]]]]] = {
    **{
        f"linear {form}": (
            linear(form),
            {"rows": (1, 300), "depth": (32, 600), "tokens": (1, 9)},
        )
        for form in FORMS
    },
    **{
        name: (rows_of(call), {"tokens": (1, 9), "depth": (64, 800)})
        for name, call in (
            ("quantise", kernels.quantise_call),
            ("silu", kernels.silu_mul_quantise_call),
            ("rmsnorm", kernels.rmsnorm_quantise_call),
        )
    },
    **{
        f"{call.__name__} {has_norm}": (
            rows_of(call, has_norm=has_norm, has_rope=True),
            {"tokens": (1, 9), "heads": (1, 12), "dim": (8, 128)},
        )
        for call in (kernels.heads_quantise_call, kernels.cache_append_call)
        for has_norm in (False, True)
    },
    "finish_sums": (rows_of(kernels.finish_sums_call), {"rows": (1, 600), "tokens": (1, 9)}),
    "embed": (
        rows_of(kernels.embed_call, bits=4, group=32),
        {"tokens": (1, 9), "depth": (64, 600)},
    ),
    "embed of the engine": (
        rows_of(kernels.embed_call, bits=5, group=0, mode=Mode.DENSE_3X3),
        {"tokens": (1, 9), "depth": (64, 600)},
    ),
    "attention": (
        attend,
        {
            "tokens": (1, 1),
            "kv_heads": (1, 4),
            "repeat": (1, 3),
            "columns": (1, 8),
            "reach": (1, 16),
        },
    ),
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[Build, dict[str, int], dict[str, int]]:
    """A kernel with sizes, and sizes of which none is smaller."""
    build, ranges = KERNELS[draw(st.sampled_from(sorted(KERNELS)))]
    few = {name: draw(st.integers(*limits)) for name, limits in ranges.items()}
    many = {name: draw(st.integers(few[name], limits[1])) for name, limits in ranges.items()}
    return build, few, many


@given(calls())
def test_more_work_never_takes_less(drawn: tuple[Build, dict[str, int], dict[str, int]]) -> None:
    build, few, many = drawn
    assert cycles(build, few) <= cycles(build, many)


@given(calls())
def test_eight_cores_are_never_slower_than_one_but_for_their_barriers(
    drawn: tuple[Build, dict[str, int], dict[str, int]],
) -> None:
    build, sizes, _ = drawn
    barriers = (len(build(8, sizes).phases) - 1) * TARGET.cluster.barrier_cycles
    assert cycles(build, sizes, 8) <= cycles(build, sizes, 1) + barriers


@given(calls(), st.data())
def test_a_slower_memory_is_never_faster(
    drawn: tuple[Build, dict[str, int], dict[str, int]], data: st.DataObject
) -> None:
    build, sizes, _ = drawn
    call = build(8, sizes)
    operand = data.draw(st.sampled_from(sorted(call.places)))
    order = (MemoryId.L1, MemoryId.SRAM, MemoryId.L2)
    found = [
        replace(call, places={**call.places, operand: memory}).cycles(TARGET) for memory in order
    ]
    assert found == sorted(found)


@given(calls(), st.sampled_from(["float_divide_units", "float_units"]))
def test_more_shared_units_are_never_slower(
    drawn: tuple[Build, dict[str, int], dict[str, int]], units: str
) -> None:
    build, sizes, _ = drawn
    call = build(8, sizes)
    better = replace(TARGET, core=replace(TARGET.core, **{units: 8}))
    assert call.cycles(better) <= call.cycles(TARGET)


def test_one_divider_bounds_what_all_cores_divide() -> None:
    call = kernels.silu_mul_quantise_call(8, tokens=1, depth=256)
    largest = next(phase for phase in call.phases if phase.name == "largest")
    divides = 256 * TARGET.core.float_divide_cycles
    assert divides < call.phase_cycles(largest, TARGET) < 1.25 * divides


def test_fast_kernels_are_faster() -> None:
    fast = replace(TARGET, kernels=Kernels.XPULP)
    shape = AttentionShape(tokens=1, heads=8, kv_heads=4, dim=32, position=99, context=128)
    assert attention_call(8, shape).cycles(fast) < 0.7 * attention_call(8, shape).cycles(TARGET)
    call = kernels.silu_mul_quantise_call(8, tokens=1, depth=1024)
    assert call.cycles(fast) < 0.7 * call.cycles(TARGET)


def fetched(call: KernelCall) -> int:
    """Cycles of a call whose code is not there."""
    return CodeCache(TARGET.core).run(call.codes(TARGET))


def test_code_is_as_long_however_much_is_done() -> None:
    few, many = (fetched(kernels.quantise_call(8, tokens=1, depth=depth)) for depth in (640, 6400))
    assert few == many > 0
    assert fetched(linear((8, 0, False))(8, {"rows": 8, "depth": 64, "tokens": 1})) < (
        fetched(linear((8, 0, False))(8, {"rows": 8, "depth": 64, "tokens": 3}))
    )


def test_a_core_cannot_read_what_only_transfers_reach() -> None:
    call = kernels.quantise_call(8, tokens=1, depth=256, src=MemoryId.L3)
    with pytest.raises(AssertionError, match="no core reaches src in L3"):
        call.cycles(TARGET)


def test_partial_blocks_and_uneven_shares_wait_for_the_busiest_core() -> None:
    build = linear((8, 0, False))
    sizes = {"depth": 252, "tokens": 1}
    assert cycles(build, {**sizes, "rows": 57}) == cycles(build, {**sizes, "rows": 64})
    # The others' blocks change how long shared float units are busy.
    full = cycles(build, {**sizes, "rows": 128})
    assert cycles(build, {**sizes, "rows": 65}) == pytest.approx(full, rel=0.002)


def test_a_multiply_accumulate_takes_what_its_instructions_say() -> None:
    macs = 576 * 576
    whole = cycles(linear((8, 0, False)), {"rows": 576, "depth": 576, "tokens": 1})
    assert 3.2 < 8 * whole / macs < 3.6


def test_the_table_holds_counts() -> None:
    tables = (kernel_events(kernels).items() for kernels in Kernels)
    for kernel, phases in chain.from_iterable(tables):
        for phase, units in phases.items():
            for unit, events in units.items():
                counts = [getattr(events, name) for name in COUNTS]
                counts += [*events.loads.values(), *events.stores.values()]
                assert min(counts) >= 0, (kernel, phase, unit)
