"""The records of a run, as the firmware wrote them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from aretusa.errors import FirmwareError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_HEAD: Final = struct.Struct("<2I")
_TOKEN: Final = struct.Struct("<iIQ")
_STOP: Final = struct.Struct("<4I2Q")
_PROFILE_ROW: Final = struct.Struct("<2Q")


class StopReason(IntEnum):
    """Why a run ended (enum art_stop)."""

    END_TOKEN = 1
    CONTEXT_FULL = 2
    TOKEN_BUDGET = 3
    PROMPT_TOO_LONG = 4
    BAD_TOKEN = 5


class _Tag(IntEnum):
    """enum art_record."""

    PROMPT = 1
    TOKEN = 2
    LOGITS = 3
    STOP = 4
    PROFILE = 5


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A chosen token, its position in the context, and the instructions of the step that chose it.

    The first step is head and choice only; its forward pass belongs to the prefill. On the host
    instructions are 0.
    """

    token: int
    position: int
    instructions: int


@dataclass(frozen=True, slots=True)
class LogitsRecord:
    """The logits that follow the token at a position."""

    position: int
    logits: NDArray[np.float32]  # [vocabulary], not writable


@dataclass(frozen=True, slots=True)
class StopRecord:
    """How a run ended, and the instructions of its first two parts."""

    reason: StopReason
    prompt_tokens: int
    new_tokens: int
    boot_instructions: int
    prefill_instructions: int


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Instructions of all calls of one kernel."""

    instructions: int
    calls: int


@dataclass(frozen=True, slots=True)
class RunRecords:
    """Everything that one run recorded, each kind in the order of the run."""

    prompt: tuple[int, ...]
    tokens: tuple[TokenRecord, ...]
    logits: tuple[LogitsRecord, ...]
    stop: StopRecord
    profile: tuple[ProfileRow, ...]  # by kernel number; empty if the build does not count
    profiles: tuple[tuple[ProfileRow, ...], ...]  # up to each token


def parse_records(data: bytes) -> RunRecords:
    """Read a record file; E0809 if it is damaged or has no end."""
    prompt: tuple[int, ...] = ()
    tokens: list[TokenRecord] = []
    logits: list[LogitsRecord] = []
    stops: list[StopRecord] = []
    profiles: list[tuple[ProfileRow, ...]] = []
    for tag, payload in _split(data):
        try:
            match _Tag(tag):
                case _Tag.PROMPT:
                    prompt = tuple(np.frombuffer(payload, dtype="<i4").tolist())
                case _Tag.TOKEN:
                    tokens.append(TokenRecord(*_TOKEN.unpack(payload)))
                case _Tag.LOGITS:
                    logits.append(_logits(payload))
                case _Tag.STOP:
                    stops.append(_stop(payload))
                case _Tag.PROFILE:
                    rows = _PROFILE_ROW.iter_unpack(payload)
                    profiles.append(tuple(ProfileRow(*row) for row in rows))
        except (ValueError, struct.error) as error:
            raise _damaged(f"a record of kind {tag} is malformed: {error}") from None
    if len(stops) != 1:
        raise _damaged("there is no single record of the end")
    last = profiles[-1] if profiles else ()
    return RunRecords(
        prompt, tuple(tokens), tuple(logits), stops[0], last, tuple(profiles[: len(tokens)])
    )


def _split(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Tag and payload of each record."""
    rest = memoryview(data)
    while rest:
        if len(rest) < _HEAD.size:
            raise _damaged("it ends inside a record")
        tag, size = _HEAD.unpack_from(rest)
        payload = rest[_HEAD.size : _HEAD.size + size]
        if len(payload) < size:
            raise _damaged("it ends inside a record")
        yield tag, payload
        rest = rest[_HEAD.size + size :]


def _logits(payload: memoryview) -> LogitsRecord:
    (position,) = struct.unpack_from("<I", payload)
    return LogitsRecord(position, np.frombuffer(payload, dtype="<f4", offset=4))


def _stop(payload: memoryview) -> StopRecord:
    reason, prompt, new, _, boot, prefill = _STOP.unpack(payload)
    return StopRecord(StopReason(reason), prompt, new, boot, prefill)


def _damaged(why: str) -> FirmwareError:
    return FirmwareError(
        "E0809",
        "the record file of the run is damaged",
        why=why,
        fix="Look for free space in the build directory and run again.",
    )
