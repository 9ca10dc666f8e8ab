"""Unicode normalisation form C, over the tables of `unicode_tables.py`."""

from __future__ import annotations

from aretusa.tokenizer.unicode_tables import UnicodeTables, unicode_tables

# Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12).
S_BASE, L_BASE, V_BASE, T_BASE = 0xAC00, 0x1100, 0x1161, 0x11A7
L_COUNT, V_COUNT, T_COUNT = 19, 21, 28
S_COUNT = L_COUNT * V_COUNT * T_COUNT


def compose_text(text: str) -> str:
    """The text in form NFC, as the `tokenizers` library computes it."""
    if text.isascii():
        return text
    tables = unicode_tables()
    codes: list[int] = []
    for char in text:
        codes.extend(_decompose(ord(char), tables))
    _order_marks(codes, tables)
    return "".join(map(chr, _compose(codes, tables)))


def _decompose(code: int, tables: UnicodeTables) -> list[int]:
    if S_BASE <= code < S_BASE + S_COUNT:
        lead, rest = divmod(code - S_BASE, V_COUNT * T_COUNT)
        vowel, tail = divmod(rest, T_COUNT)
        parts = [L_BASE + lead, V_BASE + vowel]
        return [*parts, T_BASE + tail] if tail else parts
    tails: list[int] = []
    while (parts_of := tables.decompositions.get(code)) is not None:
        code = parts_of[0]
        tails.extend(reversed(parts_of[1:]))
    return [code, *reversed(tails)]


def _order_marks(codes: list[int], tables: UnicodeTables) -> None:
    """Sort each run of marks by combining class, keeping equals in order."""
    start = 0
    while start < len(codes):
        end = start
        while end < len(codes) and tables.combining.at(codes[end]):
            end += 1
        if end > start + 1:
            codes[start:end] = sorted(codes[start:end], key=tables.combining.at)
        start = max(end, start + 1)


def _compose(codes: list[int], tables: UnicodeTables) -> list[int]:
    """Fold each mark into the starter before it unless a mark of its class stands between."""
    out: list[int] = []
    starter: int | None = None  # its place in `out`
    last_class = 0
    for code in codes:
        mark_class = tables.combining.at(code)
        is_adjacent = starter is not None and starter == len(out) - 1
        if starter is not None and (is_adjacent or last_class < mark_class):
            joined = _joined(out[starter], code, tables)
            if joined is not None:
                out[starter] = joined
                continue
        out.append(code)
        last_class = mark_class
        if mark_class == 0:
            starter = len(out) - 1
    return out


def _joined(first: int, second: int, tables: UnicodeTables) -> int | None:
    """The code point that stands for the pair, if there is one."""
    if L_BASE <= first < L_BASE + L_COUNT and V_BASE <= second < V_BASE + V_COUNT:
        return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT
    is_open = S_BASE <= first < S_BASE + S_COUNT and (first - S_BASE) % T_COUNT == 0
    if is_open and T_BASE < second < T_BASE + T_COUNT:
        return first + (second - T_BASE)
    return tables.compositions.get((first, second))
