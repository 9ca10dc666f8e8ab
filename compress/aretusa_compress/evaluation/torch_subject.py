"""TorchSubject: a float model in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

_LOGIT_ROWS: Final = 128  # that leave torch at once: 25 MB of a vocabulary of 49152


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchSubject:
    """A causal language model of transformers with its tokenizer."""

    name: str
    model: Any  # transformers' classes are not typed
    tokenizer: Any

    @property
    def device(self) -> str:
        """What computes it: cpu, or the name of a GPU."""
        where = self.model.device
        return torch.cuda.get_device_name(where) if where.type == "cuda" else str(where.type)

    @property
    def context(self) -> int:
        """Positions that the configuration allows."""
        return int(self.model.config.max_position_embeddings)

    @property
    def start(self) -> int:
        """What the tokenizer puts before every text, or the least token that ends a text."""
        before = self.tokenizer.encode("", add_special_tokens=True)
        return int(before[0]) if before else min(self._ends, default=0)

    def encode(self, text: str) -> list[int]:
        """Token ids without special tokens."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids; special tokens give none."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def is_end(self, token: int) -> bool:
        """Whether generation config or tokenizer name this token as the end."""
        return token in self._ends

    @property
    def _ends(self) -> set[int]:
        ends = self.model.generation_config.eos_token_id
        known = ends if isinstance(ends, list) else [ends]
        return {int(end) for end in (*known, self.tokenizer.eos_token_id) if end is not None}

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """One pass over the sequence; the head runs over some rows at a time."""
        hidden = self.model.model(self._ids(tokens), use_cache=False).last_hidden_state[0]
        for rows in hidden.split(_LOGIT_ROWS):
            yield self.model.lm_head(rows).float().cpu().numpy()

    @torch.inference_mode()
    def continuation(self, tokens: Sequence[int]) -> Iterator[int]:
        """Greedy, with the model's cache."""
        given, cache = self._ids(tokens), None
        for _ in range(len(tokens), self.context + 1):
            out = self.model.model(given, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            chosen = int(self.model.lm_head(out.last_hidden_state[0, -1:]).argmax())
            yield chosen
            given = self._ids([chosen])

    @torch.inference_mode()
    def blocks(self, tokens: Sequence[int]) -> list[NDArray[np.float32]]:
        """One pass over the sequence, the blocks' outputs noted as they come."""
        found: list[NDArray[np.float32]] = []

        def note(_block: object, _given: object, out: Any) -> None:  # noqa: ANN401
            states = out if isinstance(out, torch.Tensor) else out[0]
            found.append(states.reshape(len(tokens), -1).float().cpu().numpy())

        hooks = [block.register_forward_hook(note) for block in self.model.model.layers]
        try:
            self.model.model(self._ids(tokens), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def _ids(self, tokens: Sequence[int]) -> torch.Tensor:
        return torch.tensor([list(tokens)], device=self.model.device)
