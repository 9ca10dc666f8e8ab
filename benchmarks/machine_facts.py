"""Where the figures were taken: the computer, the tools and the commit, in plain words."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from subjects import ROOT

from aretusa.verbs.doctor import examine_machine
from aretusa.version import TOOL


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What may change a figure."""

    commit: str
    product: str
    processor: str
    cores: int
    memory_gib: float
    load: tuple[float, float, float]  # processes that wanted to run in the last 1, 5, 15 minutes
    python: str
    numpy: str
    tools: dict[str, str]


def machine_facts() -> MachineFacts:
    """Ask this machine."""
    doctor = examine_machine()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return MachineFacts(
        commit=_commit(),
        product=TOOL,
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=pages / (1 << 30),
        load=os.getloadavg(),
        python=platform.python_version(),
        numpy=np.__version__,
        tools={tool.name: tool.version for tool in doctor.tools if tool.found},
    )


def _commit() -> str:
    """The commit, and whether files of the product differ from it."""
    product = ["compiler", "runtime", "templates"]
    found = _git("rev-parse", "--short=10", "HEAD")
    changed = _git("status", "--porcelain", "--", *product)
    if not found:
        return "unknown: no git checkout"
    count = len(changed.splitlines())
    return f"{found} with {count} changed files of the product" if count else found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    """The processor's own name and the vector instructions that matter here."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(part for line in lines if len(part := line.replace("\t", "").split(": ", 1)) == 2)
    flags = set(fields.get("flags", "").split())
    vectors = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if name in flags]
    name = fields.get("model name", platform.machine())
    return f"{name} ({', '.join(vectors) or 'no AVX2'})"
