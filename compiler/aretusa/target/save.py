"""Target -> target file, so that a build directory says for which chip it was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aretusa.target.description import Fact, Target


def target_text(target: Target) -> str:
    """A target file without a base that holds every fact."""
    sections: dict[str, list[Fact]] = {}
    for fact in target.facts:
        sections.setdefault(fact.key.rpartition(".")[0], []).append(fact)
    lines = [f"name = {_quoted(target.name)}", f"kernels = {_quoted(target.kernels.value)}"]
    for section, facts in sections.items():
        lines += ["", f"[{section}]", *map(_line, facts)]
    return "\n".join(lines) + "\n"


def _line(fact: Fact) -> str:
    name = fact.key.rpartition(".")[2]
    confidence, source = _quoted(fact.confidence.value), _quoted(fact.source)
    bounds = "" if fact.low is None else f"low = {fact.low!r}, high = {fact.high!r}, "
    numbers = f"value = {fact.value!r}, {bounds}"
    return f"{name} = {{ {numbers}confidence = {confidence}, source = {source} }}"


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
