"""tokenizer.json of Hugging Face -> TokenizerModel."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from aretusa.tokenizer.hf_pipeline import read_pipeline, read_prefix_ids
from aretusa.tokenizer.json_shape import Node, parse_json
from aretusa.tokenizer.model import AddedToken, Kind, TokenizerModel
from aretusa.tokenizer.vocabulary import (
    Vocabulary,
    broken,
    build_model,
    merges_of_pairs,
    over_budget,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_FILE_BYTES = 64 << 20


def read_hf(path: Path, *, eos_ids: tuple[int, ...] = ()) -> TokenizerModel:
    """Read a tokenizer.json; which ids end an answer stands in other files of the model."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise broken(str(path), f"the tokenizer cannot be read: {error.strerror}") from error
    return parse_hf(data, file=str(path), eos_ids=eos_ids)


def parse_hf(
    data: bytes, *, file: str = "tokenizer.json", eos_ids: tuple[int, ...] = ()
) -> TokenizerModel:
    """The same from the bytes of the file."""
    if len(data) > MAX_FILE_BYTES:
        raise over_budget(file, f"a tokenizer of more than {MAX_FILE_BYTES:,} bytes")
    root = parse_json(data, file)
    model = root.node("model")
    if model is None:
        raise broken(file, "the tokenizer has no model")
    _check_is_plain_bpe(model)
    ids = _vocab(model)
    added, pieces = _added_tokens(root, ids)
    pipeline = read_pipeline(root)
    if pipeline.kind is Kind.SENTENCEPIECE_BPE and model.flag("ignore_merges"):
        raise unsupported(file, "ignore_merges in a SentencePiece vocabulary")
    return build_model(
        Vocabulary(
            file=file,
            kind=pipeline.kind,
            cutting=pipeline.cutting,
            pieces=pieces,
            ids=ids,
            added=added,
            merges=merges_of_pairs(_pairs(model), ids, file=file),
            unknown_id=_unknown_id(model, ids),
            fuses_unknown=model.flag("fuse_unk"),
            falls_back_to_bytes=model.flag("byte_fallback"),
            looks_up_words=model.flag("ignore_merges"),
            strips_first_space=pipeline.strips_first_space,
            bos_ids=read_prefix_ids(root),
            eos_ids=eos_ids,
        )
    )


def _check_is_plain_bpe(model: Node) -> None:
    kind = model.fields.get("type", "BPE")
    if kind != "BPE":
        raise unsupported(model.file, f"the model {kind!r:.80}")
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.fields.get(key) not in (None, 0.0, ""):
            raise unsupported(model.file, f"{key} = {model.fields[key]!r:.80}")


def _vocab(model: Node) -> dict[str, int]:
    """Token -> id; the ids are 0, 1, 2, ... without a hole."""
    vocab = model.node("vocab")
    if vocab is None or not vocab.fields:
        raise broken(model.file, "the tokenizer has no vocabulary")
    ids: dict[str, int] = {}
    seen: set[int] = set()
    for token in vocab.fields:
        one = vocab.number(token)
        if not 0 <= one < len(vocab.fields):
            what = f"the id {one} of {token!r:.80} is outside the {len(vocab.fields):,} tokens"
            raise broken(model.file, what)
        if one in seen:
            raise broken(model.file, f"the id {one} comes twice, also for {token!r:.80}")
        seen.add(one)
        ids[token] = one
    return ids


def _added_tokens(
    root: Node, ids: Mapping[str, int]
) -> tuple[tuple[AddedToken, ...], tuple[str, ...]]:
    """The added tokens, and all pieces by id; tokens that are not in the model follow it."""
    pieces = sorted(ids, key=lambda token: ids[token])
    added: dict[str, AddedToken] = {}
    nodes = root.nodes("added_tokens")
    for node in nodes:
        content, one = node.text("content"), node.number("id")
        if not content or content in added:
            raise broken(root.file, f"the added token {content!r:.80} is empty or comes twice")
        expected = ids.get(content, len(pieces))
        if one != expected:
            raise broken(
                root.file, f"the added token {content!r:.80} has id {one}, expected {expected}"
            )
        if content not in ids:
            pieces.append(content)
        for flag in ("lstrip", "rstrip", "single_word"):
            if node.flag(flag):
                raise unsupported(root.file, f"{flag} in the added token {content!r:.80}")
        added[content] = AddedToken(content=content, id=one, is_special=node.flag("special"))
    _check_normalized(root, nodes)
    return tuple(added.values()), tuple(pieces)


def _check_normalized(root: Node, nodes: list[Node]) -> None:
    """`normalized` puts off the search until after the normaliser: refused where one can tell."""
    late = [node.text("content") for node in nodes if node.flag("normalized")]
    early = [node.text("content") for node in nodes if not node.flag("normalized")]
    if late and root.node("normalizer") is not None:
        raise unsupported(root.file, f"normalized = true in the added token {late[0]!r:.80}")
    for one, two in product(late, early):
        if _overlap(one, two) or _overlap(two, one):
            what = f"the added tokens {one!r:.80} and {two!r:.80} overlap and differ in normalized"
            raise unsupported(root.file, what)


def _overlap(one: str, two: str) -> bool:
    """Can a text hold `two` that begins within `one`?"""
    return two in one or any(
        two.startswith(one[start:]) for start in range(max(1, len(one) - len(two)), len(one))
    )


def _pairs(model: Node) -> Iterator[tuple[str, str]]:
    """Merges as ["a", "b"] or as "a b"."""
    for rank, found in enumerate(model.items("merges")):
        if isinstance(found, str) and found.startswith("#version"):
            continue
        parts = found.split(" ") if isinstance(found, str) else found
        match parts:
            case [str(left), str(right)] if left and right:
                yield left, right
            case _:
                raise broken(model.file, f"merge {rank} is not a pair of tokens")


def _unknown_id(model: Node, ids: Mapping[str, int]) -> int | None:
    if model.fields.get("unk_token") is None:
        return None
    name = model.text("unk_token")
    if name not in ids:
        raise broken(model.file, f"the unknown token {name!r:.80} is not in the vocabulary")
    return ids[name]
