"""A linear layer as events: art_linear_planned, engine and cluster beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.neureka.registers import Mode
from aretusa.schedule.streams import StreamError
from aretusa.target.description import MemoryId
from aretusa.trace.layouts import packed
from aretusa.trace.units import UnitPlan

if TYPE_CHECKING:
    from aretusa.ir import ops
    from aretusa.trace.call import Call
    from aretusa.trace.event import Access
    from aretusa.trace.layouts import EngineRows
    from aretusa.trace.units import Unit

PIXEL_COLS = 6  # of an image of tokens in 1x1 mode


def linear_events(call: Call, op: ops.Linear, truth: ops.Linear) -> None:
    """All events of one call."""
    machine = call.machine
    matrix = machine.matrices[call.part.weight(op.weight, call.table_row)]
    wanted = machine.matrices[truth.weight]
    tiles = _Tiles(call, op, truth)
    if matrix.engine is None:
        tiles.run()
        return
    engine = _Engine(call, op, truth, matrix.engine)
    first = engine.plan.first()
    if engine.plan.unit_rows == 0:
        raise StreamError(f"no unit of {matrix.name} fits its sums")
    if engine.plan.input_bytes(engine.plan.group_tokens) > call.numbers.input_bytes:
        raise StreamError(f"the inputs of {matrix.name} do not fit their buffer")
    engine.arrange(first)
    if engine.plan.is_arranged(first.tokens):
        machine.recorder.barrier()
    engine.queue(first)
    if wanted.rest_rows:
        tiles.run()
    engine.run(first)


class _Linear:
    """What both parts share: reading the source and residuals, writing results."""

    def __init__(self, call: Call, op: ops.Linear, truth: ops.Linear) -> None:
        self.call, self.op, self.truth = call, op, truth
        self.recorder = call.machine.recorder
        self.matrix = call.machine.matrices[truth.weight]
        self.tokens = call.tokens(op.src)

    def results(
        self, tokens: tuple[int, int], rows: tuple[int, int]
    ) -> tuple[list[Access], list[Access]]:
        """Residuals read and results written, of rows of the whole layer."""
        op, truth = self.op, self.truth
        read: list[Access] = []
        if op.residual is not None and truth.residual is not None:
            read = [self.call.columns(op.residual, truth.residual, tokens, rows)]
        return read, [self.call.columns(op.out, truth.out, tokens, rows)]


class _Tiles(_Linear):
    """The cluster's part: runtime/src/linear/tiles.c."""

    def run(self) -> None:
        """Tile after tile."""
        stream, numbers = self.call.machine.tiles, self.call.numbers
        if not numbers.tile_rows:
            raise StreamError(f"no row of {self.matrix.name} fits a tile")
        source = self.call.whole(self.op.src, self.truth.src)
        is_single = stream.ring.slots == 1
        for row in range(0, self.matrix.rest_rows, numbers.tile_rows):
            if row and is_single:
                self.recorder.barrier()
                stream.release()
            slot = stream.take()
            self.recorder.barrier()
            if row and not is_single:
                stream.release()
            rows = min(numbers.tile_rows, self.matrix.rest_rows - row)
            self._touch(source, slot, row, rows)
        self.recorder.barrier()
        stream.release()

    def _touch(self, source: Access, slot: int, row: int, rows: int) -> None:
        first = (self.matrix.engine.rows if self.matrix.engine else 0) + row
        residual, out = self.results((0, self.tokens), (first, first + rows))
        reads = [source, *self._tile(slot, row, rows), *residual]
        self.recorder.touch("linear tile", reads, out, self.tokens, rows, self.matrix.type.depth)

    def _tile(self, slot: int, row: int, rows: int) -> list[Access]:
        """The parts of a tile in its slot."""
        matrix = self.matrix
        layouts = [
            packed(matrix.type, count, has_bias=matrix.has_bias).parts
            for count in (matrix.rest_rows, row, rows)
        ]
        return [
            self.recorder.access(
                TILES_RING,
                slot + tile.offset_bytes,
                tile.size_bytes,
                matrix.name,
                whole.offset_bytes + before.size_bytes,
            )
            for whole, before, tile in zip(*layouts, strict=True)
            if tile.size_bytes
        ]


class _Engine(_Linear):
    """N-EUREKA's part: runtime/src/linear/linear_planned.c, unit_inputs.c and unit_jobs.c."""

    def __init__(self, call: Call, op: ops.Linear, truth: ops.Linear, engine: EngineRows) -> None:
        super().__init__(call, op, truth)
        self.engine = engine
        self.region = self.matrix.engine_region
        self.is_paged = self.recorder.regions[self.region].memory is MemoryId.L3
        self.plan = UnitPlan(
            engine=engine, numbers=call.numbers, tokens=self.tokens, is_paged=self.is_paged
        )
        self.source = call.rows8(op.src)
        self.pages: dict[int, int] = {}  # first row of a page -> its slot
        self.jobs: dict[int, int] = {}  # unit -> its last job
        self.queued = 0

    def run(self, unit: Unit) -> None:
        """The units; the first one is queued."""
        following: Unit | None = unit
        while following is not None:
            unit, following = following, self.plan.after(following)
            if following is not None:
                self.arrange(following)
            self.recorder.barrier()
            self._run_unit(unit, following)
            self.recorder.barrier()
            self._finish(unit)
        if self.is_paged:
            self.recorder.barrier()
            self.call.machine.pages.release()

    def _run_unit(self, unit: Unit, following: Unit | None) -> None:
        pages = self.call.machine.pages
        if unit.number > 0 and self.plan.starts_page(unit):
            pages.release()
        if self.queued == unit.number:
            self.queue(unit)
        if following is not None and (not self.plan.starts_page(following) or pages.ring.slots > 1):
            self.queue(following)
        self.recorder.wait_job(self.jobs[unit.number])

    def arrange(self, unit: Unit) -> None:
        """Put a unit's inputs into their buffer, unless they are there."""
        plan = self.plan
        if not plan.is_arranged(unit.tokens):
            return
        if unit.number >= 2 and self.tokens <= 2 * plan.group_tokens:
            return
        codes = self._codes(unit.token, unit.tokens)
        depth = self.engine.depth
        self.recorder.touch("linear inputs", [codes], [self._inputs(unit)], unit.tokens, 1, depth)

    def queue(self, unit: Unit) -> None:
        """Give a unit's jobs; wait for its page first."""
        if self.plan.starts_page(unit):
            self.pages[unit.page] = self.call.machine.pages.take()
        if self.engine.is_1x1:
            self._submit_1x1(unit)
        else:
            self._submit_3x3(unit)
        self.queued += 1

    def _submit_3x3(self, unit: Unit) -> None:
        pixels = {1: (1, 1), 2: (1, 4)}.get(unit.tokens, (4, 4))
        if self.plan.is_arranged(unit.tokens):
            inputs = self._inputs(unit)
        else:
            inputs = self._codes(unit.token, unit.tokens)
        self._submit(unit, inputs, pixels, 0)

    def _submit_1x1(self, unit: Unit) -> None:
        """Full rows of six tokens, then a row of the rest."""
        rest = unit.tokens % PIXEL_COLS
        full = unit.tokens - rest
        if full:
            inputs = self._inputs_1x1(unit, 0, full)
            self._submit(unit, inputs, (full // PIXEL_COLS, PIXEL_COLS), 0)
        if rest:
            self._submit(unit, self._inputs_1x1(unit, full, rest), (1, rest), full)

    def _inputs_1x1(self, unit: Unit, first: int, tokens: int) -> Access:
        if not self.plan.is_arranged(unit.tokens):
            return self._codes(unit.token + first, tokens)
        depth = self.engine.depth
        at = self.plan.inputs_at(unit) + first * depth
        content = f"{self.call.name} inputs {unit.token}"
        return self.recorder.access(self.call.scratch, at, tokens * depth, content, first * depth)

    def _submit(
        self, unit: Unit, inputs: Access, pixels: tuple[int, int], first_pixel: int
    ) -> None:
        engine, row_bytes = self.engine, self.engine.row_bytes
        if self.is_paged:
            at = self.pages[unit.page] + (unit.row - unit.page) * row_bytes
            weights = self.recorder.access(
                PAGES_RING, at, unit.rows * row_bytes, self.region, unit.row * row_bytes
            )
        else:
            at, size = unit.row * row_bytes, unit.rows * row_bytes
            weights = self.recorder.access(self.region, at, size, self.region, at)
        size, at = 4 * unit.rows * pixels[0] * pixels[1], 4 * unit.rows * first_pixel
        content = f"{self.call.name} sums {unit.number}"
        outputs = self.recorder.access(
            self.call.scratch, self.plan.sums_at(unit) + at, size, content, at
        )
        self.jobs[unit.number] = self.recorder.job(
            Mode.DENSE_1X1 if engine.is_1x1 else Mode.DENSE_3X3,
            engine.bits,
            (engine.channels, unit.rows),
            pixels,
            weights=weights,
            inputs=inputs,
            outputs=outputs,
        )

    def _finish(self, unit: Unit) -> None:
        pixels = self.plan.pixels(unit.tokens)
        sums = self.call.kept(
            f"sums {unit.number}", self.plan.sums_at(unit), 4 * unit.rows * pixels
        )
        tokens = (unit.token, unit.token + unit.tokens)
        residual, out = self.results(tokens, (unit.row, unit.row + unit.rows))
        scales_at = self.source.scales_offset + 4 * unit.token
        scales = self.recorder.access(
            self.op.src.name,
            scales_at,
            4 * unit.tokens,
            self.call.content(self.truth.src),
            scales_at,
        )
        reads = [sums, scales, *self._channels(unit), *residual]
        self.recorder.touch("linear finish", reads, out, unit.tokens, unit.rows, self.engine.depth)

    def _channels(self, unit: Unit) -> list[Access]:
        """Scale, bias and correction of a unit's rows: in the page, or where they lie."""
        engine = self.engine
        start, whole = engine.channels_offset(engine.rows), engine.rows
        found: list[Access] = []
        for array in range(engine.arrays):
            content_at = start + 4 * (array * whole + unit.row)
            region, at = self.region, content_at
            if self.is_paged:
                rows = min(self.plan.page_rows, whole - unit.page)
                region = PAGES_RING
                at = self.pages[unit.page] + engine.channels_offset(rows)
                at += 4 * (array * rows + unit.row - unit.page)
            found.append(self.recorder.access(region, at, 4 * unit.rows, self.region, content_at))
        return found

    def _codes(self, token: int, tokens: int) -> Access:
        """Codes of some tokens of the source."""
        at, size = token * self.engine.depth, tokens * self.engine.depth
        return self.recorder.access(
            self.op.src.name, at, size, self.call.content(self.truth.src), at
        )

    def _inputs(self, unit: Unit) -> Access:
        """A unit's arranged inputs."""
        size = self.plan.input_bytes(unit.tokens)
        return self.call.kept(f"inputs {unit.token}", self.plan.inputs_at(unit), size)
