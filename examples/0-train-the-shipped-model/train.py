"""Train the model on the streams that prepare.py wrote, for a given time.

    python train.py --work build --minutes 90

The schedule is a function of the share of the time used, so a run ends on time on any machine;
`--resume` continues an interrupted one. `build/best` holds the checkpoint with the lowest
validation loss, `build/log.csv` the losses.
"""

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model import Config, Llama, save_checkpoint
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

SEPARATOR = 0
NEWTON_SCHULZ = ((3.4445, -4.7750, 2.0315),) * 5


@dataclass(frozen=True)
class Recipe:
    """What a run depends on, apart from its length."""

    batch_tokens: int = 4096
    short_length: int = 256
    long_length: int = 512
    short_share: float = 0.6
    warmup_share: float = 0.02
    decay_from_share: float = 0.4
    matrix_rate: float = 0.02
    matrix_decay: float = 0.1
    matrix_momentum: float = 0.95
    vector_rate: float = 0.003
    average_decay: float = 0.99
    seed: int = 1


def rate_factor(share: float, recipe: Recipe) -> float:
    """Warm up, stay, then fall in a line to zero at the end of the time."""
    rise = share / recipe.warmup_share
    fall = (1.0 - share) / (1.0 - recipe.decay_from_share)
    return max(0.0, min(1.0, rise, fall))


def orthogonalize(matrices: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices of a stack [n, rows, columns], roughly (Newton-Schulz)."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for a, b, c in NEWTON_SCHULZ:
        gram = x @ x.mT
        x = torch.baddbmm(x, b * gram + c * gram @ gram, x, beta=a)
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; matrices of one shape are handled as one stack."""

    def __init__(self, params: list[nn.Parameter], rate: float, decay: float, beta: float) -> None:
        super().__init__(params, {"lr": rate, "weight_decay": decay, "beta": beta})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                shapes.setdefault(parameter.shape, []).append(parameter)
            for members in shapes.values():
                self._step_stack(members, group)

    def _step_stack(self, members: list[nn.Parameter], group: dict[str, float]) -> None:
        rate, beta = group["lr"], group["beta"]
        looks = []
        for parameter in members:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - beta)
            looks.append(parameter.grad.lerp(state["momentum"], beta))
        rows, columns = members[0].shape
        scale = rate * math.sqrt(max(1.0, rows / columns))
        for parameter, update in zip(members, orthogonalize(torch.stack(looks)), strict=True):
            parameter.mul_(1 - rate * group["weight_decay"]).sub_(update, alpha=scale)


def initialize(model: Llama) -> None:
    """Small embeddings, unit-gain matrices, silent residual branches."""
    nn.init.normal_(model.embed_tokens.weight, std=0.02)
    for name, parameter in model.layers.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.6 * parameter.shape[1] ** -0.5)


class Windows:
    """Training windows: shuffled, cut at a new offset in every pass over the stream."""

    def __init__(self, stream: np.ndarray, seed: int) -> None:
        self.stream = torch.from_numpy(stream.astype(np.int64))
        self.generator = torch.Generator().manual_seed(seed)
        self.starts: list[int] = []
        self.length = 0

    def batch(self, count: int, length: int) -> tuple[Tensor, Tensor]:
        """Inputs, which start with the separator, and targets, both [count, length]."""
        if length != self.length or len(self.starts) < count:
            self._shuffle(length)
        starts, self.starts = self.starts[:count], self.starts[count:]
        targets = torch.stack([self.stream[s : s + length] for s in starts])
        return pad(targets[:, :-1], (1, 0), value=SEPARATOR), targets

    def _shuffle(self, length: int) -> None:
        self.length = length
        offset = int(torch.randint(length, (1,), generator=self.generator))
        count = (len(self.stream) - offset) // length
        order = torch.randperm(count, generator=self.generator)
        self.starts = (offset + order * length).tolist()


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token."""
    logits = model(inputs)
    return cross_entropy(logits.flatten(0, 1), targets.flatten())


@torch.no_grad()
def validation_loss(model: Llama, stream: np.ndarray, length: int) -> float:
    """Nats per token over whole windows of the stream."""
    count = len(stream) // length
    targets = torch.from_numpy(stream[: count * length].astype(np.int64)).view(count, length)
    inputs = pad(targets[:, :-1], (1, 0), value=SEPARATOR)
    parts = zip(inputs.split(8), targets.split(8), strict=True)
    return sum(loss_of(model, i, t).item() * len(i) for i, t in parts) / count


class Run:
    """The state of a training run, and what is done with it."""

    def __init__(self, work: Path, recipe: Recipe, minutes: float, compiled: bool) -> None:
        torch.manual_seed(recipe.seed)
        self.work, self.recipe, self.seconds = work, recipe, minutes * 60
        self.config = Config()
        self.model = Llama(self.config)
        initialize(self.model)
        self.average = Llama(self.config)
        self.average.load_state_dict(self.model.state_dict())
        self.forward = torch.compile(self.model, dynamic=False) if compiled else self.model
        self.windows = Windows(np.fromfile(work / "train.bin", dtype="<u2"), recipe.seed)
        self.validation = np.fromfile(work / "validation.bin", dtype="<u2")
        self.bytes_per_token = (work / "validation.txt").stat().st_size / len(self.validation)
        self.optimizers = self._optimizers()
        self.step, self.tokens, self.used_s, self.best_loss = 0, 0, 0.0, math.inf

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        recipe = self.recipe
        matrices = [p for p in self.model.layers.parameters() if p.ndim == 2]
        norms = [p for p in self.model.parameters() if p.ndim == 1]
        others = [self.model.embed_tokens.weight, *norms]
        return [
            Muon(matrices, recipe.matrix_rate, recipe.matrix_decay, recipe.matrix_momentum),
            torch.optim.AdamW(
                others, lr=recipe.vector_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
            ),
        ]

    def train_step(self) -> float:
        """One update; returns the training loss."""
        recipe, share = self.recipe, self.used_s / self.seconds
        length = recipe.short_length if share < recipe.short_share else recipe.long_length
        inputs, targets = self.windows.batch(recipe.batch_tokens // length, length)
        loss = loss_of(self.forward, inputs, targets)
        loss.backward()
        factor = rate_factor(share, recipe)
        rates = (recipe.matrix_rate, recipe.vector_rate)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._update_average()
        self.step += 1
        self.tokens += inputs.numel()
        return loss.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        weight = 1 - min(self.recipe.average_decay, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        for mean, parameter in pairs:
            mean.lerp_(parameter, weight)

    def evaluate(self, train_loss: float) -> None:
        """Log the losses, keep the best weights so far, save the state."""
        length = self.recipe.long_length
        losses = [validation_loss(m, self.validation, length) for m in (self.model, self.average)]
        if min(losses) < self.best_loss:
            self.best_loss = min(losses)
            chosen = self.model if losses[0] < losses[1] else self.average
            save_checkpoint(chosen.state_dict(), self.config, self.work / "best")
        self._log(train_loss, losses)
        self._save()

    def _log(self, train_loss: float, losses: list[float]) -> None:
        path = self.work / "log.csv"
        if not path.exists():
            names = "used_s,step,tokens,train,validation,validation_average,bits_per_byte,best"
            path.write_text(names + "\n")
        bits_per_byte = min(losses) / math.log(2) / self.bytes_per_token
        values = [train_loss, *losses, bits_per_byte, self.best_loss]
        numbers = ",".join(f"{value:.4f}" for value in values)
        with path.open("a") as log:
            log.write(f"{self.used_s:.0f},{self.step},{self.tokens},{numbers}\n")

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "windows": (self.windows.generator.get_state(), self.windows.starts),
            "windows_length": self.windows.length,
            "counters": (self.step, self.tokens, self.used_s, self.best_loss),
        }
        torch.save(state, self.work / "state.new")
        (self.work / "state.new").replace(self.work / "state.pt")

    def load(self) -> None:
        """Continue from the last saved state."""
        state = torch.load(self.work / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        generator, self.windows.starts = state["windows"]
        self.windows.generator.set_state(generator)
        self.windows.length = state["windows_length"]
        self.step, self.tokens, self.used_s, self.best_loss = state["counters"]

    def train(self, evaluate_every_s: float) -> None:
        """Train until the time is used up."""
        next_evaluation_s = self.used_s + evaluate_every_s
        last, train_loss = time.monotonic(), math.log(self.config.vocab_size)
        while self.used_s < self.seconds:
            train_loss += 0.02 * (self.train_step() - train_loss)
            now = time.monotonic()
            self.used_s, last = self.used_s + now - last, now
            if self.used_s >= next_evaluation_s:
                self.evaluate(train_loss)
                next_evaluation_s = self.used_s + evaluate_every_s
        self.evaluate(train_loss)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--evaluate-every-s", type=float, default=240)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run = Run(arguments.work, Recipe(), arguments.minutes, compiled=not arguments.no_compile)
    if arguments.resume:
        run.load()
    run.train(arguments.evaluate_every_s)


if __name__ == "__main__":
    main()
