"""JSON of a checkpoint, parsed strictly: one object, unique keys, finite numbers, a budget."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from aretusa.errors import AretusaError, ModelError
from aretusa.frontend.mapped_file import map_file
from aretusa.frontend.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

# 1024 layers of 14 tensors need less than 4 MB; nested empty objects take 25 times their text.
JSON_LIMIT_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class JsonCodes:
    """Error codes for text that is not usable JSON, and for a key that appears twice."""

    invalid: str
    duplicate: str


CONFIG_CODES = JsonCodes(invalid="E0200", duplicate="E0200")
TENSOR_CODES = JsonCodes(invalid="E0103", duplicate="E0106")


class _RefusedError(ValueError):
    """A construct that the json module would accept."""

    def __init__(self, what: str, *, is_duplicate: bool = False) -> None:
        self.is_duplicate = is_duplicate
        super().__init__(what)


def read_json_object(path: Path, codes: JsonCodes) -> dict[str, object]:
    """The object that a small JSON file holds; E0123 if it is beyond the budget."""
    mapped = map_file(path)
    if mapped.size_bytes > JSON_LIMIT_BYTES:
        raise _beyond_budget(path, f"{mapped.size_bytes:,} bytes of JSON")
    return parse_json_object(mapped.data[:], file=path, codes=codes)


def parse_json_object(raw: bytes, *, file: Path, codes: JsonCodes) -> dict[str, object]:
    """The object in `raw`; every defect is a coded error that names `file`."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except RecursionError:
        raise _beyond_budget(file, "deeply nested JSON") from None
    except ValueError as error:
        raise _invalid(error, file=file, codes=codes) from None
    if not isinstance(value, dict):
        raise _invalid(_RefusedError("the text is not a JSON object"), file=file, codes=codes)
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _RefusedError(f"key '{printable(twice)}' appears twice", is_duplicate=True)
    return result


def _refuse_constant(constant: str) -> NoReturn:
    raise _RefusedError(f"{constant} is not a JSON number")


def _invalid(error: ValueError, *, file: Path, codes: JsonCodes) -> AretusaError:
    code = codes.invalid
    match error:
        case UnicodeDecodeError():
            what = f"the JSON text is not UTF-8 at byte {error.start}"
        case json.JSONDecodeError():
            offset_bytes = len(error.doc[: error.pos].encode())
            what = f"the text is not valid JSON at byte {offset_bytes}: {error.msg}"
        case _RefusedError():
            what = str(error)
            code = codes.duplicate if error.is_duplicate else codes.invalid
        case _:
            what = "the JSON text holds a number that is too long"
    return ModelError(code, what, file=file, fix="Download or export the file again.")


def _beyond_budget(file: Path, what: str) -> ModelError:
    return ModelError(
        "E0123",
        f"{what} is beyond the budget",
        file=file,
        why=f"at most {JSON_LIMIT_BYTES:,} bytes, nested a few hundred deep",
        fix="No LLaMA-family checkpoint needs that; download or export the file again.",
    )
