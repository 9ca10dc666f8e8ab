from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_reports import hostile_report, plan_report, short_report

from aretusa.plan_results import PlanReport
from aretusa.report.cards import cards
from aretusa.report.page import report_page
from aretusa.report.pictures import Picture

NASTY = "</script><!--<script>]]>&amp;'\"<img src=x onerror=alert(1)>\u2028{{ 7 * 7 }}{% raw %}"
FITTING = ["Parameters", "Decode", "Prefill", "Off-chip traffic", "Images", "Placement"]


class Tags(HTMLParser):
    """Names and attributes of a page's elements, and the data in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def data_of(page: str) -> str:
    match = re.search(r'id="report-data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("plan", [plan_report(), plan_report(3, rolled=False), short_report()])
def test_the_page_holds_the_whole_plan(plan: PlanReport) -> None:
    assert PlanReport.model_validate_json(data_of(report_page(plan))) == plan


def test_a_plan_always_gives_the_same_page() -> None:
    assert report_page(plan_report()) == report_page(plan_report())


def test_the_page_asks_for_nothing() -> None:
    page = report_page(plan_report())
    tags = Tags(page).found
    assert not [tag for tag, attributes in tags if "src" in attributes or "style" in attributes]
    links = [attributes["href"] for _, attributes in tags if "href" in attributes]
    assert links == ["data:,"]
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_names_the_style_and_the_script() -> None:
    page = report_page(plan_report())
    policy = unescape(re.findall(r'Content-Security-Policy" content="(.*?)"', page)[0])
    for tag in ("style", 'script type="module"'):
        text = re.findall(rf"<{tag}>(.*?)</", page, re.DOTALL)[0]
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag.split()[0]}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@settings(max_examples=25)
@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.just(NASTY))
def test_no_name_leaves_its_place(name: str) -> None:
    plan = hostile_report(name)
    page = report_page(plan)
    assert json.loads(data_of(page))["model"]["name"] == name
    usual = [tag for tag, _ in Tags(report_page(hostile_report("usual"))).found]
    assert [tag for tag, _ in Tags(page).found] == usual


def test_pictures_are_images_in_the_page() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    picture = Picture(name="nasty", title=NASTY, caption=NASTY, svg=svg)
    page = report_page(plan_report(), [picture, picture])
    images = [attributes for tag, attributes in Tags(page).found if tag == "img"]
    assert [image["alt"] for image in images] == [NASTY, NASTY]
    kind, _, data = (images[0]["src"] or "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert b64decode(data).decode() == svg
    assert "alert" not in data
    scripts = [tag for tag, _ in Tags(page).found if tag == "script"]
    assert len(scripts) == 2  # the plan's data and the page's own


def test_a_fitting_plan_has_its_figures() -> None:
    plan = plan_report()
    assert [card.title for card in cards(plan)] == FITTING
    page = report_page(plan)
    assert 'class="verdict fits"' in page
    assert 'id="shortage"' not in page
    assert "estimated from its vocabulary" in page


def test_a_short_plan_names_the_ways_out() -> None:
    page = report_page(short_report())
    assert [card.title for card in cards(short_report())] == ["Parameters"]
    assert "Does not fit" in page
    assert "L2 is 175.8 KiB short" in page
    assert "<code>--context 256</code>" in page


def test_nothing_moves_off_chip_is_zero_bytes() -> None:
    plan = plan_report()
    assert plan.totals is not None
    totals = plan.totals.model_copy(update={"off_chip_bytes_per_token": 0})
    card = cards(plan.model_copy(update={"totals": totals}))[3]
    assert (card.figure, card.unit) == ("0", "B")
