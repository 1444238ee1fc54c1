"""UTF-8 text in the seven bits of a header (RFC 2047).

Each word is written as B or Q, whichever is shorter, and never cuts a character in two.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from typing import Final

__all__ = ["WORD_LINE", "encoded_words"]

WORD_LINE: Final = 76
"""Characters of a header line that holds an encoded word (RFC 2047, section 2)."""
_LIMIT: Final = 75  # characters of one word, frame and all (RFC 2047, section 2)
_FRAME: Final = len("=?utf-8?b??=")
_UNSAFE: Final = re.compile(rb"[^!*+\-/0-9A-Za-z]")
"""What Q spells in hex inside a name, and so everywhere (section 5, rule 3)."""


def encoded_words(text: str, *, first_room: int, readable: bool = False) -> str:
    """Write a text as encoded words.

    Args:
        text: at least one character, no lone surrogates.
        first_room: characters that the first word may take, as it shares its line with what stands before it.
        readable: Q, of which people can read the letters, also where B is shorter.

    Returns:
        ASCII; the words joined by a line end and a blank.
    """
    data = text.encode()
    quoted = len(data) + 2 * len(_UNSAFE.findall(data.replace(b" ", b"")))
    in_base64 = not readable and (len(data) + 2) // 3 * 4 < quoted
    words: list[str] = []
    room = min(first_room, _LIMIT)
    start = 0
    while start < len(text):
        end = _word_end(text, start, room - _FRAME, in_base64=in_base64)
        piece = text[start:end].encode()
        if in_base64:
            words.append(f"=?utf-8?b?{b2a_base64(piece, newline=False).decode()}?=")
        else:
            words.append(f"=?utf-8?q?{_q(piece)}?=")
        start = end
        room = _LIMIT
    return "\r\n ".join(words)


def _word_end(text: str, start: int, room: int, *, in_base64: bool) -> int:
    """Find where a word must end: as many whole characters as fit ``room``, at least one."""
    octets = room // 4 * 3 if in_base64 else room
    end = start
    used = 0
    for character in text[start : start + octets]:
        data = character.encode()
        used += len(data) if in_base64 or character == " " else len(_UNSAFE.sub(b"=00", data))
        if used > octets and end > start:
            break
        end += 1
    return end


def _q(data: bytes) -> str:
    return _UNSAFE.sub(lambda found: b"=%02X" % found.group()[0], data).replace(b"=20", b"_").decode()
