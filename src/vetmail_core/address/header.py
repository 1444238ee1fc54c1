"""The form a mailbox has in a message header.

What it is for: writing ``name <address>`` so that every reader of RFC 5322 and RFC 2047 gets the same
name back. What it refuses: a non-ASCII local part where only ASCII can go. Its law: no line is longer
than 78 characters where a blank or an encoded word lets it be folded, and none ever reaches 998.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from vetmail_core.address.addr_spec import ASCII_ATOM, in_quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["name_in_header"]

_LINE: Final = 78  # RFC 5322 section 2.1.1
_FIELD_ROOM: Final = 10
"""Columns the first line leaves for the longest field name that takes mailboxes, ``Reply-To: ``."""
_WORD: Final = 75  # RFC 2047 section 2
_FRAME: Final = len("=?utf-8?q??=")
_ROOM: Final = _WORD - _FRAME
_FIRST_ROOM: Final = _LINE - _FIELD_ROOM - _FRAME - 1
"""Characters inside the first encoded word, which shares its line with the field name."""

_PLAIN_NAME: Final = re.compile(rf"[{ASCII_ATOM}]++(?: [{ASCII_ATOM}]++)*+")
_Q_SAFE: Final = re.compile(r"[^A-Za-z0-9!*+/ \-]")
"""What a Q word must spell in hex inside a name (RFC 2047 section 5, rule 3)."""


def name_in_header(name: str, address: str, *, utf8: bool) -> str:
    """Write ``name <address>`` for a header, folded.

    Args:
        name: a checked name that is not empty.
        address: the addr-spec as it goes into the header.
        utf8: whether the name may stay UTF-8 instead of encoded words.

    Returns:
        ASCII unless ``utf8`` or the address is not; lines joined by CRLF and a blank.
    """
    if name.isascii() or utf8:
        plain = "=?" not in name and _PLAIN_NAME.fullmatch(name) is not None
        written = name if plain else in_quotes(name)
        whole = f"{written} <{address}>"
        if len(whole) <= _LINE - _FIELD_ROOM and whole.isascii():
            return whole
        folded = _folded(written, utf8=utf8)
    else:
        folded = _encoded(name)
    if folded is None:
        folded = _encoded(name)
    last_line = folded.rpartition("\n")[2]
    used = len(last_line.encode()) + (0 if "\n" in folded else _FIELD_ROOM)
    between = " " if used + len(address.encode()) + 3 <= _LINE else "\r\n "
    return f"{folded}{between}<{address}>"


def _folded(written: str, *, utf8: bool) -> str | None:
    """Fold a name at its blanks; None when one of its words fits on no line."""
    if "  " in written or "\t" in written or written.startswith('" ') or written.endswith(' "'):
        # Readers differ about a line that begins with more than one blank; encoded words are safe.
        return written if len(written.encode()) <= _LINE - _FIELD_ROOM else None
    lines: list[str] = []
    line, used = "", _FIELD_ROOM
    for word in written.split(" "):
        width = len(word.encode()) if utf8 else len(word)
        if line and used + 1 + width > _LINE:
            lines.append(line)
            line, used = word, 1 + width
        else:
            line, used = (f"{line} {word}", used + 1 + width) if line else (word, used + width)
        if used > _LINE:
            return None
    lines.append(line)
    return "\r\n ".join(lines)


def _encoded(name: str) -> str:
    """The name as UTF-8 encoded words, B or Q, whichever is shorter (RFC 2047)."""
    data = name.encode()
    quoted_length = len(data) + 2 * sum(1 for _ in _hexed(name))
    base64_length = (len(data) + 2) // 3 * 4
    words = _q_words(name) if quoted_length <= base64_length else _b_words(name)
    return "\r\n ".join(words)


def _hexed(name: str) -> Iterator[int]:
    for character in _Q_SAFE.findall(name):
        yield from character.encode()


def _q_words(name: str) -> Iterator[str]:
    room, word = _FIRST_ROOM, ""
    for character in name:
        if character == " ":
            piece = "_"
        elif _Q_SAFE.match(character):
            piece = "".join(f"={octet:02X}" for octet in character.encode())
        else:
            piece = character
        if len(word) + len(piece) > room:
            yield f"=?utf-8?q?{word}?="
            room, word = _ROOM, ""
        word += piece
    yield f"=?utf-8?q?{word}?="


def _b_words(name: str) -> Iterator[str]:
    room, word = _FIRST_ROOM // 4 * 3, b""
    for character in name:
        piece = character.encode()
        if len(word) + len(piece) > room:
            yield _b_word(word)
            room, word = _ROOM // 4 * 3, b""
        word += piece
    yield _b_word(word)


def _b_word(data: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(data, newline=False).decode()}?="
