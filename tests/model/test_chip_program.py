"""The chip's own build end to end: floats in the integer registers, in QEMU and on GVSoC.

On GVSoC N-EUREKA, MCHAN, the event unit and the HyperBus are those of its model of the chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tiny_models import CHUNK, runnable_config, write_model, write_target

from aretusa.execution.firmware import PLAIN, Flavour, Platform
from aretusa.frontend.llama_config import Family
from aretusa.manifest import read_manifest
from aretusa.neureka.linear import Engine
from aretusa.verbs.executions import compiled_execution, numpy_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Pages, tiles and caches behind the link to L3: what the chip's memories hold is less than that.
KIB: Final = 1024
WIDE: Final = runnable_config(
    Family.QWEN2, layers=3, hidden_size=252, ffn_size=756, heads=9, kv_heads=3, head_dim=28
)
SCANT: Final = {"l2": 72 * KIB, "mram": 4 * KIB, "sram": 300_000}
XPULP: Final = Flavour(xpulp=True)
MACHINES: Final = [
    pytest.param(Platform.QEMU_ZFINX, PLAIN, id="qemu-zfinx", marks=pytest.mark.zfinx),
    pytest.param(
        Platform.SIRACUSA, PLAIN, id="gvsoc", marks=[pytest.mark.clang, pytest.mark.gvsoc]
    ),
    pytest.param(
        Platform.SIRACUSA, XPULP, id="gvsoc-xpulp", marks=[pytest.mark.clang, pytest.mark.gvsoc]
    ),
]
pytestmark = [pytest.mark.slow, pytest.mark.parametrize(("platform", "flavour"), MACHINES)]


def check(build: Path, platform: Platform, flavour: Flavour, cores: int = 8) -> None:
    executions = (
        numpy_execution(CHUNK),
        compiled_execution(platform, cores=cores, chunk=CHUNK, flavour=flavour),
    )
    options = VerifyOptions(prompt_tokens=CHUNK + 3, new_tokens=3, executions=executions)
    assert [one.mismatches for one in verify_build(build, options).executions] == [0, 0]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        pytest.param(Family.LLAMA, {"weights": "w8"}, id="llama-w8"),
        pytest.param(Family.QWEN2, {"weights": "w4g32"}, id="qwen2-w4g32"),
        pytest.param(Family.QWEN3, {"weights": "w5", "engine": Engine.SPLIT}, id="qwen3-split"),
        pytest.param(Family.LLAMA, {"weights": "w2", "engine": Engine.NEUREKA_1X1}, id="llama-1x1"),
        pytest.param(Family.LLAMA, {"weights": "w4", "engine": Engine.CLUSTER}, id="cluster"),
    ],
)
def test_every_family_and_engine_gives_the_same_bits(
    *,
    platform: Platform,
    flavour: Flavour,
    family: Family,
    options: dict[str, Any],
    tmp_path: Path,
    build_of: Callable[..., Path],
) -> None:
    model = write_model(tmp_path / "model", runnable_config(family))
    check(build_of(model, **options), platform, flavour)


@pytest.mark.parametrize("cores", [1, 3])
def test_any_number_of_cores_gives_the_same_bits(
    platform: Platform, flavour: Flavour, cores: int, donor: Path
) -> None:
    check(donor, platform, flavour, cores)


def test_what_lies_off_chip_gives_the_same_bits(
    platform: Platform, flavour: Flavour, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    model = write_model(tmp_path / "model", WIDE)
    target = write_target(tmp_path / "other.toml", **SCANT)
    build = build_of(model, weights="w4", target=str(target))
    regions = read_manifest(build).regions
    homes = {region.memory for region in regions if region.kind in {"weight", "cache"}}
    assert "l3" in homes
    # No core reads L3, so that what is not moved piece by piece finds room elsewhere.
    assert not {r.kind for r in regions if r.memory == "l3"} & {"tokenizer", "workspace"}
    check(build, platform, flavour)
