"""The normaliser, pre-tokeniser, post-processor and decoder of tokenizer.json, by allow-list."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aretusa.tokenizer.json_shape import Node, steps_of
from aretusa.tokenizer.model import SPACE_MARK, Cutting, Kind, Pattern, SpacePrefix
from aretusa.tokenizer.vocabulary import broken, unsupported

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LATER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {
    _GPT2: Pattern.GPT2,
    _LATER.replace("DIGITS", r"\p{N}{1,3}"): Pattern.LLAMA3,
    _LATER.replace("DIGITS", r"\p{N}"): Pattern.QWEN2,
}
_PREPEND = ("Prepend", SPACE_MARK)
_REPLACE = ("Replace", " ", SPACE_MARK)
_SCHEMES = {
    "always": SpacePrefix.UNLESS_THERE,
    "first": SpacePrefix.FIRST_UNLESS_THERE,
    "never": SpacePrefix.NEVER,
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What happens to text before and after the merges."""

    kind: Kind
    cutting: Cutting
    strips_first_space: bool


def read_pipeline(root: Node) -> Pipeline:
    """The pipeline of a tokenizer.json, or UnsupportedError naming what is foreign in it."""
    normaliser = [
        _normaliser_step(step) for step in steps_of(root.node("normalizer"), "normalizers")
    ]
    splitters = steps_of(root.node("pre_tokenizer"), "pretokenizers")
    decoder = tuple(_decoder_step(step) for step in steps_of(root.node("decoder"), "decoders"))
    names = [step.type for step in splitters]
    if names and names[-1] == "ByteLevel":
        if normaliser not in ([], [("NFC",)]):
            raise unsupported(root.file, f"{_shown(normaliser)} before a byte-level vocabulary")
        if decoder != (("ByteLevel",),):
            raise unsupported(root.file, f"the decoder {_shown(decoder)}")
        cutting = replace(_byte_level_cutting(splitters), composes=bool(normaliser))
        return Pipeline(Kind.BYTE_LEVEL_BPE, cutting, strips_first_space=False)
    strips = _strips_first_space(decoder, root.file)
    cutting = _sentencepiece_cutting(normaliser, splitters, root.file)
    return Pipeline(Kind.SENTENCEPIECE_BPE, cutting, strips_first_space=strips)


def read_prefix_ids(root: Node) -> tuple[int, ...]:
    """Ids that the post-processor puts in front of every text."""
    prefix: tuple[int, ...] = ()
    for step in steps_of(root.node("post_processor"), "processors"):
        match step.type:
            case "ByteLevel":
                continue  # changes offsets only
            case "TemplateProcessing" if not prefix:
                prefix = _template_prefix(step)
            case other:
                raise unsupported(root.file, f"the post-processor {other!r:.80}")
    return prefix


def _template_prefix(step: Node) -> tuple[int, ...]:
    """The special tokens of `<s> $A`; tokens behind the text are refused."""
    table = step.node("special_tokens")
    ids: list[int] = []
    parts = step.nodes("single")
    for place, part in enumerate(parts):
        special = part.node("SpecialToken")
        if special is None:
            if place != len(parts) - 1 or part.node("Sequence") is None:
                raise unsupported(step.file, "a template with more than a prefix")
            return tuple(ids)
        entry = None if table is None else table.node(special.text("id"))
        if entry is None:
            raise broken(step.file, f"the template uses {special.text('id')!r:.80}, not listed")
        for one in entry.items("ids"):
            if type(one) is not int:
                raise broken(step.file, f"{entry.place}.ids is not a list of numbers")
            ids.append(one)
    raise unsupported(step.file, "a template that ends with a special token")


def _normaliser_step(step: Node) -> tuple[str, ...]:
    match step.type:
        case "NFC":
            return ("NFC",)
        case "Prepend":
            return ("Prepend", step.text("prepend"))
        case "Replace":
            return ("Replace", _pattern_string(step), step.text("content"))
        case other:
            raise unsupported(step.file, f"the normaliser {other!r:.80}")


def _decoder_step(step: Node) -> tuple[str, ...]:
    match step.type:
        case "ByteLevel" | "ByteFallback" | "Fuse":
            return (step.type,)
        case "Replace":
            return ("Replace", _pattern_string(step), step.text("content"))
        case "Strip":
            bounds = f"{step.number('start')}:{step.number('stop')}"
            return ("Strip", step.text("content"), bounds)
        case other:
            raise unsupported(step.file, f"the decoder {other!r:.80}")


def _pattern_string(step: Node) -> str:
    pattern = step.node("pattern")
    if pattern is None or "String" not in pattern.fields:
        raise unsupported(step.file, f"a regular expression in {step.place}")
    return pattern.text("String")


def _strips_first_space(decoder: tuple[tuple[str, ...], ...], file: str) -> bool:
    plain = (("Replace", SPACE_MARK, " "), ("ByteFallback",), ("Fuse",))
    if decoder == plain:
        return False
    if decoder == (*plain, ("Strip", " ", "1:0")):
        return True
    raise unsupported(file, f"the decoder {_shown(decoder)}")


def _sentencepiece_cutting(
    normaliser: list[tuple[str, ...]], splitters: list[Node], file: str
) -> Cutting:
    match splitters:
        case []:
            if normaliser == [_REPLACE]:
                return Cutting()
            if normaliser == [_PREPEND, _REPLACE]:
                return Cutting(prefix=SpacePrefix.ALWAYS)
        case [Node() as step] if step.type == "Metaspace" and not normaliser:
            return _metaspace_cutting(step)
        case _:
            pass
    names = [step.type for step in splitters]
    raise unsupported(file, f"normaliser {_shown(normaliser)} with pre-tokeniser {names!r:.80}")


def _metaspace_cutting(step: Node) -> Cutting:
    scheme = step.text("prepend_scheme") if "prepend_scheme" in step.fields else "always"
    if step.text("replacement") != SPACE_MARK or scheme not in _SCHEMES:
        raise unsupported(step.file, f"an unusual {step.place}")
    if not step.flag("add_prefix_space", default=True):
        scheme = "never"
    return Cutting(prefix=_SCHEMES[scheme], splits_at_spaces=step.flag("split", default=True))


def _byte_level_cutting(splitters: list[Node]) -> Cutting:
    """[Digits] [Split] ByteLevel, in this order."""
    *before, byte_level = splitters
    cutting = Cutting()
    for step in before:
        match step.type:
            case "Digits" if step is before[0] and step.flag("individual_digits"):
                cutting = replace(cutting, isolates_digits=True)
            case "Split" if cutting.pattern is Pattern.NONE:
                cutting = replace(cutting, pattern=_split_pattern(step))
            case other:
                raise unsupported(step.file, f"the pre-tokeniser {other!r:.80} in this place")
    if byte_level.flag("use_regex", default=True):
        if cutting.pattern is not Pattern.NONE:
            raise unsupported(byte_level.file, "two regular expressions in a row")
        cutting = replace(cutting, pattern=Pattern.GPT2)
    if byte_level.flag("add_prefix_space", default=True):
        if before:
            raise unsupported(byte_level.file, "add_prefix_space after another pre-tokeniser")
        cutting = replace(cutting, prefix=SpacePrefix.UNLESS_THERE)
    return cutting


def _split_pattern(step: Node) -> Pattern:
    """The known expressions match every character: what they leave out is never anything."""
    how = (step.text("behavior"), step.flag("invert"))
    pattern = step.node("pattern")
    text = "" if pattern is None or "Regex" not in pattern.fields else pattern.text("Regex")
    if text not in _PATTERNS or how not in {("Isolated", False), ("Removed", True)}:
        raise unsupported(step.file, f"the regular expression {text!r:.80} in {step.place}")
    return _PATTERNS[text]


def _shown(steps: object) -> str:
    return f"{steps!r:.160}"
