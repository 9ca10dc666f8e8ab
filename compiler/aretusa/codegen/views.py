"""What the templates may read: plain strings and numbers, decided earlier."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """A named place in a memory."""

    name: str
    memory: str
    offset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixView:
    """One row of a matrix table."""

    memory: str
    form: str
    zero: int
    parts: str
    group: int
    kept: int
    columns: int
    rows: int
    depth: int
    offset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """One row of a table of matrices that run on N-EUREKA."""

    mode: str
    bits: int
    flags: str
    memory: str
    group: int
    band_rows: int
    rows: int
    depth: int
    offset: str
    channels: str
    prepared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineJobView:
    """Registers that the compiler has computed, but for the addresses."""

    rows: int
    registers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTableView:
    """A table of such matrices that play one role, one row per layer of a kind."""

    name: str
    rows: tuple[EngineView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixTableView:
    """A table of matrices that play one role, one row per layer of a kind."""

    name: str
    rows: tuple[MatrixView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTableView:
    """A table of vectors or caches that play one role."""

    name: str
    rows: tuple[PlaceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One kernel call in its own function.

    `kernel` selects the template's branch. Pointers are C expressions made by codegen/calls.py.
    Forms are those of caches whose codes have not eight bits.
    """

    function: str
    comment: str
    kernel: str
    profile_row: int
    tokens: str
    depth: int = 0
    heads: int = 0
    kv_heads: int = 0
    dim: int = 0
    eps: str = "0.0f"
    inverse_sqrt_dim: str = "0.0f"
    src: str = ""
    second: str = ""
    out: str = ""
    scratch: str = ""
    table: str = ""
    weight: str = "NULL"
    residual: str = "NULL"
    rope: bool = False
    form: str = ""
    keys: str = ""
    key_form: str = ""
    values: str = ""
    value_form: str = ""
    tile_positions: int = 0
    scores_bytes: int = 0
    engine: str = "NULL"
    matrix: str = "NULL"
    rows: int = 0
    tile_rows: int = 0
    slice_rows: int = 0
    block_rows: int = 0
    sums_bytes: int = 0
    input_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyView:
    """A function that runs epochs of calls with a barrier after each."""

    function: str
    comment: str
    epochs: tuple[tuple[CallView, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOrderView:
    """Which kind, and which row of its tables, runs as layer 0, 1, ..."""

    kind: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadView:
    """One role that is streamed: a table of matrices, or one of rows on N-EUREKA."""

    matrices: str
    engines: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadListView:
    """What one kind of layer streams, in order."""

    name: str
    loads: tuple[LoadView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A ring and what passes through it in the layers and in the head."""

    stream: str
    ring: str
    memory: str
    slots: int
    slot_bytes: int
    offset: str
    layer_plan: str
    layer_lists: tuple[LoadListView, ...]
    head_plan: str
    head_list: LoadListView


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """Everything that network.c.j2 reads."""

    tool: str
    scheme: str
    model_hash: str
    vocabulary: int
    context: int
    chunk_max: int
    layers: int
    hidden_size: int
    buffers: tuple[PlaceView, ...]
    places: tuple[PlaceView, ...]
    matrices: tuple[MatrixTableView, ...]
    engines: tuple[EngineTableView, ...]
    jobs: tuple[EngineJobView, ...]
    vectors: tuple[PlaceTableView, ...]
    caches: tuple[PlaceTableView, ...]
    embed: BodyView
    kinds: tuple[BodyView, ...]
    order: tuple[LayerOrderView, ...]
    streams: tuple[StreamView, ...]
    head: BodyView
    logits: str
    images: tuple[PlaceView, ...]
    tokenizer: PlaceView
    tokenizer_bytes: int
    workspace: PlaceView
    workspace_bytes: int
    stop_tokens: tuple[int, ...]
    sram_weights_offset: str
    profile_rows: int
