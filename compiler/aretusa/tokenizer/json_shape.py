"""Typed access to the parts of tokenizer.json, which may hold anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aretusa.tokenizer.vocabulary import broken

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Node:
    """One object of the file, with a name for error texts."""

    fields: Json
    place: str
    file: str

    @property
    def type(self) -> str:
        """What the file calls this step."""
        return self.text("type")

    def text(self, key: str) -> str:
        """A string that must be there."""
        found = self.fields.get(key)
        if not isinstance(found, str):
            raise broken(self.file, f"{self.place}.{key} is not a string")
        return found

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false; null counts as left out."""
        found = self.fields.get(key)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise broken(self.file, f"{self.place}.{key} is not true or false")
        return found

    def number(self, key: str) -> int:
        """A whole number that must be there."""
        found = self.fields.get(key)
        if type(found) is not int:
            raise broken(self.file, f"{self.place}.{key} is not a whole number")
        return found

    def items(self, key: str) -> Sequence[object]:
        """A list; nothing counts as empty."""
        found = self.fields.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            raise broken(self.file, f"{self.place}.{key} is not a list")
        return found

    def node(self, key: str) -> Node | None:
        """An object, or None if it is null or left out."""
        found = self.fields.get(key)
        return None if found is None else self._node(found, f"{self.place}.{key}")

    def nodes(self, key: str) -> list[Node]:
        """A list of objects."""
        return [
            self._node(found, f"{self.place}.{key}[{place}]")
            for place, found in enumerate(self.items(key))
        ]

    def _node(self, found: object, place: str) -> Node:
        if not isinstance(found, dict):
            raise broken(self.file, f"{place} is not an object")
        return Node(found, place, self.file)


def steps_of(node: Node | None, key: str, *, depth: int = 0) -> list[Node]:
    """A step, or the steps of a Sequence, whose list is called `key`, one after the other."""
    if node is None:
        return []
    if node.type != "Sequence":
        return [node]
    if depth > 4:
        raise broken(node.file, f"{node.place} is nested too deep")
    return [step for one in node.nodes(key) for step in steps_of(one, key, depth=depth + 1)]


def parse_json(data: bytes, file: str) -> Node:
    """The root object of a JSON file in which no key comes twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key comes twice")
        return found

    try:
        root = json.loads(data.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise broken(file, f"the file is not valid JSON: {error}") from error
    if not isinstance(root, dict):
        raise broken(file, "the file is not a JSON object")
    return Node(root, "$", file)
