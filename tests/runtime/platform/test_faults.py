"""Damaged images, impossible requests and stray accesses end with the right error."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from aretusa.errors import FirmwareError, ToolchainError
from aretusa.execution.firmware import Sanitizer
from aretusa.execution.machine import RunOutcome, run_host, run_qemu
from aretusa.execution.request import IdSegment, RunRequest, TextSegment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeImage = Callable[..., bytes]

FAULT_L1, FAULT_MRAM, FAULT_STACK, FAULT_NULL, FAULT_HANG, FAULT_RACE = range(90, 96)
HELLO = RunRequest(segments=(TextSegment("Hello"),), max_new_tokens=2)
MACHINES = [
    pytest.param("host", id="host"),
    pytest.param("qemu", id="qemu", marks=pytest.mark.qemu),
]
pytestmark = pytest.mark.usefixtures("tools")


def run(machine: str, build: Path, request: RunRequest = HELLO) -> RunOutcome:
    if machine == "host":
        return run_host(build, request, timeout_s=60)
    return run_qemu(build, request, timeout_s=60)


def fault_of(machine: str, build: Path, request: RunRequest = HELLO) -> FirmwareError:
    with pytest.raises(FirmwareError) as caught:
        run(machine, build, request)
    assert caught.value.exit_code == 8
    return caught.value


def start_with(token: int) -> RunRequest:
    return RunRequest(segments=(IdSegment((token, 50, 1)),), max_new_tokens=4)


def flip_bits(image: Path, rng: np.random.Generator, first: int, last: int) -> None:
    """Flip 1 to 8 different bits of the bytes first .. last - 1."""
    data = bytearray(image.read_bytes())
    count = int(rng.integers(1, 9))
    for bit in rng.choice((last - first) * 8, size=count, replace=False):
        data[first + int(bit) // 8] ^= 1 << int(bit) % 8
    image.write_bytes(data)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ["sram.bin", "mram.bin"])
def test_a_flipped_bit_is_a_damaged_image(machine: str, name: str, own_build: Path) -> None:
    sound = (own_build / name).read_bytes()
    for seed in range(10 if machine == "host" else 3):
        rng = np.random.default_rng(seed)
        flip_bits(own_build / name, rng, 128, len(sound))

        fault = fault_of(machine, own_build)

        assert fault.code == "E0803", seed
        assert name in fault.why
        (own_build / name).write_bytes(sound)


def test_no_flip_in_a_header_goes_unseen(own_build: Path) -> None:
    image = own_build / "sram.bin"
    sound = image.read_bytes()
    codes = set()
    for seed in range(40):
        flip_bits(image, np.random.default_rng(seed), 0, 80)  # without the padding
        codes.add(fault_of("host", own_build).code)
        image.write_bytes(sound)
    assert codes <= {"E0801", "E0802", "E0803", "E0804"}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("offset", "word", "code"),
    [
        (0, 0, "E0801"),
        (4, 2, "E0801"),
        (8, 0xFFFF_FFC0, "E0802"),
        (12, 0xFFFF_FFFC, "E0802"),
        (16, 0, "E0802"),
        (20, 0xFFFF_FFFF, "E0802"),
        (60, 0, "E0803"),
    ],
)
def test_an_impossible_header_is_refused(
    machine: str, offset: int, word: int, code: str, own_build: Path
) -> None:
    image = bytearray((own_build / "mram.bin").read_bytes())
    struct.pack_into("<I", image, offset, word)
    (own_build / "mram.bin").write_bytes(image)

    fault = fault_of(machine, own_build)

    assert fault.code == code
    assert "mram.bin" in fault.why


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("keep_bytes", "code"), [(1, "E0801"), (64, "E0803"), (4000, "E0803")])
def test_a_truncated_image_is_refused(
    machine: str, keep_bytes: int, code: str, own_build: Path
) -> None:
    image = own_build / "sram.bin"
    image.write_bytes(image.read_bytes()[:keep_bytes])

    assert fault_of(machine, own_build).code == code


@pytest.mark.parametrize("machine", MACHINES)
def test_an_image_of_another_model_is_refused(
    machine: str, own_build: Path, make_image: MakeImage
) -> None:
    other = make_image(2, bytes(4096), bytes(range(1, 33)))
    (own_build / "sram.bin").write_bytes(other)

    fault = fault_of(machine, own_build)

    assert fault.code == "E0804"
    assert "sram.bin" in fault.why


def test_an_image_of_another_memory_is_refused(own_build: Path) -> None:
    (own_build / "sram.bin").write_bytes((own_build / "mram.bin").read_bytes())

    assert fault_of("host", own_build).code == "E0804"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_missing_image_is_named(machine: str, own_build: Path) -> None:
    (own_build / "mram.bin").unlink()

    fault = fault_of(machine, own_build)

    assert fault.code == "E0801"
    assert fault.file.endswith("mram.bin")


@pytest.mark.parametrize("machine", MACHINES)
def test_a_tokenizer_that_does_not_open_is_reported(
    machine: str, own_build: Path, make_image: MakeImage
) -> None:
    (own_build / "mram.bin").write_bytes(make_image(3, bytes(4096)))

    assert fault_of(machine, own_build).code == "E0806"


def words_changed(index: int, word: int) -> Callable[[bytes], bytes]:
    def change(block: bytes) -> bytes:
        return block[: 4 * index] + struct.pack("<I", word) + block[4 * index + 4 :]

    return change


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(words_changed(0, 0), id="magic"),
        pytest.param(words_changed(1, 0xFFFF_FFFF), id="bytes"),
        pytest.param(words_changed(1, 12), id="fewer bytes than the struct"),
        pytest.param(words_changed(1, 48), id="segment outside"),
        pytest.param(words_changed(2, 0), id="no core"),
        pytest.param(words_changed(2, 9), id="nine cores"),
        pytest.param(words_changed(3, 16), id="flag"),
        pytest.param(words_changed(5, 33), id="chunk"),
        pytest.param(words_changed(6, 0x7FC0_0000), id="NaN temperature"),
        pytest.param(words_changed(6, 0xBF80_0000), id="negative temperature"),
        pytest.param(words_changed(7, 0), id="top_p 0"),
        pytest.param(words_changed(7, 0x7F80_0000), id="infinite top_p"),
        pytest.param(words_changed(10, 2), id="too many segments"),
        pytest.param(words_changed(10, 0), id="bytes after the last segment"),
        pytest.param(words_changed(11, 8), id="segment kind"),
        pytest.param(words_changed(12, 0xFFFF_FFFF), id="segment length"),
        pytest.param(words_changed(12, 9), id="padding outside"),
    ],
)
def test_an_impossible_request_is_refused(
    machine: str,
    change: Callable[[bytes], bytes],
    fake_build: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode = RunRequest.encode
    monkeypatch.setattr(RunRequest, "encode", lambda self, cores: change(encode(self, cores)))

    assert fault_of(machine, fake_build).code == "E0805"


@pytest.mark.parametrize("token", [FAULT_L1, FAULT_MRAM, FAULT_NULL, FAULT_STACK])
def test_a_stray_access_ends_the_host_program(token: int, fake_build: Path) -> None:
    fault = fault_of("host", fake_build, start_with(token))

    assert fault.code == "E0848"
    assert fault.why in {"SIGSEGV", "SIGBUS"}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_core_that_never_arrives_is_a_timeout(machine: str, fake_build: Path) -> None:
    call = run_host if machine == "host" else run_qemu
    call(fake_build, HELLO)  # the build is not part of the time

    with pytest.raises(ToolchainError, match=r"no end within 0.5 seconds") as caught:
        call(fake_build, start_with(FAULT_HANG), timeout_s=0.5)
    assert caught.value.code == "E0707"


def test_no_sanitizer_complains(fake_build: Path) -> None:
    request = RunRequest(
        segments=(TextSegment("Hello"),), max_new_tokens=30, chunk=3, logits=True, temperature=1.0
    )

    checked = run_host(fake_build, request, sanitizer=Sanitizer.ADDRESS)

    assert checked.console == run_host(fake_build, request).console


@pytest.mark.slow
def test_no_race_is_found(fake_build: Path) -> None:
    request = RunRequest(
        segments=(TextSegment("Hello"),), max_new_tokens=30, chunk=3, logits=True, temperature=1.0
    )

    checked = run_host(fake_build, request, sanitizer=Sanitizer.THREAD)

    assert checked.console == run_host(fake_build, request).console


@pytest.mark.slow
def test_a_race_would_be_found(fake_build: Path) -> None:
    with pytest.raises(FirmwareError, match="ThreadSanitizer: data race") as caught:
        run_host(fake_build, start_with(FAULT_RACE), sanitizer=Sanitizer.THREAD)
    assert caught.value.code == "E0848"
