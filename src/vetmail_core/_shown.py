"""Text of others, made fit to be shown.

What a server, a file or a form says goes through here before it is kept or quoted. The result holds no
control character, no change of writing direction and no half of a surrogate pair.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["HALF_A_PAIR", "has_surrogate", "shown", "shown_line", "shown_octets"]

_CONTROLS: Final = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNFIT: Final = re.compile(f"[{_CONTROLS}]")
_UNFIT_BUT_LINE_ENDS: Final = re.compile(f"(?!\n)[{_CONTROLS}]")
_BLANKS: Final = re.compile("[ \t\r\n\v\f\x85\u2028\u2029]+")
HALF_A_PAIR: Final = "half of a surrogate pair, which no file and no message can hold"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _point(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"


def shown(text: str) -> str:
    r"""A text of several lines, with what cannot be shown as its code point.

    >>> shown("\x1b[31mred")
    'U+001B[31mred'
    """
    return text if text.isprintable() else _UNFIT_BUT_LINE_ENDS.sub(_point, text)


def shown_line(text: str) -> str:
    r"""A text as one line: blanks and line ends in a row are one blank.

    >>> shown_line("one\r\n  two\u202e")
    'one twoU+202E'
    """
    line = _BLANKS.sub(" ", text)
    return line if line.isprintable() else _UNFIT.sub(_point, line)


def shown_octets(data: bytes) -> str:
    r"""Octets as one line; those that are no UTF-8 as ``\xNN``.

    >>> shown_octets(b"caf\xe9 \x07")
    'caf\\xe9 U+0007'
    """
    return shown_line(data.decode("utf-8", "backslashreplace"))


def has_surrogate(text: str) -> bool:
    r"""Whether half of a surrogate pair is in a text, which no file and no message can hold.

    >>> has_surrogate("a\ud800"), has_surrogate("\U0001f600")
    (True, False)
    """
    return not text.isascii() and _SURROGATE.search(text) is not None
