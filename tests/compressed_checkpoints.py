"""Tiny compressed checkpoints for tests, written without the code that reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from checkpoints import hf_config, random_tensors, safetensors_bytes
from tiny_models import runnable_config, write_tokenizer

from aretusa.frontend.tensor_shapes import expected_shapes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from aretusa.frontend.llama_config import LlamaConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Gptq:
    """How a matrix is quantised and stored; a group size of -1 is the whole depth."""

    bits: int = 4
    group_size: int = 32
    symmetric: bool = True
    version: int = 1
    label: str = ""
    permuted: bool = False
    with_g_idx: bool = True

    @property
    def config(self) -> dict[str, object]:
        """The key quantization_config of config.json."""
        return {
            "quant_method": "gptq",
            "bits": self.bits,
            "group_size": self.group_size,
            "sym": self.symmetric,
            "desc_act": self.permuted,
            "checkpoint_format": self.label or ("gptq" if self.version == 1 else "gptq_v2"),
        }


@dataclass
class CompressedModel:
    """Tensors of a directory in the making, and the real numbers that its matrices mean."""

    config: LlamaConfig = field(default_factory=runnable_config)
    seed: int = 0
    keys: dict[str, Any] = field(default_factory=dict)  # further keys of config.json

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed + 1000)
        self.tensors: dict[str, NDArray[Any]] = dict(random_tensors(self.config, self.seed))
        self.values: dict[str, NDArray[np.float32]] = {}

    def modules(self) -> list[str]:
        """Linear layers of the blocks."""
        return [
            name.removesuffix(".weight")
            for name, values in self.tensors.items()
            if values.ndim == 2 and name.startswith("model.layers.") and name.endswith(".weight")
        ]

    def set_own(self, key: str, name: str, value: object) -> None:
        """One entry of a table of the key "aretusa"."""
        own = self.keys.setdefault("aretusa", {"version": 1})
        own.setdefault(key, {})[name] = value

    def code(self, module: str, bits: int) -> None:
        """Store a matrix as codes that use the whole width, with a scale per row."""
        rows, depth = self.tensors.pop(f"{module}.weight").shape
        half = 1 << (bits - 1)
        codes = self.random.integers(-half, half, (rows, depth)).astype(np.int8)
        codes[0, :2] = (-half, half - 1)
        scales = (0.2 * self.random.random(rows) / half + 1e-4).astype(np.float32)
        self.tensors |= {f"{module}.codes": codes, f"{module}.scales": scales}
        self.values[f"{module}.weight"] = codes.astype(np.float32) * scales[:, None]
        self.set_own("bits", module, bits)

    def prune(self, module: str, zeros: int, columns: int) -> None:
        """Let so many of every so many columns of each row be zero, and say so."""
        values = self.tensors.get(f"{module}.weight")
        if values is None:
            values = self.tensors[f"{module}.codes"]
        runs = values.reshape(values.shape[0], -1, columns)
        order = self.random.permuted(
            np.broadcast_to(np.arange(columns), runs.shape).copy(), axis=-1
        )
        np.put_along_axis(runs, order[..., :zeros], 0, axis=-1)
        if f"{module}.codes" in self.tensors:
            scales = self.tensors[f"{module}.scales"]
            self.values[f"{module}.weight"] = values.astype(np.float32) * scales[:, None]
        self.set_own("sparsity", module, f"{zeros}:{columns}")

    def low_rank(self, module: str, rank: int) -> None:
        """Replace a matrix by two factors."""
        rows, depth = self.tensors.pop(f"{module}.weight").shape
        self.factors(f"{module}.low_rank", rows, depth, rank)

    def adapter(self, module: str, rank: int) -> None:
        """Put a low-rank branch beside a linear layer, however that is stored."""
        rows, depth = expected_shapes(self.config)[f"{module}.weight"]
        self.factors(f"{module}.adapter", rows, depth, rank)

    def factors(self, path: str, rows: int, depth: int, rank: int) -> None:
        """PATH_in [rank, depth] and PATH_out [rows, rank] of real numbers."""
        for side, shape in (("in", (rank, depth)), ("out", (rows, rank))):
            values = 0.2 * self.random.standard_normal(shape)
            self.tensors[f"{path}_{side}.weight"] = values.astype(np.float32)

    def gptq(self, module: str, options: Gptq) -> None:
        """Store a matrix as GPTQ does, with any codes, scales and zero points."""
        rows, depth = self.tensors.pop(f"{module}.weight").shape
        size = depth if options.group_size == -1 else options.group_size
        groups = -(-depth // size)
        numbers = np.arange(depth) // size
        if options.permuted:
            numbers = self.random.permutation(numbers)
        codes = self.random.integers(0, 1 << options.bits, (rows, depth))
        scales = (0.3 * self.random.random((groups, rows)) / (1 << options.bits) + 1e-3).astype(
            np.float16
        )
        zeros = np.full((groups, rows), 1 << (options.bits - 1))
        if not options.symmetric:
            zeros = self.random.integers(1, 1 << options.bits, (groups, rows))
        stored = zeros - 1 if options.version == 1 else zeros
        self.tensors |= {
            f"{module}.qweight": pack_rows(codes, options.bits).T.copy(),
            f"{module}.qzeros": pack_rows(stored, options.bits),
            f"{module}.scales": scales,
        }
        if options.with_g_idx:
            self.tensors[f"{module}.g_idx"] = numbers.astype(np.int32)
        steps = (codes - zeros[numbers].T).astype(np.float32)
        self.values[f"{module}.weight"] = steps * scales.astype(np.float32)[numbers].T
        self.keys["quantization_config"] = options.config

    def write(self, path: Path) -> Path:
        """The directory, with a tokenizer."""
        path.mkdir(parents=True, exist_ok=True)
        config = hf_config(self.config) | self.keys
        (path / "config.json").write_text(json.dumps(config, indent=1))
        (path / "model.safetensors").write_bytes(safetensors_bytes(self.tensors))
        write_tokenizer(path)
        return path

    def meant(self, name: str) -> NDArray[np.float32]:
        """What a matrix means, by the name of its tensor."""
        found: NDArray[np.float32] = (
            self.values[name] if name in self.values else self.tensors[name]
        )
        return found


def pack_rows(fields: NDArray[Any], bits: int) -> NDArray[np.int32]:
    """Each row as one long number in words of 32 bits, the first field lowest."""
    words = -(-fields.shape[1] * bits // 32)
    packed = [
        sum(int(value) << (bits * at) for at, value in enumerate(row)).to_bytes(4 * words, "little")
        for row in fields
    ]
    return np.frombuffer(b"".join(packed), "<i4").reshape(fields.shape[0], words).astype(np.int32)
