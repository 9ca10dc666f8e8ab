from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import aretusa_sim as sim
from aretusa.neureka.layout import WORD_BYTES, packed_3x3_bytes, tiles
from aretusa.neureka.linear import Engine
from aretusa.options import CompileOptions
from aretusa.target.load import load_target
from aretusa_sim.limits import BUSY, limit_rates

if TYPE_CHECKING:
    from aretusa_sim.results import SimulationResult

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
SMALL: Final = EXAMPLES / "configs" / "llama-0.5m.json"
HIDDEN, FFN, LAYERS = 96, 256, 4  # of that configuration
NO_WEIGHT_MEMORY: Final = """
name = "all-off-chip"
base = "siracusa"

[memory.mram]
size_bytes = { value = 65536, confidence = "assumed", source = "a test" }
reserved_bytes = { value = 0, confidence = "assumed", source = "a test" }

[memory.sram]
size_bytes = { value = 131072, confidence = "assumed", source = "a test" }

[memory.l2]
size_bytes = { value = 393216, confidence = "assumed", source = "a test" }
"""


@pytest.fixture(scope="module", params=["w4", "w8", "cluster", "off-chip"])
def result(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SimulationResult:
    target = "siracusa"
    if request.param == "off-chip":
        path = tmp_path_factory.mktemp("target") / "small.toml"
        path.write_text(NO_WEIGHT_MEMORY, "utf-8")
        target = str(path)
    options = CompileOptions(
        bits=8 if request.param == "w8" else 4,
        context=64,
        chunk=8,
        engine=Engine.CLUSTER if request.param == "cluster" else None,
        target=target,
    )
    return sim.estimate(SMALL, options=options, prefill_tokens=16, decode_tokens=4).result


def test_rates_are_those_of_the_target() -> None:
    rates = limit_rates(load_target("siracusa"))
    assert rates.weight_port_bytes == 32  # 92 Gbit/s at 360 MHz
    assert rates.engine_bit_macs / 8 == 1134  # 816 GOp/s at 360 MHz with 8 bits
    assert rates.cluster_macs == 32
    assert rates.off_chip_bytes == pytest.approx(50 / 360)


def test_no_resource_needs_more_than_its_unit_was_busy(result: SimulationResult) -> None:
    for phase in result.phases:
        found = result.limits.phase(phase.phase)
        for resource, field in BUSY.items():
            busy = sum(getattr(op, field) for op in phase.ops)
            assert found.total.needs.get(resource, 0) <= busy, (phase.phase, resource)


def test_no_phase_is_faster_than_its_limit(result: SimulationResult) -> None:
    for phase in result.phases:
        found = result.limits.phase(phase.phase).total
        assert found.cycles == phase.cycles
        assert found.fraction is not None
        assert 0 < found.fraction <= 1


def test_a_phase_needs_what_its_ops_need(result: SimulationResult) -> None:
    for phase in result.limits.phases:
        assert [op.name for op in phase.ops] == [op.name for op in result.phase(phase.phase).ops]
        for resource, cycles in phase.total.needs.items():
            parts = sum(op.needs.get(resource, 0) for op in phase.ops)
            assert cycles <= parts <= cycles + len(phase.ops)  # each is rounded up
        for limit in (phase.total, phase.linear, *phase.ops):
            assert limit.limit_cycles == max(limit.needs.values(), default=0)


@pytest.mark.parametrize("bits", [3, 8])
def test_a_layer_on_the_engine_needs_its_packed_words(bits: int) -> None:
    """In decode each word passes the port once for each token."""
    options = CompileOptions(bits=bits, context=64, engine=Engine.NEUREKA_3X3)
    done = sim.estimate(SMALL, options=options, prefill_tokens=4, decode_tokens=4).result
    words = packed_3x3_bytes(FFN, tiles(HIDDEN, 9), bits) // WORD_BYTES
    found = [op for op in done.limits.phase("decode").ops if op.name == "mlp.up_proj"]
    assert [op.needs["weight-port"] for op in found] == [3 * words] * LAYERS
    assert {op.bound for op in found} == {"weight-port"}


def test_off_chip_weights_are_bound_by_the_link(result: SimulationResult) -> None:
    found = result.limits.phase("decode")
    assert (found.total.bound == "off-chip") == (result.model.target == "all-off-chip")
    total = sum(op.off_chip_bytes for op in result.phase("decode").ops)
    assert ("off-chip" in found.total.needs) == (total > 0)
    assert found.total.needs.get("off-chip", 0) == pytest.approx(total * 7.2, abs=1)


@pytest.mark.slow
def test_the_shipped_model_reaches_most_of_the_weight_port() -> None:
    """The goal of 60 % in linear layers, with the scheme and request of `aretusa compile`."""
    done = sim.estimate(EXAMPLES / "models" / "tiny-orator")
    linear = done.result.limits.phase("decode").linear
    assert linear.bound == "weight-port"
    assert linear.fraction is not None
    assert linear.fraction > 0.6


@pytest.mark.slow
def test_smollm2_reaches_the_limit_of_the_off_chip_link() -> None:
    """The goal is 90 %."""
    config = EXAMPLES / "configs" / "smollm2-135m.json"
    done = sim.estimate(config, bits=4, prefill_tokens=8, decode_tokens=3)
    decode = done.result.limits.phase("decode").total
    assert decode.bound == "off-chip"
    assert decode.fraction is not None
    assert decode.fraction > 0.9
