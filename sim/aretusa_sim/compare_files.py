"""Results from files and build directories, for comparing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from pydantic_core import from_json

from aretusa.errors import UsageError
from aretusa.manifest import SCHEMA_VERSION
from aretusa.plan_results import PlanReport
from aretusa.verbs.report import read_plan
from aretusa_sim.build_timing import time_build
from aretusa_sim.results import SimulationResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from aretusa_sim.build_timing import Length

Result = SimulationResult | PlanReport
Source = Result | Path
RECORDS: Final[dict[str, type[SimulationResult | PlanReport]]] = {
    "simulate": SimulationResult,
    "plan": PlanReport,
}
LIMIT_BYTES: Final = 256 * 2**20  # SmolLM2 takes one megabyte
WRITE: Final = "Write one with `aretusa simulate --json` or `aretusa plan --json`"


def read_both(
    before: Source,
    after: Source,
    length: Length,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Result, Result]:
    """Both results. Builds are timed, or their plans are read where the other is a plan.

    Where the other is a simulation, a build is timed at its clock and for its numbers of tokens.
    """
    one, two = (_known(source) for source in (before, after))
    first = _timed(before, two, length, progress) if one is None else one
    return first, _timed(after, first, length, progress) if two is None else two


def _known(source: Source) -> Result | None:
    """None for a build directory."""
    if not isinstance(source, Path):
        return source
    return None if source.is_dir() else read_result(source)


def _timed(
    build: Source,
    other: Result | None,
    length: Length,
    progress: Callable[[int, int], None] | None,
) -> Result:
    assert isinstance(build, Path), "what is no path is a result"
    if isinstance(other, PlanReport):
        return read_plan(build)
    return time_build(build, length.like(other), progress).result


def read_result(path: Path) -> Result:
    """The document of a file; E0602 if it is none, E0603 if this version does not know it."""
    document = _document(path)
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise _other_version(path, f"its schema is {version!r}, this version's {SCHEMA_VERSION}")
    kind = document.get("verb")
    record = RECORDS.get(str(kind))
    if record is None:
        error = document.get("error")
        what = f"the error {error.get('code')}" if isinstance(error, dict) else f"of {kind!r}"
        raise _no_result(path, f"it is a document {what}" if kind else f"it holds {what}")
    try:
        found = record.model_validate(document)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise _other_version(path, f"{place}: {first['msg']}") from problem
    if isinstance(found, PlanReport) and not found.fits:
        raise _no_result(path, "the plan does not fit, so that there are no cycles")
    return found


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
        if len(raw) > LIMIT_BYTES:
            raise _no_result(path, f"it has more than {LIMIT_BYTES:,} bytes")
        document = from_json(raw)
    except OSError as problem:
        raise _no_result(path, problem.strerror or str(problem)) from problem
    except ValueError as problem:
        raise _no_result(path, f"it is no JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise _no_result(path, "its JSON is no object")
    return document


def _no_result(path: Path, why: str) -> UsageError:
    return UsageError("E0602", "no result that can be compared", file=path, why=why, fix=WRITE)


def _other_version(path: Path, why: str) -> UsageError:
    return UsageError(
        "E0603", "the result is of another version or damaged", file=path, why=why, fix=WRITE
    )
