"""The kernels as programs: a host library, a sanitized host program, and RV32 in QEMU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aretusa.quantization.crc import crc32c

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel_cases import Case
    from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
RUNTIME: Final = HERE.parents[2] / "runtime"
WARNINGS: Final = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    "-Wmissing-prototypes",
    "-Wstrict-prototypes",
    "-Werror",
]
C_FLAGS: Final = ["-std=c11", "-O2", "-ffp-contract=off", *WARNINGS]
RV32_FLAGS: Final = ["-march=rv32imfc", "-mabi=ilp32f", "-mcmodel=medany", "-ffreestanding"]
CROSS_GCC: Final = "riscv64-unknown-elf-gcc"
CLANG: Final = "clang-19"
QEMU: Final = "qemu-system-riscv32"
QEMU_SECONDS: Final = 120
# bare_metal.c counts what these take, so that it can leave it out.
WRAPPED: Final = ("art_transfer_submit", "art_transfer_wait")
ALIGN_BYTES: Final = 16
CASE_PARAMS: Final = 18
CASE_ARRAYS: Final = 10
MEMORIES: Final = 5
CASE_WORDS: Final = 2 + CASE_PARAMS + 2 * CASE_ARRAYS + MEMORIES


def _sources() -> list[str]:
    """The portable kernels: each X_xpulp.c is a twin of X.c for the chip's cores."""
    every = sorted((RUNTIME / "src" / "kernels").glob("*.c"))
    kernels = [path for path in every if not path.stem.endswith("_xpulp")]
    names = ("image.c", "sample.c", "places.c", "transfer/software_transfers.c", "linear/units.c")
    others = [RUNTIME / "src" / name for name in names]
    own = [HERE / "cases.c", HERE / "placed_cases.c"]
    return [str(path) for path in (*kernels, *others, *own)]


def _includes() -> list[str]:
    return [f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / 'src'}", f"-I{HERE}"]


def write_blob(cases: Sequence[Case], gap_bytes: int = 0) -> bytearray:
    """The cases as struct test_blob with a gap behind each array; notes where arrays lie."""
    offset = 4 * (4 + CASE_WORDS * len(cases))
    header = [len(cases), 0, 0, 0]
    arrays: list[tuple[int, bytes]] = []
    for case in cases:
        offsets, sizes = [0] * CASE_ARRAYS, [0] * CASE_ARRAYS
        for index, array in enumerate(case.arrays):
            if array is None or array.nbytes == 0:
                continue
            offset = -(-offset // ALIGN_BYTES) * ALIGN_BYTES
            offsets[index], sizes[index] = offset, array.nbytes
            arrays.append((offset, array.tobytes()))
            offset += array.nbytes + gap_bytes
        params = [*case.params, *[0] * (CASE_PARAMS - len(case.params))]
        mask = sum(1 << index for index in case.expected)
        memories = [1 + case.memories.get(memory, -1) for memory in range(MEMORIES)]
        header += [case.kernel, mask, *params, *offsets, *sizes, *memories]
    blob = bytearray(offset)
    blob[: 4 * len(header)] = np.array(header, np.uint32).tobytes()
    for start, payload in arrays:
        blob[start : start + len(payload)] = payload
    return blob


def check_blob(blob: bytes | bytearray, cases: Sequence[Case]) -> None:
    """Compare every result in a blob that was run with what its case expects, byte for byte."""
    words = np.frombuffer(blob, np.uint32, 4 * len(blob) // 16)
    at = 4
    for case in cases:
        offsets = words[at + 2 + CASE_PARAMS :][:CASE_ARRAYS]
        for index, expected in case.expected.items():
            start = int(offsets[index])
            found = np.frombuffer(blob, expected.dtype, expected.size, start)
            differ = np.flatnonzero(found.view(np.uint8) != _flat(expected).view(np.uint8))
            if differ.size:
                first = int(differ[0]) // expected.itemsize
                raise AssertionError(
                    f"{case.name}: array {index} differs in {differ.size} bytes, first at element "
                    f"{first}: {found[first]} instead of {_flat(expected)[first]}"
                )
        at += CASE_WORDS


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array).reshape(-1)


class HostLibrary:
    """The kernels in a shared library of this process."""

    def __init__(self, path: Path) -> None:
        self.run = ctypes.CDLL(str(path)).harness_run

    @classmethod
    def build(cls, folder: Path) -> HostLibrary:
        """Compile with the strict warnings as errors."""
        path = folder / "kernels.so"
        command = ["gcc", *C_FLAGS, "-shared", "-fPIC", "-pthread", *_includes(), *_sources()]
        subprocess.run([*command, str(HERE / "harness.c"), "-o", str(path)], check=True)
        return cls(path)

    def check(self, cases: Sequence[Case], cores: int) -> None:
        """Run the cases on this many threads and compare."""
        blob = write_blob(cases)
        self.run((ctypes.c_char * len(blob)).from_buffer(blob), ctypes.c_uint32(cores))
        check_blob(bytes(blob), cases)


@dataclass(frozen=True, slots=True)
class SanitizedProgram:
    """The kernels in a program of its own that stops at the first thing sanitizers object to."""

    path: Path

    @classmethod
    def build(cls, folder: Path, sanitizers: str) -> SanitizedProgram:
        """Compile with these of gcc's sanitizers."""
        path = folder / "harness"
        sanitize = ["-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
        command = ["gcc", *C_FLAGS, *sanitize, "-pthread", *_includes(), *_sources()]
        subprocess.run([*command, str(HERE / "harness.c"), "-o", str(path)], check=True)
        return cls(path)

    def check(self, cases: Sequence[Case], cores: int, folder: Path) -> None:
        """Run the cases on this many threads and compare."""
        file = folder / f"blob{cores}"
        file.write_bytes(write_blob(cases))
        done = subprocess.run(
            [str(self.path), str(cores), str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        check_blob(file.read_bytes(), cases)


@dataclass(frozen=True, slots=True)
class Cores:
    """A compiler, and the hart that runs what it compiles."""

    command: tuple[str, ...]
    library: tuple[str, ...]  # flags for what implements memcpy and its like
    link: tuple[str, ...]
    hart: str  # QEMU's name of it


FLOAT_REGISTERS: Final = Cores(
    command=(CROSS_GCC, *RV32_FLAGS),
    library=("-fno-tree-loop-distribute-patterns",),
    link=("-lgcc",),
    hart="rv32",
)
# As the chip's: floats lie in the integer registers.
NO_FLOAT_REGISTERS: Final = Cores(
    command=(
        *(CLANG, "--target=riscv32-unknown-elf", "-march=rv32imc_zfinx_zicsr", "-mabi=ilp32"),
        *("-mcmodel=medany", "-ffreestanding"),
    ),
    library=(),
    link=("-fuse-ld=lld",),
    hart="rv32,f=off,d=off,zfinx=on",
)


@dataclass(frozen=True, slots=True)
class BareMetal:
    """The kernels on one RV32 hart of QEMU's virt machine."""

    elf: Path
    cores: Cores

    @staticmethod
    def is_available() -> bool:
        """Whether compiler and emulator are installed."""
        return shutil.which(CROSS_GCC) is not None and shutil.which(QEMU) is not None

    @classmethod
    def build(cls, folder: Path, cores: Cores = FLOAT_REGISTERS) -> BareMetal:
        """Compile with the strict warnings as errors."""
        elf = folder / "kernels.elf"
        link = ["-nostdlib", "-static", "-T", str(HERE / "bare_metal.ld")]
        link += [f"-Wl,--wrap={name}" for name in WRAPPED]
        command = [*cores.command, *C_FLAGS, *link, *_includes(), *_sources()]
        own = [str(HERE / "start.S"), str(HERE / "bare_metal.c"), cls._library(folder, cores)]
        subprocess.run([*command, *own, *cores.link, "-o", str(elf)], check=True)
        return cls(elf, cores)

    @staticmethod
    def _library(folder: Path, cores: Cores) -> str:
        """What the compiler may call, built as the product builds it."""
        built = str(folder / "freestanding.o")
        source = str(RUNTIME / "src" / "platform" / "rv32" / "freestanding.c")
        command = [*cores.command, *C_FLAGS, *cores.library]
        subprocess.run([*command, "-c", source, "-o", built], check=True)
        return built

    def run(self, cases: Sequence[Case]) -> list[tuple[int, int]]:
        """CRC-32C of the results and instructions of each case."""
        file = self.elf.parent / "blob"
        file.write_bytes(write_blob(cases))
        machine = [
            "-M",
            "virt",
            "-m",
            "512M",
            "-bios",
            "none",
            "-nographic",
            "-icount",
            "shift=0,sleep=off",
        ]
        loader = f"loader,file={file},addr=0x84000000,force-raw=on"
        done = subprocess.run(
            [QEMU, *machine, "-cpu", self.cores.hart, "-kernel", str(self.elf), "-device", loader],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=QEMU_SECONDS,
        )
        assert done.returncode == 0, f"QEMU returned {done.returncode}: {done.stdout}{done.stderr}"
        rows = [line.split() for line in done.stdout.split("\n") if line.strip()]
        return [(int(crc, 16), int(count, 16)) for crc, count in rows]

    def check(self, cases: Sequence[Case]) -> list[int]:
        """Run the cases, compare, and return the instructions of each."""
        results = self.run(cases)
        assert len(results) == len(cases)
        for case, (crc, _) in zip(cases, results, strict=True):
            joined = b"".join(_flat(case.expected[i]).tobytes() for i in sorted(case.expected))
            assert crc == crc32c(joined), f"{case.name}: results differ on RV32"
        return [instructions for _, instructions in results]
