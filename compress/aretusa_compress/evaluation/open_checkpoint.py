"""open_subject(): a checkpoint in any stored form as a float model in PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AutoTokenizer

from aretusa_compress.evaluation.torch_subject import TorchSubject
from aretusa_compress.model.load import load_model
from aretusa_compress.run.determinism import prepare_libraries

if TYPE_CHECKING:
    from pathlib import Path


def open_subject(path: Path) -> TorchSubject:
    """The float32 model of a Hugging Face directory, on a GPU where there is one.

    Raises ModelError or UnsupportedError for a directory that is damaged or not supported.
    """
    prepare_libraries()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(path, dtype=torch.float32, device=device, decode=True)
    return TorchSubject(
        name=path.name,
        model=model.network,
        tokenizer=AutoTokenizer.from_pretrained(path, local_files_only=True),
    )
