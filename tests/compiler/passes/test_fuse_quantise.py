"""A norm or an activation that is only quantised becomes one op with the quantisation."""

from __future__ import annotations

from small_graphs import expected, rewritten

from aretusa.passes.fuse_quantise import fuse_quantise


def test_norm_and_activation_are_fused_with_their_quantise() -> None:
    before = """
        %n: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer 0
        %n.codes: q8[tokensx4] = Quantise(src=%n) layer 0
        %g: f32[tokensx4] = Linear(src=%n.codes, weight="square") layer 0
        %s: f32[tokensx4] = SiluMul(gate=%g, up=%x) layer 0
        %s.codes: q8[tokensx4] = Quantise(src=%s) layer 0
        %out: f32[tokensx4] = Linear(src=%s.codes, weight="square") layer 0
    """
    after = """
        %n.codes: q8[tokensx4] = RmsNormQuantise(src=%x, weight="norm", eps=1e-05) layer 0
        %g: f32[tokensx4] = Linear(src=%n.codes, weight="square") layer 0
        %s.codes: q8[tokensx4] = SiluMulQuantise(gate=%g, up=%x) layer 0
        %out: f32[tokensx4] = Linear(src=%s.codes, weight="square") layer 0
    """
    assert rewritten(fuse_quantise, before) == expected(after)


def test_a_norm_with_another_reader_stays() -> None:
    ops = """
        %n: f32[tokensx4] = RmsNorm(src=%x, weight="norm", eps=1e-05) layer 0
        %n.codes: q8[tokensx4] = Quantise(src=%n) layer 0
        %out: f32[tokensx4] = Linear(src=%n.codes, weight="square", residual=%n) layer 0
    """
    assert rewritten(fuse_quantise, ops) == expected(ops)


def test_a_quantise_of_anything_else_stays() -> None:
    ops = """
        %x.codes: q8[tokensx4] = Quantise(src=%x) layer 0
        %out: f32[tokensx4] = Linear(src=%x.codes, weight="square") layer 0
    """
    assert rewritten(fuse_quantise, ops) == expected(ops)
