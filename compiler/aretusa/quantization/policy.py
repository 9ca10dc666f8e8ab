"""Policy: which scheme a weight gets, by patterns over its name, read from a TOML file.

    # the last rule that matches a weight's name decides
    [[rule]]
    match = "model.layers.*.mlp.down_proj.weight"
    weights = "w6"

`match` is a pattern of the shell over the whole Hugging Face name: `*` stands for any characters,
dots included, `?` for one, `[0-3]` for one of several. `weights` is a name of SCHEMES.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from aretusa.errors import UsageError
from aretusa.frontend.printable import printable
from aretusa.quantization.schemes import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from aretusa.quantization.schemes import Scheme

FILE_BYTES_MAX: Final = 250_000  # a rule for each of 3000 matrices
LINE_BYTES_MAX: Final = 1 << 10  # tomllib takes quadratic time for a key of many parts
MATCH_CHARS_MAX: Final = 256  # the longest name of a matrix has 60
_RULES_KEY: Final = "rule"
_RULE_KEYS: Final = ("match", "weights")


@dataclass(frozen=True)
class Rule:
    """Matrices whose name matches `match` are stored by `scheme`."""

    match: str
    scheme: Scheme

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern as a regular expression over the whole name."""
        return re.compile(fnmatch.translate(self.match))

    def matches(self, name: str) -> bool:
        """Whether a weight of that name is meant."""
        return self.pattern.match(name) is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order of the file `path`; without rules it decides nothing."""

    rules: tuple[Rule, ...] = ()
    path: Path | None = field(default=None, compare=False)

    def scheme_of(self, name: str) -> Scheme | None:
        """The scheme of the last rule that matches, None if no rule does."""
        found = (rule.scheme for rule in reversed(self.rules) if rule.matches(name))
        return next(found, None)

    @property
    def text(self) -> str:
        """The rules as a policy file without comments: equal rules give equal text."""
        return "".join(
            f"[[rule]]\nmatch = {json.dumps(rule.match, ensure_ascii=False)}\n"
            f'weights = "{rule.scheme}"\n'
            for rule in self.rules
        )

    def check(self, matrices: Collection[str], keepers: Collection[str] = ()) -> None:
        """E0014 for a rule that decides nothing: `keepers` keep the codes of their maker."""
        open_to_rules = [name for name in matrices if name not in keepers]
        for number, rule in enumerate(self.rules, 1):
            if any(rule.matches(name) for name in open_to_rules):
                continue
            if any(rule.matches(name) for name in matrices):
                raise self._idle(
                    number,
                    "only matrices that keep the codes of the checkpoint",
                    why=f"match = '{printable(rule.match)}'",
                    fix="Add --requantise to quantise them anew, or take the rule out",
                )
            close = difflib.get_close_matches(rule.match, matrices, n=1, cutoff=0.0)
            raise self._idle(
                number,
                "no matrix of the model",
                why=f"match = '{printable(rule.match)}', a name is '{close[0]}'",
                fix="Correct the pattern; it must cover the whole name",
            )

    def _idle(self, number: int, what: str, *, why: str, fix: str) -> UsageError:
        return UsageError(
            "E0014", f"rule {number} matches {what}", file=self.path, why=why, fix=fix
        )


def read_policy(path: Path) -> Policy:
    """The policy of a file; E0012 if it is not readable as TOML, E0013 if a rule is malformed."""
    reader = _Reader(path)
    return Policy(tuple(reader.rules(reader.document())), path)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the text of one file into rules."""

    path: Path

    def document(self) -> dict[str, object]:
        """The keys of the file."""
        try:
            return tomllib.loads(self._text().decode("utf-8"))
        except (OSError, ValueError, RecursionError) as problem:
            raise self._unreadable(str(problem)) from problem

    def _text(self) -> bytes:
        """The bytes of the file, within the budget."""
        if not self.path.is_file():  # a pipe or a device would be waited for
            raise self._unreadable("it is no file")
        size_bytes = self.path.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise self._unreadable(f"{size_bytes:,} bytes, at most {FILE_BYTES_MAX:,} are allowed")
        text = self.path.read_bytes()
        if any(len(line) > LINE_BYTES_MAX for line in text.splitlines()):
            raise self._unreadable(f"a line has more than {LINE_BYTES_MAX:,} bytes")
        return text

    def rules(self, document: dict[str, object]) -> list[Rule]:
        """The rules in order; there is one at least."""
        self._check_keys("the file", document, (_RULES_KEY,))
        entries = document.get(_RULES_KEY)
        if not isinstance(entries, list) or not entries:
            raise self._malformed("the file", "holds no list of [[rule]]")
        return [self._rule(f"rule {number}", entry) for number, entry in enumerate(entries, 1)]

    def _rule(self, place: str, entry: object) -> Rule:
        if not isinstance(entry, dict):
            raise self._malformed(place, "is no table: write [[rule]]")
        self._check_keys(place, entry, _RULE_KEYS)
        match, weights = (self._value(place, entry, key) for key in _RULE_KEYS)
        if not match.isprintable() or not 0 < len(match) <= MATCH_CHARS_MAX:
            raise self._malformed(
                place, f"match must be 1 to {MATCH_CHARS_MAX} characters that can be printed"
            )
        if weights not in SCHEMES:
            raise self._malformed(
                place, f"unknown scheme '{printable(weights)}', known: {', '.join(SCHEMES)}"
            )
        return Rule(match, SCHEMES[weights])

    def _value(self, place: str, entry: dict[str, object], key: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str):
            found = f"found {type(value).__name__}" if key in entry else "it is missing"
            raise self._malformed(place, f"{key} must be a text, {found}")
        return value

    def _check_keys(self, place: str, table: dict[str, object], known: Collection[str]) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f", did you mean '{close[0]}'?" if close else f", known: {', '.join(known)}"
                raise self._malformed(place, f"unknown key '{printable(key)}'{hint}")

    def _unreadable(self, why: str) -> UsageError:
        return UsageError(
            "E0012",
            "the policy cannot be read",
            file=self.path,
            why=why,
            fix="Give a TOML file with a [[rule]] for each pattern",
        )

    def _malformed(self, place: str, why: str) -> UsageError:
        return UsageError(
            "E0013",
            "the policy is malformed",
            file=self.path,
            why=f"{place}: {why}",
            fix='A rule has two keys: match = "PATTERN" and weights = "w4"',
        )
