"""open_subject(): a checkpoint in any stored form as a float model in PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoTokenizer
from transformers.utils import logging

from aretusa_compress.errors import ModelError
from aretusa_compress.evaluation.torch_subject import TorchSubject
from aretusa_compress.model.guard import check_directory
from aretusa_compress.model.stored_forms import dense_tensors

if TYPE_CHECKING:
    from pathlib import Path


def open_subject(path: Path) -> TorchSubject:
    """The float32 model of a Hugging Face directory, on a GPU where there is one.

    Raises ModelError or UnsupportedError for a directory that is damaged or not supported.
    """
    check_directory(path)
    # One bar of ours is enough, and a text longer than the context is cut into windows anyway.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the weights are made dense here
    config.dtype = torch.float32
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model, loading = model_class.from_pretrained(
        None, config=config, state_dict=dense_tensors(path), output_loading_info=True
    )
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    missing = set(loading["missing_keys"]) - tied
    wrong = sorted(missing | set(loading["unexpected_keys"]) | set(loading["mismatched_keys"]))
    if wrong:
        raise ModelError(
            "E0505",
            f"tensors do not fit the configuration: {', '.join(wrong[:3])}",
            file=path,
            fix="Write the checkpoint again with the stage that made it",
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return TorchSubject(
        name=path.name,
        model=model.eval().to(device),
        tokenizer=AutoTokenizer.from_pretrained(path, trust_remote_code=False),
    )
