"""Opens a page in headless Chromium: what its scripts made of it, and what it looks like.

`python tests/headless_browser.py PAGE.html PICTURE.png` takes a picture for the documents.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

# Names of the program, the smallest first; Debian's package of the first is called the same.
PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SCRIPT_MILLISECONDS: Final = 10_000  # of the page's own clock, which does not run while it waits
PICTURE_WIDTH: Final = 1360
VOID: Final = {"meta", "link", "input", "br", "img", "hr"}


@dataclass(frozen=True, slots=True)
class Element:
    """An element after the scripts ran; `section` is the id of the <section> around it."""

    tag: str
    attributes: dict[str, str]
    section: str
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text and that of everything inside."""
        return "".join(self.words)

    @property
    def is_hidden(self) -> bool:
        """Whether the page hides it."""
        return "hidden" in self.attributes

    def has_class(self, name: str) -> bool:
        """Whether it has a class."""
        return name in self.attributes.get("class", "").split()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        around = self.open[-1].section if self.open else ""
        section = attributes.get("id", around) if tag == "section" else around
        element = Element(tag, attributes, section)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.words.append(data)


@dataclass(frozen=True, slots=True)
class LoadedPage:
    """What a page was when its scripts were done, and what it wrote to the console."""

    elements: list[Element]
    console: list[str]

    def find(self, tag: str, section: str | None = None) -> list[Element]:
        """Elements of a tag, in the whole page or in one section."""
        found = [element for element in self.elements if element.tag == tag]
        return [one for one in found if section is None or one.section == section]

    def by_id(self, name: str) -> Element:
        """The element of that id."""
        return next(e for e in self.elements if e.attributes.get("id") == name)

    def rows(self, section: str) -> list[list[str]]:
        """Texts of the cells of the rows that a table shows, without its head."""
        rows: list[list[str]] = []
        is_shown = False
        for element in self.elements:
            if element.section == section and element.tag == "tr":
                is_shown = not element.is_hidden
            if element.section != section or not is_shown:
                continue
            if element.tag == "tr":
                rows.append([])
            elif element.tag == "td":
                rows[-1].append(element.text)
        return [row for row in rows if row]


def find_browser() -> str | None:
    """The path of the first of PROGRAMS that is installed."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def load(program: str, page: Path, fragment: str = "") -> LoadedPage:
    """The page at the end of its scripts; `fragment` is what stands behind # in its address."""
    done = _run(program, "--dump-dom", _address(page, fragment))
    reader = _Reader()
    reader.feed(done.stdout)
    lines = done.stderr.splitlines()
    return LoadedPage(reader.elements, [line for line in lines if ":CONSOLE" in line])


def take_picture(
    program: str, page: Path, picture: Path, *, height: int, fragment: str = ""
) -> None:
    """A PNG of the upper part of the page in light colours."""
    size = f"--window-size={PICTURE_WIDTH},{height}"
    _run(program, size, f"--screenshot={picture.resolve()}", _address(page, fragment))


def _address(page: Path, fragment: str) -> str:
    return page.resolve().as_uri() + (f"#{fragment}" if fragment else "")


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A browser of its own: no profile of the user, no network, no sandbox where it is refused."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        return subprocess.run(
            [
                program,
                "--headless",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--enable-logging=stderr",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--user-data-dir={profile}",
                f"--virtual-time-budget={SCRIPT_MILLISECONDS}",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )


def _main() -> int:
    program = find_browser()
    if program is None:
        sys.stderr.write(f"none of {', '.join(PROGRAMS)} is installed\n")
        return 1
    page, picture, *fragment = sys.argv[1:]
    take_picture(program, Path(page), Path(picture), height=1900, fragment="".join(fragment))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
