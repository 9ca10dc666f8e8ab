"""The `tokenizer.ggml.*` metadata of a GGUF file -> TokenizerModel."""

from __future__ import annotations

from enum import IntEnum
from math import isnan
from typing import TYPE_CHECKING, Any

from aretusa.errors import UnsupportedError
from aretusa.tokenizer.model import (
    AddedToken,
    Cutting,
    Kind,
    Merge,
    Pattern,
    SpacePrefix,
    TokenizerModel,
)
from aretusa.tokenizer.vocabulary import (
    Vocabulary,
    broken,
    build_model,
    merges_of_pairs,
    merges_of_scores,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "tokenizer.ggml."
_LLAMA3 = Cutting(pattern=Pattern.LLAMA3)
_CUTTINGS = {
    "smollm": Cutting(pattern=Pattern.GPT2, isolates_digits=True),
    "gpt-2": Cutting(pattern=Pattern.GPT2),
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "qwen2": Cutting(pattern=Pattern.QWEN2, composes=True),
}


class _TokenType(IntEnum):
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def read_gguf(metadata: Mapping[str, Any], *, file: str = "the GGUF file") -> TokenizerModel:
    """The tokenizer of a GGUF file from its metadata, whose arrays are Python lists."""
    fields = {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)}
    pieces = _strings(fields, "tokens", file)
    if not pieces:
        raise broken(file, "the tokenizer has no tokens")
    types = _types(fields, len(pieces), file)
    ids = {piece: one for one, piece in enumerate(pieces)}
    if len(ids) != len(pieces):
        twice = next(piece for one, piece in enumerate(pieces) if ids[piece] != one)
        raise broken(file, f"the token {twice!r:.80} comes twice")
    match fields.get("model"):
        case "gpt2":
            return build_model(_byte_level(fields, pieces, types, ids, file))
        case "llama":
            return build_model(_sentencepiece(fields, pieces, types, ids, file))
        case other:
            raise unsupported(file, f"the model {other!r:.80}")


def _byte_level(
    fields: Mapping[str, Any],
    pieces: tuple[str, ...],
    types: list[_TokenType],
    ids: Mapping[str, int],
    file: str,
) -> Vocabulary:
    pre = fields.get("pre", "default")
    if not isinstance(pre, str) or pre not in _CUTTINGS:
        raise UnsupportedError(
            "E0222",
            f"the tokenizer uses the pre-tokeniser {pre!r:.80}",
            file=file,
            fix=f"Supported: {', '.join(_CUTTINGS)}.",
        )
    is_llama3 = _CUTTINGS[pre] is _LLAMA3
    pairs = [_pair(line, rank, file) for rank, line in enumerate(_strings(fields, "merges", file))]
    return Vocabulary(
        file=file,
        kind=Kind.BYTE_LEVEL_BPE,
        cutting=_CUTTINGS[pre],
        pieces=pieces,
        ids=ids,
        added=_added(pieces, types),
        merges=merges_of_pairs(pairs, ids, file=file),
        unknown_id=None,
        fuses_unknown=False,
        falls_back_to_bytes=False,
        looks_up_words=is_llama3,
        strips_first_space=False,
        bos_ids=_bos_ids(fields, file, default=is_llama3),
        eos_ids=_end_ids(fields, file),
    )


def _sentencepiece(
    fields: Mapping[str, Any],
    pieces: tuple[str, ...],
    types: list[_TokenType],
    ids: Mapping[str, int],
    file: str,
) -> Vocabulary:
    has_prefix = _flag(fields, "add_space_prefix", file, default=True)
    unknown = [one for one, kind in enumerate(types) if kind is _TokenType.UNKNOWN]
    return Vocabulary(
        file=file,
        kind=Kind.SENTENCEPIECE_BPE,
        cutting=Cutting(prefix=SpacePrefix.ALWAYS if has_prefix else SpacePrefix.NEVER),
        pieces=pieces,
        ids=ids,
        added=_added(pieces, types),
        merges=_merges_of_scores(fields, types, ids, file),
        unknown_id=unknown[0] if unknown else None,
        fuses_unknown=True,
        falls_back_to_bytes=_TokenType.BYTE in types,
        looks_up_words=False,
        strips_first_space=has_prefix,
        bos_ids=_bos_ids(fields, file, default=True),
        eos_ids=_end_ids(fields, file),
    )


def _merges_of_scores(
    fields: Mapping[str, Any], types: list[_TokenType], ids: Mapping[str, int], file: str
) -> tuple[Merge, ...]:
    scores = fields.get("scores")
    if (
        not isinstance(scores, (list, tuple))
        or len(scores) != len(types)
        or not all(isinstance(score, (int, float)) and not isnan(score) for score in scores)
    ):
        raise broken(file, f"{_PREFIX}scores is not one number per token")
    normal = {
        piece: one
        for piece, one in ids.items()
        if types[one] in {_TokenType.NORMAL, _TokenType.USER_DEFINED}
    }
    return merges_of_scores(normal, [float(score) for score in scores])


def _added(pieces: tuple[str, ...], types: list[_TokenType]) -> tuple[AddedToken, ...]:
    special = {_TokenType.CONTROL, _TokenType.UNKNOWN}
    return tuple(
        AddedToken(content=piece, id=one, is_special=kind in special)
        for one, (piece, kind) in enumerate(zip(pieces, types, strict=True))
        if piece and (kind in special or kind is _TokenType.USER_DEFINED)
    )


def _bos_ids(fields: Mapping[str, Any], file: str, *, default: bool) -> tuple[int, ...]:
    if _flag(fields, "add_eos_token", file, default=False):
        raise unsupported(file, "an end-of-text token after every prompt")
    if not _flag(fields, "add_bos_token", file, default=default):
        return ()
    bos = fields.get("bos_token_id")
    if type(bos) is not int:
        raise broken(file, f"{_PREFIX}bos_token_id is missing")
    return (bos,)


def _end_ids(fields: Mapping[str, Any], file: str) -> tuple[int, ...]:
    """Tokens that end an answer: of the text, and of a turn."""
    found = [fields[k] for k in ("eos_token_id", "eot_token_id") if fields.get(k) is not None]
    if not all(type(one) is int for one in found):
        raise broken(file, f"{_PREFIX}eos_token_id is not a number")
    return tuple(dict.fromkeys(found))


def _pair(line: str, rank: int, file: str) -> tuple[str, str]:
    left, space, right = line.partition(" ")
    if not (left and space and right) or " " in right:
        raise broken(file, f"merge {rank} is not two tokens with a space between")
    return left, right


def _strings(fields: Mapping[str, Any], name: str, file: str) -> tuple[str, ...]:
    found = fields.get(name)
    if not isinstance(found, (list, tuple)) or not all(isinstance(one, str) for one in found):
        raise broken(file, f"{_PREFIX}{name} is not a list of strings")
    return tuple(found)


def _types(fields: Mapping[str, Any], count: int, file: str) -> list[_TokenType]:
    found = fields.get("token_type")
    known = {int(kind): kind for kind in _TokenType}
    if (
        not isinstance(found, (list, tuple))
        or len(found) != count
        or not all(type(one) is int and one in known for one in found)
    ):
        raise broken(file, f"{_PREFIX}token_type is not one known type per token")
    return [known[one] for one in found]


def _flag(fields: Mapping[str, Any], name: str, file: str, *, default: bool) -> bool:
    found = fields.get(name, default)
    if not isinstance(found, bool):
        raise broken(file, f"{_PREFIX}{name} is not true or false")
    return found
