"""Settings under which equal inputs give equal bits, and where tensors are computed."""

from __future__ import annotations

import logging
import os
import random
from functools import partialmethod
from typing import TYPE_CHECKING, Final

from aretusa_compress.errors import ToolchainError
from aretusa_compress.recipe.schema import Device, DType

if TYPE_CHECKING:
    import torch

    from aretusa_compress.recipe.schema import Recipe

# cuBLAS repeats its results only with one of the work spaces that its documentation names. Threads
# of OpenMP that wait spin by default, and take the cores from other programs of a busy computer.
_ENVIRONMENT: Final = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "OMP_WAIT_POLICY": "passive",
}


def prepare_libraries() -> None:
    """Quiet what torch's satellites print when they are loaded, before they are."""
    for name in ("torchao", "torch.utils._pytree", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import transformers  # noqa: PLC0415 - must come after the lines above

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    hide_bars()


def hide_bars() -> None:
    """Let no library draw a bar: the command has its own, and --quiet and --json promise none.

    tqdm reads TQDM_DISABLE only while it is imported, and any library may have imported it before.
    """
    from tqdm.std import tqdm  # noqa: PLC0415

    if not isinstance(vars(tqdm)["__init__"], _Hidden):
        tqdm.__init__ = _Hidden(vars(tqdm)["__init__"], disable=True)


class _Hidden(partialmethod[None]):
    """Marks the constructor that hide_bars() puts in place, so that it is put there once."""


def settle(recipe: Recipe) -> torch.device:
    """Make torch deterministic with the recipe's threads; returns the device. Raises E0511."""
    import torch  # noqa: PLC0415 - slow to load

    torch.use_deterministic_algorithms(True)  # noqa: FBT003
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing reads it: only slow
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(recipe.threads or len(os.sched_getaffinity(0)))
    has_gpu = torch.cuda.is_available()
    if recipe.device is Device.CUDA and not has_gpu:
        raise ToolchainError(
            "E0511",
            "torch sees no GPU",
            fix="Set device to cpu or auto, or install a torch that was built for the GPU",
        )
    use_gpu = has_gpu and recipe.device is not Device.CPU
    return torch.device("cuda" if use_gpu else "cpu")


def seed_everything(seed: int) -> None:
    """Begin all random sequences anew, so that it does not matter what ran before."""
    import torch  # noqa: PLC0415

    random.seed(seed)
    torch.manual_seed(seed)


def torch_dtype(dtype: DType) -> torch.dtype | None:
    """None for `auto`: as the files store them."""
    import torch  # noqa: PLC0415

    return None if dtype is DType.AUTO else getattr(torch, dtype.value)
