"""From the strings of a vocabulary to a TokenizerModel, for every kind of file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.errors import ModelError, UnsupportedError
from aretusa.tokenizer.byte_alphabet import CHAR_OF_BYTE, bytes_of_token
from aretusa.tokenizer.model import (
    MAX_ADDED_TOKENS,
    MAX_TOKEN_BYTES,
    MAX_VOCAB,
    SPACE_MARK,
    AddedToken,
    Cutting,
    Kind,
    Merge,
    TokenizerModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BROKEN_FIX = "Download the tokenizer again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a file says, as strings; `pieces[id]` includes the added tokens."""

    file: str
    kind: Kind
    cutting: Cutting
    pieces: tuple[str, ...]
    ids: Mapping[str, int]  # of the model alone, before tokens were added
    added: tuple[AddedToken, ...]
    merges: tuple[Merge, ...]
    unknown_id: int | None
    fuses_unknown: bool
    falls_back_to_bytes: bool
    looks_up_words: bool
    strips_first_space: bool
    bos_ids: tuple[int, ...]
    eos_ids: tuple[int, ...]


def build_model(vocab: Vocabulary) -> TokenizerModel:
    """Check the parts against each other and lay them out.

    A merge that would make a special token is left out: such a token is only ever found as a
    whole, and so text that is not searched for special tokens cannot make one.
    """
    _check_budget(vocab)
    special = frozenset(token.id for token in vocab.added if token.is_special)
    plain = {piece: one for piece, one in vocab.ids.items() if one not in special}
    merges = {(m.left, m.right): m for m in vocab.merges if m.out not in special}
    is_byte_level = vocab.kind is Kind.BYTE_LEVEL_BPE
    for one in (*vocab.bos_ids, *vocab.eos_ids):
        if not 0 <= one < len(vocab.pieces):
            raise broken(vocab.file, f"the token id {one} of a text's begin or end does not exist")
    return TokenizerModel(
        kind=vocab.kind,
        cutting=vocab.cutting,
        tokens=tuple(_token_bytes(piece, vocab.kind) for piece in vocab.pieces),
        special=special,
        added=vocab.added,
        merges=tuple(merges[pair] for pair in sorted(merges)),
        byte_ids=_byte_ids(vocab, plain),
        chars=() if is_byte_level else _chars(plain),
        words=_words(vocab, plain) if vocab.looks_up_words else (),
        unknown_id=vocab.unknown_id,
        fuses_unknown=vocab.fuses_unknown,
        strips_first_space=vocab.strips_first_space,
        bos_ids=vocab.bos_ids,
        eos_ids=vocab.eos_ids,
    )


def merges_of_pairs(
    pairs: Iterable[tuple[str, str]], ids: Mapping[str, int], *, file: str
) -> tuple[Merge, ...]:
    """Merges in order of rank; a pair that comes twice keeps its last rank, as in the library."""
    merges = []
    for rank, (left, right) in enumerate(pairs):
        missing = next((one for one in (left, right, left + right) if one not in ids), None)
        if missing is not None:
            raise broken(file, f"merge {rank} needs the token {missing!r:.80}, which is unknown")
        merges.append(Merge(ids[left], ids[right], rank, ids[left + right]))
    return tuple(merges)


def merges_of_scores(ids: Mapping[str, int], scores: Sequence[float]) -> tuple[Merge, ...]:
    """SentencePiece keeps no merges: any two tokens merge if together they are a token.

    The highest score goes first, and of equals the leftmost.
    """
    rank_of = {score: rank for rank, score in enumerate(sorted(set(scores), reverse=True))}
    return tuple(
        Merge(ids[piece[:place]], ids[piece[place:]], rank_of[scores[out]], out)
        for piece, out in ids.items()
        for place in range(1, len(piece))
        if piece[:place] in ids and piece[place:] in ids
    )


def broken(file: str, what: str) -> ModelError:
    """The error for a tokenizer that contradicts itself."""
    return ModelError("E0220", what, file=file, fix=BROKEN_FIX)


def unsupported(file: str, what: str) -> UnsupportedError:
    """The error for a tokenizer outside the LLaMA family."""
    return UnsupportedError(
        "E0222",
        f"the tokenizer uses {what}",
        file=file,
        fix="Use a byte-level or SentencePiece BPE tokenizer of the LLaMA family.",
    )


def over_budget(file: str, what: str) -> ModelError:
    """The error for a tokenizer of absurd size."""
    return ModelError("E0221", what, file=file, fix="Use the tokenizer the model came with.")


def _check_budget(vocab: Vocabulary) -> None:
    if len(vocab.pieces) > MAX_VOCAB:
        raise over_budget(vocab.file, f"more than {MAX_VOCAB:,} tokens")
    if len(vocab.added) > MAX_ADDED_TOKENS:
        raise over_budget(vocab.file, f"more than {MAX_ADDED_TOKENS:,} added tokens")
    for one, piece in enumerate(vocab.pieces):
        if not piece.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in piece):
            raise broken(vocab.file, f"token {one} is not Unicode text")
        size_bytes = len(piece.encode())
        if size_bytes > MAX_TOKEN_BYTES:
            raise over_budget(
                vocab.file, f"token {one} has {size_bytes:,} bytes, more than {MAX_TOKEN_BYTES:,}"
            )
    if any("\ufffd" in token.content for token in vocab.added):
        raise unsupported(vocab.file, "an added token with a replacement character")


def _token_bytes(piece: str, kind: Kind) -> bytes:
    if kind is Kind.BYTE_LEVEL_BPE:
        return bytes_of_token(piece)
    byte = _byte_of_name(piece)
    return piece.replace(SPACE_MARK, " ").encode() if byte is None else bytes([byte])


def _byte_of_name(piece: str) -> int | None:
    """The byte that a token such as <0x0A> stands for."""
    is_name = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
    digits = piece[3:5]
    is_hex = is_name and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    return int(digits, 16) if is_hex else None


def _byte_ids(vocab: Vocabulary, plain: Mapping[str, int]) -> tuple[int | None, ...]:
    if vocab.kind is Kind.BYTE_LEVEL_BPE:
        if vocab.falls_back_to_bytes:
            raise unsupported(vocab.file, "byte fallback in a byte-level vocabulary")
        return tuple(plain.get(CHAR_OF_BYTE[byte]) for byte in range(256))
    if not vocab.falls_back_to_bytes:
        return (None,) * 256
    byte_ids = tuple(plain.get(f"<0x{byte:02X}>") for byte in range(256))
    if None in byte_ids:
        raise unsupported(vocab.file, "byte fallback without all of <0x00> to <0xFF>")
    return byte_ids


def _chars(plain: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((ord(piece), one) for piece, one in plain.items() if len(piece) == 1))


def _words(vocab: Vocabulary, plain: Mapping[str, int]) -> tuple[tuple[bytes, int], ...]:
    """Words by their bytes; neither foreign characters nor added tokens are ever left in one."""
    alphabet = frozenset(CHAR_OF_BYTE)
    added = {token.content for token in vocab.added}
    texts = (p for p in plain if p and p not in added and alphabet.issuperset(p))
    return tuple(sorted((bytes_of_token(piece), plain[piece]) for piece in texts))
