"""A plan as one HTML page that needs no network, no second file and no server.

The page's policy forbids every request and every script and style but its own, which it names by
their SHA-256 (Content Security Policy Level 3, hash sources). Texts of a model reach the page in
two ways: as HTML, escaped by Jinja2, and as JSON without `<`, `>`, `&` and `'`, so that no name can
end the element that holds it.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from aretusa.report.cards import cards
from aretusa.report.numbers import bytes_text, count_text, memory_text
from aretusa.resources import templates_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aretusa.plan_results import PlanReport
    from aretusa.report.pictures import Picture

_TEMPLATE: Final = "report.html.j2"
_STYLES: Final = ("page.css", "charts.css")
# In the order of their use of each other: they become one module.
_SCRIPTS: Final = (
    "text.js",
    "elements.js",
    "state.js",
    "search.js",
    "memory_scale.js",
    "memory_chart.js",
    "weight_map.js",
    "cycle_charts.js",
    "sorted_table.js",
    "columns.js",
    "page.js",
)


def report_page(report: PlanReport, pictures: Sequence[Picture] = ()) -> str:
    """The whole page. Pictures are images, in which nothing runs and from which nothing loads."""
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    environment.filters["bytes"] = bytes_text
    environment.filters["count"] = count_text
    environment.filters["memory"] = memory_text
    style, script = _together(_STYLES), _together(_SCRIPTS)
    return environment.get_template(_TEMPLATE).render(
        report=report,
        cards=cards(report),
        pictures=pictures,
        policy=_policy(style, script),
        style=_inline(style),
        script=_inline(script),
        data=htmlsafe_json_dumps(report.model_dump(mode="json"), separators=(",", ":")),
    )


def _together(names: tuple[str, ...]) -> str:
    folder = templates_dir() / "report"
    return "\n" + "\n".join((folder / name).read_text("utf-8") for name in names)


def _inline(text: str) -> Markup:
    """A file of ours, as it stands; the browser hashes exactly these characters."""
    assert "</" not in text, "a script or style may not hold the end of its element"
    return Markup(text)  # noqa: S704 - a file of the product, with no text of a model


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash_source(style)}",
            f"script-src {_hash_source(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
