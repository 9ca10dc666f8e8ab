"""tidy_library_output(): the same bytes for the same work, and nothing of the machine in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aretusa_compress.model.guard import CONFIG, read_json
from aretusa_compress.model.load import OWN_KEY
from aretusa_compress.model.save import write_json

if TYPE_CHECKING:
    from pathlib import Path

_QUANTISATION: Final = "quantize_config.json"
_LOG: Final = "quant_log.csv"  # times of this run beside the losses
# What is needed to read the words, and who wrote them.
_KEPT: Final = (
    "bits",
    "group_size",
    "sym",
    "desc_act",
    "lm_head",
    "method",
    "quant_method",
    "format",
    "checkpoint_format",
    "pack_dtype",
)


def tidy_library_output(source: Path, output: Path) -> None:
    """Take paths, times and settings of the library out of its configuration, keep our own key."""
    (output / _LOG).unlink(missing_ok=True)
    config = read_json(output / CONFIG)
    quantisation = _plain(config["quantization_config"])
    own = read_json(source / CONFIG).get(OWN_KEY)
    if own is not None:
        config[OWN_KEY] = own
    write_json(output / CONFIG, {**config, "quantization_config": quantisation})
    write_json(output / _QUANTISATION, quantisation)


def _plain(quantisation: dict[str, Any]) -> dict[str, Any]:
    meta = quantisation.get("meta") or {}
    kept: dict[str, Any] = {key: quantisation[key] for key in _KEPT if key in quantisation}
    return {**kept, "meta": {"quantizer": meta.get("quantizer", [])}}
