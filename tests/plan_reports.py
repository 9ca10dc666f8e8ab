"""Plans that no model has, for the tests of the report: one that fits, of any size, and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aretusa.plan_results import (
    LayerResult,
    PlacementResult,
    PlanModel,
    PlanOptions,
    PlanReport,
    RegionResult,
    Shortage,
    TierResult,
    TotalsResult,
    WayOut,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.plan_results import Bound

HIDDEN: Final = 256
FFN: Final = 688
VOCABULARY: Final = 4096
CLOCK_HZ: Final = 360_000_000


class Matrix(NamedTuple):
    """A linear layer: [rows x depth]."""

    role: str
    rows: int
    depth: int
    engine: str


MATRICES: Final = (
    Matrix("self_attn.q_proj", HIDDEN, HIDDEN, "neureka-3x3"),
    Matrix("self_attn.k_proj", HIDDEN // 2, HIDDEN, "neureka-3x3"),
    Matrix("self_attn.v_proj", HIDDEN // 2, HIDDEN, "neureka-3x3"),
    Matrix("self_attn.o_proj", HIDDEN, HIDDEN, "neureka-3x3"),
    Matrix("mlp.gate_proj", FFN, HIDDEN, "split"),
    Matrix("mlp.up_proj", FFN, HIDDEN, "neureka-3x3"),
    Matrix("mlp.down_proj", HIDDEN, FFN, "cluster"),
)
ROLLED: Final = (
    "embedding",
    *(f"layer: {name}" for name in ("rmsnorm", "q, k, v", "rope", "cache", "attention", "o_proj")),
    *(f"layer: {name}" for name in ("post norm", "gate, up", "silu_mul", "down_proj", "residual")),
    "final norm",
    "head",
)
INNER: Final = len(ROLLED) - 3  # steps of one layer
# L1 between two barriers: name, kind, offset and size in KiB, first and last step.
L1_BUFFERS: Final = (
    ("tile ring", "ring", 0, 66, 1, 13),
    ("attention scores", "scratch", 66, 36, 5, 5),
    ("linear sums", "scratch", 66, 24, 8, 8),
    ("staged keys", "buffer", 66, 4, 3, 4),
    ("normed", "buffer", 66, 4, 1, 2),
    ("logits", "buffer", 66, 16, 13, 13),
    ("hidden", "buffer", 102, 8, 0, 12),
    ("qkv", "buffer", 110, 16, 2, 5),
    ("attended", "buffer", 126, 8, 5, 6),
    ("normed again", "buffer", 134, 4, 7, 8),
    ("gate", "buffer", 138, 22, 8, 9),
    ("up", "buffer", 160, 22, 8, 9),
    ("activated", "buffer", 110, 6, 9, 10),
)
SIZES: Final = {"l1": 256, "l2": 2048, "sram": 4096, "mram": 4096, "l3": 262144}  # KiB
RESERVED: Final = {"l1": (36, "stacks of the cores"), "l2": (256, "code and data of the program")}


def plan_report(layers: int = 8, *, bits: int = 4, rolled: bool = True) -> PlanReport:
    """A plan that fits; with `rolled=False` each layer has steps of its own."""
    rows = [*_rows(layers, bits)]
    steps = [*ROLLED] if rolled else [*_unrolled(layers)]
    regions = [*_l1(layers, rolled=rolled), *_constants(rows, len(steps))]
    decode = sum(row.decode_cycles for row in rows)
    prefill = sum(row.prefill_cycles for row in rows)
    return PlanReport(
        model=PlanModel(
            name="tiny-orator",
            parameters=sum(row.rows * row.depth for row in rows if row.op == "linear"),
            layers=layers,
            hidden_size=HIDDEN,
            vocabulary=VOCABULARY,
        ),
        target="siracusa",
        options=PlanOptions(
            weights=f"w{bits}, head w8", context=512, chunk=16, prefill_tokens=128, decode_tokens=64
        ),
        fits=True,
        tiers=[*_tiers(regions, steps)],
        steps=steps,
        regions=regions,
        layers=rows,
        placement=PlacementResult(
            objective_cycles=64 * decode + prefill,
            bound_cycles=int(0.987 * (64 * decode + prefill)),
            gap=0.013,
            status="feasible",
            first_fit_cycles=int(1.21 * (64 * decode + prefill)),
        ),
        totals=TotalsResult(
            decode_cycles_per_token=decode,
            decode_tokens_per_second=CLOCK_HZ / decode,
            prefill_cycles=prefill,
            prefill_tokens_per_second=128 * CLOCK_HZ / prefill,
            clock_hz=CLOCK_HZ,
            off_chip_bytes_per_token=sum(row.off_chip_bytes for row in rows),
            macs_per_token=sum(row.macs for row in rows),
            image_bytes={memory: _end(regions, memory) for memory in ("l2", "sram", "mram", "l3")},
        ),
        ways_out=[],
        shortage=None,
        notes=["The size of the tokenizer is estimated from its vocabulary."],
    )


def short_report() -> PlanReport:
    """A plan that lacks room in L2."""
    return plan_report().model_copy(
        update={
            "fits": False,
            "placement": None,
            "totals": None,
            "regions": [],
            "layers": [],
            "shortage": Shortage(
                memory="l2",
                what="cache 'layer 7 keys'",
                need_bytes=300_000,
                free_bytes=120_000,
                short_bytes=180_000,
            ),
            "ways_out": [
                WayOut(
                    what="half the context",
                    option="--context 256",
                    fits=True,
                    decode_cycles_per_token=5_400_000,
                ),
                WayOut(
                    what="4-bit weights",
                    option="--weights w4",
                    fits=False,
                    decode_cycles_per_token=None,
                ),
            ],
        }
    )


def hostile_report(name: str) -> PlanReport:
    """A plan in which every text is `name`."""
    plan = plan_report(2)
    return plan.model_copy(
        update={
            "model": plan.model.model_copy(update={"name": name}),
            "target": name,
            "steps": [name] * len(plan.steps),
            "regions": [r.model_copy(update={"name": name, "kind": name}) for r in plan.regions],
            "layers": [
                row.model_copy(update={"name": name, "op": name, "reason": name, "buffers": name})
                for row in plan.layers
            ],
            "tiers": [
                tier.model_copy(
                    update={"reserved_for": name, "peak_at": name, "bytes_by_kind": {name: 1}}
                )
                for tier in plan.tiers
            ],
            "notes": [name],
        }
    )


def _rows(layers: int, bits: int) -> Iterator[LayerResult]:
    table = Matrix("embed_tokens", VOCABULARY, HIDDEN, "cluster")
    yield _linear(None, table, 8, "l3", op="embedding")
    for layer in range(layers):
        yield _work(layer, "rmsnorm", 2_100)
        for matrix in MATRICES:
            home = "mram" if layer < 5 else "sram" if layer < 13 else "l3"
            yield _linear(layer, matrix, bits, home)
            if matrix.role.endswith("v_proj"):
                yield from (_work(layer, op, cycles) for op, cycles in _attention())
        yield _work(layer, "silu_mul", 5_900)
        yield _work(layer, "residual", 900)
    yield _work(None, "final norm", 2_100)
    yield _linear(None, Matrix("lm_head", VOCABULARY, HIDDEN, "neureka-1x1"), 8, "sram")


def _attention() -> Iterator[tuple[str, int]]:
    yield from (("rope", 3_300), ("cache", 800), ("attention", 30_700))


def _work(layer: int | None, name: str, cycles: int) -> LayerResult:
    return LayerResult(
        layer=layer,
        name=name,
        op=name.rpartition(" ")[2],
        engine="cluster",
        reason="",
        bits=0,
        group=0,
        rows=HIDDEN,
        depth=0,
        weight_bytes=0,
        memory=None,
        paged=False,
        tile_rows=0,
        tiles=0,
        slots=0,
        buffers="L1",
        macs=0,
        weight_port_bytes=0,
        dma_bytes=4096 if name == "attention" else 0,
        off_chip_bytes=0,
        decode_cycles=cycles,
        prefill_cycles=100 * cycles,
        bound="dma" if name == "attention" else "cluster",
        prefill_bound="cluster",
    )


def _linear(
    layer: int | None, matrix: Matrix, bits: int, home: str, *, op: str = "linear"
) -> LayerResult:
    role, rows, depth, engine = matrix
    stored = rows * depth * bits // 8 + 4 * rows
    on_cluster = engine == "cluster"
    paged = home == "l3" and not on_cluster
    macs = rows * depth if op == "linear" else 0
    bound: Bound = "off-chip" if home == "l3" else "cluster" if on_cluster else "engine"
    moved = depth if op == "embedding" else stored
    cycles = moved * 2 if home == "l3" else macs // (11 if on_cluster else 47)
    return LayerResult(
        layer=layer,
        name=role,
        op=op,
        engine=engine,
        reason="asked for" if on_cluster else "fewest cycles for decode",
        bits=bits,
        group=32 if on_cluster else 0,
        rows=rows,
        depth=depth,
        weight_bytes=stored,
        memory=home,
        paged=paged,
        tile_rows=64 if on_cluster or paged else 0,
        tiles=-(-rows // 64) if on_cluster or paged else 0,
        slots=3 if on_cluster or paged else 0,
        buffers="input and output in L1",
        macs=macs,
        weight_port_bytes=0 if on_cluster else stored,
        dma_bytes=moved if on_cluster else 0,
        off_chip_bytes=moved if home == "l3" else 0,
        l1_bytes=96_000,
        decode_cycles=cycles,
        prefill_cycles=20 * cycles,
        bound=bound,
        prefill_bound="cluster" if on_cluster else "engine",
    )


def _unrolled(layers: int) -> Iterator[str]:
    yield ROLLED[0]
    for layer in range(layers):
        yield from (label.replace("layer", f"layer {layer}") for label in ROLLED[1:-2])
    yield from ROLLED[-2:]


def _l1(layers: int, *, rolled: bool) -> Iterator[RegionResult]:
    """What lives inside a layer lives in each; what begins or ends outside lives through all."""
    repeats = 1 if rolled else layers

    def outer(step: int) -> int:
        return step if step <= INNER else step + INNER * (repeats - 1)

    for name, kind, offset, size, first, last in L1_BUFFERS:
        is_inner = first >= 1 and last <= INNER
        for layer in range(repeats if is_inner else 1):
            yield RegionResult(
                name=name if repeats == 1 or not is_inner else f"layer {layer} {name}",
                kind=kind,
                memory="l1",
                offset_bytes=1024 * offset,
                size_bytes=1024 * size,
                first_step=first + INNER * layer if is_inner else outer(first),
                last_step=last + INNER * layer if is_inner else outer(last),
            )


def _constants(rows: Sequence[LayerResult], steps: int) -> Iterator[RegionResult]:
    ends = dict.fromkeys(SIZES, 0)

    def region(name: str, kind: str, memory: str, size_bytes: int) -> RegionResult:
        start = ends[memory]
        ends[memory] = start + -(-size_bytes // 64) * 64
        return RegionResult(
            name=name,
            kind=kind,
            memory=memory,
            offset_bytes=start,
            size_bytes=size_bytes,
            first_step=0,
            last_step=steps - 1,
        )

    for memory in ("l2", "sram", "mram", "l3"):
        yield region("image header", "image header", memory, 192)
    yield region("tokenizer", "tokenizer", "l2", 71_000)
    yield from (region(name, "table", "l2", 32_768) for name in ("rope.cosine", "rope.sine"))
    for row in rows:
        place = "" if row.layer is None else f"layers.{row.layer}."
        if row.memory is not None:
            yield region(f"{place}{row.name}.weight", "weight", row.memory, row.weight_bytes)
        elif row.name in {"rmsnorm", "final norm"}:
            yield region(f"{place}{row.name}.weight", "weight", "l2", 4 * HIDDEN)
        elif row.name == "cache":
            yield from (
                region(f"{place}{what}", "cache", "l2" if (row.layer or 0) < 12 else "l3", 66_000)
                for what in ("keys", "values")
            )
    yield region("workspace", "workspace", "l2", 24_000)


def _end(regions: Sequence[RegionResult], memory: str) -> int:
    return max((r.offset_bytes + r.size_bytes for r in regions if r.memory == memory), default=0)


def _tiers(regions: Sequence[RegionResult], steps: Sequence[str]) -> Iterator[TierResult]:
    for memory, size in SIZES.items():
        inside = [region for region in regions if region.memory == memory]
        kinds: dict[str, int] = {}
        for region in inside:
            kinds[region.kind] = kinds.get(region.kind, 0) + region.size_bytes
        alive = [
            sum(r.size_bytes for r in inside if r.first_step <= step <= r.last_step)
            for step in range(len(steps))
        ]
        reserved, reserved_for = RESERVED.get(memory, (0, ""))
        yield TierResult(
            memory=memory,
            size_bytes=1024 * size,
            reserved_bytes=1024 * reserved,
            reserved_for=reserved_for,
            capacity_bytes=1024 * (size - reserved),
            used_bytes=_end(regions, memory),
            peak_bytes=max(alive),
            peak_at=steps[alive.index(max(alive))],
            bytes_by_kind=kinds,
        )
