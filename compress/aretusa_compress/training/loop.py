"""train(): updates of adapters that go on where a killed run left off, bit for bit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from aretusa_compress.model.finite import first_bad_layer, not_finite
from aretusa_compress.texts.windows import NO_TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState
    from aretusa_compress.texts.windows import Examples
    from aretusa_compress.training.options import UpdateOptions

_KEPT = "training"


@dataclass(slots=True)
class Training:
    """A network, the parameters that change, and the examples; `losses` has one per update.

    `objective` takes network, ids and targets [batch, length] to a sum over the targets. `adjust`
    is called with the number of an update when its gradients are there; what it remembers lies in
    `buffers`, which are kept with the parameters.
    """

    network: Any
    parameters: dict[str, nn.Parameter]
    examples: Examples
    options: UpdateOptions
    seed: int
    device: torch.device
    losses: list[float]
    objective: Callable[[Any, Tensor, Tensor], Tensor] = field(default_factory=lambda: text_nats)
    adjust: Callable[[int], None] = field(default=lambda _step: None)
    buffers: dict[str, Tensor] = field(default_factory=dict)
    what: str = "adapters"

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.options.updates(len(self.examples.ids))


def train(training: Training, state: StageState, progress: Progress) -> None:
    """Run all updates; every `save_every` of them everything that matters goes into `state`."""
    options = training.options
    optimizer = torch.optim.AdamW(
        training.parameters.values(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        foreach=False,
    )
    training.network.train()
    progress.start(f"training {training.what}", training.steps)
    done = _restore(training, optimizer, state)
    progress.advance(done)
    for step in range(done, training.steps):
        training.losses.append(_update(training, optimizer, step))
        if (step + 1) % options.save_every == 0 and step + 1 < training.steps:
            _keep(training, optimizer, state)
        progress.advance()
    training.network.eval()


def rate(step: int, steps: int, options: UpdateOptions) -> float:
    """Learning rate of an update: a rise over the share `warmup`, then a straight fall to zero."""
    rise = math.ceil(options.warmup * steps)
    if step < rise:
        return options.learning_rate * (step + 1) / rise
    return options.learning_rate * (steps - step) / max(1, steps - rise)


def batch_indices(step: int, count: int, examples: int, seed: int) -> list[int]:
    """Which `count` examples an update sees: all of them once in random order, then again."""
    chosen = []
    for place in range(step * count, (step + 1) * count):
        epoch, offset = divmod(place, examples)
        generator = torch.Generator().manual_seed(seed + epoch)
        chosen.append(int(torch.randperm(examples, generator=generator)[offset]))
    return chosen


def _update(training: Training, optimizer: torch.optim.Optimizer, step: int) -> float:
    """One update from `accumulation` batches; returns the mean loss in nats per target."""
    options = training.options
    per_update = options.batch * options.accumulation
    chosen = batch_indices(step, per_update, len(training.examples.ids), training.seed)
    targets = training.examples.targets[chosen]
    count = int((targets != NO_TARGET).sum())
    total = 0.0
    for start in range(0, per_update, options.batch):
        part = chosen[start : start + options.batch]
        ids = training.examples.ids[part].to(training.device)
        loss = _loss(training, ids, training.examples.targets[part]) / max(count, 1)
        value = float(loss.detach())
        if not math.isfinite(value):
            layer = first_bad_layer(training.network, ids)
            raise not_finite(f"the loss is {value} at step {step + 1}", layer)
        total += value
        loss.backward()
    norm = nn.utils.clip_grad_norm_(training.parameters.values(), options.clip)
    if not math.isfinite(float(norm)):
        bad = [n for n, p in training.parameters.items() if not bool(torch.isfinite(p.grad).all())]
        raise not_finite(
            f"a gradient is not finite at step {step + 1}", bad[0] if bad else "the norm"
        )
    training.adjust(step)
    for group in optimizer.param_groups:
        group["lr"] = rate(step, training.steps, options)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def _loss(training: Training, ids: Tensor, targets: Tensor) -> Tensor:
    """The objective of a batch, summed over its targets."""
    mixed = training.options.mixed_precision
    with torch.autocast(training.device.type, torch.bfloat16, enabled=mixed):
        return training.objective(training.network, ids, targets.to(training.device))


def text_nats(network: Any, ids: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401
    """Negative log-likelihood of the targets [batch, length], summed."""
    logits = network(input_ids=ids, use_cache=False).logits
    flat = logits[:, :-1].float().flatten(0, 1)
    wanted = targets[:, 1:].flatten()
    return cross_entropy(flat, wanted, ignore_index=NO_TARGET, reduction="sum")


def _keep(training: Training, optimizer: torch.optim.Optimizer, state: StageState) -> None:
    """Parameters, moments and random state in one file, so that they always belong together."""
    tensors = {"random.cpu": torch.get_rng_state()}
    if training.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(training.device)
    tensors["losses"] = torch.tensor(training.losses, dtype=torch.float64)
    tensors |= {f"buffer.{name}": value.cpu() for name, value in training.buffers.items()}
    for name, parameter in training.parameters.items():
        tensors[f"value.{name}"] = parameter.detach().cpu()
        for key, value in optimizer.state[parameter].items():
            tensors[f"{key}.{name}"] = value.detach().cpu()
    state.write_tensors(_KEPT, tensors)


@torch.no_grad()
def _restore(training: Training, optimizer: torch.optim.Optimizer, state: StageState) -> int:
    """Go back to what `_keep` wrote; returns how many updates are done."""
    tensors = state.read_tensors(_KEPT)
    if tensors is None:
        return 0
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and training.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], training.device)
    for name, buffer in training.buffers.items():
        buffer.copy_(tensors[f"buffer.{name}"])
    for name, parameter in training.parameters.items():
        parameter.copy_(tensors[f"value.{name}"].to(parameter.device))
        keys = [key.removesuffix(f".{name}") for key in tensors if key.endswith(f".{name}")]
        optimizer.state[parameter] = {
            key: tensors[f"{key}.{name}"].to(parameter.device if key != "step" else "cpu")
            for key in keys
            if key != "value"
        }
    training.losses = tensors["losses"].tolist()
    return len(training.losses)
