"""Every family and weight form end to end: NumPy = ONNX Runtime = C on the host = C in QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tiny_models import runnable_config, write_gguf_model, write_model

from aretusa.execution.firmware import Flavour, Platform, Sanitizer
from aretusa.frontend.llama_config import Family, Llama3RopeScaling
from aretusa.quantization.schemes import SCHEMES
from aretusa.verbs.executions import compiled_execution, numpy_execution, onnx_execution
from aretusa.verbs.verify import VerifyOptions, verify_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aretusa.verbs.executions import Execution

PROMPT_TOKENS: Final = 11  # one full chunk of eight and a short one
NEW_TOKENS: Final = 3
NUMPY: Final = (numpy_execution(8), numpy_execution(1))
HOST: Final = (
    compiled_execution(Platform.HOST, cores=8, chunk=8),
    compiled_execution(Platform.HOST, cores=8, chunk=3),
    compiled_execution(Platform.HOST, cores=1, chunk=8),
)
QEMU: Final = (compiled_execution(Platform.QEMU, cores=8, chunk=8),)
ALL: Final = (*NUMPY, onnx_execution(8), *HOST, *QEMU)

LLAMA3: Final = Llama3RopeScaling(
    factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=32
)
CONFIGS: Final = {
    "llama": runnable_config(),
    "llama tied": runnable_config(ties_embeddings=True),
    "llama3 rope": runnable_config(rope_scaling=LLAMA3, rope_theta=500000.0),
    "one key head": runnable_config(kv_heads=1),
    "as many key heads": runnable_config(kv_heads=4),
    "multiples of 252": runnable_config(
        hidden_size=252, ffn_size=252, heads=9, kv_heads=3, head_dim=28, ties_embeddings=True
    ),
    "heads wider than hidden": runnable_config(head_dim=32),
    "one layer": runnable_config(layers=1),
    "mistral": runnable_config(Family.MISTRAL),
    "qwen2": runnable_config(Family.QWEN2),
    "qwen2 tied": runnable_config(Family.QWEN2, ties_embeddings=True),
    "qwen3": runnable_config(Family.QWEN3),
    "qwen3 tied": runnable_config(Family.QWEN3, ties_embeddings=True),
}


def check(build: Path, executions: tuple[Execution, ...]) -> None:
    options = VerifyOptions(
        prompt_tokens=PROMPT_TOKENS, new_tokens=NEW_TOKENS, executions=executions
    )
    result = verify_build(build, options)
    assert {one.name + one.detail: one.mismatches for one in result.executions} == {
        one.name + one.detail: 0 for one in executions
    }
    vocabulary = 280
    values = (PROMPT_TOKENS + NEW_TOKENS - 1) * vocabulary + NEW_TOKENS
    assert {one.values for one in result.executions} == {values}


@pytest.mark.parametrize("name", ["qwen2", "qwen3 tied"])
def test_host_and_numpy_agree(name: str, tmp_path: Path, build_of: Callable[..., Path]) -> None:
    check(build_of(write_model(tmp_path / "model", CONFIGS[name])), (*NUMPY, *HOST))


@pytest.mark.qemu
def test_all_four_agree(donor: Path) -> None:
    check(donor, ALL)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", CONFIGS)
def test_families_agree_in_every_bit(
    name: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    check(build_of(write_model(tmp_path / "model", CONFIGS[name])), ALL)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "w8"])
def test_schemes_agree_in_every_bit(
    scheme: str, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    config = runnable_config(Family.QWEN2, hidden_size=160, ffn_size=224)
    check(build_of(write_model(tmp_path / "model", config), weights=scheme), ALL)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("matrix_type", ["Q8_0", "Q4_0", "Q4_1", "F16"])
@pytest.mark.parametrize("family", [Family.LLAMA, Family.QWEN2])
def test_gguf_codes_agree_in_every_bit(
    matrix_type: str, family: Family, tmp_path: Path, build_of: Callable[..., Path]
) -> None:
    file = write_gguf_model(
        tmp_path / "model.gguf", runnable_config(family), matrix_type=matrix_type
    )
    check(build_of(file), ALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sanitizer", [Sanitizer.ADDRESS, Sanitizer.THREAD], ids=["address", "thread"]
)
def test_sanitizers_are_silent(
    sanitizer: Sanitizer,
    tmp_path: Path,
    build_of: Callable[..., Path],
    lend_checked: Callable[[Path, Sanitizer], None],
) -> None:
    config = runnable_config(Family.QWEN3, hidden_size=96, ffn_size=160)
    build = build_of(write_model(tmp_path / "model", config), weights="w4g32")
    lend_checked(build, sanitizer)
    checked: tuple[Any, ...] = tuple(
        compiled_execution(
            Platform.HOST, cores=cores, chunk=chunk, flavour=Flavour(sanitizer=sanitizer)
        )
        for cores, chunk in ((8, 8), (3, 5), (1, 1))
    )
    check(build, (numpy_execution(8), *checked))


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("cores", range(1, 9))
def test_any_number_of_harts_agrees(cores: int, donor: Path) -> None:
    check(donor, (numpy_execution(8), compiled_execution(Platform.QEMU, cores=cores, chunk=5)))
