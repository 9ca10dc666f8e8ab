"""The emulated chip refuses a damaged image before it computes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny_models import copy_build

from aretusa.errors import ExitCode, FirmwareError
from aretusa.execution.firmware import Platform
from aretusa.verbs.prompt import Prompt
from aretusa.verbs.run import RunOptions, run_program

if TYPE_CHECKING:
    from pathlib import Path


def run(build: Path, platform: Platform) -> None:
    options = RunOptions(platform=platform, max_new_tokens=1)
    run_program(build, Prompt(text="the"), options)


@pytest.mark.parametrize("image", ["l2.bin", "mram.bin", "sram.bin"])
def test_one_to_eight_flipped_bits_are_seen_on_the_host(
    image: str, donor: Path, tmp_path: Path
) -> None:
    build = copy_build(donor, tmp_path / "build")
    data = (build / image).read_bytes()
    random = np.random.default_rng(len(data))
    (header_bytes,) = np.frombuffer(data, "<u4", 1, 8)
    for count in (1, 2, 3, 8):
        damaged = bytearray(data)
        for place in random.integers(int(header_bytes), len(data), count):
            damaged[place] ^= 1 << int(random.integers(8))
        (build / image).write_bytes(damaged)
        with pytest.raises(FirmwareError, match=f"E0803.*{image}") as caught:
            run(build, Platform.HOST)
        assert caught.value.exit_code is ExitCode.FIRMWARE
    (build / image).write_bytes(data)
    run(build, Platform.HOST)


@pytest.mark.qemu
@pytest.mark.parametrize("image", ["l2.bin", "mram.bin"])
def test_a_flipped_bit_is_seen_on_the_emulated_chip(
    image: str, donor: Path, tmp_path: Path
) -> None:
    build = copy_build(donor, tmp_path / "build")
    data = bytearray((build / image).read_bytes())
    data[-5] ^= 0x40
    (build / image).write_bytes(data)
    with pytest.raises(FirmwareError, match=f"E0803.*{image}"):
        run(build, Platform.QEMU)
