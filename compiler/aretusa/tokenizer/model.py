"""TokenizerModel: everything that encoding and decoding need, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MAX_TOKEN_BYTES = 1024  # the longest of Llama 3 has 128
MAX_VOCAB = 1 << 20
MAX_ADDED_TOKENS = 4096  # each is tried at each place of the text
MAX_PROMPT_CHARS = 1_000_000
SPACE_MARK = "\u2581"  # how SentencePiece writes a space


class Kind(IntEnum):
    """What the smallest symbols of the merges are."""

    BYTE_LEVEL_BPE = 0  # bytes
    SENTENCEPIECE_BPE = 1  # code points, spaces written as SPACE_MARK


class Pattern(IntEnum):
    """The regular expression that cuts text into words."""

    NONE = 0
    GPT2 = 1
    LLAMA3 = 2
    QWEN2 = 3


class SpacePrefix(IntEnum):
    """When a space goes in front of a stretch of text between added tokens."""

    NEVER = 0
    ALWAYS = 1
    UNLESS_THERE = 2
    FIRST_UNLESS_THERE = 3  # only if the stretch begins the text


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedToken:
    """A token found in the text before anything else happens to it."""

    content: str
    id: int
    is_special: bool


@dataclass(frozen=True, slots=True)
class Merge:
    """Two neighbours become `out`; the lowest rank goes first, then the leftmost place."""

    left: int
    right: int
    rank: int
    out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How text is prepared and cut into words; merges never cross two words."""

    pattern: Pattern = Pattern.NONE
    isolates_digits: bool = False
    splits_at_spaces: bool = False
    prefix: SpacePrefix = SpacePrefix.NEVER
    composes: bool = False  # Unicode NFC first


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerModel:
    """A BPE tokenizer as tables; see `encode.py` for what they mean."""

    kind: Kind
    cutting: Cutting
    tokens: tuple[bytes, ...]  # what each id decodes to
    special: frozenset[int]  # ids that decode to nothing
    added: tuple[AddedToken, ...]
    merges: tuple[Merge, ...]  # by rising (left, right), each pair once
    byte_ids: tuple[int | None, ...]  # id of each byte on its own
    chars: tuple[tuple[int, int], ...]  # SentencePiece: (code point, id), rising
    words: tuple[tuple[bytes, int], ...]  # words that are looked up before merging, rising
    unknown_id: int | None
    fuses_unknown: bool
    strips_first_space: bool  # when decoding a whole text
    bos_ids: tuple[int, ...]  # put in front of every text
    eos_ids: tuple[int, ...]

    @property
    def vocab_size(self) -> int:
        """How many ids there are, from 0 on."""
        return len(self.tokens)
