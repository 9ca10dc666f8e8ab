"""The drivers alone: what the queues promise, and what the recorded bus refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from recorded_programs import DRIVERS, HERE, PACES, ROOT, RULE_BROKEN, SECONDS, UNITS, read_record
from required_tools import skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME: Final = ROOT / "runtime"
FLAGS: Final = [
    *("-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Wvla"),
    *("-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror", "-DSIRACUSA_RECORDED"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
]
OWN: Final = ("sequences", "right_sequences", "wrong_copies", "wrong_jobs")
MODEL: Final = ("job", "model", "model_1x1", "model_3x3")
ASSERTED: Final = 16  # ART_EXIT_ASSERT
RIGHT: Final = ("long copies", "edge copies", "copies of runs", "full queues", "engine jobs")
SEEDS: Final = range(1, 6)
IDS: Final = 16
MCHAN_PORTS: Final = {0x1020_4400: "core", 0x1020_1800: "fabric"}

# Sequence -> what the bus says.
REFUSED: Final = {
    "copy_without_id": "before an id",
    "copy_after_freed_id": "before an id",
    "free_busy": "freed before its copy is done",
    "free_twice": "freed twice",
    "free_unused": "freed before its copy is done",
    "never_freed": "id 0 was never freed",
    "ids_exhausted": "no id of MCHAN's 16 is free",
    "incomplete": "command of 2 words is not complete",
    "strided_with_three_words": "command of 3 words is not complete",
    "plain_with_five_words": "unknown bits, or no increment",
    "copy_too_long": "is of no bytes",
    "copy_outside_of_l1": "has not one end in L1 and the other outside",
    "copy_of_peripherals": "has not one end in L1 and the other outside",
    "copy_behind_the_plan": "outside of every memory",
    "copy_into_mram": "writes the MRAM",
    "race": "races one of the other direction",
    "port_of_another": "MCHAN's port of the fabric controller is not within reach",
    "job_without_acquire": "of a job that was not acquired",
    "third_job": "asked for a third job",
    "acquired_twice": "acquired twice",
    "register_missing": "lacks registers: 7fffff",
    "never_committed": "last job was never started",
    "cleared_while_busy": "cleared while it has jobs",
    "prefetch_from_l1": "never ends a job with prefetch and weights in L1",
    "stride_2": "stride 2 is not to be trusted",
    "rounding": "rounding is not to be trusted",
    "filter_mask": "filter mask is not to be trusted",
    "outputs_behind_l1": "leaves its memories",
    "weights_behind_sram": "leaves its memories",
    "sleep_forever": "a sleep for lines 1000, which nobody pulls",
    "hyperbus_from_core": "the uDMA is not within reach",
    "unknown_register": "where no register is",
}
ASSERTS: Final = (
    "transfer_of_l2_alone",
    "runs_behind_l2",
    "request_of_runs",
    "request_for_l2",
    "request_behind_l3",
)


@dataclass(frozen=True, slots=True)
class Sequences:
    """The program of sequences.c."""

    path: Path

    def run(
        self, name: str, pace: str, seed: int = 0, log: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One sequence; the units work at a pace."""
        environment = os.environ | {"BUS_PACE": pace} | ({"BUS_LOG": str(log)} if log else {})
        return subprocess.run(
            [str(self.path), name, str(seed)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Sequences:
    """Compiled with sanitizers; strict warnings are errors."""
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    path = tmp_path_factory.mktemp("sequences") / "sequences"
    includes = [RUNTIME / "include", RUNTIME / "src", HERE, HERE / "small_chip"]
    files = [
        *(HERE / f"{name}.c" for name in OWN),
        *(HERE / name for name in UNITS),
        *(RUNTIME / "src" / "platform" / "siracusa" / f"{name}.c" for name in DRIVERS),
        *(RUNTIME / "src" / "neureka" / f"{name}.c" for name in MODEL),
    ]
    command = ["gcc", *FLAGS, *(f"-I{folder}" for folder in includes), *map(str, files)]
    subprocess.run([*command, "-o", str(path)], check=True)
    return Sequences(path)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("name", RIGHT)
def test_every_byte_arrives_whenever_the_units_work(
    name: str, pace: str, sequences: Sequences
) -> None:
    done = sequences.run(name, pace)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("seed", SEEDS)
def test_transfers_of_a_queue_run_in_order_whatever_they_overlap(
    seed: int, pace: str, sequences: Sequences
) -> None:
    done = sequences.run("mixed queues", pace, seed)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_cluster_leaves_an_id_to_the_fabric_controller(
    sequences: Sequences, tmp_path: Path
) -> None:
    log = tmp_path / "bus.log"
    assert sequences.run("full queues", "late", 0, log).returncode == 0
    held = dict.fromkeys(MCHAN_PORTS.values(), 0)
    most = dict(held)
    for access in read_record(log):
        port = access.address & ~4
        if port in MCHAN_PORTS:
            master = MCHAN_PORTS[port]
            assert access.master == master
            if access.kind == "reads" and access.address == port:
                held[master] += 1
            elif access.kind == "writes" and access.address != port:
                held[master] -= access.value.bit_count()
            most[master] = max(most[master], held[master])
    assert most == {"core": IDS - 1, "fabric": 1}


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_the_bus_refuses_what_the_chip_does_not_allow(
    name: str, message: str, sequences: Sequences
) -> None:
    done = sequences.run(name, "late")
    assert done.returncode == RULE_BROKEN, done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("name", ASSERTS)
def test_a_transfer_that_no_unit_can_do_ends_the_program(name: str, sequences: Sequences) -> None:
    done = sequences.run(name, "late")
    assert (done.returncode, done.stderr) == (ASSERTED, f"the program ends with {ASSERTED}\n")


def test_every_wrong_sequence_has_a_message() -> None:
    listed = {
        name.removeprefix("SEQUENCE(").removesuffix("),")
        for file in ("wrong_copies.c", "wrong_jobs.c")
        for line in (HERE / file).read_text("ascii").splitlines()
        if (name := line.strip()).startswith("SEQUENCE(")
    }
    assert listed == {*REFUSED, *ASSERTS}
