"""The stage svd: matrices become products of two thin ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aretusa_compress.model.anatomy import ANATOMIES
from aretusa_compress.model.guard import CONFIG, weight_files
from aretusa_compress.model.load import load_model
from aretusa_compress.run.context import Report, Stage, StageContext
from aretusa_compress.run.fingerprint import file_digests, fingerprint, library_versions
from aretusa_compress.run.memory import FLOAT32_BYTES, LIBRARY_BYTES, Need, Shape
from aretusa_compress.run.state import StageState
from aretusa_compress.svd.choose import choose_ranks
from aretusa_compress.svd.decompositions import Decomposer, chosen_places
from aretusa_compress.svd.gradients import output_gradients
from aretusa_compress.svd.options import Method
from aretusa_compress.svd.spectra import ENERGIES, effective_rank, lost_share, rank_for_energy
from aretusa_compress.svd.store import put_factors, save_with_codes, truncated

if TYPE_CHECKING:
    from torch import Tensor

    from aretusa_compress.model.loaded import Model
    from aretusa_compress.svd.decompositions import Parts, Place
    from aretusa_compress.svd.options import Ranks, SvdOptions
    from aretusa_compress.svd.store import PairOfCodes
    from aretusa_compress.texts.options import DataOptions

_FLOAT64_BYTES = 8


def run(context: StageContext, options: SvdOptions) -> Report:
    """Write the model with factors; report rank, error and spectrum of each matrix."""
    model = load_model(context.source, dtype=context.dtype, device=context.device)
    windows = None
    if options.needs_calibration:
        windows = context.texts.windows("calibration", context.source)
    found = decomposed_model(context, model, options, windows, options.bits)
    parts, ranks = found.parts, choose_ranks(options, found.parts, found.gradients)
    codes: dict[str, PairOfCodes] = {}
    for place in found.places:
        rank = ranks[place.short]
        if rank is None:
            continue
        factors, pair = truncated(parts[place.short], rank, options)
        if pair is not None:
            codes[place.name] = pair
        put_factors(model, place, factors)
    save_with_codes(model, context.source, context.output, codes)
    return {"matrices": described(parts, ranks), **totals(parts, ranks)}


@dataclass(frozen=True, slots=True)
class Decomposed:
    """The chosen matrices and what ranks are chosen by; `gradients` if the loss weighs."""

    places: list[Place]
    parts: dict[str, Parts]  # by short name
    gradients: dict[str, float] | None


def decomposed_model(
    context: StageContext,
    model: Model,
    options: Ranks,
    windows: Tensor | None,
    bits: int | None = None,
) -> Decomposed:
    """Components of the chosen matrices; `windows` are calibration text."""
    places = chosen_places(model, options)
    state = _state(context, model, options, windows, bits)
    gradients = None
    if options.needs_gradients:
        gradients = state.read_json("gradients")
        if gradients is None:
            assert windows is not None
            gradients = output_gradients(model, places, windows, context.progress)
            state.write_json("gradients", gradients)
    decomposer = Decomposer(
        model=model,
        places=places,
        method=options.method,
        windows=windows,
        state=state,
        progress=context.progress,
        bits=bits,
    )
    return Decomposed(places, decomposer.parts(), gradients)


def _state(
    context: StageContext, model: Model, options: Ranks, windows: Tensor | None, bits: int | None
) -> StageState:
    """Where components and gradients are kept: with other runs, if there are any, or for a kill."""
    if context.shared is None:
        return context.state
    files = [path.name for path in weight_files(context.source)]
    key = fingerprint(
        {
            "weights": file_digests(context.source, [CONFIG, *files]),
            "held": str(next(model.network.parameters()).dtype),
            "device": context.device.type,
            "windows": None if windows is None else windows.tolist(),
            "method": options.method,
            "matrices": [options.matrices, options.dense],
            "needs_gradients": options.needs_gradients,
            "bits": bits,
            "libraries": library_versions(),
        }
    )
    return StageState(context.shared / key, key)


def described(parts: dict[str, Parts], ranks: dict[str, int | None]) -> dict[str, Any]:
    """Of each matrix: rank (none: it stays), share of the outputs' energy that is lost, spectrum.

    `effective_rank` is that of the weights, `needed` how many components hold a share of the energy
    of the outputs: as the loss weighs it if the method is kfac, of the weights if it is plain.
    """
    return {
        name: {
            "rank": ranks[name],
            "full_rank": len(one.values),
            "lost": lost_share(one.values, ranks[name]),
            "effective_rank": effective_rank(one.weights),
            "effective_rank_of_outputs": effective_rank(one.values),
            "needed": {str(share): rank_for_energy(one.values, share) for share in ENERGIES},
        }
        for name, one in parts.items()
    }


def totals(parts: dict[str, Parts], ranks: dict[str, int | None]) -> dict[str, int]:
    """Parameters of the chosen matrices before and after."""
    after = 0
    for name, one in parts.items():
        rank = ranks[name]
        after += one.size.parameters if rank is None else one.size.factored(rank)
    return {
        "parameters_before": sum(one.size.parameters for one in parts.values()),
        "parameters_after": after,
    }


def need_for(shape: Shape, options: Ranks, data: DataOptions, weight_bytes: int) -> Need:
    """The weights twice while they are read, all components, the stream, the widest moments."""
    parts = {
        "libraries": LIBRARY_BYTES,
        "weights": 2 * shape.weights * weight_bytes,
        "components": 2 * shape.layers * shape.block_weights * FLOAT32_BYTES,
        "matrix": 6 * shape.ffn * shape.hidden * _FLOAT64_BYTES,
    }
    if options.needs_calibration and data.calibration is not None:
        tokens, samples = data.calibration.tokens, data.calibration.samples or 1
        is_kfac = options.method is Method.KFAC
        kept = shape.layers if is_kfac or options.needs_gradients else 2
        parts["moments"] = 4 * max(shape.ffn, shape.hidden) ** 2 * _FLOAT64_BYTES
        if is_kfac:  # of the outputs of all matrices at once
            squares = 2 * shape.ffn**2 + 5 * shape.hidden**2
            parts["gradients"] = shape.layers * squares * FLOAT32_BYTES
        parts["stream"] = 2 * samples * tokens * shape.hidden * weight_bytes
        parts["activations"] = kept * shape.block_activation_bytes(tokens, weight_bytes)
        parts["logits"] = 2 * shape.logits_bytes(tokens)
    return Need(parts)


def calibrated(options: Ranks) -> tuple[str, ...]:
    """The texts that a truncation needs."""
    return ("calibration",) if options.needs_calibration else ()


SVD: Stage[Any] = Stage(run=run, need=need_for, roles=calibrated, families=tuple(ANATOMIES))
