"""Graph <-> text: what dumps, bug reports, tests and build directories hold."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final, get_args

from aretusa.ir.graph import Graph
from aretusa.ir.ops import Op
from aretusa.ir.types import Cache, DenseType, DType, TensorType, Value, VectorType, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aretusa.ir.types import WeightType

_OPS: Final = {op.__name__: op for op in get_args(Op)}
_OP_LINE: Final = re.compile(r"(?:(%\S+): (\S+) = )?(\w+)\((.*)\) layer (none|\d+)")
_FIELD: Final = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|%[^\s,]+|[^\s,]+)')
_CACHE: Final = re.compile(r"(\S+): (\d+)x(\d+)(?: (\d+) bits)?( zeros)?")
_DENSE: Final = re.compile(
    r"w(\d+)\[(\d+)x(\d+)\](?: group (\d+))?(?: zero (\d+))?( minimum| zeros)?"
    r"(?: sparse (\d+):(\d+)( packed)?)?"
)


def print_graph(graph: Graph) -> str:
    """The whole graph, one line per declaration and op."""
    lines = [
        _print_header(graph),
        *(f"weight {json.dumps(weight.name)}: {weight.type}" for weight in graph.weights),
        *(f"cache {cache.name}: {cache.shape}" for cache in graph.caches),
        f"input {graph.tokens}",
        *(print_op(op) for op in graph.ops),
        f"output {graph.logits}",
    ]
    return "\n".join(lines) + "\n"


def _print_header(graph: Graph) -> str:
    sizes = ("chunk_max", "context", "rope_dim")
    return " ".join(
        [f"graph {json.dumps(graph.name)}", *(f"{size}={getattr(graph, size)}" for size in sizes)]
    )


def print_op(op: Op) -> str:
    """One op: `%out: type = Name(field=value, ...) layer 3`."""
    parts: list[str] = []
    head = ""
    for field in fields(op):
        value = getattr(op, field.name)
        if field.name == "out":
            head = f"{value} = "
        elif field.name != "layer" and value is not None:
            parts.append(f"{field.name}={_print_field(value)}")
    layer = "none" if op.layer is None else op.layer
    return f"{head}{type(op).__name__}({', '.join(parts)}) layer {layer}"


def _print_field(value: object) -> str:
    match value:
        case Value(name=name):
            return f"%{name}"
        case str():
            return json.dumps(value)
        case bool():
            return "true" if value else "false"
        case _:
            return repr(value)


def parse_graph(text: str) -> Graph:
    """The inverse of print_graph; raises ValueError with the line that is not understood."""
    lines = iter(text.splitlines())
    header = re.fullmatch(
        r"graph (\".*\") chunk_max=(\d+) context=(\d+) rope_dim=(\d+)", next(lines, "")
    )
    if header is None:
        raise ValueError("the first line is not a graph header")
    return _parse_body(header, lines)


def _parse_body(header: re.Match[str], lines: Iterator[str]) -> Graph:
    weights: list[Weight] = []
    caches: list[Cache] = []
    ops: list[Op] = []
    values: dict[str, Value] = {}
    ends: dict[str, Value] = {}
    for line in lines:
        match line.split(" ", 1):
            case ["weight", rest]:
                name, _, kind = rest.rpartition('": ')
                weights.append(Weight(json.loads(name + '"'), _parse_weight_type(kind)))
            case ["cache", rest]:
                caches.append(_parse_cache(rest))
            case ["input" | "output" as end, rest]:
                ends[end] = _parse_value(rest)
                values[ends[end].name] = ends[end]
            case _:
                ops.append(_parse_op(line, values))
    if ends.keys() != {"input", "output"}:
        raise ValueError("a graph has one input and one output")
    return Graph(
        name=json.loads(header[1]),
        chunk_max=int(header[2]),
        context=int(header[3]),
        rope_dim=int(header[4]),
        weights=tuple(weights),
        caches=tuple(caches),
        tokens=ends["input"],
        ops=tuple(ops),
        logits=ends["output"],
    )


def _parse_cache(text: str) -> Cache:
    match = _CACHE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a cache: {text}")
    bits, has_zeros = int(match[4] or 8), match[5] is not None
    return Cache(match[1], int(match[2]), int(match[3]), bits, has_zeros)


def _parse_weight_type(text: str) -> WeightType:
    if dense := _DENSE.fullmatch(text):
        return DenseType(
            bits=int(dense[1]),
            rows=int(dense[2]),
            depth=int(dense[3]),
            group=int(dense[4] or 0),
            zero=int(dense[5] or 0),
            has_minimum=dense[6] is not None,
            has_zeros=dense[6] == " zeros",
            pattern=(int(dense[7]), int(dense[8])) if dense[7] else None,
            is_packed=dense[9] is not None,
        )
    return VectorType(int(text.removeprefix("f32[").removesuffix("]")))


def _parse_value(text: str) -> Value:
    name, _, kind = text.removeprefix("%").partition(": ")
    dtype, _, shape = kind.removesuffix("]").partition("[")
    dims = tuple(int(dim) if dim.isdecimal() else dim for dim in shape.split("x"))
    return Value(name, TensorType(dims, DType(dtype)))


def _parse_op(line: str, values: dict[str, Value]) -> Op:
    match = _OP_LINE.fullmatch(line)
    if match is None or match[3] not in _OPS:
        raise ValueError(f"not an op: {line}")
    cls = _OPS[match[3]]
    arguments: dict[str, object] = {
        field.name: None for field in fields(cls) if field.name != "out"
    }
    arguments["layer"] = None if match[5] == "none" else int(match[5])
    for name, value in _FIELD.findall(match[4]):
        if value.startswith("%") and value[1:] not in values:
            raise ValueError(f"{value} is not defined before {line}")
        arguments[name] = values[value[1:]] if value.startswith("%") else json.loads(value)
    if match[1] is not None:
        out = _parse_value(f"{match[1]}: {match[2]}")
        values[out.name] = out
        arguments["out"] = out
    op: Op = cls(**arguments)
    return op
