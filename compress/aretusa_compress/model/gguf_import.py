"""import_gguf(): a GGUF file -> a Hugging Face directory with float weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from gguf import GGUFReader
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoTokenizer, GgufConfig

from aretusa_compress.errors import ModelError
from aretusa_compress.model.guard import check_directory
from aretusa_compress.model.loaded import Model
from aretusa_compress.model.save import save_model

if TYPE_CHECKING:
    from pathlib import Path


def import_gguf(file: Path, output: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the model of a GGUF file, its quantised weights as the numbers they stand for."""
    name = {"gguf_file": file.name, "local_files_only": True}
    try:
        network = AutoModelForCausalLM.from_pretrained(
            file.parent,
            dtype=dtype,
            quantization_config=GgufConfig(gguf_file=file.name, dequantize=True),
            **name,
            **_head_size(file),
        )
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **name)
    except Exception as problem:  # a damaged file makes the libraries stumble in any way
        raise ModelError(
            "E0130",
            "the GGUF file cannot be converted",
            file=file,
            why=" ".join(str(problem).split())[:160],
            fix="Convert the model again, or give its Hugging Face directory",
        ) from problem
    config = json.loads(network.config.to_json_string(use_diff=False))
    config["architectures"] = [type(network).__name__]
    for key in ("_name_or_path", "quantization_config"):
        config.pop(key, None)
    tokenizer.save_pretrained(output)
    save_model(Model(network, config, list(range(config["num_hidden_layers"]))), output, output)
    check_directory(output)


def _head_size(file: Path) -> dict[str, int]:
    """The size of a head, if the file says it: transformers takes a default for some families."""
    fields = GGUFReader(file).fields
    architecture = fields["general.architecture"].contents()
    size = fields.get(f"{architecture}.attention.key_length")
    takes_it = architecture in CONFIG_MAPPING and hasattr(
        CONFIG_MAPPING[architecture](), "head_dim"
    )
    return {"head_dim": int(size.contents())} if size is not None and takes_it else {}
