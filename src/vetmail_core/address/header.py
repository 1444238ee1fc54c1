"""The form a mailbox has in a message header.

A line has at most 78 characters where a space or an encoded word lets it be folded, and never reaches 998.
"""

from __future__ import annotations

import re
from typing import Final

from vetmail_core.address.addr_spec import ASCII_ATOM, in_quotes
from vetmail_core.address.encoded_words import WORD_LINE, encoded_words

__all__ = ["name_in_header"]

_LINE: Final = 78  # RFC 5322 section 2.1.1
_FIELD_ROOM: Final = 10
"""Columns the first line leaves for the longest field name that takes mailboxes, ``Reply-To: ``."""

_PLAIN_NAME: Final = re.compile(rf"[{ASCII_ATOM}]++(?: [{ASCII_ATOM}]++)*+")


def name_in_header(name: str, address: str, *, utf8: bool) -> str:
    """Write ``name <address>`` for a header, folded.

    Args:
        name: a checked name that is not empty.
        address: the addr-spec as it goes into the header.
        utf8: whether the name may stay UTF-8 instead of encoded words.

    Returns:
        ASCII unless ``utf8`` or the address is not; lines joined by CRLF and a blank.
    """
    # A name that looks like an encoded word is written as one: most readers decode within quotes as well.
    if "=?" not in name and (name.isascii() or utf8):
        plain = _PLAIN_NAME.fullmatch(name) is not None
        written = name if plain else in_quotes(name)
        whole = f"{written} <{address}>"
        if len(whole) <= _LINE - _FIELD_ROOM and whole.isascii():
            return whole
        folded = _folded(written)
    else:
        folded = None
    limit = _LINE
    if folded is None:
        limit = WORD_LINE
        folded = encoded_words(name, first_room=limit - _FIELD_ROOM, readable=name.isascii() and "=?" in name)
    last_line = folded.rpartition("\n")[2]
    used = len(last_line.encode()) + (0 if "\n" in folded else _FIELD_ROOM)
    between = " " if used + len(f" <{address}>,".encode()) <= limit else "\r\n "
    return f"{folded}{between}<{address}>"


def _folded(written: str) -> str | None:
    """Fold a name at its blanks; None when one of its words fits on no line."""
    if "  " in written or "\t" in written or written.startswith('" ') or written.endswith(' "'):
        # Readers differ about a line that begins with more than one blank; encoded words are safe.
        return written if len(written.encode()) <= _LINE - _FIELD_ROOM else None
    lines: list[str] = []
    line, used = "", _FIELD_ROOM
    for word in written.split(" "):
        width = len(word.encode())
        if line and used + 1 + width > _LINE:
            lines.append(line)
            line, used = word, 1 + width
        else:
            line, used = (f"{line} {word}", used + 1 + width) if line else (word, used + width)
        if used > _LINE:
            return None
    lines.append(line)
    return "\r\n ".join(lines)
