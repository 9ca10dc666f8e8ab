"""Every linear layer reads codes, which readers of one value share."""

from __future__ import annotations

from small_graphs import expected, rewritten

from aretusa.passes.quantise_linear_inputs import quantise_linear_inputs


def test_readers_of_one_value_share_its_codes() -> None:
    before = """
        %a: f32[tokensx4] = Linear(src=%x, weight="square") layer 0
        %b: f32[tokensx4] = Linear(src=%x, weight="square", residual=%a) layer 0
        %out: f32[tokensx4] = Linear(src=%b, weight="square", bias="norm") layer 1
    """
    after = """
        %x.codes: q8[tokensx4] = Quantise(src=%x) layer 0
        %a: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
        %b: f32[tokensx4] = Linear(src=%x.codes, weight="square", residual=%a) layer 0
        %b.codes: q8[tokensx4] = Quantise(src=%b) layer 1
        %out: f32[tokensx4] = Linear(src=%b.codes, weight="square", bias="norm") layer 1
    """
    assert rewritten(quantise_linear_inputs, before) == expected(after)


def test_codes_are_left_alone() -> None:
    ops = """
        %x.codes: q8[tokensx4] = Quantise(src=%x) layer 0
        %out: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
    """
    assert rewritten(quantise_linear_inputs, ops) == expected(ops)
