"""Call: one call of a kernel, with the values it works on and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aretusa.ir import ops
from aretusa.ir.types import DType
from aretusa.trace.layouts import Rows8, value_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aretusa.ir.ops import Op
    from aretusa.ir.types import Value
    from aretusa.trace.event import Access
    from aretusa.trace.listing import LinearNumbers, Listing, Matrix, Part
    from aretusa.trace.recorder import Recorder
    from aretusa.trace.streams import PageStream, TileStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What lasts from call to call."""

    listing: Listing
    matrices: Mapping[str, Matrix]
    recorder: Recorder
    tiles: TileStream
    pages: PageStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of the network. `row` of the hidden states is what the head works on."""

    name: str
    tokens: int
    position: int
    row: int = 0
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`op` names buffers and roles as the program does, `truth` values and weights as the graph.

    `views` are values that are a row of another: its name and the row.
    """

    machine: Machine
    step: Step
    part: Part
    table_row: int
    index: int
    op: Op
    truth: Op
    views: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the call's own contents are called."""
        return f"{self.step.name} {self.truth.layer}.{self.index}"

    @property
    def numbers(self) -> LinearNumbers:
        """The sizes of a linear layer."""
        found = self.part.linears[self.index]
        assert found is not None, f"{self.name} is no linear layer"
        return found

    @property
    def scratch(self) -> str:
        """Region of its scratch."""
        return self.part.scratch(self.index)

    @property
    def has_scratch(self) -> bool:
        """Whether its kernel works in one."""
        match self.op:
            case ops.HeadsQuantise():
                return False
            case ops.Linear(weight=role):
                weight = self.part.weight(role, self.table_row)
                return self.machine.matrices[weight].engine is not None
            case _:
                return True

    def tokens(self, value: Value) -> int:
        """New tokens of a value: one outside the symbol."""
        return self.step.tokens if isinstance(value.type.shape[0], str) else 1

    def content(self, truth: Value) -> str:
        """What a buffer holds when it holds a value of this step."""
        return f"{self.step.name} %{self.views.get(truth.name, truth.name)}"

    def _row_at(self, buffer: Value, truth: Value) -> int:
        """Where a selected row starts."""
        return 4 * self.step.row * buffer.type.depth if truth.name in self.views else 0

    def whole(self, buffer: Value, truth: Value) -> Access:
        """A value in its buffer."""
        size = value_bytes(buffer.type, self.tokens(buffer))
        at = self._row_at(buffer, truth)
        return self.machine.recorder.access(buffer.name, at, size, self.content(truth), at)

    def rows8(self, buffer: Value) -> Rows8:
        """The layout of a quantised value."""
        assert buffer.type.dtype is DType.Q8, f"{buffer} is not quantised"
        rows = 1
        for dim in buffer.type.dims(self.step.tokens)[:-1]:
            rows *= dim
        return Rows8(rows, buffer.type.depth)

    def columns(
        self, buffer: Value, truth: Value, tokens: tuple[int, int], columns: tuple[int, int]
    ) -> Access:
        """Columns first .. last - 1 of tokens first .. last - 1 of a float value."""
        depth = buffer.type.depth
        at = self._row_at(buffer, truth) + 4 * (tokens[0] * depth + columns[0])
        size, count = 4 * (columns[1] - columns[0]), tokens[1] - tokens[0]
        return self.machine.recorder.access(
            buffer.name,
            at,
            size,
            self.content(truth),
            at,
            count=count,
            stride=4 * depth,
            step=4 * depth,
        )

    def kept(self, what: str, at_bytes: int, size_bytes: int) -> Access:
        """Something that the kernel keeps in its scratch."""
        content = f"{self.name} {what}"
        return self.machine.recorder.access(self.scratch, at_bytes, size_bytes, content)
