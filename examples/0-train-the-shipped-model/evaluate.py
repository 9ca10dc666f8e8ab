"""Perplexity and bits per byte of a checkpoint, beside those of simple compressors.

    python evaluate.py --model ../models/tiny-orator --train build/train.txt

prints a Markdown table. All figures are for the same text, by default the model's heldout.txt.
"""

import argparse
import gzip
import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model import Llama, load_checkpoint
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

SEPARATOR = 0
NGRAM_CONTEXT_BYTES = 5


@dataclass(frozen=True)
class Score:
    """One line of the table."""

    name: str
    size_bytes: float


def windows(ids: Tensor, length: int, stride: int) -> Iterator[tuple[Tensor, int]]:
    """Overlapping windows, and how many tokens at the end of each are new."""
    end = 0
    while end < len(ids):
        new_end = min(len(ids), length if end == 0 else end + stride)
        yield ids[max(0, new_end - length) : new_end], new_end - end
        end = new_end


@torch.no_grad()
def total_nats(model: Llama, ids: Tensor) -> float:
    """Negative log-likelihood; each token sees at least half a context of text before it."""
    length = model.config.max_position_embeddings
    nats = 0.0
    for targets, fresh in windows(ids, length, length // 2):
        inputs = pad(targets[:-1], (1, 0), value=SEPARATOR)
        logits = model(inputs[None])[0, -fresh:]
        nats += cross_entropy(logits, targets[-fresh:], reduction="sum").item()
    return nats


def grams(text: bytes, size: int) -> np.ndarray:
    """Every run of `size` bytes as one integer."""
    data = np.frombuffer(text, dtype=np.uint8).astype(np.uint64)
    count = len(data) - size + 1
    codes = np.zeros(count, dtype=np.uint64)
    for place in range(size):
        codes = (codes << np.uint64(8)) | data[place : place + count]
    return codes


def look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key, 0 where there is none; keys are sorted."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)


def ngram_bits(train: bytes, text: bytes, context_bytes: int) -> float:
    """Bits of text under a byte n-gram model of train, interpolated by Witten and Bell."""
    probability = np.full(len(text), 1 / 256)
    for order in range(context_bytes + 1):
        keys, counts = np.unique(grams(train, order + 1), return_counts=True)
        contexts, starts = np.unique(keys >> np.uint64(8), return_index=True)
        totals = np.add.reduceat(counts, starts)
        kinds = np.diff(np.append(starts, len(keys)))
        wanted = grams(text, order + 1)
        hits = look_up(keys, counts, wanted)
        total = look_up(contexts, totals, wanted >> np.uint64(8))
        kind = look_up(contexts, kinds, wanted >> np.uint64(8))
        lower = probability[order:]
        mixed = (hits + kind * lower) / np.maximum(total + kind, 1)
        probability[order:] = np.where(total > 0, mixed, lower)
    return float(-np.log2(probability).sum())


def xz_bytes(text: bytes) -> int:
    """Size after `xz -9e`."""
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def baselines(train: bytes, text: bytes) -> list[Score]:
    """The compressors, alone and with the training text as their past."""
    bits = ngram_bits(train, text, NGRAM_CONTEXT_BYTES)
    primed = xz_bytes(train + text) - xz_bytes(train)
    return [
        Score("gzip -9", len(gzip.compress(text, compresslevel=9))),
        Score("xz -9e", xz_bytes(text)),
        Score("xz -9e, primed with the training text", primed),
        Score(f"byte n-gram, {NGRAM_CONTEXT_BYTES} bytes of context, same training text", bits / 8),
    ]


@torch.no_grad()
def sample(model: Llama, tokenizer: Tokenizer, prompt: str, count: int, temperature: float) -> str:
    """Continue a prompt; temperature 0 is greedy."""
    ids = [SEPARATOR, *tokenizer.encode(prompt).ids]
    for _ in range(count):
        logits = model(torch.tensor([ids[-model.config.max_position_embeddings :]]))[0, -1]
        if temperature == 0:
            choice = int(logits.argmax())
        else:
            choice = int(torch.multinomial((logits / temperature).softmax(-1), 1))
        if choice == SEPARATOR:
            break
        ids.append(choice)
    return tokenizer.decode(ids[1:])


def print_table(model: Llama, tokenizer: Tokenizer, text: str, train: bytes) -> None:
    """Perplexity, then bits per byte of the model and of the baselines."""
    raw = text.encode()
    ids = torch.tensor(tokenizer.encode(text).ids)
    nats = total_nats(model, ids)
    print(f"{len(raw)} bytes, {len(ids)} tokens, {nats / len(ids):.4f} nats per token")
    print(f"perplexity per token {math.exp(nats / len(ids)):.2f}\n")
    scores = [Score("this model, bf16 weights", nats / math.log(2) / 8), *baselines(train, raw)]
    print("| | bytes | bits per byte |\n|---|---:|---:|")
    for score in scores:
        print(f"| {score.name} | {score.size_bytes:.0f} | {8 * score.size_bytes / len(raw):.3f} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("../models/tiny-orator"))
    parser.add_argument("--text", type=Path, help="default: heldout.txt of the model")
    parser.add_argument("--train", type=Path, default=Path("build/train.txt"))
    parser.add_argument("--prompt", help="continue this text instead of scoring")
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model = load_checkpoint(arguments.model)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    if arguments.prompt is not None:
        prompt, count = arguments.prompt, arguments.tokens
        print(sample(model, tokenizer, prompt, count, arguments.temperature))
        return
    text = (arguments.text or arguments.model / "heldout.txt").read_text(encoding="utf-8")
    print_table(model, tokenizer, text, arguments.train.read_bytes())


if __name__ == "__main__":
    main()
