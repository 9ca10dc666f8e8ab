"""examine_machine(): which tools and packages this computer has, and what to do about the rest."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from aretusa.errors import ToolchainError
from aretusa.execution.toolchain import is_optional, survey
from aretusa.results import DoctorResult, ToolResult
from aretusa.version import VERSION

CORE_PACKAGES: Final = (
    "numpy",
    "jinja2",
    "onnx",
    "onnxruntime",
    "ortools",
    "pydantic",
    "safetensors",
    "tokenizers",
)
OPTIONAL_PACKAGES: Final = ("torch", "transformers", "gptqmodel")
ABSENT: Final = "not installed"


def examine_machine() -> DoctorResult:
    """`ok` if everything is there that compiling, running and verifying need."""
    tools = [_tool(role, found) for role, found in survey().items()]
    packages = {name: _version(name) for name in (*CORE_PACKAGES, *OPTIONAL_PACKAGES)}
    complete = all(packages[name] != ABSENT for name in CORE_PACKAGES)
    return DoctorResult(
        version=VERSION,
        python=platform.python_version(),
        tools=tools,
        packages=packages,
        ok=complete and all(tool.found or tool.optional for tool in tools),
    )


def _tool(role: str, found: object) -> ToolResult:
    if isinstance(found, ToolchainError):
        return ToolResult(
            name=role,
            path="",
            version="",
            needed_for=found.why,
            found=False,
            optional=is_optional(role),
            fix=found.fix,
        )
    return ToolResult(
        name=role,
        path=str(getattr(found, "path", "")),
        version=str(getattr(found, "version", "")),
        needed_for="",
        found=True,
        optional=is_optional(role),
        fix="",
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ABSENT
