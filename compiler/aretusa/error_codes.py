"""CODES: every error and warning code, with what it means and what to do about it."""

from __future__ import annotations

# Sorted by code; a code keeps its meaning for ever and always has the same exit code.
CODES: dict[str, str] = {
    "E0001": "A path on the command line does not exist or is no checkpoint; give another one.",
    "E0100": "A file cannot be read or is not a regular file; check that it exists and its rights.",
    "E0101": "A safetensors file is too short to hold a header; download it again.",
    "E0102": "A safetensors header claims more bytes than allowed or present; download it again.",
    "E0103": "A safetensors header or an index is not a well-formed JSON object; download again.",
    "E0104": "A safetensors file ends before its last tensor does; download it again.",
    "E0105": "Tensors overlap, leave a hole or are followed by stray bytes; download it again.",
    "E0106": "One tensor name is stored twice in a file or in two shards; export again.",
    "E0107": "A tensor's shape is out of range or contradicts its byte count; download it again.",
    "E0108": "A tensor has a zero dimension or more than four dimensions; export again.",
    "E0109": "A tensor has an element type that is not read; export as BF16, F16 or F32.",
    "E0110": "Weights or scales contain NaN or infinity; export the checkpoint again.",
    "W0112": "A tensor is all zero, constant or denormal only; check the export.",
    "E0120": "Weight files are missing; download them into the directory.",
    "E0121": "A file name or link leads out of the directory; copy the files themselves there.",
    "E0122": "The index and the shards list different tensors; download one revision of both.",
    "E0123": "A JSON file is too large or too deeply nested; download or export it again.",
    "E0124": "Only pickled weights are there, which are never read; save them as safetensors.",
    "E0125": "The model needs Python code of its own, which is never run; use a standard class.",
    "E0126": "The weights are quantised in a layout that is not imported; give float or GGUF.",
    "E0130": "Not a little-endian GGUF file of version 2 or 3; convert the model again.",
    "E0131": "A length or count in a GGUF file passes its end or its budget; download it again.",
    "E0132": "A GGUF file's table is inconsistent (names, alignment, offsets); convert again.",
    "E0133": "A GGUF tensor has a quantisation that is not read; quantise as Q8_0, Q4_0 or Q4_1.",
    "E0150": "The content is a Git LFS pointer, an archive or a web page; download the real file.",
    "E0200": "The configuration is missing, malformed or has a value of wrong type; export again.",
    "E0201": "The model family is not supported; choose llama, mistral, qwen2 or qwen3.",
    "E0202": "Configuration and weights disagree; use the configuration that belongs to them.",
    "E0203": "A number of the configuration is out of all bounds; correct it or export again.",
    "E0204": "The model uses a feature that is not supported; choose a model without it.",
    "E0220": "There is no usable tokenizer; save it as tokenizer.json.",
}
