"""aretusa: LLaMA-family models, compiled to bare-metal C for the Siracusa SoC.

The verbs of the command line are functions here; each returns the object that `--json` prints.
"""

from __future__ import annotations

from aretusa.driver import compile_model
from aretusa.errors import AretusaError
from aretusa.execution.firmware import Platform
from aretusa.options import CompileOptions
from aretusa.verbs.doctor import examine_machine
from aretusa.verbs.inspect import inspect_model
from aretusa.verbs.prompt import Prompt
from aretusa.verbs.run import RunOptions, run_program
from aretusa.verbs.verify import VerifyOptions, verify_build
from aretusa.verbs.verify_quality import QualityOptions, judge_quality
from aretusa.version import VERSION

__version__ = VERSION

__all__ = [
    "AretusaError",
    "CompileOptions",
    "Platform",
    "Prompt",
    "QualityOptions",
    "RunOptions",
    "VerifyOptions",
    "__version__",
    "compile_model",
    "examine_machine",
    "inspect_model",
    "judge_quality",
    "run_program",
    "verify_build",
]
