"""ChatML, the conversation format of SmolLM2-Instruct, without running any template of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.errors import UnsupportedError
from aretusa.tokenizer.encode import encode

if TYPE_CHECKING:
    from aretusa.tokenizer.model import TokenizerModel

SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
_START, _END = "<|im_start|>", "<|im_end|>"


def format_chatml(user: str, system: str | None = SMOLLM2_SYSTEM) -> str:
    """One question as text, for people to read; `encode_chatml` is what a model gets."""
    return "".join(f"{_START}{role}\n{text}{_END}\n" for role, text in _turns(user, system)) + (
        f"{_START}assistant\n"
    )


def encode_chatml(
    model: TokenizerModel, user: str, system: str | None = SMOLLM2_SYSTEM
) -> list[int]:
    """The ids of one question. No text can end its own turn: it is never parsed for tokens."""
    special = {token.content: token.id for token in model.added if token.is_special}
    if _START not in special or _END not in special:
        raise UnsupportedError(
            "E0222",
            f"the tokenizer has no special tokens {_START} and {_END}",
            fix="Give the prompt as plain text.",
        )
    ids = list(model.bos_ids)
    for role, text in _turns(user, system):
        said = encode(model, f"{role}\n{text}", parse_special=False, add_bos=False)
        line_end = encode(model, "\n", add_bos=False)
        ids += [special[_START], *said, special[_END], *line_end]
    return [*ids, special[_START], *encode(model, "assistant\n", add_bos=False)]


def _turns(user: str, system: str | None) -> list[tuple[str, str]]:
    turns = [] if system is None else [("system", system)]
    return [*turns, ("user", user)]
