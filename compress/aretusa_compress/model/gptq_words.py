"""GPTQ's packed words, as AutoGPTQ and GPTQModel write them, back as real weights.

qweight [depth * bits / 32, rows] holds codes along the depth, qzeros [groups, rows * bits / 32]
zero points along the rows, both as little-endian streams of bits; scales [groups, rows]; g_idx
[depth] is the group of each input. Version 1 of the format stores zero points less one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_WORD_BITS = 32
_CROSSING_BITS = 3  # the width whose fields do not divide a word


def unpack_gptq(words: dict[str, Tensor], config: dict[str, Any]) -> Tensor:
    """W[n, k] = scales[g_idx[k], n] * (code[k, n] - zero[g_idx[k], n]), float32 [rows, depth].

    `words` has qweight, qzeros, scales and g_idx; `config` is the checkpoint's quantization_config.
    Raises ValueError for a width that the format does not have.
    """
    bits = int(config["bits"])
    if bits not in {2, 3, 4, 8}:
        message = f"{bits} bits are not in this format"
        raise ValueError(message)
    codes = unpack_along_rows(words["qweight"], bits)[: len(words["g_idx"])]
    rows = words["qweight"].shape[1]
    zeros = _zero_points(words["qzeros"], bits, config)[:, :rows]
    groups = words["g_idx"].long()
    scales = words["scales"].to(torch.float32)
    return (scales[groups] * (codes - zeros[groups]).to(torch.float32)).T.contiguous()


def unpack_along_rows(words: Tensor, bits: int) -> Tensor:
    """int32 words [count, columns] -> codes [count * 32 / bits, columns], lowest bits first."""
    count, columns = words.shape
    places = torch.arange(_WORD_BITS, dtype=torch.int32)
    stream = (words[:, None, :] >> places[None, :, None]) & 1
    grouped = stream.reshape(count * _WORD_BITS // bits, bits, columns)
    weights = 1 << torch.arange(bits, dtype=torch.int32)
    return (grouped * weights[None, :, None]).sum(dim=1, dtype=torch.int32)


def _zero_points(words: Tensor, bits: int, config: dict[str, Any]) -> Tensor:
    """Zero points [groups, rows] of qzeros.

    The writer of version 1 takes one from each field by one subtraction from the whole word, so
    that a zero point of 0 borrows from its neighbour; the same sum gives it back. Fields of 3 bits
    cross words and are written one by one.
    """
    stored = unpack_along_rows(words.T.contiguous(), bits).T
    if _zero_offset(stored, bits, config) == 0:
        return stored
    if bits == _CROSSING_BITS:
        return (stored + 1) & ((1 << bits) - 1)
    ones = sum(1 << place for place in range(0, _WORD_BITS, bits))
    added = (words.long() + ones) & ((1 << _WORD_BITS) - 1)
    wrapped = torch.where(added >> (_WORD_BITS - 1) == 1, added - (1 << _WORD_BITS), added)
    return unpack_along_rows(wrapped.to(torch.int32).T.contiguous(), bits).T


def _zero_offset(zeros: Tensor, bits: int, config: dict[str, Any]) -> int:
    """1 for version 1. Symmetric zero points tell the version themselves; labels can be wrong."""
    middle = 1 << (bits - 1)
    if bool((zeros == middle).all()):
        return 0
    if bool((zeros == middle - 1).all()):
        return 1
    label = str(config.get("checkpoint_format") or config.get("format") or "gptq")
    return 0 if label == "gptq_v2" else 1
