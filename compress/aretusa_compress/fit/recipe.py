"""fit_recipe(): what `aretusa compress MODEL --fit TARGET` runs, as a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.errors import UsageError
from aretusa_compress.fit.budget import parse_budget
from aretusa_compress.fit.options import Objective
from aretusa_compress.recipe.presets import PRESETS
from aretusa_compress.recipe.read import changed_recipe, read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aretusa_compress.recipe.schema import Recipe

# Without a recipe: what `make texts` fetches; --set data.calibration=... names another text.
_CALIBRATION: Final = {"stand_in": "sotu-training", "samples": 36, "tokens": 256, "pick": "random"}


def fit_recipe(
    subject: str,
    target: str,
    objective: str,
    budgets: Sequence[str],
    changes: Iterable[str] = (),
) -> Recipe:
    """A recipe or preset with the stage fit behind its own stages; or a model and that stage alone.

    Raises UsageError E0003 for a budget or objective that cannot be read, and as `read_recipe`.
    """
    document = _document(subject)
    stage = {"target": target, "objective": _objective(objective), "budgets": _budgets(budgets)}
    stages = document.get("stages")
    document["stages"] = [*(stages if isinstance(stages, list) else []), {"fit": stage}]
    data = document.setdefault("data", {})
    if isinstance(data, dict):
        data.setdefault("calibration", dict(_CALIBRATION))
    return changed_recipe(document, changes, subject)


def _document(subject: str) -> dict[str, Any]:
    path = Path(subject)
    is_recipe = path.suffix in {".yaml", ".yml"} or subject in PRESETS
    return read_document(subject) if is_recipe else {"model": subject, "dtype": "float32"}


def _objective(text: str) -> str:
    known = [one.value for one in Objective]
    if text not in known:
        raise UsageError(
            "E0003", f"'{text}' is no objective", fix=f"Give --objective {' or '.join(known)}"
        )
    return text


def _budgets(texts: Sequence[str]) -> list[str]:
    if not texts:
        raise UsageError(
            "E0003", "--fit needs a budget", fix="Give --budget mram=4MiB, or 'bits<=5'"
        )
    for text in texts:
        try:
            parse_budget(text)
        except ValueError as problem:
            raise UsageError(
                "E0003", str(problem), fix="Give --budget QUANTITY=LIMIT, such as mram=4MiB"
            ) from problem
    return list(texts)
