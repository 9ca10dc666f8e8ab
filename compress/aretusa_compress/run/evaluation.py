"""What a checkpoint holds, and its perplexity on the recipe's evaluation texts, kept beside it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from aretusa_compress.model.guard import CONFIG, read_json, weight_files
from aretusa_compress.results import Perplexity
from aretusa_compress.run.fingerprint import fingerprint
from aretusa_compress.run.memory import Shape
from aretusa_compress.run.state import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.texts.roles import Texts


def measure(checkpoint: Path) -> dict[str, int]:
    """Bytes of the weight files, parameters, how many are not zero, and blocks of a checkpoint."""
    parameters = nonzero = 0
    for path in weight_files(checkpoint):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                tensor = file.get_tensor(name)
                parameters += tensor.numel()
                nonzero += int(tensor.count_nonzero())
    return {
        "weight_bytes": sum(path.stat().st_size for path in weight_files(checkpoint)),
        "parameters": parameters,
        "nonzero": nonzero,
        "blocks": Shape.of(read_json(checkpoint / CONFIG)).layers,
    }


def evaluate(
    checkpoint: Path,
    texts: Texts,
    *,
    cache: Path,
    inputs: dict[str, Any],
    device: torch.device,
    dtype: torch.dtype | None,
    progress: Progress,
) -> list[Perplexity]:
    """Perplexity on every evaluation text; `cache` keeps it for equal inputs."""
    roles = [f"evaluation.{name}" for name in texts.data.evaluation]
    if not roles:
        return []
    key = fingerprint({**inputs, "texts": {role: texts.inputs(role) for role in roles}})
    kept = json.loads(cache.read_text("utf-8")) if cache.is_file() else {}
    if kept.get("key") == key:
        return [Perplexity.model_validate(one) for one in kept["perplexities"]]
    from aretusa_compress.model.load import load_model  # noqa: PLC0415 - loads torch

    model = load_model(checkpoint, dtype=dtype, device=device, decode=True)
    found = [_perplexity(model, checkpoint, texts, role, progress) for role in roles]
    document = {"key": key, "perplexities": [one.model_dump() for one in found]}
    cache.parent.mkdir(exist_ok=True)
    replace_file(cache, lambda part: part.write_text(json.dumps(document, indent=1) + "\n"))
    return found


def _perplexity(
    model: Model, checkpoint: Path, texts: Texts, role: str, progress: Progress
) -> Perplexity:
    from aretusa_compress.model.blocks import mean_nats  # noqa: PLC0415 - loads torch

    windows = texts.windows(role, checkpoint)
    name = role.partition(".")[2]
    progress.start(f"perplexity of {name}", len(windows))
    nats = mean_nats(model, windows, progress)
    return Perplexity(
        text=name,
        tokens=windows.shape[0] * (windows.shape[1] - 1),
        nats=nats,
        perplexity=math.exp(min(nats, 700.0)),  # e^700 is close to the largest double
    )
