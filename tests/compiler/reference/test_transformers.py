"""The float graph of a checkpoint on disk gives the logits of transformers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pytest
from checkpoints import tiny_config, write_hf_llama
from numeric_models import CONTEXT, float_graph, some_tokens

from aretusa.frontend.checkpoint import open_checkpoint
from aretusa.frontend.llama_config import Family, Llama3RopeScaling
from aretusa.quantization.schemes import Scheme
from aretusa.quantization.store import QuantisedCheckpoint
from aretusa.reference.interpreter import Interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from aretusa.frontend.llama_config import LlamaConfig

pytestmark = [pytest.mark.torch, pytest.mark.slow]

# Both compute in binary32 and add in different orders; logits are of size one.
LOGIT_TOLERANCE = 1e-5
# Short enough for the angles of the tiny context to be stretched.
SCALING = Llama3RopeScaling(
    factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=16
)
CONFIGS = {
    "llama": tiny_config(Family.LLAMA),
    "llama tied": tiny_config(Family.LLAMA, ties_embeddings=True, rope_theta=5e5),
    "llama 3": tiny_config(Family.LLAMA, rope_scaling=SCALING),
    "mistral": tiny_config(Family.MISTRAL),
    "qwen2": tiny_config(Family.QWEN2),
    "qwen3": tiny_config(Family.QWEN3),
}


def _transformers_logits(path: Path, tokens: list[int]) -> np.ndarray:
    torch = import_module("torch")
    transformers = import_module("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    with torch.no_grad():
        logits: np.ndarray = model(torch.tensor([tokens])).logits[0].numpy()
    return logits


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_transformers(tmp_path: Path, name: str) -> None:
    config: LlamaConfig = CONFIGS[name]
    path = tmp_path / "model"
    write_hf_llama(path, config)
    tokens = some_tokens(config, CONTEXT)
    checkpoint = open_checkpoint(path)
    weights = QuantisedCheckpoint(checkpoint=checkpoint, scheme=Scheme(8), context=CONTEXT)
    machine = Interpreter(float_graph(checkpoint.config), weights)
    found = machine.forward(tokens, 0, range(CONTEXT))
    assert np.abs(found - _transformers_logits(path, tokens)).max() < LOGIT_TOLERANCE
