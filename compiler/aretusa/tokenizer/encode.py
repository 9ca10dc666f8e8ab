"""Text -> ids and ids -> bytes, equal to the `tokenizers` library.

1. Added tokens are found in the raw text: leftmost first, then longest.
2. Each stretch between them is composed (NFC), gets its space in front, and is cut into words.
3. The bytes or characters of each word are merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from aretusa.errors import ModelError
from aretusa.tokenizer.compose import compose_text
from aretusa.tokenizer.cut import cut
from aretusa.tokenizer.merge import merge
from aretusa.tokenizer.model import (
    MAX_PROMPT_CHARS,
    SPACE_MARK,
    AddedToken,
    Kind,
    SpacePrefix,
    TokenizerModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.tokenizer.merge import Ranks


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The model's tables as dictionaries."""

    added_by_first: dict[str, tuple[AddedToken, ...]]  # the longest first
    ranks: Ranks
    chars: dict[int, int]
    words: dict[bytes, int]


def encode(
    model: TokenizerModel, text: str, *, parse_special: bool = True, add_bos: bool = True
) -> list[int]:
    """The ids of a text.

    With `parse_special=False` the text cannot produce a special token, whatever it spells: use
    that for text of a user. Lone surrogates count as U+FFFD.
    """
    if len(text) > MAX_PROMPT_CHARS:
        raise ModelError(
            "E0221",
            f"a prompt of {len(text):,} characters is longer than {MAX_PROMPT_CHARS:,}",
            fix="Shorten the prompt.",
        )
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lookup = _lookup(model)
    known: dict[str, list[int]] = {}
    ids = list(model.bos_ids) if add_bos else []
    for start, piece in _pieces(lookup, text, parse_special=parse_special):
        if isinstance(piece, AddedToken):
            ids.append(piece.id)
            continue
        for word in cut(_prepare(model, piece, is_first=start == 0), model.cutting):
            if word not in known:
                known[word] = _word_ids(model, lookup, word)
            ids.extend(known[word])
    return ids


def decode_bytes(model: TokenizerModel, ids: Sequence[int]) -> bytes:
    """The bytes of a whole text: the tokens' bytes in a row, special tokens left out.

    A device that prints token by token prints the same bytes. SentencePiece models lose the
    first space of the text, which encoding put there.
    """
    known = (one for one in ids if one < len(model.tokens))
    joined = b"".join(model.tokens[one] for one in known if one not in model.special)
    return joined[1:] if model.strips_first_space and joined.startswith(b" ") else joined


@lru_cache(maxsize=4)
def _lookup_by_identity(key: _Identity) -> _Lookup:
    model = key.model
    by_first: dict[str, list[AddedToken]] = {}
    for token in sorted(model.added, key=lambda token: -len(token.content)):
        by_first.setdefault(token.content[0], []).append(token)
    return _Lookup(
        added_by_first={first: tuple(tokens) for first, tokens in by_first.items()},
        ranks={(m.left, m.right): (m.rank, m.out) for m in model.merges},
        chars=dict(model.chars),
        words=dict(model.words),
    )


class _Identity:
    """A model as a key of the cache: the same object, not an equal one, which is slow to tell."""

    __slots__ = ("model",)

    def __init__(self, model: TokenizerModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.model is self.model


def _lookup(model: TokenizerModel) -> _Lookup:
    return _lookup_by_identity(_Identity(model))


def _pieces(
    lookup: _Lookup, text: str, *, parse_special: bool
) -> Iterator[tuple[int, AddedToken | str]]:
    """Added tokens and the text between them, each with its place.

    A special token that may not be used stays text, yet nothing is searched inside it.
    """
    start = place = 0
    while place < len(text):
        candidates = lookup.added_by_first.get(text[place], ())
        token = next((t for t in candidates if text.startswith(t.content, place)), None)
        if token is None:
            place += 1
            continue
        end = place + len(token.content)
        if parse_special or not token.is_special:
            if place > start:
                yield start, text[start:place]
            yield place, token
            start = end
        place = end
    if start < len(text):
        yield start, text[start:]


def _prepare(model: TokenizerModel, text: str, *, is_first: bool) -> str:
    """Compose, write spaces as the model wants them, and put one in front."""
    cutting = model.cutting
    space = " "
    if cutting.composes:
        text = compose_text(text)
    if model.kind is Kind.SENTENCEPIECE_BPE:
        space = SPACE_MARK
        text = text.replace(" ", space)
    has_space = text.startswith(space)
    is_wanted = {
        SpacePrefix.NEVER: False,
        SpacePrefix.ALWAYS: True,
        SpacePrefix.UNLESS_THERE: not has_space,
        SpacePrefix.FIRST_UNLESS_THERE: is_first and not has_space,
    }
    return space + text if is_wanted[cutting.prefix] else text


def _word_ids(model: TokenizerModel, lookup: _Lookup, word: str) -> list[int]:
    whole = lookup.words.get(word.encode())
    if whole is not None:
        return [whole]
    symbols: list[int] = []
    was_known = True
    for one in _symbols(model, lookup, word):
        is_known = one is not None
        if one is not None:
            symbols.append(one)
        elif model.unknown_id is not None and (was_known or not model.fuses_unknown):
            symbols.append(model.unknown_id)
        was_known = is_known
    return merge(symbols, lookup.ranks)


def _symbols(model: TokenizerModel, lookup: _Lookup, word: str) -> Iterator[int | None]:
    """The smallest symbols of a word; None for one that the vocabulary lacks."""
    if model.kind is Kind.BYTE_LEVEL_BPE:
        yield from (model.byte_ids[byte] for byte in word.encode())
        return
    for char in word:
        code_id = lookup.chars.get(ord(char))
        in_bytes = [model.byte_ids[byte] for byte in char.encode()]
        if code_id is None and None not in in_bytes:
            yield from in_bytes
        else:
            yield code_id
