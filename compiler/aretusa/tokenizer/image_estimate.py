"""How large the image of a tokenizer will be that is not there, from the size of its vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.frontend.llama_config import Family

if TYPE_CHECKING:
    from aretusa.frontend.llama_config import LlamaConfig

# Of published tokenizers, in bytes of text per token: SmolLM2 6.8, Llama 3 6.5, Qwen3 6.4.
TOKEN_BYTES: Final = 7
# Merges per token: Llama 3 2.18, Llama 2 1.91, SmolLM2 0.99; as tenths, to stay with integers.
MERGES_PER_10_TOKENS: Final = 22
# Qwen lists one merge for each token that is no single byte: 151,387 of 151,669.
QWEN_MERGES_PER_10_TOKENS: Final = 10
# Ids of up to 16 bits: a merge takes two words, and no published vocabulary of that size looks up
# whole words. Above, a merge takes four words, and Llama 3 keeps a sorted list of all ids.
NARROW_IDS: Final = 1 << 16
NARROW_MERGE_BYTES: Final = 8
WIDE_MERGE_BYTES: Final = 16
# Header, ids of bytes, added tokens and classes of characters; Qwen's tables for Unicode NFC.
FIXED_BYTES: Final = 8 << 10
NFC_BYTES: Final = 32 << 10


def estimated_image_bytes(config: LlamaConfig) -> int:
    """Bytes of tokenizer_image(), a multiple of four that errs on the large side.

    Each token has the place of its text (4 bytes), the text, a bit, and 4 bytes in the list of
    words if ids are wide; then come the merges. Against the images of published tokenizers:
    Llama 3 and Qwen3 +2 %, SmolLM2 +52 %, whose merges are as few as its tokens.
    """
    tokens = config.vocab_size
    is_wide = tokens > NARROW_IDS
    is_qwen = config.family in {Family.QWEN2, Family.QWEN3}
    merges = tokens * (QWEN_MERGES_PER_10_TOKENS if is_qwen else MERGES_PER_10_TOKENS) // 10
    words_bytes = 4 * tokens if is_wide and not is_qwen else 0
    tables_bytes = (4 + TOKEN_BYTES) * tokens + tokens // 8 + words_bytes
    merges_bytes = merges * (WIDE_MERGE_BYTES if is_wide else NARROW_MERGE_BYTES)
    fixed_bytes = FIXED_BYTES + (NFC_BYTES if is_qwen else 0)
    return (fixed_bytes + tables_bytes + merges_bytes) // 4 * 4
