"""The picture of a sensitivity analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from aretusa_compress.sensitivity.plot import can_draw, draw

if TYPE_CHECKING:
    from pathlib import Path

PILLAR_RED = (0xC0, 0x39, 0x2B)


def document(pillar: str | None) -> dict[str, Any]:
    units = [
        {
            "unit": name,
            "gain": gain,
            "alone": {"kl": gain},
            "is_pillar": name == pillar,
            "rank": {name: 4},
        }
        for name, gain in (("0.k_proj", 0.1), ("1.k_proj", 0.9), ("2.k_proj", 0.2))
    ]
    spectra = {unit["unit"]: [1.0, 0.5, 0.1] for unit in units}
    return {"by": "kl", "units": units, "spectra": spectra}


def reds(path: Path) -> int:
    with Image.open(path) as picture:
        return sum(
            count
            for count, colour in picture.convert("RGB").getcolors(1 << 24)
            if colour == PILLAR_RED
        )


def test_pillars_are_red_and_the_same_bytes_come_twice(tmp_path: Path) -> None:
    assert can_draw()
    draw(document("1.k_proj"), tmp_path / "one.png")
    draw(document("1.k_proj"), tmp_path / "two.png")
    draw(document(None), tmp_path / "none.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert reds(tmp_path / "one.png") > 1000
    assert reds(tmp_path / "none.png") == 0
