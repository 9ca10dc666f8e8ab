"""open_subject(): a checkpoint in any stored form as a float model in PyTorch."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoTokenizer

from aretusa_compress.errors import UsageError
from aretusa_compress.evaluation.torch_subject import TorchSubject
from aretusa_compress.model.load import load_model
from aretusa_compress.run.determinism import prepare_libraries


def open_subject(path: Path) -> TorchSubject:
    """The float32 model of a Hugging Face directory or a GGUF file, on a GPU where there is one.

    Raises UsageError E0001 for what is neither, ModelError or UnsupportedError for files that are
    damaged or not supported.
    """
    prepare_libraries()
    if path.is_dir():
        return _opened(path, path.name)
    if not path.is_file() or path.suffix != ".gguf":
        raise UsageError(
            "E0001",
            "there is no such model",
            file=path,
            fix="Give a build, a Hugging Face directory or a GGUF file",
        )
    from aretusa_compress.model.gguf_import import import_gguf  # noqa: PLC0415 - needs gguf

    with TemporaryDirectory() as folder:
        import_gguf(path, Path(folder))
        return _opened(Path(folder), path.name)


def _opened(path: Path, name: str) -> TorchSubject:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(path, dtype=torch.float32, device=device, decode=True)
    return TorchSubject(
        name=name,
        model=model.network,
        tokenizer=AutoTokenizer.from_pretrained(path, local_files_only=True),
    )
