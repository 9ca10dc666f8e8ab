"""What every part of a recipe is: a frozen record that refuses keys it does not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Values that a user writes down; the defaults are part of the fingerprint."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
