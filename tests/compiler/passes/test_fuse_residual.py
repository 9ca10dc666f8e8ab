"""An addition to a linear layer's result becomes the layer's residual input."""

from __future__ import annotations

from small_graphs import expected, rewritten

from aretusa.passes.fuse_residual import fuse_residual

QUANTISE = "%x.codes: q8[tokensx4] = Quantise(src=%x) layer 0"


def test_the_sum_takes_the_place_of_the_addition() -> None:
    before = f"""
        {QUANTISE}
        %p: f32[tokensx4] = Linear(src=%x.codes, weight="square", bias="norm") layer 0
        %h: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer 0
        %out: f32[tokensx4] = Add(lhs=%h, rhs=%p) layer 0
    """
    after = f"""
        {QUANTISE}
        %h: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer 0
        %out: f32[tokensx4] = Linear(src=%x.codes, weight="square", bias="norm", \
residual=%h) layer 0
    """
    assert rewritten(fuse_residual, before) == expected(after)


def test_a_product_with_another_reader_stays() -> None:
    ops = f"""
        {QUANTISE}
        %p: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
        %s: f32[tokensx4] = Add(lhs=%x, rhs=%p) layer 0
        %out: f32[tokensx4] = SiluMul(gate=%s, up=%p) layer 0
    """
    assert rewritten(fuse_residual, ops) == expected(ops)


def test_a_product_added_to_itself_stays() -> None:
    ops = f"""
        {QUANTISE}
        %p: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
        %out: f32[tokensx4] = Add(lhs=%p, rhs=%p) layer 0
    """
    assert rewritten(fuse_residual, ops) == expected(ops)


def test_a_product_on_the_left_stays_because_the_order_would_change() -> None:
    ops = f"""
        {QUANTISE}
        %p: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
        %out: f32[tokensx4] = Add(lhs=%p, rhs=%x) layer 0
    """
    assert rewritten(fuse_residual, ops) == expected(ops)


def test_a_linear_layer_takes_one_residual_only() -> None:
    ops = f"""
        {QUANTISE}
        %p: f32[tokensx4] = Linear(src=%x.codes, weight="square", residual=%x) layer 0
        %out: f32[tokensx4] = Add(lhs=%x, rhs=%p) layer 0
    """
    assert rewritten(fuse_residual, ops) == expected(ops)
