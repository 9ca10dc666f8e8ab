"""Tiny random models as checkpoint directories, for the tests of compression (they need torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from aretusa_compress.run.context import StageContext
from aretusa_compress.run.progress import Silent
from aretusa_compress.run.state import StageState
from aretusa_compress.texts.options import DataOptions
from aretusa_compress.texts.roles import Texts

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = 64


def save_tiny_llama(directory: Path, *, seed: int = 0, **changes: Any) -> Path:  # noqa: ANN401
    """Three blocks of width 32 with grouped keys and values; `changes` are of its configuration."""
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": 0,
    }
    return _save(transformers.LlamaConfig(**(settings | changes)), directory, seed)


def save_tiny_gpt_neo(directory: Path, *, seed: int = 0) -> Path:
    """Two blocks of width 32, one that looks at everything and one that looks around."""
    config = transformers.GPTNeoConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        max_position_embeddings=128,
        window_size=8,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _save(config, directory, seed)


def _save(config: Any, directory: Path, seed: int) -> Path:  # noqa: ANN401
    torch.manual_seed(seed)
    network = transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config)
    with torch.no_grad():  # biases and norms that do something
        for name, value in network.named_parameters():
            if name.endswith("bias"):
                value.normal_(std=0.1)
    network.save_pretrained(directory)
    words = {f"w{index}": index for index in range(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w0"))  # noqa: S106 - a word, no secret
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


def write_text(path: Path, *, words: int, seed: int = 0) -> Path:
    """A text in which words follow each other by a rule, with some noise."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, VOCABULARY, (words,), generator=generator).tolist()
    is_noise = (torch.rand(words, generator=generator) < 0.2).tolist()
    ids = [1]
    for index in range(1, words):
        ids.append(noise[index] if is_noise[index] else (5 * ids[-1] + 3) % VOCABULARY)
    path.write_text(" ".join(f"w{one}" for one in ids) + "\n", "utf-8")
    return path


def context_for(
    folder: Path,
    source: Path,
    data: dict[str, Any] | None = None,
    *,
    seed: int = 0,
    history: tuple[Path, ...] = (),
) -> StageContext:
    """What the runner would give a stage; `data` are texts as a recipe has them."""
    output = folder / "output"
    output.mkdir(parents=True, exist_ok=True)
    more = {"history": history} if "history" in StageContext.__dataclass_fields__ else {}
    return StageContext(
        source=source,
        output=output,
        state=StageState(folder / "state", "the same"),
        texts=Texts(DataOptions.model_validate(data or {}), seed),
        device=torch.device("cpu"),
        dtype=torch.float32,
        seed=seed,
        progress=Silent(),
        **more,
    )
