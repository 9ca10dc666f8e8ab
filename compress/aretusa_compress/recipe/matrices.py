"""The matrices of a transformer block, by the names that all supported families give them."""

from __future__ import annotations

from typing import Final

# Those of one row read the same values.
READERS: Final = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
MATRICES: Final = tuple(name for names in READERS for name in names)
