"""The C model as programs: a host library, a sanitized host program, and RV32 in QEMU."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aretusa.neureka.registers import WeightSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine_cases import LayerCase
    from numpy.typing import NDArray

    from aretusa.neureka.job import JobShape
    from aretusa.neureka.model import Memories

HERE: Final = Path(__file__).resolve().parent
RUNTIME: Final = HERE.parents[2] / "runtime"
START: Final = HERE.parent / "kernels"  # start.S and bare_metal.ld
WARNINGS: Final = [
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Wvla"),
    *("-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror"),
]
C_FLAGS: Final = ["-std=c11", "-O2", *WARNINGS]
INCLUDES: Final = [f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'src'}", f"-I{HERE}"]
RV32_FLAGS: Final = ["-march=rv32imfc", "-mabi=ilp32f", "-mcmodel=medany", "-ffreestanding"]
SANITIZERS: Final = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
QEMU: Final = ["qemu-system-riscv32", "-M", "virt", "-m", "512M", "-bios", "none", "-nographic"]
QEMU_SECONDS: Final = 120
SCRATCH_BYTES: Final = 16384
ALIGN_BYTES: Final = 16


def sources() -> list[str]:
    """The C files of the job builder and the model."""
    names = ("job.c", "model.c", "model_1x1.c", "model_3x3.c")
    return [str(RUNTIME / "src" / "neureka" / name) for name in names]


class Shape(ctypes.Structure):
    """struct art_neureka_shape."""

    _fields_ = (
        *((name, ctypes.c_uint8) for name in ("mode", "bits", "flags")),
        *(
            (name, ctypes.c_uint32)
            for name in ("out_channels", "in_channels", "out_rows", "out_cols", "in_pixel_bytes")
        ),
        *((name, ctypes.c_uint32) for name in ("in_row_bytes", "out_pixel_bytes", "out_row_bytes")),
    )

    @classmethod
    def of(cls, shape: JobShape) -> Shape:
        """The same shape for C."""
        return cls(
            shape.mode,
            shape.bits,
            shape.source | shape.is_signed << 1 | shape.has_prefetch << 2,
            shape.out_channels,
            shape.in_channels,
            shape.out_rows,
            shape.out_cols,
            shape.in_pixel_bytes,
            shape.in_row_bytes,
            shape.out_pixel_bytes,
            shape.out_row_bytes,
        )


class CMemories(ctypes.Structure):
    """struct art_neureka_memories."""

    _fields_ = (
        *(("l1", ctypes.c_void_p), ("l1_bytes", ctypes.c_uint32)),
        *(("mram", ctypes.c_void_p), ("mram_bytes", ctypes.c_uint32)),
        *(("sram", ctypes.c_void_p), ("sram_bytes", ctypes.c_uint32)),
    )


class Share(ctypes.Structure):
    """struct art_neureka_share."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("first_channel", "last_channel", "step")),
        ("scratch", ctypes.c_void_p),
    )


class HostLibrary:
    """The C code in a shared library of this process."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self._job = library.art_neureka_job
        self._run = library.art_neureka_model_run
        self._run.restype = ctypes.c_bool
        self._scratch = np.zeros(SCRATCH_BYTES // 4, np.uint32)

    @classmethod
    def build(cls, folder: Path) -> HostLibrary:
        """Compile with the strict warnings as errors."""
        path = folder / "neureka.so"
        command = ["gcc", *C_FLAGS, "-shared", "-fPIC", *INCLUDES, *sources(), "-o", str(path)]
        subprocess.run(command, check=True)
        return cls(path)

    def registers(self, shape: JobShape, addresses: tuple[int, int, int]) -> NDArray[np.uint32]:
        """The image that the C builder makes."""
        image = np.full(24, 0xDEAD, np.uint32)
        image[: len(addresses)] = addresses
        self._job(ctypes.byref(Shape.of(shape)), ctypes.c_void_p(image.ctypes.data))
        return image

    def run(
        self,
        registers: NDArray[np.uint32],
        memories: Memories,
        channels: range,
        *,
        step: int = 1,
        mram_bytes: int | None = None,
    ) -> bool:
        """The C model on some output channels; mram_bytes of the weight memory are MRAM."""
        weights = memories.weight_memory
        cut = weights.size if mram_bytes is None else mram_bytes
        own = np.ascontiguousarray(registers)
        c_memories = CMemories(
            *(memories.l1.ctypes.data, memories.l1.size),
            *(weights.ctypes.data, cut),
            *(weights.ctypes.data + cut, weights.size - cut),
        )
        share = Share(channels.start, channels.stop, step, self._scratch.ctypes.data)
        return bool(
            self._run(
                ctypes.c_void_p(own.ctypes.data), ctypes.byref(c_memories), ctypes.byref(share)
            )
        )


@dataclass(frozen=True, slots=True)
class CJob:
    """A layer as struct test_job: how many cores share it, and which results are computed."""

    case: LayerCase
    cores: int = 1
    step: int = 1


def write_blob(jobs: Sequence[CJob]) -> tuple[bytearray, list[int]]:
    """struct test_blob with all memories, and where each job's L1 lies."""
    header_words = 4 + (24 + 2 + 6) * len(jobs)
    words: list[int] = [len(jobs), 0, 0, 0]
    blob = bytearray(4 * header_words)
    places = []
    for job in jobs:
        memories = job.case.memories()
        half = 0 if job.case.shape.source is WeightSource.L1 else memories.weight_memory.size
        spans = []
        for data in (memories.l1, memories.weight_memory[:half], memories.weight_memory[:0]):
            blob += bytes(-len(blob) % ALIGN_BYTES)
            spans += [len(blob), data.size]
            blob += data.tobytes()
        places.append(spans[0])
        words += [*map(int, job.case.registers), job.cores, job.step, *spans]
    blob[: 4 * header_words] = np.array(words, np.uint32).tobytes()
    return blob, places


@dataclass(frozen=True, slots=True)
class SanitizedProgram:
    """The C model in a program of its own that stops at the first bad access."""

    path: Path

    @classmethod
    def build(cls, folder: Path) -> SanitizedProgram:
        """Compile with the address and undefined-behaviour sanitizers."""
        path = folder / "harness"
        files = [*sources(), str(HERE / "harness.c"), "-o", str(path)]
        subprocess.run(["gcc", *C_FLAGS, *SANITIZERS, *INCLUDES, *files], check=True)
        return cls(path)

    def run(self, jobs: Sequence[CJob], folder: Path) -> list[NDArray[np.uint8]]:
        """L1 after each job."""
        file = folder / "blob"
        blob, places = write_blob(jobs)
        file.write_bytes(blob)
        command = [str(self.path), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        after = np.frombuffer(file.read_bytes(), np.uint8)
        sizes = [job.case.memories().l1.size for job in jobs]
        return [after[at : at + size] for at, size in zip(places, sizes, strict=True)]


@dataclass(frozen=True, slots=True)
class BareMetal:
    """The C model on one RV32IMFC hart of QEMU's virt machine."""

    elf: Path

    @classmethod
    def build(cls, folder: Path) -> BareMetal:
        """Compile with the strict warnings as errors."""
        elf = folder / "neureka.elf"
        link = ["-nostdlib", "-nostartfiles", "-static", "-T", str(START / "bare_metal.ld")]
        own = [str(HERE / "jobs.c"), str(HERE / "bare_metal.c"), str(START / "start.S")]
        files: list[Any] = [*sources(), str(RUNTIME / "src" / "image.c"), *own]
        command = ["riscv64-unknown-elf-gcc", *C_FLAGS, *RV32_FLAGS, *link, *INCLUDES]
        subprocess.run([*command, *files, "-lgcc", "-o", str(elf)], check=True)
        return cls(elf)

    def run(self, jobs: Sequence[CJob]) -> list[tuple[int, int]]:
        """CRC-32C of L1 after each job, and its instructions."""
        file = self.elf.parent / "blob"
        file.write_bytes(write_blob(jobs)[0])
        count = ["-icount", "shift=0,sleep=off"]
        loader = ["-device", f"loader,file={file},addr=0x84000000,force-raw=on"]
        done = subprocess.run(
            [*QEMU, *count, "-kernel", str(self.elf), *loader],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=QEMU_SECONDS,
        )
        assert done.returncode == 0, f"QEMU returned {done.returncode}: {done.stdout}{done.stderr}"
        rows = [line.split() for line in done.stdout.split("\n") if line.strip()]
        return [(int(crc, 16), int(instructions, 16)) for crc, instructions in rows]
