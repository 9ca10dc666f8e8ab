"""What config.json says about compression: the key "aretusa" and GPTQ's quantization_config."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aretusa.errors import ModelError, UnsupportedError
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aretusa.frontend.fields import Fields

VERSION: Final = 1
BITS: Final = range(2, 9)  # widths of a code
GPTQ_BITS: Final = (2, 3, 4, 8)
RANK_MAX: Final = 1 << 16
LAYERS_MAX: Final = 1024
SPARSITY_COLUMNS_MAX: Final = 64
_SPARSITY: Final = re.compile(r"([0-9]{1,3}):([0-9]{1,3})", re.ASCII)
_KEY: Final = "aretusa"
_KEYS: Final = ("version", "bits", "layers", "ranks", "adapters", "sparsity")
_FORMATS: Final = ("gptq", "gptq_v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class GptqConfig:
    """GPTQ's own options; `group_size` -1 is one group for the whole depth.

    With `is_mixed` single matrices differ from them (`dynamic`).
    """

    bits: int
    group_size: int
    is_symmetric: bool
    is_v2: bool
    is_mixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionConfig:
    """Widths of codes, ranks of low-rank pairs and of adapters by module; the map of blocks.

    `sparsity` has (n, m) where n of every m columns of each row are zero.
    """

    bits: Mapping[str, int] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    adapters: Mapping[str, int] = field(default_factory=dict)
    sparsity: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    layers: tuple[int, ...] | None = None
    gptq: GptqConfig | None = None


def read_compression(fields: Fields) -> CompressionConfig:
    """E0145 for a malformed key "aretusa", E0126 for a layout that is not imported."""
    gptq = fields.table("quantization_config")
    quantised = None if gptq is None else read_gptq_config(gptq)
    own = fields.table(_KEY)
    if own is None:
        return CompressionConfig(gptq=quantised)
    _check_keys(own)
    return CompressionConfig(
        bits=_numbers(own, "bits", BITS),
        ranks=_numbers(own, "ranks", range(1, RANK_MAX + 1)),
        adapters=_numbers(own, "adapters", range(1, RANK_MAX + 1)),
        sparsity=_sparsity(own),
        layers=_layers(own),
        gptq=quantised,
    )


def read_gptq_config(table: Fields) -> GptqConfig:
    """The options in quantization_config or quantize_config.json."""
    method = table.text("quant_method", "gptq")
    label = table.text("checkpoint_format", table.text("format", "gptq"))
    if method != "gptq" or label not in _FORMATS:
        raise UnsupportedError(
            "E0126",
            f"the weights are quantised as '{printable(method)}', format '{printable(label)}'",
            file=table.file,
            why=f"imported: gptq in the formats {', '.join(_FORMATS)}",
            fix="Give a GPTQ checkpoint, the float one, or a GGUF file in Q8_0, Q4_0 or Q4_1.",
        )
    bits, group_size = table.integer("bits"), table.integer("group_size", 128)
    if bits not in GPTQ_BITS:
        raise UnsupportedError(
            "E0144",
            f"GPTQ codes of {printable(str(bits), 24)} bits are not imported",
            file=table.file,
            why=f"known: {', '.join(map(str, GPTQ_BITS))}",
            fix="Quantise again with a known width.",
        )
    if group_size != -1 and not 1 <= group_size <= RANK_MAX:
        raise table.error("group_size", "must be -1 or a length")
    return GptqConfig(
        bits=bits,
        group_size=group_size,
        is_symmetric=table.flag("sym", default=True),
        is_v2=label == "gptq_v2",
        is_mixed=table.get("dynamic") is not None,
    )


def malformed(what: str, file: Path, why: str = "") -> ModelError:
    """The error E0145 about the key "aretusa"."""
    return ModelError(
        "E0145",
        f"the key '{_KEY}' of the configuration {what}",
        file=file,
        why=why,
        fix="Correct it as docs/checkpoints.md shows, or write the checkpoint again.",
    )


def _check_keys(own: Fields) -> None:
    version = own.get("version")
    if version != VERSION or type(version) is not int:
        shown = printable(repr(version), 24)
        raise malformed(f"has version {shown}", own.file, f"read is version {VERSION}")
    for key in own.values:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(_KEYS)}"
            raise malformed(f"holds the unknown key '{printable(key)}'", own.file, hint)


def _numbers(own: Fields, key: str, allowed: range) -> dict[str, int]:
    """Numbers by module."""
    value = _object(own, key)
    for module, number in value.items():
        if type(number) is not int or number not in allowed:
            raise malformed(
                f"gives '{printable(module)}' the {key} {printable(repr(number), 24)}",
                own.file,
                f"allowed: {allowed.start} to {allowed.stop - 1}",
            )
    return dict(value)  # type: ignore[arg-type]


def _sparsity(own: Fields) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for module, text in _object(own, "sparsity").items():
        parts = _SPARSITY.fullmatch(text) if isinstance(text, str) else None
        zeros, columns = (int(parts[1]), int(parts[2])) if parts is not None else (0, 0)
        if not 0 < zeros < columns <= SPARSITY_COLUMNS_MAX:
            raise malformed(
                f"gives '{printable(module)}' the sparsity {printable(repr(text), 24)}",
                own.file,
                'known: "N:M", N of M columns being zero, such as "2:4"',
            )
        found[module] = (zeros, columns)
    return found


def _object(own: Fields, key: str) -> dict[str, object]:
    value = own.get(key)
    if value is not None and not isinstance(value, dict):
        raise malformed(f"has '{key}' that is no object", own.file)
    return value or {}


def _layers(own: Fields) -> tuple[int, ...] | None:
    value = own.get("layers")
    if value is None:
        return None
    is_list = isinstance(value, list) and 0 < len(value) <= LAYERS_MAX
    if not is_list or any(type(x) is not int or not 0 <= x < LAYERS_MAX for x in value):  # type: ignore[attr-defined]
        raise malformed(
            "has 'layers' that is no list of block numbers",
            own.file,
            f"1 to {LAYERS_MAX} numbers from 0 to {LAYERS_MAX - 1}",
        )
    return tuple(value)  # type: ignore[arg-type]
