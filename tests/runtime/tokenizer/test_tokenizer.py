"""The C tokenizer gives what the Python one gives, and survives damaged images."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from required_tools import skip_or_fail
from tokenizer_cases import KINDS, texts, trained

from aretusa.tokenizer.encode import encode
from aretusa.tokenizer.image import MAX_TEXT_BYTES, Table, encode_scratch_bytes, tokenizer_image
from aretusa.tokenizer.read_gguf import read_gguf
from aretusa.tokenizer.unicode_tables import unicode_tables

if TYPE_CHECKING:
    from aretusa.tokenizer.model import TokenizerModel

OK, BAD_IMAGE, NO_SPACE = 0, -2, -3
SPECIAL, BOS = 1, 2
DIRECTORY_BYTES = 32  # where the header's (offset, size) pairs begin


@dataclass(frozen=True)
class Request:
    text: bytes
    options: int = SPECIAL | BOS
    scratch_bytes: int | None = None
    capacity: int | None = None

    def record(self) -> bytes:
        scratch_bytes = self.scratch_bytes
        if scratch_bytes is None:
            scratch_bytes = encode_scratch_bytes(len(self.text))
        capacity = 3 * len(self.text) + 8 if self.capacity is None else self.capacity
        header = struct.pack("<4I", self.options, scratch_bytes, capacity, len(self.text))
        return header + self.text


def run(*arguments: object) -> str:
    done = subprocess.run(
        [str(one) for one in arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def encode_in_c(
    harness: Path, folder: Path, model: TokenizerModel, requests: list[Request]
) -> list[tuple[int, list[int]]]:
    """Status and ids of each request."""
    (folder / "image").write_bytes(tokenizer_image(model))
    (folder / "input").write_bytes(b"".join(request.record() for request in requests))
    run(harness, "encode", folder / "image", folder / "input", folder / "output")
    data = (folder / "output").read_bytes()
    answers, at = [], 0
    for _ in requests:
        status, count = struct.unpack_from("<iI", data, at)
        answers.append((status, list(struct.unpack_from(f"<{count}I", data, at + 8))))
        at += 8 + 4 * count
    assert at == len(data)
    return answers


def check(harness: Path, folder: Path, model: TokenizerModel, requests: list[Request]) -> None:
    answers = encode_in_c(harness, folder, model, requests)
    for request, answer in zip(requests, answers, strict=True):
        expected = encode(
            model,
            request.text.decode("utf-8", "replace"),
            parse_special=bool(request.options & SPECIAL),
            add_bos=bool(request.options & BOS),
        )
        assert answer == (OK, expected), repr(request)


def damaged_texts(count: int) -> list[bytes]:
    """Bytes of which many are no UTF-8."""
    dice = random.Random(7)  # noqa: S311 (not a secret)
    odd = bytes([0x41, 0x80, 0xBF, 0xC0, 0xC2, 0xE0, 0xE2, 0x82, 0xAC, 0xED, 0xA0, 0xF0])
    odd += bytes([0x9F, 0x98, 0x80, 0xF4, 0x90, 0xF5, 0xFF, 0x20, 0xEF, 0xBF, 0xBD])
    return [bytes(dice.choices(odd, k=dice.randint(1, 30))) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_encodes_as_python(harness: Path, tmp_path: Path, kind: str) -> None:
    requests = [Request(text.encode()) for text in texts()]
    requests += [Request(text.encode(), options=0) for text in texts(300)]
    requests += [Request(text) for text in damaged_texts(200)]
    check(harness, tmp_path, trained(kind).model, requests)


def test_encodes_smollm2_as_python(
    harness: Path, tmp_path: Path, smollm2_metadata: dict[str, object]
) -> None:
    model = read_gguf(smollm2_metadata)
    requests = [Request(text.encode()) for text in texts()]
    requests += [Request(text.encode(), options=0) for text in texts(300)]
    check(harness, tmp_path, model, requests)


@pytest.mark.parametrize("kind", ["sentencepiece", "smollm", "qwen2"])
def test_encodes_a_long_text(harness: Path, tmp_path: Path, kind: str) -> None:
    long_text = " ".join(texts(3000))[:100_000].encode()
    check(harness, tmp_path, trained(kind).model, [Request(long_text), Request(b"a" * 100_000)])


def test_composes_as_python(harness: Path, tmp_path: Path) -> None:
    syllables = range(0xAC00, 0xD7A4, 13)
    codes = [*unicode_tables().decompositions, *unicode_tables().combining.starts, *syllables]
    marked = "".join(f"{chr(code)}\u0345\u0323\u0301" for code in codes)
    apart = unicodedata.normalize("NFD", "".join(map(chr, codes)))
    requests = [Request(text.encode()) for text in (marked, apart, "a" + "\u0301\u0323" * 5000)]
    check(harness, tmp_path, trained("qwen2").model, requests)


@pytest.mark.parametrize("kind", ["llama3", "sentencepiece"])
def test_decodes_as_python(harness: Path, tmp_path: Path, kind: str) -> None:
    model = trained(kind).model
    (tmp_path / "image").write_bytes(tokenizer_image(model))
    run(harness, "decode", tmp_path / "image", tmp_path / "output")
    data, at = (tmp_path / "output").read_bytes(), 0
    for one, token in enumerate(model.tokens):
        traits, size_bytes = struct.unpack_from("<2I", data, at)
        assert traits == (one in model.special) + 2 * (one in model.eos_ids)
        assert data[at + 8 : at + 8 + size_bytes] == token
        at += 8 + size_bytes
    assert at == len(data)


@pytest.mark.parametrize("text_bytes", [0, 1, 2, 3, 1000, MAX_TEXT_BYTES, MAX_TEXT_BYTES + 1])
def test_scratch_is_as_in_python(harness: Path, text_bytes: int) -> None:
    assert int(run(harness, "scratch", text_bytes)) == encode_scratch_bytes(text_bytes)


@pytest.mark.parametrize("kind", ["smollm", "qwen2", "sentencepiece"])
def test_too_little_room_is_told(harness: Path, tmp_path: Path, kind: str) -> None:
    model = trained(kind).model
    text = "The caf\u00e9's 12 o\u0323\u0302 <s>\n\n!!".encode()
    expected = encode(model, text.decode())
    requests = [Request(text, capacity=capacity) for capacity in range(len(expected) + 1)]
    requests += [Request(text, scratch_bytes=size) for size in range(0, 1600, 4)]
    answers = encode_in_c(harness, tmp_path, model, requests)
    for request, (status, ids) in zip(requests, answers, strict=True):
        assert (status, ids) == (OK, expected) or status == NO_SPACE, repr(request)
        assert ids == expected[: len(ids)]
    assert answers[len(expected)][0] == OK
    statuses = [status for status, _ in answers[len(expected) + 1 :]]
    assert statuses == sorted(statuses), "more scratch made it fail"
    assert statuses[0] == NO_SPACE
    assert statuses[-1] == OK


def mutation(image: bytes, changes: list[tuple[int, int]], size_bytes: int | None = None) -> bytes:
    size_bytes = len(image) if size_bytes is None else size_bytes
    words = [word for change in changes for word in change]
    return struct.pack(f"<2I{len(words)}I", size_bytes, len(changes), *words)


def mutations(image: bytes, count: int) -> list[bytes]:
    """Damage to the header, to the first words of each table, and anywhere."""
    dice = random.Random(11)  # noqa: S311 (not a secret)
    edges = (0, 1, 3, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF, len(image), 1 << 20)
    starts = struct.unpack_from("<32I", image, DIRECTORY_BYTES)
    found = [mutation(image, [(4 * word, value)]) for word in range(40) for value in edges]
    for table in Table:
        start, size_bytes = starts[2 * table], starts[2 * table + 1]
        if size_bytes:
            place = start + 4 * dice.randrange(size_bytes // 4)
            found += [mutation(image, [(at, value)]) for at in (start, place) for value in edges]
    for _ in range(count):
        some = dice.choice((1, 9, 900))
        places = [4 * dice.randrange(40, len(image) // 4) for _ in range(some)]
        shift = dice.choice((0, 8, 20, 28))
        found.append(mutation(image, [(at, dice.getrandbits(32) >> shift) for at in places]))
    found += [mutation(image, [], 4 * dice.randrange(1, len(image) // 4)) for _ in range(20)]
    return found


@pytest.mark.parametrize("kind", ["llama3", "qwen2", "smollm", "sentencepiece", "metaspace-always"])
def test_a_damaged_image_is_refused_or_stays_in_bounds(
    harness: Path, tmp_path: Path, kind: str
) -> None:
    image = tokenizer_image(trained(kind).model)
    damaged = mutations(image, 150)
    requests = [Request(text.encode()) for text in texts(120)[60:]]
    requests += [Request(b"e\xcc\x81 \xff<s>\xc3\xa9" * 9)]
    (tmp_path / "image").write_bytes(image)
    (tmp_path / "input").write_bytes(b"".join(request.record() for request in requests))
    (tmp_path / "mutations").write_bytes(b"".join([*damaged, mutation(image, [])]))
    paths = (tmp_path / "image", tmp_path / "input", tmp_path / "mutations")
    opened = int(run(harness, "mutate", *paths))
    assert 0 < opened < len(damaged)


@pytest.mark.parametrize("compiler", ["gcc", "riscv64-unknown-elf-gcc"])
def test_compiles_without_a_warning(
    sources: list[Path], strict_gcc: tuple[str, ...], tmp_path: Path, compiler: str
) -> None:
    if shutil.which(compiler) is None:
        skip_or_fail(f"{compiler} is not installed")
    is_host = compiler == "gcc"
    target = () if is_host else ("-march=rv32imfc", "-mabi=ilp32f", "-ffreestanding")
    for source in sources:
        run(compiler, *strict_gcc, *target, "-c", source, "-o", tmp_path / f"{source.stem}.o")
    nm = compiler.removesuffix("gcc") + "nm"
    wanted = run(nm, "-u", *tmp_path.glob("*.o"))
    foreign = {line.split()[-1] for line in wanted.splitlines() if " U " in line}
    assert all(name.startswith("art_") for name in foreign), foreign


def test_is_formatted(sources: list[Path]) -> None:
    tool = shutil.which("clang-format", path=str(Path(sys.executable).parent))
    if tool is None:
        skip_or_fail("clang-format is not installed")
    headers = sorted(sources[0].parent.glob("*.h"))
    run(tool, "--dry-run", "-Werror", *sources, *headers)
