"""The report in a browser: everything is drawn, nothing is fetched, no name becomes a tag."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from headless_browser import PICTURE_WIDTH, LoadedPage, load, take_picture
from plan_reports import hostile_report, plan_report, short_report

from aretusa.report.numbers import bytes_text, percent_text
from aretusa.report.page import report_page
from aretusa.report.pictures import Picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    OpenReport = Callable[..., LoadedPage]

pytestmark = pytest.mark.slow

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--&'\" {{ 7 * 7 }}"


def check_drawn(page: LoadedPage) -> None:
    """The script came to its end without a word on the console."""
    assert page.console == []
    assert page.find("html")[0].attributes.get("data-ready") == "true"


@pytest.fixture(scope="module")
def usual_page(browser: str, tmp_path_factory: pytest.TempPathFactory) -> LoadedPage:
    path = tmp_path_factory.mktemp("usual") / "report.html"
    path.write_text(report_page(plan_report()), "utf-8")
    return load(browser, path)


def test_everything_of_a_plan_is_drawn(usual_page: LoadedPage) -> None:
    plan, page = plan_report(), usual_page
    check_drawn(page)
    in_l1 = [region for region in plan.regions if region.memory == "l1"]
    boxes = [rect for rect in page.find("rect", "memory") if rect.has_class("region")]
    assert len(boxes) == len(in_l1)
    titles = [title.text for title in page.find("title", "memory")]
    assert all(any(title.startswith(region.name) for title in titles) for region in in_l1)
    assert len(page.rows("layers")) == len(plan.layers)
    assert len(page.rows("regions")) == len(plan.regions)
    weights = [row for row in plan.layers if row.memory]
    cells = [rect for rect in page.find("rect", "weights") if "data-item" in rect.attributes]
    assert len(cells) == len(weights)
    segments = [rect for rect in page.find("rect", "cycles") if "data-item" in rect.attributes]
    assert len(segments) == len(plan.layers)


def test_the_page_writes_numbers_as_the_compiler_does(usual_page: LoadedPage) -> None:
    tiers, rows = plan_report().tiers, usual_page.rows("tiers")
    for tier, (memory, _, used, full, capacity, *_) in zip(tiers, rows, strict=True):
        assert memory == tier.memory.upper()
        assert used == bytes_text(tier.used_bytes)
        assert full == percent_text(tier.used_bytes, tier.capacity_bytes)
        assert capacity == bytes_text(tier.capacity_bytes)


def test_a_large_plan_is_drawn(open_report: OpenReport) -> None:
    plan = plan_report(50, rolled=False)
    assert len(plan.layers) > 420
    assert len(plan.regions) > 1000
    page = open_report(plan, urlencode({"memory": "l3", "scale": "even"}))
    check_drawn(page)
    assert len(page.rows("layers")) == len(plan.layers)
    assert len(page.rows("regions")) == len(plan.regions)
    boxes = [rect for rect in page.find("rect", "memory") if rect.has_class("region")]
    assert len(boxes) == sum(region.memory == "l3" for region in plan.regions)


def test_the_address_searches_and_sorts(open_report: OpenReport) -> None:
    fragment = {"q": "down_proj layer:3", "memory": "mram", "phase": "prefill", "regions": "-size"}
    page = open_report(plan_report(), urlencode(fragment))
    check_drawn(page)
    assert [row[:2] for row in page.rows("layers")] == [["3", "mlp.down_proj"]]
    assert page.by_id("layers-count").text == "1 of 107 rows"
    pressed = [b.text for b in page.find("button") if b.attributes.get("aria-pressed") == "true"]
    assert pressed == ["MRAM", "used", "Home", "Prefill"]


@pytest.mark.parametrize(
    ("query", "expected"), [("KIND:weight memory:mram layers.3", 7), ("nothing-has-this-name", 0)]
)
def test_a_search_finds_regions(query: str, expected: int, open_report: OpenReport) -> None:
    page = open_report(plan_report(), urlencode({"q": query}))
    check_drawn(page)
    assert len(page.rows("regions")) == expected


def test_columns_sort(open_report: OpenReport) -> None:
    plan = plan_report()
    cycles = sorted(row.decode_cycles for row in plan.layers)
    down = open_report(plan, urlencode({"layers": "-decode_cycles", "regions": "name"}))
    shown = [
        int(row[9].replace(",", "").replace("\N{EN DASH}", "0")) for row in down.rows("layers")
    ]
    assert shown == cycles[::-1]
    by_name = [row[3] for row in down.rows("regions")]
    assert by_name[0] == "activated"
    assert by_name.index("layers.2.rmsnorm.weight") < by_name.index("layers.7.keys")


def test_a_senseless_address_shows_the_page(open_report: OpenReport) -> None:
    plan = plan_report(2)
    page = open_report(plan, "memory=moon&scale=x&colour=__proto__&phase=constructor&layers=no&%")
    check_drawn(page)
    assert [row[1] for row in page.rows("layers")] == [row.name for row in plan.layers]
    assert [rect for rect in page.find("rect", "memory") if rect.has_class("region")]


def test_a_plan_that_does_not_fit_is_shown(open_report: OpenReport) -> None:
    page = open_report(short_report())
    check_drawn(page)
    for section in ("memory", "weights", "cycles", "layers", "regions"):
        assert page.by_id(section).is_hidden
    assert "L2 is 175.8 KiB short" in page.by_id("shortage").text


def test_no_name_becomes_a_tag(open_report: OpenReport) -> None:
    page = open_report(hostile_report(NASTY))
    check_drawn(page)
    assert page.find("img") == []
    assert len(page.find("script")) == 2
    assert NASTY in page.find("h1")[0].text
    assert page.rows("layers")[0][1] == NASTY
    assert page.rows("regions")[0][3] == NASTY


def test_the_policy_refuses_a_foreign_script(browser: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.html"
    text = report_page(plan_report(1))
    path.write_text(text.replace("</main>", "</main><script>document.title = 'x'</script>"))
    page = load(browser, path)
    assert page.find("title")[0].text == "Plan of tiny-orator for siracusa"
    assert any("Content Security Policy" in line for line in page.console)
    path.write_text(text.replace("const plan =", "const  plan ="))
    changed = load(browser, path)
    assert "data-ready" not in changed.find("html")[0].attributes


def test_pictures_of_a_simulation_are_shown(browser: str, tmp_path: Path) -> None:
    """As images: what a drawing holds cannot run, and asks for nothing."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">'
        "<style>rect{fill:#0072b2}</style><script>document.title = 'x'</script>"
        '<rect width="40" height="30" style="stroke:#000"/></svg>'
    )
    picture = Picture(name="square", title="A square", caption="It is blue.", svg=drawing)
    path = tmp_path / "report.html"
    path.write_text(report_page(plan_report(1), [picture]), "utf-8")
    page = load(browser, path)
    check_drawn(page)
    (image,) = page.find("img", "simulation")
    assert image.attributes["alt"] == "A square"
    assert page.find("title")[0].text == "Plan of tiny-orator for siracusa"
    assert "It is blue." in page.by_id("simulation").text


def test_a_picture_is_taken(browser: str, tmp_path: Path) -> None:
    path, picture = tmp_path / "report.html", tmp_path / "report.png"
    path.write_text(report_page(plan_report()), "utf-8")
    take_picture(browser, path, picture, height=900)
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (PICTURE_WIDTH, 900)
    assert len(data) > 40_000, "the picture is empty"
