"""A linear layer as events: art_linear_planned, engine and cluster beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aretusa.memory.working_set import PAGES_RING, TILES_RING
from aretusa.neureka.registers import Mode
from aretusa.schedule.streams import StreamError, cuts
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
        for row, rows, until in cuts(stream.tiles(self.matrix, numbers)):
            if row and is_single:
                self.recorder.barrier()
                stream.release()
            slot = stream.take()
            self.recorder.barrier()
            if row and not is_single:
                stream.release()
            self._touch(source, slot, (row, rows, until))
        self.recorder.barrier()
        stream.release()

    def _touch(self, source: Access, slot: int, cut: tuple[int, int, int]) -> None:
        row, rows, until = cut
        first = self.matrix.engine.rows if self.matrix.engine else 0
        residual, out = self.results((0, self.tokens), (first + row, first + until))
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
    """N-EUREKA's part: runtime/src/linear/linear_planned.c, one_token.c, unit_*.c."""

    def __init__(self, call: Call, op: ops.Linear, truth: ops.Linear, engine: EngineRows) -> None:
        super().__init__(call, op, truth)
        self.engine = engine
        self.region = self.matrix.engine_region
        self.is_paged = self.recorder.regions[self.region].memory is MemoryId.L3
        self.plan = UnitPlan(
            engine=engine,
            numbers=call.numbers,
            tokens=self.tokens,
            is_paged=self.is_paged,
            period=call.machine.pages.period,
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
            is_arranged = following is not None and self.plan.is_arranged(following.tokens)
            if following is not None:
                self.arrange(following)
            if unit.number > 0 or is_arranged:
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
        if not plan.is_arranged(unit.tokens) or plan.keeps_inputs(unit):
            return
        codes = self._codes(unit, unit.token, unit.tokens)
        depth = self.engine.lengths[unit.group]
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
            inputs = self._codes(unit, unit.token, unit.tokens)
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
            return self._codes(unit, unit.token + first, tokens)
        depth = self.engine.depth
        at = self.plan.inputs_at(unit) + first * depth
        content = f"{self.call.name} {_inputs_name(unit)}"
        return self.recorder.access(self.call.scratch, at, tokens * depth, content, first * depth)

    def _submit(
        self, unit: Unit, inputs: Access, pixels: tuple[int, int], first_pixel: int
    ) -> None:
        engine, length = self.engine, self.engine.lengths[unit.group]
        at, size = engine.codes_at(unit.row, unit.group), unit.rows * engine.group_bytes(length)
        if self.is_paged:
            place = self.pages[unit.page] + at - unit.page * engine.row_bytes
            weights = self.recorder.access(PAGES_RING, place, size, self.region, at)
        else:
            weights = self.recorder.access(self.region, at, size, self.region, at)
        size, at = 4 * unit.rows * pixels[0] * pixels[1], 4 * unit.rows * first_pixel
        content = f"{self.call.name} sums {unit.number}"
        outputs = self.recorder.access(
            self.call.scratch, self.plan.sums_at(unit) + at, size, content, at
        )
        self.jobs[unit.number] = self.recorder.job(
            Mode.DENSE_1X1 if engine.is_1x1 else Mode.DENSE_3X3,
            engine.bits,
            (engine.channels(length), unit.rows),
            pixels,
            weights=weights,
            inputs=inputs,
            outputs=outputs,
        )

    def _finish(self, unit: Unit) -> None:
        """Results of a unit's sums, with groups behind the last one: till then, totals."""
        size = 4 * unit.rows * self.plan.pixels(unit.tokens)
        sums = self.call.kept(f"sums {unit.number}", self.plan.sums_at(unit), size)
        reads, writes, phase = [sums, *self._channels(unit)], [], "linear finish"
        if self.engine.group:
            phase = "linear group"
            totals = [self._totals(unit, group) for group in (unit.group - 1, unit.group)]
            reads, writes = reads + totals[: unit.group > 0], totals[1:]
        if unit.group + 1 == len(self.engine.lengths):
            phase = "linear last group" if self.engine.group else phase
            residual, out = self.results(
                (unit.token, unit.token + unit.tokens), (unit.row, self.plan.next_row(unit))
            )
            at, size = self.source.scales_offset + 4 * unit.token, 4 * unit.tokens
            content = self.call.content(self.truth.src)
            scales = self.recorder.access(self.op.src.name, at, size, content, at)
            reads, writes = [*reads, scales, *residual], [*writes, *out]
        length = self.engine.lengths[unit.group]
        self.recorder.touch(phase, reads, writes, unit.tokens, unit.rows, length)

    def _totals(self, unit: Unit, group: int) -> Access:
        """The terms up to a group, added up."""
        content = f"totals {unit.row} {unit.token} {group}"
        return self.call.kept(content, self.plan.totals_at, 4 * unit.rows * unit.tokens)

    def _channels(self, unit: Unit) -> list[Access]:
        """Scale, bias and so on of a unit's rows: in the page, or where they lie."""
        engine = self.engine
        paged = min(self.plan.page_rows, engine.rows - unit.page)
        content_at, at = engine.channels_offset(engine.rows), engine.channels_offset(paged)
        found: list[Access] = []
        for whole, page, *part in zip(
            *map(engine.array_bytes, (engine.rows, paged, unit.row, unit.page, unit.rows)),
            strict=True,
        ):
            row, first, size = part
            region, place = self.region, content_at + row
            if self.is_paged:
                region, place = PAGES_RING, self.pages[unit.page] + at + row - first
            found.append(self.recorder.access(region, place, size, self.region, content_at + row))
            content_at, at = content_at + whole, at + page
        return found

    def _codes(self, unit: Unit, token: int, tokens: int) -> Access:
        """Codes of some tokens of the source, of the unit's group."""
        depth, length = self.engine.depth, self.engine.lengths[unit.group]
        at = token * depth + unit.group * self.engine.group
        name, content = self.op.src.name, self.call.content(self.truth.src)
        if length == depth:
            return self.recorder.access(name, at, tokens * depth, content, at)
        return self.recorder.access(
            name, at, length, content, at, count=tokens, stride=depth, step=depth
        )

    def _inputs(self, unit: Unit) -> Access:
        """A unit's arranged inputs."""
        size = self.plan.input_bytes(unit.tokens)
        return self.call.kept(_inputs_name(unit), self.plan.inputs_at(unit), size)


def _inputs_name(unit: Unit) -> str:
    return f"inputs {unit.token} {unit.group}"
