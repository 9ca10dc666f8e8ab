"""Costs of small commands, and a reference engine that is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from compile_cost import elf_size
from host_speed import HostRun, HostSpeed
from reference_engine import PYTHON_VARIABLE, run_reference
from spend import spend
from subjects import SMOLLM2, NotMeasured

MIB = 1 << 20


def test_the_peak_is_that_of_the_command(tmp_path: Path) -> None:
    small = spend([sys.executable, "-c", "print('done')"], cwd=tmp_path)
    large = spend([sys.executable, "-c", "x = b'x' * (200 << 20)"], cwd=tmp_path)
    assert small.stdout == "done\n"
    assert small.peak_bytes < 60 * MIB
    assert large.peak_bytes - small.peak_bytes == pytest.approx(200 * MIB, rel=0.1)


def test_processor_seconds_include_children(tmp_path: Path) -> None:
    loop = "import time\nwhile time.process_time() < 0.2: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {loop!r}])"
    spent = spend([sys.executable, "-c", nested], cwd=tmp_path)
    assert spent.cpu_s >= 0.2


def test_a_command_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="reason"):
        spend([sys.executable, "-c", "import sys; sys.exit('reason')"], cwd=tmp_path)


def test_a_program_is_code_constants_and_data() -> None:
    size = elf_size(Path(sys.executable).resolve())
    assert size.code > 0
    assert size.constants > 0


def test_an_engine_that_is_not_there_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "python"))
    found = run_reference(SMOLLM2, "text", 1, threads=1)
    assert isinstance(found, NotMeasured)
    assert "does not run (FileNotFoundError)" in found.reason
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    found = run_reference(SMOLLM2, "text", 1, threads=1)
    assert isinstance(found, NotMeasured)
    assert "No module named 'llama_cpp'" in found.reason


def test_ratios_compare_neighbours() -> None:
    run = HostRun(prompt=[], tokens=[1], decode_s=2.0, decode_cpu_s=1.0)
    speed = HostSpeed(threads=1, decoded=4, ours=(run,), theirs=(), no_reference="none")
    assert speed.our_rates() == [2.0]
