"""How long each phase of the engine is: numbers of the chip, which stand in the target file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class NeurekaTiming:
    """Lengths of the engine's phases, in cycles: the table [neureka] of a target file."""

    job_start_cycles: int  # from the commit to the first phase
    job_end_cycles: int
    load_prepare_cycles: int  # before each input tile
    load_1x1_tail_cycles: int
    load_pixel_cycles: int  # one pixel of up to 32 channels from L1
    setup_3x3_cycles: int
    setup_1x1_cycles: int
    setup_1x1_prefetch_cycles: int
    setup_depthwise_cycles: int
    weight_word_cycles: int  # one word of 256 bits, from L1 or weight memory
    drain_3x3_cycles: int  # after the last word of an input tile
    drain_1x1_prefetch_cycles: int  # after the last one of an output tile row
    prefetch_lead_cycles: int  # of a load that hide behind the multiplication before it
    depthwise_word_passes_l1: int  # times that a depthwise tile waits for its words
    depthwise_word_passes_weight_memory: int
    shift_load_cycles: int
    scale_beat_cycles: int
    scale_tail_cycles: int
    bias_beat_cycles: int
    bias_tail_cycles: int
    write_beat_cycles: int
    write_1x1_tail_cycles: int
    stream_in_beat_cycles: int
    stream_in_tail_cycles: int

    @classmethod
    def from_mapping(cls, table: Mapping[str, int]) -> NeurekaTiming:
        """The timing of a table that has exactly these keys; ValueError names the first other."""
        wrong = sorted({field.name for field in fields(cls)} ^ table.keys())
        if wrong:
            raise ValueError(f"{wrong[0]} is {'unknown' if wrong[0] in table else 'missing'}")
        return cls(**table)
