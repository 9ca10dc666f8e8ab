"""Programs for chips with little memory: tiles, pages and caches off chip give the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tiny_models import CHUNK, CONTEXT, runnable_config, write_model, write_target

from aretusa.errors import CapacityError
from aretusa.execution.firmware import Flavour, Platform, Sanitizer
from aretusa.frontend.llama_config import Family
from aretusa.manifest import read_manifest
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.shapes import open_shapes
from aretusa.verbs.executions import compiled_execution, numpy_execution
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.verbs.executions import Execution

HOST: Final = (
    numpy_execution(CHUNK),
    compiled_execution(Platform.HOST, cores=8, chunk=CHUNK),
    compiled_execution(Platform.HOST, cores=1, chunk=3),
)
QEMU: Final = compiled_execution(Platform.QEMU, cores=8, chunk=CHUNK)
KIB: Final = 1024
L1_BYTES: Final = 256 * KIB
NEUREKA: Final = [engine for engine in Engine if engine is not Engine.CLUSTER]
# Matrices of several pages and many tiles; biases; widths that fill no tile.
WIDE: Final = runnable_config(
    Family.QWEN2, layers=3, hidden_size=252, ffn_size=756, heads=9, kv_heads=3, head_dim=28
)
ODD: Final = runnable_config(Family.QWEN2, ffn_size=100)
# Room for the ring of pages and for what the cores address; all else lies behind the link.
SCANT: Final = {"l2": 72 * KIB, "mram": 4 * KIB, "sram": 300_000}
SCANT_GROUPS: Final = SCANT | {"sram": 1_100_000}


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("wide") / "model", WIDE)


@pytest.fixture(scope="session")
def odd_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("odd") / "model", ODD)


def check(build: Path, executions: tuple[Execution, ...] = HOST) -> None:
    options = VerifyOptions(prompt_tokens=CHUNK + 3, new_tokens=3, executions=executions)
    result = verify_build(build, options)
    assert {f"{one.name} {one.detail}": one.mismatches for one in result.executions} == {
        f"{one.name} {one.detail}": 0 for one in executions
    }


def homes(build: Path, kind: str) -> set[str]:
    return {region.memory for region in read_manifest(build).regions if region.kind == kind}


def rings(build: Path) -> set[str]:
    return {region.name for region in read_manifest(build).regions if region.kind == "ring"}


# ---- what does not fit the chip


@pytest.mark.parametrize(
    ("engine", "weights", "signed_input"),
    [
        (Engine.NEUREKA_3X3, "w4", 1),
        pytest.param(Engine.NEUREKA_1X1, "w8", 1, marks=pytest.mark.slow),
        pytest.param(Engine.SPLIT, "w3", 1, marks=pytest.mark.slow),
        pytest.param(Engine.NEUREKA_3X3, "w8", 0, marks=pytest.mark.slow),
        pytest.param(Engine.NEUREKA_1X1, "w2", 0, marks=pytest.mark.slow),
        pytest.param(Engine.SPLIT, "w5", 0, marks=pytest.mark.slow),
        pytest.param(Engine.NEUREKA_3X3, "w4g32", 1, marks=pytest.mark.slow),
        pytest.param(Engine.NEUREKA_1X1, "w8g64", 1, marks=pytest.mark.slow),
        pytest.param(Engine.SPLIT, "w4g64", 1, marks=pytest.mark.slow),
    ],
)
def test_pages_from_l3_pass_through_the_sram(
    *,
    engine: Engine,
    weights: str,
    signed_input: int,
    tmp_path: Path,
    wide_model: Path,
    build_of: Callable[..., Path],
) -> None:
    sizes = SCANT_GROUPS if "g" in weights else SCANT
    target = write_target(tmp_path / "other.toml", signed_input=signed_input, **sizes)
    build = build_of(wide_model, engine=engine, weights=weights, target=str(target))
    assert "pages.ring" in rings(build)
    assert "l3" in homes(build, "weight")
    check(build)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("engine", [None, *Engine])
def test_the_emulated_chip_takes_everything_from_l3(
    engine: Engine | None, tmp_path: Path, wide_model: Path, build_of: Callable[..., Path]
) -> None:
    target = write_target(tmp_path / "other.toml", **SCANT)
    build = build_of(wide_model, engine=engine, weights="w4", target=str(target))
    check(build, (*HOST, QEMU))


@pytest.mark.parametrize(
    "weights",
    ["w4", *(pytest.param(one, marks=pytest.mark.slow) for one in ("w2", "w8", "w4g32", "w8g128"))],
)
def test_tiles_come_from_l3(
    weights: str, tmp_path: Path, wide_model: Path, build_of: Callable[..., Path]
) -> None:
    target = write_target(tmp_path / "other.toml", l2=72 * KIB, mram=4 * KIB, sram=32 * KIB)
    build = build_of(
        wide_model, engine=Engine.CLUSTER, weights=weights, target=str(target), chunk=None
    )
    assert rings(build) == {"tiles.ring"}
    assert "l3" in homes(build, "weight")
    assert "l3" in homes(build, "cache")
    check(build)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", [Sanitizer.ADDRESS, Sanitizer.THREAD])
def test_sanitizers_find_nothing_in_streams(
    sanitizer: Sanitizer,
    tmp_path: Path,
    wide_model: Path,
    build_of: Callable[..., Path],
    lend_checked: Callable[[Path, Sanitizer], None],
) -> None:
    target = write_target(tmp_path / "other.toml", **SCANT)
    build = build_of(wide_model, engine=Engine.SPLIT, weights="w3", target=str(target))
    lend_checked(build, sanitizer)
    assert rings(build) == {"tiles.ring", "pages.ring"}
    checked = compiled_execution(
        Platform.HOST, cores=8, chunk=CHUNK, flavour=Flavour(sanitizer=sanitizer)
    )
    check(build, (numpy_execution(CHUNK), checked))


# ---- engines without signed inputs


@pytest.mark.parametrize(
    "engine",
    [
        Engine.NEUREKA_3X3,
        *(pytest.param(one, marks=pytest.mark.slow) for one in (Engine.NEUREKA_1X1, Engine.SPLIT)),
    ],
)
@pytest.mark.parametrize("bits", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_an_engine_without_signed_inputs_agrees(
    engine: Engine, bits: int, tmp_path: Path, odd_model: Path, build_of: Callable[..., Path]
) -> None:
    target = write_target(tmp_path / "other.toml", signed_input=0)
    build = build_of(odd_model, engine=engine, weights=f"w{bits}", target=str(target))
    check(build)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("bits", range(2, 9))
def test_the_planners_own_choice_agrees_for_every_width(
    bits: int, odd_model: Path, build_of: Callable[..., Path]
) -> None:
    check(build_of(odd_model, weights=f"w{bits}"), (*HOST, QEMU))


# ---- L1


def least_l1(model: Path, folder: Path, options: dict[str, Any]) -> int:
    """The smallest capacity of L1, in beats, for which there is a plan."""
    shapes = open_shapes(model)
    low, high = 0, L1_BYTES
    while high - low > 32:
        middle = (low + high) // 64 * 32
        target = str(write_target(folder / "trial.toml", l1=middle))
        try:
            plan_shapes(shapes, PlanRequest(options=CompileOptions(**options, target=target)))
        except CapacityError:
            low = middle
        else:
            high = middle
    return high


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("engine", [None, *Engine])
def test_the_smallest_l1_is_enough(
    engine: Engine | None, tmp_path: Path, odd_model: Path, build_of: Callable[..., Path]
) -> None:
    options: dict[str, Any] = {"engine": engine, "weights": "w4", "chunk": CHUNK}
    least = least_l1(odd_model, tmp_path, options | {"context": CONTEXT})
    assert least < 32 * KIB
    target = str(write_target(tmp_path / "other.toml", l1=least))
    build = build_of(odd_model, **options, target=target)
    used = next(one for one in read_manifest(build).memories if one.name == "l1")
    assert used.used_bytes == used.capacity_bytes == least
    check(build, (*HOST, QEMU))


@pytest.mark.slow
@pytest.mark.parametrize("l1_kib", [20, 64, 256])
@pytest.mark.parametrize("engine", [None, Engine.CLUSTER, Engine.NEUREKA_3X3])
def test_any_l1_that_is_large_enough_agrees(
    engine: Engine | None,
    l1_kib: int,
    tmp_path: Path,
    wide_model: Path,
    build_of: Callable[..., Path],
) -> None:
    """Shorter steps where eight tokens need more; levels from the tightest to the widest."""
    target = str(write_target(tmp_path / "other.toml", l1=l1_kib * KIB))
    build = build_of(wide_model, engine=engine, weights="w4", target=target, chunk=None)
    chunk = read_manifest(build).options.chunk
    host = compiled_execution(Platform.HOST, cores=8, chunk=chunk)
    check(build, (numpy_execution(chunk), host))
