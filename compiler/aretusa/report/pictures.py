"""Pictures that others draw for the report's page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing with its words. `svg` stands alone: it names no file and no address."""

    name: str  # of its file, without an ending
    title: str
    caption: str
    svg: str

    @property
    def source(self) -> str:
        """An address that holds the drawing itself: as an image it runs and loads nothing."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode('utf-8')).decode('ascii')}"
