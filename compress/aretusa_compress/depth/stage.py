"""The stage depth: whole blocks are removed, merged into others, or repeated."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from aretusa_compress.depth.importance import importance
from aretusa_compress.depth.merge import collapse
from aretusa_compress.depth.options import DepthOptions, Importance
from aretusa_compress.model.load import load_model
from aretusa_compress.model.save import save_model
from aretusa_compress.run.context import Report, Stage, StageContext, cannot_apply
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.texts.options import DataOptions


def run(context: StageContext, options: DepthOptions) -> Report:
    """Write the model with other blocks; report which of the original blocks each one is."""
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    windows = None
    if options.needs_calibration:
        windows = context.texts.windows("calibration", context.source)
    if options.remove is not None:
        _check_removal(model, options)
    if options.merge is not None:
        assert windows is not None
        report = _merge(model, options, windows, context)
    elif options.remove is not None:
        report = _remove(model, options, windows, context)
    else:
        report = _arrange(model, options)
    save_model(model, context.source, context.output)
    return report


def _remove(
    model: Model, options: DepthOptions, windows: Tensor | None, context: StageContext
) -> Report:
    """Take the least important blocks away: all after one measurement, or one after each."""
    assert options.remove is not None
    left = list(range(len(model.blocks)))
    rounds: list[Report] = []
    at_once = 1 if options.iterative else options.remove
    while len(rounds) * at_once < options.remove:
        candidates = list(range(options.protect_first, len(left) - options.protect_last))
        found = importance(
            options.importance,
            model,
            candidates,
            windows,
            state=context.state,
            key=f"importance-{len(rounds)}",
            progress=context.progress,
        )
        ranked = sorted(candidates, key=lambda index: (found[index], index))
        gone = ranked[:at_once]
        rounds.append(
            {
                "importance": {str(left[index]): found[index] for index in candidates},
                "removed": [left[index] for index in gone],
            }
        )
        kept = [index for index in range(len(left)) if index not in gone]
        _keep(model, kept)
        left = [left[index] for index in kept]
    return {"blocks": left, "rounds": rounds}


def _keep(model: Model, kept: list[int]) -> None:
    blocks = model.blocks
    model.keep_layer_types(kept)
    model.set_blocks([blocks[i] for i in kept], [model.origins[i] for i in kept])


def _arrange(model: Model, options: DepthOptions) -> Report:
    """The blocks of a fixed list or map; a block that stands there again shares its weights."""
    count = len(model.blocks)
    wrong = [index for index in (*options.blocks, *options.map) if index >= count]
    if wrong or len(options.blocks) >= count:
        raise cannot_apply(
            f"the model has no block {wrong[0]}" if wrong else "no block would be left",
            f"it has blocks 0 to {count - 1}",
            "Correct blocks or map of the stage depth",
        )
    order = list(options.map) or [i for i in range(count) if i not in options.blocks]
    blocks, origins, seen = model.blocks, model.origins, set()
    chosen = []
    for index in order:
        chosen.append(_twin(blocks[index]) if index in seen else blocks[index])
        seen.add(index)
    model.keep_layer_types(order)
    model.set_blocks(chosen, [origins[index] for index in order])
    return {"blocks": order}


def _twin(block: object) -> object:
    """A module of its own whose parameters are those of another."""
    shared = {id(weight): weight for weight in block.parameters()}  # type: ignore[attr-defined]
    return copy.deepcopy(block, memo=dict(shared))


def _merge(model: Model, options: DepthOptions, windows: Tensor, context: StageContext) -> Report:
    assert options.remove is not None
    assert options.merge is not None
    if model.shares_blocks:
        raise cannot_apply(
            "blocks that share weights cannot be merged",
            "a merge would change all of them",
            "Put merge before map in the recipe",
        )
    done = collapse(
        model,
        windows,
        remove=options.remove,
        span=range(options.protect_first, len(model.blocks) - options.protect_last),
        options=options.merge,
        progress=context.progress,
    )
    model.keep_layer_types([group[0] for group in done.groups])
    model.set_blocks(done.blocks, [group[0] for group in done.groups])
    return {
        "blocks": [group[0] for group in done.groups],
        "merged": [group for group in done.groups if len(group) > 1],
        "threshold": done.threshold,
        "similarity": done.similarity,
    }


def _check_removal(model: Model, options: DepthOptions) -> None:
    count = len(model.blocks)
    free = count - options.protect_first - options.protect_last
    room = free - 1 if options.merge is not None else free
    assert options.remove is not None
    if options.remove > room:
        raise cannot_apply(
            f"{options.remove} blocks cannot go, only {max(room, 0)} of {count} may",
            f"the first {options.protect_first} and the last {options.protect_last} are protected",
            "Lower remove, protect_first or protect_last of the stage depth",
        )


def _need(shape: Shape, options: DepthOptions, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice while they are read, and the states of one window."""
    parts = {
        "libraries": LIBRARY_BYTES,
        "weights": 2 * shape.weights * weight_bytes,
    }
    if options.needs_calibration and data.calibration is not None:
        tokens = data.calibration.tokens
        kept = shape.layers if options.importance is Importance.TAYLOR else 2
        parts["activations"] = kept * shape.block_activation_bytes(tokens, weight_bytes)
        parts["logits"] = shape.logits_bytes(tokens)
        if options.merge is not None:
            samples = data.calibration.samples or 1
            parts["states"] = samples * tokens * shape.hidden * (weight_bytes + 8)
        elif options.importance is Importance.TAYLOR:
            parts["gradients"] = shape.layers * shape.block_weights * weight_bytes
            parts["products"] = 3 * 2 * FLOAT32_BYTES * shape.hidden * shape.ffn
    return Need(parts)


DEPTH = Stage(
    run=run,
    need=_need,
    roles=lambda options: ("calibration",) if options.needs_calibration else (),
)
