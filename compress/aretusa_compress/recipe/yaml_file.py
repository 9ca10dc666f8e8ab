"""read_yaml(): YAML of the 1.2 core schema, without surprises, anchors or doubled keys.

PyYAML follows YAML 1.1, where 2:4 is the number 124 in base sixty, `no` is false and 1e-4 a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from aretusa_compress.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES: Final = 1 << 20  # a recipe has a few hundred bytes
_FIX: Final = "Correct the recipe; docs/compress.md shows one"

# Tag, pattern and first characters, from section 10.3.2 of the YAML 1.2 specification.
_RESOLVERS: Final = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def read_yaml(path: Path) -> Any:  # noqa: ANN401
    """The document of a file as dictionaries, lists and scalars. Raises UsageError E0500."""
    try:
        data = path.read_bytes()[: LARGEST_BYTES + 1]
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            "E0500", "the recipe cannot be read", file=path, why=str(problem), fix=_FIX
        ) from problem
    if len(data) > LARGEST_BYTES:
        raise UsageError("E0500", "the recipe is larger than 1 MiB", file=path, fix=_FIX)
    return parse_yaml(text, path)


def parse_yaml(text: str, file: Path | str) -> Any:  # noqa: ANN401
    """The document of a text; `file` is what errors name."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise UsageError("E0500", "the recipe uses anchors (*name)", file=file, fix=_FIX)
        node = yaml.compose(text, Loader=_Loader)
        _refuse_doubled_keys(node, file)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as problem:
        why = " ".join(str(problem).split())
        raise UsageError(
            "E0500", "the recipe is no YAML", file=file, why=why, fix=_FIX
        ) from problem


def _refuse_doubled_keys(node: yaml.Node | None, file: Path | str) -> None:
    match node:
        case yaml.MappingNode(value=pairs):
            seen: set[str] = set()
            for key, value in pairs:
                name = str(key.value)
                if name in seen:
                    line = key.start_mark.line + 1
                    what = f"the key '{name}' stands there twice (line {line})"
                    raise UsageError("E0500", what, file=file, fix=_FIX)
                seen.add(name)
                _refuse_doubled_keys(value, file)
        case yaml.SequenceNode(value=items):
            for item in items:
                _refuse_doubled_keys(item, file)
        case _:
            return
