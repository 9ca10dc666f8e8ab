"""Who may import whom in aretusa_compress. docs/compress.md says how the parts meet."""

from __future__ import annotations

from typing import Final

from sources import Module, imported, modules

PACKAGE: Final = "aretusa_compress"
# Folders that hold one kind of stage each: options.py says what may be chosen, stage.py does it.
STAGES: Final = {
    "awq",
    "calr",
    "depth",
    "eora",
    "fit",
    "gptq",
    "lora",
    "rotations",
    "sensitivity",
    "svd",
    "width",
}
# What the command reads before any work must load fast: no torch, nor what brings it.
HEAVY: Final = {"torch", "transformers", "peft", "gptqmodel", "datasets", "accelerate"}
# Below the stages: these know none of them, but for options.
BELOW: Final = {"errors", "results", "model", "texts", "solvers"}

# Stages that do what others do and more: they measure truncations and roundings, train from them.
BUILT_ON: Final = {
    "fit": {"svd"},
    "rotations": {"fit"},
    "sensitivity": {"svd"},
    "calr": {"lora", "sensitivity", "svd"},
}

# Imports against the arrows: stage folder, and the part of another one.
EXCEPTIONS: Final = {
    ("eora", "gptq.library"): "both have work done by GPTQModel",
    ("eora", "gptq.stage"): "both have work done by GPTQModel",
}


def _parts() -> list[tuple[Module, list[str], frozenset[str]]]:
    """Modules with the parts of their names below the package, and what they import."""
    found = [module for module in modules() if module.name.startswith(f"{PACKAGE}.")]
    assert len(found) > 30, "the package was not found"
    return [(module, module.name.split(".")[1:], imported(module)) for module in found]


def test_options_and_recipes_load_no_torch() -> None:
    wrong = [
        f"{module.place} imports {name}"
        for module, parts, names in _parts()
        if parts[0] in {"recipe", "errors", "results"} or parts[-1] == "options"
        for name in sorted(names)
        if name.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_stages_know_of_each_other_only_options() -> None:
    wrong = [
        f"{module.place} imports {name}"
        for module, parts, names in _parts()
        if parts[0] in STAGES
        for name in sorted(names)
        if name.startswith(f"{PACKAGE}.")
        and (other := name.split(".")[1:])[0] in STAGES - {parts[0]} - BUILT_ON.get(parts[0], set())
        and other[1] != "options"
        and (parts[0], f"{other[0]}.{other[1]}") not in EXCEPTIONS
    ]
    assert wrong == []


def test_what_lies_below_the_stages_knows_none_of_them() -> None:
    wrong = [
        f"{module.place} imports {name}"
        for module, parts, names in _parts()
        if parts[0] in BELOW
        for name in sorted(names)
        if name.startswith(f"{PACKAGE}.") and name.split(".")[1] in STAGES
    ]
    assert wrong == []
