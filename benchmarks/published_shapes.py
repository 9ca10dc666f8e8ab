"""What the published configurations of Llama 3.2 1B cost on the chip, from their shapes alone.

`python benchmarks/published_shapes.py [JSON] [MARKDOWN]` plans every configuration of the published
tables, simulates one token of decode at position 64, and writes both files. Rows that JSON holds
for this version are kept, so that it goes on where it was stopped. Weights that the configuration
leaves real are stored at 8 bits where they fit, at 4 where not.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markdown_text import paragraph, table
from subjects import ROOT

from aretusa.errors import CapacityError
from aretusa.options import CompileOptions
from aretusa.planning import weights_text
from aretusa.shapes import open_shapes
from aretusa.trace.listing import listing
from aretusa.verbs.plan import PlanRequest, plan_shapes
from aretusa.version import TOOL
from aretusa_compress.recipe.matrices import MATRICES
from aretusa_compress.recipe.presets import PRESETS
from aretusa_sim.results import ModelSummary
from aretusa_sim.summarise import Tokens, summarise
from aretusa_sim.timing import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aretusa_compress.recipe.presets import Preset
    from aretusa_sim.results import SimulationResult

CONFIG: Final = ROOT / "examples/configs/llama-3.2-1b.json"
FAMILY: Final = "llama-3.2-1b/"
TARGET: Final = "siracusa-1gib"
POSITION: Final = 64  # of the simulated token
CHUNK: Final = 16  # of prefill, which the table does not show: one, so that plans take seconds
EORA_RANK: Final = 32  # this project's default; the published rank is not stated
BITS_TRIED: Final = (8, 4)
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """Removed blocks, N:M of the matrices ('' for none), and what came after training."""

    depth: int
    pattern: str
    after: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the table shows it."""
        parts = [f"depth {self.depth}"] if self.depth else []
        parts += [f"width {self.pattern}"] if self.pattern else []
        return " + ".join([*parts, *(name.upper() for name in self.after)]) or "the model itself"


def published_shapes() -> list[Shape]:
    """Every configuration once; training changes no shape."""
    presets: Iterable[Preset] = (PRESETS[name] for name in PRESETS if name.startswith(FAMILY))
    return list(dict.fromkeys(Shape(one.depth, one.pattern, one.after) for one in presets))


def config_of(shape: Shape) -> dict[str, Any]:
    """config.json of a checkpoint of this shape."""
    config: dict[str, Any] = json.loads(CONFIG.read_text("utf-8"))
    config["num_hidden_layers"] -= shape.depth
    names = [
        f"model.layers.{layer}.{matrix}"
        for layer in range(config["num_hidden_layers"])
        for matrix in MATRICES
    ]
    own: dict[str, Any] = {"version": 1}
    if shape.pattern:
        own["sparsity"] = dict.fromkeys(names, shape.pattern)
    if "eora" in shape.after:
        own["adapters"] = dict.fromkeys(names, EORA_RANK)
    if "gptq" in shape.after:
        config["quantization_config"] = {
            "quant_method": "gptq",
            "bits": 4,
            "group_size": 128,
            "sym": True,
            "desc_act": False,
            "checkpoint_format": "gptq",
        }
    return config | {"aretusa": own}


def measured(shape: Shape) -> dict[str, Any]:
    """Bytes in each memory, time and energy of a token, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config_of(shape)), "utf-8")
        for bits in BITS_TRIED:
            options = CompileOptions(bits=bits, chunk=CHUNK, target=TARGET)
            try:
                return _row(shape, *_simulated(path, options), bits)
            except CapacityError as problem:
                reason = problem.line()
    return {"tool": TOOL, "name": shape.name, "note": reason}


def _simulated(path: Path, options: CompileOptions) -> tuple[SimulationResult, int]:
    """One token of decode, and the parameters of the model."""
    shapes = open_shapes(path)
    plan = plan_shapes(shapes, PlanRequest(options=options, prefill_tokens=POSITION))
    listed = listing(plan)
    step = Simulator(listed, has_contention=True, has_intervals=False).step(
        1, POSITION, has_head=True
    )
    summary = ModelSummary(
        name=shapes.name,
        target=listed.target.name,
        weights=weights_text(options),
        context=plan.graph.context,
        chunk=plan.working.chunk,
        has_contention=True,
    )
    return summarise(listed, summary, [], [step], Tokens()), shapes.parameters


def _row(shape: Shape, result: SimulationResult, parameters: int, bits: int) -> dict[str, Any]:
    decode = result.phase("decode")
    assert decode is not None
    energy = decode.energy_per_token
    assert energy is not None
    return {
        "tool": TOOL,
        "name": shape.name,
        "parameters": parameters,
        "bits": bits,
        "memory_bytes": {
            memory.memory: max(memory.alive_bytes, default=0) for memory in result.occupancy
        },
        "tokens_per_second": decode.tokens_per_second,
        "uj": [energy.nominal_uj, energy.low_uj, energy.high_uj],
        "note": "",
    }


def text_of(rows: list[dict[str, Any]], total: int) -> str:
    """The table, with what is missing said above it."""
    memories = list(dict.fromkeys(name for row in rows for name in row.get("memory_bytes", {})))
    head = ["configuration", "parameters", "real weights", *(f"{m.upper()} MiB" for m in memories)]
    cells = []
    for row in rows:
        if row["note"]:
            cells.append([row["name"], "", "fit at no width", *("" for _ in memories), "", ""])
            continue
        uj = [f"{value / 1e3:,.0f}" for value in row["uj"]]
        cells.append(
            [
                row["name"],
                f"{row['parameters'] / 1e6:,.0f} M",
                f"{row['bits']} bits",
                *(f"{row['memory_bytes'][memory] / MIB:,.1f}" for memory in memories),
                f"{row['tokens_per_second']:.4f}",
                f"{uj[0]} ({uj[1]} to {uj[2]})",
            ]
        )
    said = (
        f"{len(rows)} of {total} configurations, target {TARGET}, one scale per row for real "
        f"weights, context 512, one token at position {POSITION}; made by "
        "`python benchmarks/published_shapes.py`."
    )
    lines = ["# Published configurations of Llama 3.2 1B on the chip", "", *paragraph(said)]
    return "\n".join([*lines, *table([*head, "tokens/s", "mJ/token"], cells)])


def main(data: Path, text: Path) -> None:
    """Measure what the data do not hold yet."""
    known = json.loads(data.read_text("utf-8")) if data.is_file() else []
    rows = {row["name"]: row for row in known if row["tool"] == TOOL}
    shapes = published_shapes()
    for shape in shapes:
        if shape.name in rows:
            continue
        rows[shape.name] = measured(shape)
        done = [rows[one.name] for one in shapes if one.name in rows]
        data.write_text(json.dumps(done, indent=1) + "\n", "utf-8")
        text.write_text(text_of(done, len(shapes)), "utf-8")
        sys.stderr.write(f"{len(done)} of {len(shapes)}: {shape.name}\n")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/published-shapes.json"),
        Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "docs/published-shapes.md"),
    )
