"""Ops of two sides, matched: what changed in each, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aretusa.report.numbers import bytes_text, count_text
from aretusa_sim.compare_results import AmountChange, CompareRow, Difference
from aretusa_sim.compare_sides import PARTS, sums

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from aretusa_sim.compare_results import Phase
    from aretusa_sim.compare_sides import Side, SideOp

# What may be the reason for other cycles, by what is read of an op.
PROPERTIES: Final[dict[str, Callable[[SideOp], str]]] = {
    "engine": lambda op: op.engine,
    "bits": lambda op: op.bits,
    "home": lambda op: op.home,
    "tile rows": lambda op: op.tiles,
}
REASONS: Final = {
    "macs": "MACs",
    "off_chip_bytes": "off chip",
    "weight_port_bytes": "weight port",
    "dma_bytes": "MCHAN",
    "instructions": "instructions",
    "uJ": "energy",
}
NOTICEABLE: Final = 0.005  # of an amount: less is no reason
SHARE: Final = 0.1  # of the change of a row: parts with less are left out of its words


@dataclass(slots=True)
class _Pair:
    """Ops of both sides that stand for the same work."""

    before: list[SideOp] = field(default_factory=list)
    after: list[SideOp] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What all rows of a phase share; tokens are those of A and of B, cycles of one token of A."""

    tokens: tuple[int, int]
    token_cycles: float
    is_one_kind: bool
    is_grouped: bool


def op_rows(before: Side, after: Side) -> list[CompareRow]:
    """Every op of every phase, by layer and name; those that change most first."""
    return _rows(before, after, is_grouped=False)


def group_rows(before: Side, after: Side) -> list[CompareRow]:
    """The same with all ops of one name together."""
    return _rows(before, after, is_grouped=True)


def _rows(before: Side, after: Side, *, is_grouped: bool) -> list[CompareRow]:
    found: list[CompareRow] = []
    for phase in {**before.phases, **after.phases}:
        frame = _frame(before, after, phase, is_grouped=is_grouped)
        found += [_row(pair, frame) for pair in _pairs(before, after, phase, is_grouped=is_grouped)]
    return sorted(found, key=lambda row: (row.phase != "decode", -abs(row.change_cycles)))


def _frame(before: Side, after: Side, phase: Phase, *, is_grouped: bool) -> _Frame:
    old, new = before.phases.get(phase), after.phases.get(phase)
    return _Frame(
        tokens=(0 if old is None else old.tokens, 0 if new is None else new.tokens),
        token_cycles=0.0 if old is None else old.amounts["cycles"] / old.tokens,
        is_one_kind=before.summary.kind == after.summary.kind,
        is_grouped=is_grouped,
    )


def _pairs(before: Side, after: Side, phase: Phase, *, is_grouped: bool) -> list[_Pair]:
    """In the order of A, then what only B has."""
    pairs: dict[Hashable, _Pair] = {}
    for number, side in enumerate((before, after)):
        counts: dict[Hashable, int] = {}
        for op in side.phases[phase].ops if phase in side.phases else ():
            key: Hashable = (op.name, op.op)
            if not is_grouped:
                place = (op.layer, op.name, op.op)
                counts[place] = counts.get(place, 0) + 1
                key = (*place, counts[place])
            pair = pairs.setdefault(key, _Pair())
            (pair.after if number else pair.before).append(op)
    return list(pairs.values())


def _row(pair: _Pair, frame: _Frame) -> CompareRow:
    one = (pair.before or pair.after)[0]
    old = _per_token(pair.before, frame.tokens[0])
    new = _per_token(pair.after, frame.tokens[1])
    change = new.get("cycles", 0.0) - old.get("cycles", 0.0)
    differences = list(_differences(pair, is_one_kind=frame.is_one_kind))
    amounts = {name: _both(old, new, name) for name in {**old, **new}}
    parts = {
        name: new.get(name, 0.0) - old.get(name, 0.0)
        for name in PARTS
        if name in amounts and all(name in known for known in (old, new) if known)
    }
    return CompareRow(
        phase=one.phase,
        layer=None if frame.is_grouped else one.layer,
        name=one.name,
        op=one.op,
        ops=(len(pair.before), len(pair.after)),
        cycles=amounts["cycles"],
        change_cycles=change,
        contribution=change / frame.token_cycles if frame.token_cycles else None,
        parts=parts,
        amounts={
            name: both
            for name, both in amounts.items()
            if name not in {"cycles", *PARTS} and both.before != both.after
        },
        differences=differences,
        why="; ".join(_words(pair, differences, amounts, parts)),
    )


def _per_token(ops: list[SideOp], tokens: int) -> dict[str, float]:
    return {name: value / tokens for name, value in sums(op.amounts for op in ops).items()}


def _both(old: dict[str, float], new: dict[str, float], name: str) -> AmountChange:
    return AmountChange(before=old.get(name), after=new.get(name))


def _differences(pair: _Pair, *, is_one_kind: bool) -> Iterator[Difference]:
    """Of a plan and a simulation, what both speak of."""
    if not (pair.before and pair.after):
        return
    for what, read in PROPERTIES.items():
        old, new = (_all(ops, read) for ops in (pair.before, pair.after))
        if old != new and (is_one_kind or (old and new)):
            yield Difference(what=what, before=old or "none", after=new or "none")


def _all(ops: list[SideOp], read: Callable[[SideOp], str]) -> str:
    """What is read of all of them, each once."""
    return " + ".join(dict.fromkeys(filter(None, map(read, ops))))


def _words(
    pair: _Pair,
    differences: list[Difference],
    amounts: dict[str, AmountChange],
    parts: dict[str, float],
) -> Iterator[str]:
    """Reasons: what was decided differently, what is moved and computed, where the cycles went."""
    if not (pair.before and pair.after):
        yield "only in A" if pair.before else "only in B"
        return
    if len(pair.before) != len(pair.after):
        yield f"{len(pair.before)} -> {len(pair.after)} ops"
    for one in differences:
        yield f"{one.what} {one.before} -> {one.after}"
    for name, words in REASONS.items():
        if name in amounts and _is_noticeable(amounts[name]):
            old, new = (_text(name, one) for one in (amounts[name].before, amounts[name].after))
            yield f"{words} {old} -> {new}"
    moved = sum(abs(change) for change in parts.values())
    for name, change in sorted(parts.items(), key=lambda item: -abs(item[1])):
        if abs(change) > SHARE * moved:
            yield f"{PARTS[name]} {'+' if change > 0 else '-'}{count_text(abs(change))}"


def _is_noticeable(both: AmountChange) -> bool:
    if both.before is None or both.after is None:
        return False
    return abs(both.after - both.before) > NOTICEABLE * max(both.before, both.after)


def _text(name: str, value: float | None) -> str:
    count = value or 0.0
    if name == "uJ":
        return f"{count:.3g} uJ"
    return bytes_text(round(count)) if name.endswith("_bytes") else count_text(count)
