"""Measure a model with one unit changed at a time, from the first block that differs on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from aretusa_compress.model.blocks import enter, head_logits, run_block, run_blocks, windows_on
from aretusa_compress.model.finite import first_bad_layer, not_finite
from aretusa_compress.sensitivity.divergence import Divergence, divergence, pooled
from aretusa_compress.sensitivity.loops import longest_loop, repetition

if TYPE_CHECKING:
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.run.progress import Progress
    from aretusa_compress.run.state import StageState
    from aretusa_compress.sensitivity.options import SensitivityOptions
    from aretusa_compress.sensitivity.units import SwitchedUnit

EVERYTHING: Final = "everything"  # the row of the model with all units changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A model with some units in factors."""

    divergence: Divergence
    repetition: float | None  # None: nothing was generated
    longest_loop: int | None


@dataclass(slots=True, kw_only=True)
class Sensitivity:
    """Measures `model`, whose `units` can be switched; what is done lies in `state`."""

    model: Model
    units: list[SwitchedUnit]
    windows: Tensor  # ids [count, length]
    options: SensitivityOptions
    state: StageState
    progress: Progress

    def original(self) -> Measurement:
        """The model as it is: how likely the text is, how much it repeats itself."""
        self._turn_all(factored=False)
        parts = []
        for ids in windows_on(self.model, self.windows):
            logits = _logits(self.model, ids)
            parts.append(divergence(logits, logits, ids[0, 1:]))
        return self._measurement(pooled(parts), "original")

    def all_but_one(self) -> dict[str, Measurement]:
        """Everything in factors, and everything but each unit."""
        return self._each(base=True)

    def only_one(self) -> dict[str, Measurement]:
        """Each unit alone in factors."""
        return self._each(base=False)

    def _each(self, *, base: bool) -> dict[str, Measurement]:
        """With `base` the network is in factors and a unit is given back; else the reverse."""
        key = "all-but" if base else "only"
        kept: dict[str, dict[str, Any]] = self.state.read_json(key) or {}
        self.progress.start(f"sensitivity, {key} one", len(self.windows) * len(self.model.blocks))
        for index, ids in enumerate(windows_on(self.model, self.windows)):
            self._window(kept, key, index, ids, base=base)
        found = {}
        names = [*([EVERYTHING] if base else []), *(unit.pattern for unit in self.units)]
        self.progress.start(f"texts, {key} one", len(names))
        for name in names:
            parts = [Divergence(**kept[str(window)][name]) for window in range(len(self.windows))]
            self._turn_all(factored=base)
            self._unit(name, factored=not base)
            found[name] = self._measurement(pooled(parts), f"{key}-{name}")
            self._unit(name, factored=base)
            self.progress.advance()
        return found

    @torch.no_grad()
    def _window(
        self, kept: dict[str, dict[str, Any]], key: str, index: int, ids: Tensor, *, base: bool
    ) -> None:
        """Every unit on one window; blocks before the first changed one are run once for all."""
        done = kept.setdefault(str(index), {})
        names = {unit.pattern for unit in self.units} | ({EVERYTHING} if base else set())
        if done.keys() >= names:
            self.progress.advance(len(self.model.blocks))
            return
        self._turn_all(factored=False)
        expected, targets = _logits(self.model, ids), ids[0, 1:]
        self._turn_all(factored=base)
        entry, blocks = enter(self.model, ids), self.model.blocks
        hidden = entry.hidden
        for place, block in enumerate(blocks):
            for unit in self.units:
                if unit.first_block != place or unit.pattern in done:
                    continue
                unit.turn(self.model, factored=not base)
                states = run_blocks(blocks[place:], hidden, entry.arguments[place:])
                logits = head_logits(self.model, states)[0, :-1]
                unit.turn(self.model, factored=base)
                self._check(logits, unit.pattern, ids)
                done[unit.pattern] = asdict(divergence(expected, logits, targets))
            hidden = run_block(block, hidden, entry.arguments[place])
            self.state.write_json(key, kept)
            self.progress.advance()
        if base:
            logits = head_logits(self.model, hidden)[0, :-1]
            self._check(logits, EVERYTHING, ids)
            done[EVERYTHING] = asdict(divergence(expected, logits, targets))
            self.state.write_json(key, kept)

    def _check(self, logits: Tensor, name: str, ids: Tensor) -> None:
        if not bool(torch.isfinite(logits).all()):
            layer = first_bad_layer(self.model.network, ids)
            raise not_finite(f"logits are not finite when {name} is changed", layer)

    def _measurement(self, found: Divergence, name: str) -> Measurement:
        if not self.options.generate:
            return Measurement(divergence=found, repetition=None, longest_loop=None)
        kept: dict[str, list[list[int]]] = self.state.read_json("texts") or {}
        if name not in kept:
            prompts = self.windows[: self.options.prompts, : self.options.prompt]
            kept[name] = continued(self.model, prompts, self.options.generate)
            self.state.write_json("texts", kept)
        shares = [repetition(text, self.options.run) for text in kept[name]]
        return Measurement(
            divergence=found,
            repetition=sum(shares) / len(shares),
            longest_loop=max(longest_loop(text) for text in kept[name]),
        )

    def _unit(self, name: str, *, factored: bool) -> None:
        for unit in self.units:
            if unit.pattern == name:
                unit.turn(self.model, factored=factored)

    def _turn_all(self, *, factored: bool) -> None:
        for unit in self.units:
            unit.turn(self.model, factored=factored)


@torch.no_grad()
def _logits(model: Model, ids: Tensor) -> Tensor:
    """Logits [length - 1, vocabulary] of all tokens that have a successor in ids [1, length]."""
    entry = enter(model, ids)
    return head_logits(model, run_blocks(model.blocks, entry.hidden, entry.arguments))[0, :-1]


@torch.no_grad()
def continued(model: Model, prompts: Tensor, count: int) -> list[list[int]]:
    """The `count` most probable tokens, one after the other, behind prompts [texts, length]."""
    network = model.network
    given = prompts.to(next(network.parameters()).device)
    cache, found = None, []
    for _ in range(count):
        out = network(input_ids=given, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        given = out.logits[:, -1:].argmax(dim=-1)
        found.append(given[:, 0].tolist())
    return [list(text) for text in zip(*found, strict=True)]
