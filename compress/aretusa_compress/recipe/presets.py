"""PRESETS: the published configurations of the five-stage pipeline, and small ones to try it with.

Source: A. Galavotti, Optimizing Small Language Models, University of Bologna 2025: the tables of
pruned models and of pruned models after LoRA, GPTQ and EoRA, on Llama 3.2 1B Instruct. Published
are the criteria, protected blocks, patterns, LoRA rank 8 with dropout 0.1 on the attention
projections, GPTQ of 4 bits in groups of 128 and 64 calibration samples of EoRA. Not stated there,
and so this project's choice: 128 calibration windows, learning rate and epochs of LoRA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aretusa_compress.recipe.schema import STAGE_OPTIONS

LLAMA: Final = "meta-llama/Llama-3.2-1B"
SMOLLM2: Final = ".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"  # make smollm2
TINY_ORATOR: Final = "examples/models/tiny-orator"

# Patterns of width pruning that were published for each number of removed blocks.
_SPARSE: Final = ("1:8", "1:16", "2:4", "1:2", "4:8", "8:16", "3:4", "6:8", "12:16")
_PRUNED: Final[dict[int, tuple[str, ...]]] = {
    0: _SPARSE,
    2: _SPARSE,
    4: _SPARSE,
    6: ("1:2", "2:4", "3:4", "1:8", "4:8", "6:8", "1:16"),
    8: ("1:2", "2:4", "3:4", "1:8", "4:8"),
}

# Removed blocks, pattern, and whether EoRA was published, of the models that LoRA recovered. Each
# was published for both training texts, without and with GPTQ, but for _MISSING.
_RECOVERED: Final = (
    (2, "", True),
    (0, "1:2", True),
    (0, "1:8", True),
    (0, "4:8", False),
    (0, "8:16", True),
    (2, "1:16", True),
    (2, "1:8", True),
    (2, "2:4", True),
    (2, "3:4", True),
    (2, "4:8", False),
    (4, "1:16", False),
    (4, "2:4", True),
    (4, "3:4", False),
    (4, "4:8", True),
    (6, "1:16", True),
    (6, "4:8", False),
    (8, "3:4", False),
)
_MISSING: Final = "depth4-wanda1:16-triviaqa-lora-gptq"
_TRAINING: Final[dict[str, dict[str, Any]]] = {
    "wikitext": {
        "hub": {"name": "Salesforce/wikitext", "config": "wikitext-2-raw-v1", "split": "train"},
    },
    "triviaqa": {
        "kind": "questions",
        "hub": {"name": "mandarjoshi/trivia_qa", "config": "rc", "split": "train"},
    },
}
_C4: Final = {"name": "allenai/c4", "config": "en", "split": "train", "documents": 2000}
_WIKITEXT_TEST: Final = {
    "name": "Salesforce/wikitext",
    "config": "wikitext-2-raw-v1",
    "split": "test",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """Blocks removed, N:M ('' for none), training text ('' for none), stages after it.

    With `iterative` blocks are chosen one by one, each by a new measurement.
    """

    model: str
    depth: int = 0
    pattern: str = ""
    training: str = ""
    after: tuple[str, ...] = ()
    score: str = "wanda"
    iterative: bool = False

    @property
    def stages(self) -> list[dict[str, Any]]:
        """As a recipe writes them."""
        stages: list[dict[str, Any]] = []
        if self.depth:
            how = {"iterative": True} if self.iterative else {}
            stages.append({"depth": {"remove": self.depth, "importance": "perplexity"} | how})
        if self.pattern:
            stages.append({"width": {"pattern": self.pattern, "score": self.score}})
        if self.training:
            stages.append({"lora": {"rank": 8, "dropout": 0.1, "epochs": 1}})
        return stages + [dict(_AFTER[name]) for name in self.after]


_TUNING: Final = {"steps": 60, "batch": 2, "accumulation": 2, "save_every": 10}
_AFTER: Final[dict[str, dict[str, Any]]] = {
    "gptq": {"gptq": {"bits": 4, "group": 128}},
    "eora": {"eora": {"samples": 64}},
    "awq4": {"awq": {"bits": 4}},
    "awq4-scales": {"awq": {"bits": 4, "store": "float"}},
    **{f"w{bits}": {"gptq": {"bits": bits, "group": "channel"}} for bits in range(2, 9)},
    "tune": {"tune": {"learning_rate": 3e-3, **_TUNING}},
    "tune-all": {
        "tune": {"parts": ["scales", "norms", "branches"], "learning_rate": 1e-3, **_TUNING}
    },
}


def _configuration(depth: int, pattern: str) -> str:
    parts = [f"depth{depth}"] if depth else []
    return "-".join([*parts, *([f"wanda{pattern}"] if pattern else [])])


def _published() -> dict[str, Preset]:
    instruct = f"{LLAMA}-Instruct"
    found = {"baseline": Preset(LLAMA), "baseline-instruct": Preset(instruct)}
    for depth, patterns in _PRUNED.items():
        for pattern in ("", *patterns) if depth else patterns:
            found[_configuration(depth, pattern)] = Preset(instruct, depth, pattern)
    for depth, pattern, has_eora in _RECOVERED:
        after: list[tuple[str, ...]] = [(), ("gptq",)]
        for training in _TRAINING:
            for more in [*after, ("gptq", "eora")] if has_eora else after:
                name = "-".join([_configuration(depth, pattern), training, "lora", *more])
                if name != _MISSING:
                    found[name] = Preset(instruct, depth, pattern, training, more)
    return {f"llama-3.2-1b/{name}": preset for name, preset in found.items()}


def _small() -> dict[str, Preset]:
    return {
        "smollm2/depth3": Preset(SMOLLM2, 3),
        "smollm2/depth6": Preset(SMOLLM2, 6, iterative=True),
        "smollm2/wanda2:4": Preset(SMOLLM2, pattern="2:4"),
        "smollm2/wanda4:8": Preset(SMOLLM2, pattern="4:8"),
        "smollm2/magnitude2:4": Preset(SMOLLM2, pattern="2:4", score="magnitude"),
        **{f"smollm2/w{bits}": Preset(SMOLLM2, after=(f"w{bits}",)) for bits in (3, 4, 5, 6)},
        **{
            f"smollm2/w{bits}-eora": Preset(SMOLLM2, after=(f"w{bits}", "eora"))
            for bits in (3, 4, 5, 6)
        },
        "smollm2/w4-tune": Preset(SMOLLM2, after=("w4", "tune")),
        "smollm2/w4-eora-tune": Preset(SMOLLM2, after=("w4", "eora", "tune-all")),
        "smollm2/gptq-eora": Preset(SMOLLM2, after=("gptq", "eora")),
        "smollm2/awq4": Preset(SMOLLM2, after=("awq4",)),
        "smollm2/awq4-w4-eora": Preset(SMOLLM2, after=("awq4-scales", "w4", "eora")),
        "smollm2/depth2-wanda1:8-sotu-lora": Preset(SMOLLM2, 2, "1:8", "sotu"),
        "smollm2/depth2-wanda1:8-sotu-lora-w4-eora": Preset(
            SMOLLM2, 2, "1:8", "sotu", ("w4", "eora")
        ),
        "tiny-orator/depth1-wanda1:8-sotu-lora": Preset(TINY_ORATOR, 1, "1:8", "sotu"),
        "tiny-orator/w4": Preset(TINY_ORATOR, after=("w4",)),
    }


PRESETS: Final[dict[str, Preset]] = {
    name: preset
    for name, preset in (_published() | _small()).items()
    if STAGE_OPTIONS.keys() >= {stage for entry in preset.stages for stage in entry}
}


def preset_document(name: str) -> dict[str, Any]:
    """A preset as the document of a recipe."""
    preset = PRESETS[name]
    document: dict[str, Any] = {"model": preset.model, "stages": preset.stages}
    if name.startswith("llama-3.2-1b/"):
        document["data"] = {
            "calibration": {"hub": dict(_C4), "samples": 128, "pick": "random"},
            "evaluation": {"wikitext-2": {"hub": dict(_WIKITEXT_TEST)}},
        }
        if preset.training:
            document["data"]["training"] = {**_TRAINING[preset.training]}
        return document
    return document | _small_setting(preset)


def _small_setting(preset: Preset) -> dict[str, Any]:
    """Offline texts, and a training that ends within minutes on two cores."""
    stages = preset.stages
    is_tiny = preset.model == TINY_ORATOR
    tokens = 256 if is_tiny else 512
    speeches = "sotu-training" if is_tiny else "sotu"  # `sotu` has the model's held-out ones, too
    for stage in stages:
        if is_tiny and "depth" in stage:  # of eight blocks six protected ones leave no choice
            stage["depth"] |= {"protect_first": 1, "protect_last": 1}
        if "eora" in stage:
            stage["eora"] = {"samples": 16}
        if "lora" in stage:
            stage["lora"] = {"rank": 8, "dropout": 0.1, "steps": 40, "accumulation": 1}
    data: dict[str, Any] = {
        "calibration": {
            "stand_in": speeches,
            "samples": _samples(stages),
            "tokens": tokens,
            "pick": "random",
        },
        "evaluation": {
            "news": {"stand_in": "brown-news", "samples": 3, "tokens": tokens},
            "learned": {"stand_in": "brown-learned", "samples": 3, "tokens": tokens},
        },
    }
    if preset.training or any("tune" in stage for stage in stages):
        # After lora, tune has its text; alone, that of genres that no table is judged on.
        text = speeches if preset.training else "brown-other"
        data["training"] = {"stand_in": text, "samples": 400, "tokens": 256, "pick": "random"}
    return {"stages": stages, "dtype": "float32", "data": data}


def _samples(stages: list[dict[str, Any]]) -> int:
    """Calibration windows: second moments and the order of blocks need more of them than norms.

    Six measurements in a row correct each other, and each of them costs as much as a single one.
    """
    if any(stage.get("depth", {}).get("iterative") for stage in stages):
        return 8
    return 16 if any({"gptq", "awq", "depth"} & stage.keys() for stage in stages) else 8
