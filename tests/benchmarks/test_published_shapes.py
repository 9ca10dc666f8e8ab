"""Published configurations of Llama 3.2 1B as configurations that the planner reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import published_shapes
import pytest
from published_shapes import Shape, config_of, main, text_of

from aretusa.shapes import open_shapes

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Shape(2, "1:8", ("gptq", "eora"))


def test_every_published_configuration_is_there_once() -> None:
    shapes = published_shapes.published_shapes()
    names = [shape.name for shape in shapes]
    assert len(names) == len(set(names))
    assert {Shape(0, "", ()), Shape(8, "4:8", ()), Shape(2, "3:4", ("gptq",)), WHOLE} <= {*shapes}
    assert WHOLE.name == "depth 2 + width 1:8 + GPTQ + EORA"


def test_a_configuration_says_what_its_checkpoint_would_hold(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of(WHOLE)))
    shapes = open_shapes(tmp_path / "config.json")
    assert shapes.config.layers == 14
    name = "model.layers.13.mlp.down_proj"
    assert shapes.structure.sparsity[name] == (1, 8)
    assert shapes.structure.adapters[name] == 32
    assert (shapes.forms[f"{name}.weight"].bits, shapes.forms[f"{name}.weight"].group) == (4, 128)


def test_rows_that_are_there_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Shape] = []

    def measured(shape: Shape) -> dict[str, object]:
        asked.append(shape)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return {
            "tool": published_shapes.TOOL,
            "name": shape.name,
            "parameters": 10**9,
            "bits": 4,
            "memory_bytes": {"l3": 3 << 20},
            "tokens_per_second": 0.5,
            "uj": [2e3, 1e3, 3e3],
            "note": "",
        }

    monkeypatch.setattr(published_shapes, "measured", measured)
    chosen = [Shape(0, "", ()), Shape(2, "", ()), Shape(4, "", ())]
    monkeypatch.setattr(published_shapes, "published_shapes", lambda: chosen)
    data, text = tmp_path / "rows.json", tmp_path / "rows.md"
    with pytest.raises(KeyboardInterrupt):
        main(data, text)
    main(data, text)
    assert asked == [*chosen, chosen[2]]
    lines = text.read_text().splitlines()
    assert "3 of 3 configurations" in " ".join(lines)
    assert "| depth 4 | 1,000 M | 4 bits | 3.0 | 0.5000 | 2 (1 to 3) |" in lines


def test_what_does_not_fit_is_said() -> None:
    row = {"name": "depth 2", "note": "error[E0401]: too large"}
    assert "fit at no width" in text_of([row], 1)
