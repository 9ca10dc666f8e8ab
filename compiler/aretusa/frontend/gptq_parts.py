"""gptq_tensor(): the parts of a GPTQ matrix, checked against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.errors import UnsupportedError
from aretusa.frontend.code_tensors import inconsistent
from aretusa.frontend.compression_config import GPTQ_BITS
from aretusa.frontend.gptq import G_IDX, QWEIGHT, QZEROS, SCALES, WORD_BITS, GptqTensor
from aretusa.frontend.gptq_values import first_run
from aretusa.frontend.printable import printable
from aretusa.frontend.safetensors_file import FLOAT_DTYPES

if TYPE_CHECKING:
    from aretusa.frontend.compression_config import GptqConfig
    from aretusa.frontend.safetensors_file import SafetensorsFile

_RANKS: Final = {QWEIGHT: 2, QZEROS: 2, SCALES: 2, G_IDX: 1}


def gptq_tensor(
    module: str, parts: dict[str, SafetensorsFile], config: GptqConfig | None
) -> GptqTensor:
    """The matrix; E0141 where parts contradict each other, E0144 for an unknown width."""
    file = parts[QWEIGHT].mapped.path
    shapes = {part: holder.entries[module + part].shape for part, holder in parts.items()}
    _check_types(module, parts)
    words, rows = shapes[QWEIGHT]
    groups = shapes[SCALES][0]
    depth = shapes[G_IDX][0] if G_IDX in shapes else _depth(words, config)
    bits = words * WORD_BITS // depth
    if bits not in GPTQ_BITS or words * WORD_BITS != bits * depth:
        raise UnsupportedError(
            "E0144",
            f"'{printable(module)}' has {words} words for {depth} codes of a row",
            file=file,
            why=f"widths of {', '.join(map(str, GPTQ_BITS))} bits are imported, in words of 32",
            fix="Quantise again with a known width and words of 32 bits (pack_dtype int32).",
        )
    for part, expected in {
        SCALES: (groups, rows),
        QZEROS: (groups, -(-rows * bits // WORD_BITS)),
    }.items():
        if shapes[part] != expected:
            why = f"expected: {list(expected)} for {groups} groups of {rows} rows"
            what = f"{part[1:]} is {list(shapes[part])}"
            raise inconsistent(module, what, parts[part].mapped.path, why)
    return GptqTensor(
        module=module,
        parts=parts,
        config=config,
        bits=bits,
        group_size=_group_size(module, parts, (depth, groups), config),
    )


def _check_types(module: str, parts: dict[str, SafetensorsFile]) -> None:
    """E0141 for an element type or a number of dimensions that the part never has."""
    for part, holder in parts.items():
        entry = holder.entries[module + part]
        known = FLOAT_DTYPES if part == SCALES else ("I32",)
        if entry.dtype not in known or len(entry.shape) != _RANKS[part]:
            raise inconsistent(
                module,
                f"{part[1:]} is {printable(entry.dtype)} {list(entry.shape)}",
                holder.mapped.path,
                f"expected: {' or '.join(known)} with {_RANKS[part]} dimensions",
            )


def _depth(words: int, config: GptqConfig | None) -> int:
    """The depth of a matrix without g_idx, which very old writers left out."""
    bits = 4 if config is None else config.bits
    return words * WORD_BITS // bits


def _group_size(
    module: str,
    parts: dict[str, SafetensorsFile],
    depth_and_groups: tuple[int, int],
    config: GptqConfig | None,
) -> int:
    """Columns that share a scale; the last group may be short.

    Seen in g_idx where its groups are runs; the configuration is asked otherwise.
    """
    depth, groups = depth_and_groups
    if groups == 1:
        return depth
    candidates = [config.group_size] if config is not None else []
    if G_IDX in parts:
        candidates.insert(0, first_run(parts[G_IDX].raw(module + G_IDX)))
    candidates.append(-(-depth // groups))
    for size in candidates:
        if size > 0 and -(-depth // size) == groups:
            return size
    raise inconsistent(
        module,
        f"{groups} groups for {depth} columns",
        parts[SCALES].mapped.path,
        f"groups of {candidates[0]} columns would be {-(-depth // max(1, candidates[0]))}",
    )
