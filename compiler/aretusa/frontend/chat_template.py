"""The chat template of a checkpoint: found and hashed, never rendered."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from aretusa.frontend.hf_store import member
from aretusa.frontend.json_text import CONFIG_CODES, read_json_object
from aretusa.frontend.mapped_file import map_file

if TYPE_CHECKING:
    from pathlib import Path


def directory_template(directory: Path) -> object:
    """The template of a Hugging Face directory as bytes or JSON value; None if there is none."""
    template = member(directory, "chat_template.jinja")
    if template is not None:
        return bytes(map_file(template).data)
    for name in ("chat_template.json", "tokenizer_config.json"):
        path = member(directory, name)
        if path is not None:
            found = read_json_object(path, CONFIG_CODES).get("chat_template")
            if found is not None:
                return found
    return None


def template_sha256(template: object) -> str:
    """SHA-256 of a template's text, or of the sorted JSON of a list of them; empty for None."""
    match template:
        case None | "" | b"" | []:
            return ""
        case bytes():
            raw = template
        case str():
            raw = template.encode("utf-8", "surrogatepass")
        case _:
            raw = json.dumps(template, sort_keys=True).encode()
    return hashlib.sha256(raw).hexdigest()
