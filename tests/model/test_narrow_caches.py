"""Keys and values of four bits: NumPy = ONNX Runtime = C on the host = C in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import compile_tiny, lend_programs, runnable_config, write_model

from aretusa.execution.firmware import Platform
from aretusa.frontend.llama_config import Family
from aretusa.manifest import read_manifest
from aretusa.verbs.executions import compiled_execution, numpy_execution, onnx_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.verbs.executions import Execution

QUICK: Final = (
    numpy_execution(8),
    numpy_execution(1),
    onnx_execution(8),
    compiled_execution(Platform.HOST, cores=8, chunk=8),
    compiled_execution(Platform.HOST, cores=3, chunk=1),
)
ALL: Final = (*QUICK, compiled_execution(Platform.QEMU, cores=8, chunk=5))


def check(build: Path, executions: tuple[Execution, ...]) -> None:
    options = VerifyOptions(prompt_tokens=13, new_tokens=4, executions=executions)
    result = verify_build(build, options)
    assert [one.mismatches for one in result.executions] == [0] * len(executions)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize(
    ("head_dim", "kv_bits"), [(2, "4"), (6, "4"), (10, "4:8"), (10, "8:4"), (28, "4"), (64, "4")]
)
def test_heads_of_any_size_agree_in_every_bit(
    head_dim: int, kv_bits: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    config = runnable_config(Family.QWEN3, head_dim=head_dim)
    check(build_of(write_model(tmp_path / "model", config), kv_bits=kv_bits), ALL)


@pytest.mark.slow
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    half=st.integers(1, 40),
    heads=st.sampled_from([(1, 1), (4, 2), (6, 2), (3, 3)]),
    kv_bits=st.sampled_from(["4", "4:8", "8:4"]),
)
def test_any_model_agrees_in_every_bit(
    *,
    half: int,
    heads: tuple[int, int],
    kv_bits: str,
    donor: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("narrow")
    config = runnable_config(head_dim=2 * half, heads=heads[0], kv_heads=heads[1])
    model = write_model(folder / "model", config)
    build = compile_tiny(model, folder / "build", kv_bits=kv_bits)
    lend_programs(donor, build)
    check(build, QUICK)


def test_caches_of_four_bits_take_fewer_bytes(
    tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    config = runnable_config(head_dim=16, heads=4, kv_heads=2)
    build = build_of(write_model(tmp_path / "model", config), kv_bits="4:8", context=20)
    manifest = read_manifest(build)
    sizes = {region.name: region.size_bytes for region in manifest.regions}
    assert manifest.options.kv_bits == "4:8"
    assert sizes["l0.keys"] == 2 * 20 * (8 + 4)
    assert sizes["l0.values"] == 2 * 20 * (16 + 4)
