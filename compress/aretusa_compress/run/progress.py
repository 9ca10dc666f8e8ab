"""What long work reports to, whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Steps of one activity after the other."""

    def start(self, what: str, total: int) -> None:
        """An activity of so many steps begins; the one before it is over."""

    def advance(self, count: int = 1) -> None:
        """So many steps more are done."""

    def say(self, line: str) -> None:
        """One line for a person, such as why a stage runs again."""


class Silent:
    """Shows nothing."""

    def start(self, what: str, total: int) -> None:
        """Ignored."""

    def advance(self, count: int = 1) -> None:
        """Ignored."""

    def say(self, line: str) -> None:
        """Ignored."""
