"""Blocks on several devices compute what they do on one, and are put where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from tiny_runs import load_tiny, tiny_recipe, windows

from aretusa_compress.errors import CapacityError
from aretusa_compress.evaluation.torch_subject import TorchSubject
from aretusa_compress.model import placement
from aretusa_compress.model.blocks import mean_nats
from aretusa_compress.model.placement import Room, choose_gpus, parameter_bytes, place, spread
from aretusa_compress.run import before
from aretusa_compress.run.memory import Need, need_by_gpu

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


@pytest.mark.parametrize(
    ("weights", "free", "expected"),
    [
        (10, [24, 24], [0]),
        (10, [8, 24], [1]),
        (30, [24, 24], [0, 1]),
        (30, [8, 24, 20], [1, 2]),
        (40, [24, 8, 24, 24], [0, 2, 3]),
        (900, [24, 24], [0, 1]),
    ],
)
def test_the_fewest_gpus_that_hold_the_weights_are_taken(
    weights: int, free: list[int], expected: list[int]
) -> None:
    rooms = [Room(gpu, size * GIB) for gpu, size in enumerate(free)]
    assert [room.gpu for room in choose_gpus(weights * GIB, rooms)] == expected


def test_each_gpu_needs_its_weights_and_all_the_rest() -> None:
    need = Need({"weights": 30, "activations": 4, "logits": 1})
    assert need_by_gpu(need, [24, 24], 0.75) == [18 + 5, 12 + 5]
    assert need_by_gpu(need, [8, 8], 0.75) == [6 + 5, 24 + 5], "the last shows what is missing"


def test_too_little_memory_of_one_gpu_is_told_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(tmp_path, [{"width": {"pattern": "2:4"}}])
    monkeypatch.setattr(placement, "is_several", lambda _: True)
    chosen, device = recipe.stage_names, torch.device("cuda")
    monkeypatch.setattr(placement, "gpu_rooms", lambda: [Room(0, 8 * GIB), Room(1, 8 * GIB)])
    assert before.check_memory(recipe, tmp_path / "model", chosen, device)["1-width"] > 0
    monkeypatch.setattr(placement, "gpu_rooms", lambda: [Room(0, GIB // 4)])
    with pytest.raises(CapacityError, match=r"E0507.*1-width on GPU 0"):
        before.check_memory(recipe, tmp_path / "model", chosen, device)


def test_spread_blocks_compute_the_same(tmp_path: Path) -> None:
    ids = windows(2)
    whole = load_tiny(tmp_path / "model")
    parts = load_tiny(tmp_path / "model")
    size = parameter_bytes(parts.network)
    where = spread(parts.network, {"cpu": int(0.7 * size)}, folder=tmp_path / "weights")
    assert set(where.values()) == {"cpu", "disk"}, "both are used"
    blocks = {name: place for name, place in where.items() if ".layers." in name}
    assert all(name.count(".") == 2 for name in blocks), "no block is torn"
    assert mean_nats(parts, ids) == mean_nats(whole, ids)

    one, two = (TorchSubject(name="", model=m.network, tokenizer=None) for m in (whole, parts))
    tokens = ids[0].tolist()
    for mine, other in zip(two.logits(tokens), one.logits(tokens), strict=True):
        assert (mine == other).all()


def test_one_device_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_tiny(tmp_path / "model")
    monkeypatch.setattr(placement, "spread", lambda *_: pytest.fail("one device holds all"))
    place(model.network, torch.device("cpu"))
    assert {one.device.type for one in model.network.parameters()} == {"cpu"}


def test_several_gpus_get_what_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_tiny(tmp_path / "model")
    size = parameter_bytes(model.network)
    asked: list[dict[int, int]] = []
    monkeypatch.setattr(placement, "is_several", lambda _: True)
    monkeypatch.setattr(placement, "gpu_rooms", lambda: [Room(0, size), Room(1, size)])
    monkeypatch.setattr(placement, "spread", lambda _, budgets: asked.append(budgets))
    place(model.network, torch.device("cuda"))
    assert asked == [{0: int(0.75 * size), 1: int(0.75 * size)}]
