"""TokenizerModel -> the table image that `runtime/src/tokenizer/` reads in place.

Little-endian words of 32 bits: a header, then one (offset, size) in bytes per table, then the
tables. Offsets count from the image's first byte, so it may lie anywhere. Equal models give equal
bytes. `runtime/src/tokenizer/tables.h` names the same fields.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag, auto
from typing import TYPE_CHECKING

from aretusa.tokenizer.model import Kind, Pattern, TokenizerModel
from aretusa.tokenizer.unicode_tables import Runs, unicode_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = 0x4B4F5441  # "ATOK"
VERSION = 1
NO_ID = 0xFFFFFFFF
MAX_TEXT_BYTES = 4_000_000  # 1,000,000 characters of four bytes
SPECIAL_BIT = 1 << 31
_HEADER_WORDS = 8
_NARROW = 1 << 16  # ids and ranks below this fit half a word
_ARRAYS = 5  # of the merge: ids, next, previous, ranks, tree


class Flag(IntFlag):
    """What the header says beside the tables."""

    SENTENCEPIECE = 1
    COMPOSES = 2
    FUSES_UNKNOWN = 4
    ISOLATES_DIGITS = 8
    SPLITS_AT_SPACES = 16
    STRIPS_FIRST_SPACE = 32
    WIDE_MERGES = 64


class Table(IntEnum):
    """The tables, in the order of the image."""

    TOKEN_STARTS = 0  # where each token begins in TOKEN_BYTES, and one end
    TOKEN_BYTES = auto()
    SPECIAL = auto()  # one bit per id
    MERGES = auto()  # rising (left, right): two halves and two halves, or four words
    BYTE_IDS = auto()
    CHARS = auto()  # rising (code point, id)
    WORDS = auto()  # ids by rising bytes
    ADDED_FIRST = auto()  # one bit per byte that begins an added token
    ADDED = auto()  # (start in ADDED_BYTES, size, id and SPECIAL_BIT), the longest first
    ADDED_BYTES = auto()
    BOS = auto()
    EOS = auto()
    CLASSES = auto()  # class << 24 | first code point
    COMBINING = auto()  # the same
    DECOMPOSITIONS = auto()  # rising (code point, first, second or 0)
    COMPOSITIONS = auto()  # places in DECOMPOSITIONS by rising (first, second)


def tokenizer_image(model: TokenizerModel) -> bytes:
    """The image of a tokenizer; its size is a multiple of four bytes."""
    tables = _tables(model)
    offset_bytes = 4 * (_HEADER_WORDS + 2 * len(Table))
    directory: list[int] = []
    for table in Table:
        size_bytes = len(tables[table])
        assert size_bytes % 4 == 0, f"the table {table.name} is not made of words"
        directory += [offset_bytes, size_bytes]
        offset_bytes += size_bytes
    header = [
        MAGIC,
        VERSION,
        offset_bytes,
        _flags(model),
        model.cutting.pattern,
        model.cutting.prefix,
        NO_ID if model.unknown_id is None else model.unknown_id,
        model.vocab_size,
    ]
    return _words([*header, *directory]) + b"".join(tables[table] for table in Table)


def encode_scratch_bytes(text_bytes: int) -> int:
    """Scratch that is enough for `art_tokenizer_encode`, or 0 if the text is too long.

    A byte of text becomes at most three (a broken one U+FFFD, a space SPACE_MARK, or by NFC), and
    each may be a symbol of its own.
    """
    if text_bytes > MAX_TEXT_BYTES:
        return 0
    capacity = _text_capacity(text_bytes)
    return capacity + 4 * _ARRAYS * capacity


def _text_capacity(text_bytes: int) -> int:
    """Bytes of prepared text, with room for a space in front, in whole words."""
    return (3 * text_bytes + 3 + 3) // 4 * 4


def _tables(model: TokenizerModel) -> dict[Table, bytes]:
    added = sorted(model.added, key=lambda t: (-len(t.content.encode()), t.content))
    contents = [token.content.encode() for token in added]
    starts = _starts(contents)
    records = [
        word
        for start, content, token in zip(starts, contents, added, strict=False)
        for word in (start, len(content), token.id | (SPECIAL_BIT if token.is_special else 0))
    ]
    return {
        Table.TOKEN_STARTS: _words(_starts(model.tokens)),
        Table.TOKEN_BYTES: _padded(b"".join(model.tokens)),
        Table.SPECIAL: _bits(model.special, model.vocab_size),
        Table.MERGES: _merges(model),
        Table.BYTE_IDS: _words(NO_ID if one is None else one for one in model.byte_ids),
        Table.CHARS: _words(word for pair in model.chars for word in pair),
        Table.WORDS: _words(one for _, one in model.words),
        Table.ADDED_FIRST: _bits({content[0] for content in contents}, 256),
        Table.ADDED: _words(records),
        Table.ADDED_BYTES: _padded(b"".join(contents)),
        Table.BOS: _words(model.bos_ids),
        Table.EOS: _words(model.eos_ids),
        **_unicode(model),
    }


def _flags(model: TokenizerModel) -> int:
    cutting = model.cutting
    chosen = {
        Flag.SENTENCEPIECE: model.kind is Kind.SENTENCEPIECE_BPE,
        Flag.COMPOSES: cutting.composes,
        Flag.FUSES_UNKNOWN: model.fuses_unknown,
        Flag.ISOLATES_DIGITS: cutting.isolates_digits,
        Flag.SPLITS_AT_SPACES: cutting.splits_at_spaces,
        Flag.STRIPS_FIRST_SPACE: model.strips_first_space,
        Flag.WIDE_MERGES: not _is_narrow(model),
    }
    return sum(flag for flag, is_set in chosen.items() if is_set)


def _is_narrow(model: TokenizerModel) -> bool:
    return model.vocab_size <= _NARROW and all(m.rank < _NARROW for m in model.merges)


def _merges(model: TokenizerModel) -> bytes:
    if _is_narrow(model):
        return _words(
            word for m in model.merges for word in (m.left << 16 | m.right, m.rank << 16 | m.out)
        )
    return _words(word for m in model.merges for word in (m.left, m.right, m.rank, m.out))


def _unicode(model: TokenizerModel) -> dict[Table, bytes]:
    """Only the tables that the model's cutting looks at."""
    tables = unicode_tables()
    cutting = model.cutting
    has_classes = cutting.pattern is not Pattern.NONE or cutting.isolates_digits
    steps = sorted(tables.decompositions) if cutting.composes else []
    place_of = {code: place for place, code in enumerate(steps)}
    pairs = sorted(tables.compositions) if cutting.composes else []
    return {
        Table.CLASSES: _runs(tables.classes) if has_classes else b"",
        Table.COMBINING: _runs(tables.combining) if cutting.composes else b"",
        Table.DECOMPOSITIONS: _words(
            word for code in steps for word in (code, *(*tables.decompositions[code], 0)[:2])
        ),
        Table.COMPOSITIONS: _words(place_of[tables.compositions[pair]] for pair in pairs),
    }


def _runs(runs: Runs) -> bytes:
    return _words(
        value << 24 | start for start, value in zip(runs.starts, runs.values, strict=True)
    )


def _starts(parts: Iterable[bytes]) -> list[int]:
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part))
    return starts


def _bits(members: Iterable[int], count: int) -> bytes:
    words = [0] * ((count + 31) // 32)
    for one in members:
        words[one // 32] |= 1 << one % 32
    return _words(words)


def _words(values: Iterable[int]) -> bytes:
    words = list(values)
    return struct.pack(f"<{len(words)}I", *words)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
