"""Graph, schedule and memory plan -> NetworkView: every number and name in network.c."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aretusa.codegen.calls import CallWriter
from aretusa.codegen.naming import Names
from aretusa.codegen.render import hex_literal
from aretusa.codegen.stream_view import stream_views
from aretusa.codegen.tables import TableWriter, place_view
from aretusa.codegen.views import LayerOrderView, NetworkView, PlaceView
from aretusa.ir import ops
from aretusa.memory.contents import ROPE_COSINE, ROPE_SINE, TOKENIZER, WORKSPACE, RegionKind
from aretusa.target.description import MemoryId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aretusa.codegen.views import BodyView
    from aretusa.ir.graph import Graph
    from aretusa.jobs.prepared import PreparedJobs
    from aretusa.memory.body import Body
    from aretusa.memory.plan import MemoryPlan
    from aretusa.schedule.roll import RolledGraph

IMAGE_OFFSET_BYTES: Final = 0  # an image starts at the first byte of its memory


class NetworkViewBuilder:
    """Collects the parts of one NetworkView; `profile` names rows of the instruction profile."""

    def __init__(
        self,
        graph: Graph,
        rolled: RolledGraph,
        bodies: Sequence[Body],
        plan: MemoryPlan,
        prepared: PreparedJobs,
    ) -> None:
        self.graph = graph
        self.prepared = prepared
        self.rolled = rolled
        self.bodies = list(bodies)
        self.plan = plan
        self.names = Names()
        self.profile: list[str] = []

    def build(
        self, *, tool: str, scheme: str, model_hash: str, stop_tokens: Sequence[int]
    ) -> NetworkView:
        """The whole view."""
        rope = tuple(
            place_view(self.names.identifier("place", name), self.plan.region(name))
            for name in (ROPE_COSINE, ROPE_SINE)
        )
        buffers = tuple(
            place_view(self.names.identifier("buffer", f"{region.name}.place"), region)
            for region in self.plan.regions
            if region.kind is RegionKind.BUFFER
        )
        parts = self._parts()
        tables = TableWriter(self.bodies, self.plan, self.names, self._prefixes(), self.prepared)
        tokenizer, workspace = self.plan.region(TOKENIZER), self.plan.region(WORKSPACE)
        return NetworkView(
            tool=tool,
            scheme=scheme,
            model_hash=model_hash,
            vocabulary=self.graph.logits.type.depth,
            context=self.graph.context,
            chunk_max=self.graph.chunk_max,
            layers=len(self.rolled.order),
            hidden_size=self._hidden_size(),
            buffers=buffers,
            places=rope,
            matrices=tuple(tables.matrices()),
            vectors=tuple(tables.vectors()),
            engines=tuple(tables.engines()),
            jobs=tuple(tables.jobs()),
            caches=tuple(tables.caches()),
            embed=parts[0],
            kinds=tuple(parts[1:-1]),
            order=tuple(LayerOrderView(kind=kind, row=row) for kind, row in self.rolled.order),
            streams=tuple(stream_views(self.bodies, self.plan, self.names, self._prefixes())),
            head=parts[-1],
            logits=self.names.identifier("buffer", f"{self.graph.logits.name}.place"),
            images=tuple(self._images()),
            tokenizer=place_view("tokenizer", tokenizer),
            tokenizer_bytes=tokenizer.size_bytes,
            workspace=place_view("workspace", workspace),
            workspace_bytes=workspace.size_bytes,
            stop_tokens=tuple(stop_tokens),
            sram_weights_offset=hex_literal(self._sram_offset()),
            profile_rows=len(self.profile),
        )

    def _hidden_size(self) -> int:
        embed = self.rolled.prologue[0]
        assert isinstance(embed, ops.Embed), "the program does not start with the embedding"
        return embed.out.type.depth

    def _prefixes(self) -> list[str]:
        """Of the names of each body: kinds of layers are told apart when there are several."""
        several = len(self.rolled.kinds) > 1
        return [
            "" if body.kind is None or not several else f"kind{body.kind}." for body in self.bodies
        ]

    def _parts(self) -> list[BodyView]:
        parts: list[BodyView] = []
        for number, (body, prefix) in enumerate(zip(self.bodies, self._prefixes(), strict=True)):
            writer = CallWriter(
                body=body,
                names=self.names,
                profile=self.profile,
                kind=prefix,
                index="0" if body.kind is None else "step->layer",
            )
            if body.kind is not None:
                layers = f"{len(body.layers)} of {len(self.rolled.order)}"
                function = self.names.identifier("function", f"run.{prefix}layer")
                comment = f"One transformer block; {layers} are of this kind."
            elif number == 0:
                function, comment = "run_embedding", "Token ids -> hidden states."
            else:
                function, comment = "run_head", "A row of the hidden states -> logits."
            parts.append(writer.view(function, comment))
        return parts

    def _sram_offset(self) -> int:
        """Where the engine sees the SRAM, from the MRAM's first byte."""
        target = self.plan.target
        mram, sram = target.memory(MemoryId.MRAM), target.memory(MemoryId.SRAM)
        return sram.base_address - mram.base_address

    def _images(self) -> Iterator[PlaceView]:
        for memory in MemoryId:
            if self.plan.constants(memory):
                yield PlaceView(
                    name=memory.key,
                    memory=f"ART_MEMORY_{memory.name}",
                    offset=str(IMAGE_OFFSET_BYTES),
                )
