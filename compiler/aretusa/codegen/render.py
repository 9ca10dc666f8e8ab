"""Templates that are C with holes, filled from views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aretusa.resources import templates_dir

if TYPE_CHECKING:
    from collections.abc import Mapping


def hex_literal(value: int) -> str:
    """An address or an offset as an unsigned C literal."""
    return f"{value:#x}u"


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill in one template; a forgotten variable is an error, not an empty string."""
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the result is C; nothing of a model's text is passed in
    )
    environment.filters["hex"] = hex_literal
    return environment.get_template(template).render(values)
