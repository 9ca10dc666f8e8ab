"""The stage width: weights become zero, block by block, each judged on what reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from aretusa_compress.model.blocks import Entry, enter, run_block, windows_on
from aretusa_compress.model.layer_inputs import watched
from aretusa_compress.model.load import OWN_KEY, load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.width.options import Pattern, Score, WidthOptions
from aretusa_compress.width.wanda import InputNorm, pattern_mask, share_mask, wanda_scores

if TYPE_CHECKING:
    from aretusa_compress.model.loaded import Model
    from aretusa_compress.texts.options import DataOptions


def run(context: StageContext, options: WidthOptions) -> Report:
    """Write the model with zeros; report how many each matrix has."""
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    stream: list[Entry] = []
    if options.score is Score.WANDA:
        windows = context.texts.windows("calibration", context.source)
        with torch.no_grad():
            stream = [enter(model, ids) for ids in windows_on(model, windows)]
    context.progress.start("pruning blocks", len(model.blocks))
    zeros: dict[str, int] = {}
    for index in range(len(model.blocks)):
        stream = _prune_block(model, index, options, stream, zeros)
        context.progress.advance()
    sparsity = dict(model.config.get(OWN_KEY, {}).get("sparsity", {}))
    if options.pattern is not None:
        sparsity |= dict.fromkeys(zeros, options.pattern)
    else:
        sparsity = {name: kept for name, kept in sparsity.items() if name not in zeros}
    save_model(model, context.source, context.output, {"sparsity": sparsity})
    return {"zeros": zeros}


@torch.no_grad()
def _prune_block(
    model: Model, index: int, options: WidthOptions, stream: list[Entry], zeros: dict[str, int]
) -> list[Entry]:
    """Prune the matrices of one block; returns the stream behind the pruned block."""
    block = model.blocks[index]
    stored = f"model.layers.{model.layer_map[index]}"
    linears = _linears(block, options)
    if model.layer_map[index] not in model.layer_map[:index]:  # a shared block is pruned once
        norms = _input_norms(block, index, linears, stream)
        for name, linear in linears.items():
            mask = _mask(linear.weight, norms.get(name), options)
            linear.weight[mask] = 0
            zeros[f"{stored}.{name}"] = int((linear.weight == 0).sum())
    return [
        Entry(run_block(block, entry.hidden, entry.arguments[index]), entry.arguments)
        for entry in stream
    ]


def _input_norms(
    block: nn.Module, index: int, linears: dict[str, nn.Linear], stream: list[Entry]
) -> dict[str, Tensor]:
    """||x|| of each matrix's input, over the whole stream."""
    norms = {
        name: InputNorm(linear.in_features, linear.weight.device)
        for name, linear in linears.items()
    }

    with watched(block, list(norms), lambda name, inputs: norms[name].add(inputs)):
        for entry in stream:
            run_block(block, entry.hidden, entry.arguments[index])
    return {name: norm.norm() for name, norm in norms.items()} if stream else {}


def _mask(weight: Tensor, norm: Tensor | None, options: WidthOptions) -> Tensor:
    """True where a weight goes. Magnitude without a pattern compares within the whole matrix."""
    scores = weight.float().abs() if norm is None else wanda_scores(weight, norm)
    if options.pattern is not None:
        return pattern_mask(scores, Pattern.parse(options.pattern))
    assert options.sparsity is not None
    if options.score is Score.MAGNITUDE:
        return share_mask(scores.reshape(1, -1), options.sparsity).view_as(scores)
    return share_mask(scores, options.sparsity)


def _linears(block: nn.Module, options: WidthOptions) -> dict[str, nn.Linear]:
    """The chosen matrices by their names in the block."""
    found = {
        name: module
        for name, module in block.named_modules()
        if name.rpartition(".")[2] in options.matrices
    }
    for name, module in found.items():
        if not isinstance(module, nn.Linear):
            raise cannot_apply(
                f"{name} is no single matrix",
                "low-rank factors have no weights to prune",
                "Put width before the stage that factors, or leave the matrix out of matrices",
            )
    return found


def _need(shape: Shape, options: WidthOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice while they are read, the stream of all windows, one matrix's scores."""
    largest = shape.hidden * max(shape.ffn, shape.attention_rows)
    parts = {
        "libraries": LIBRARY_BYTES,
        "weights": 2 * shape.weights * weight_bytes,
        "scores": largest * (3 * FLOAT32_BYTES + 8),  # the order is of 64-bit indices
    }
    if options.score is Score.WANDA and data.calibration is not None:
        tokens = data.calibration.tokens
        samples = data.calibration.samples or 1
        parts["stream"] = 2 * samples * tokens * shape.hidden * weight_bytes
        parts["activations"] = shape.block_activation_bytes(tokens, weight_bytes)
        parts["inputs"] = tokens * shape.ffn * 8
    return Need(parts)


WIDTH = Stage(
    run=run,
    need=_need,
    roles=lambda options: ("calibration",) if options.needs_calibration else (),
)
