"""The printable characters that byte-level BPE writes for the 256 bytes."""

from __future__ import annotations


def _alphabet() -> tuple[str, ...]:
    """Printable Latin-1 stands for itself; the other bytes take U+0100 and up, in order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))


CHAR_OF_BYTE = _alphabet()
BYTE_OF_CHAR = {char: byte for byte, char in enumerate(CHAR_OF_BYTE)}


def bytes_of_token(token: str) -> bytes:
    """What a token of the vocabulary stands for; one with a foreign character is plain text."""
    if all(char in BYTE_OF_CHAR for char in token):
        return bytes(BYTE_OF_CHAR[char] for char in token)
    return token.encode()
