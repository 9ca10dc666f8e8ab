"""What a run is asked to do, and the request block that tells it to the firmware."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, TypeAlias

from aretusa.errors import UsageError
from aretusa.execution.address_map import REQUEST_BYTES

_MAGIC: Final = int.from_bytes(b"ARTQ", "little")
_HEADER: Final = struct.Struct("<6I2f3I")  # struct art_request
_SEGMENT: Final = struct.Struct("<2I")
CORES_MAX: Final = 8
TEMPERATURE_MAX: Final = 100.0


class _Flag(IntFlag):
    """enum art_request_flag."""

    RECORD = 1
    LOGITS = 2
    PROFILE = 4
    IGNORE_STOP = 8


class _Segment(IntFlag):
    """enum art_segment."""

    TEXT = 0
    SPECIAL = 1
    IDS = 2
    BEGIN = 4


@dataclass(frozen=True, slots=True)
class TextSegment:
    """A piece of the prompt that the firmware's own tokenizer encodes.

    `special`: the text may spell special tokens. `begin`: first come the ids that the model wants
    before a text.
    """

    text: str
    special: bool = False
    begin: bool = False


@dataclass(frozen=True, slots=True)
class IdSegment:
    """A piece of the prompt that is token ids already."""

    ids: tuple[int, ...]


Segment: TypeAlias = TextSegment | IdSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run: the prompt, how to choose tokens, when to end, and what to record.

    `chunk` is the number of prompt tokens per step, 0 for the largest that the program has.
    `temperature` 0 chooses the most likely token. `max_new_tokens` 0 only runs the prompt.
    """

    segments: tuple[Segment, ...]
    max_new_tokens: int
    chunk: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    record: bool = True
    logits: bool = False
    profile: bool = False
    ignore_stop: bool = False

    @property
    def wants_records(self) -> bool:
        """Whether the firmware writes a record file."""
        return self.record or self.logits or self.profile

    def encode(self, cores: int) -> bytes:
        """The request block for a machine with so many cores; UsageError if it cannot be one."""
        self._check(cores)
        flags = (
            (_Flag.RECORD if self.wants_records else 0)
            | (_Flag.LOGITS if self.logits else 0)
            | (_Flag.PROFILE if self.profile else 0)
            | (_Flag.IGNORE_STOP if self.ignore_stop else 0)
        )
        body = b"".join(_encode_segment(segment) for segment in self.segments)
        block = (
            _HEADER.pack(
                _MAGIC,
                _HEADER.size + len(body),
                cores,
                flags,
                self.max_new_tokens,
                self.chunk,
                self.temperature,
                self.top_p,
                self.seed & 0xFFFF_FFFF,
                self.seed >> 32,
                len(self.segments),
            )
            + body
        )
        if len(block) > REQUEST_BYTES:
            raise UsageError(
                "E0010",
                f"the request has {len(block):,} bytes, more than {REQUEST_BYTES:,}",
                fix="Give a shorter prompt.",
            )
        return block

    def _check(self, cores: int) -> None:
        for name, value, least, most in (
            ("cores", cores, 1, CORES_MAX),
            ("max_new_tokens", self.max_new_tokens, 0, (1 << 32) - 1),
            ("chunk", self.chunk, 0, (1 << 32) - 1),
            ("seed", self.seed, 0, (1 << 64) - 1),
            ("temperature", self.temperature, 0.0, TEMPERATURE_MAX),
            ("top_p", self.top_p, 1e-6, 1.0),
        ):
            if not least <= value <= most:
                raise UsageError(
                    "E0010",
                    f"{name} is {value}",
                    fix=f"Choose {name} between {least} and {most}.",
                )


def _encode_segment(segment: Segment) -> bytes:
    match segment:
        case TextSegment(text=text, special=special, begin=begin):
            kind = (_Segment.SPECIAL if special else 0) | (_Segment.BEGIN if begin else 0)
            # A lone surrogate has no UTF-8 form; the tokenizer would read it as U+FFFD anyway.
            payload = text.encode("utf-8", errors="replace")
        case IdSegment(ids=ids):
            kind = int(_Segment.IDS)
            for token in ids:
                if not -(1 << 31) <= token < 1 << 31:
                    raise UsageError(
                        "E0010", f"{token} is no token id", fix="Give ids of the vocabulary."
                    )
            payload = struct.pack(f"<{len(ids)}i", *ids)
    return _SEGMENT.pack(kind, len(payload)) + payload + bytes(-len(payload) % 4)
