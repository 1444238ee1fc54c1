"""A cell of a CSV file that no spreadsheet runs.

Read with commas, semicolons or tabs, no cell begins with a sign that starts a formula.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["safe_cell"]

_SIGNS: Final = "=+-@\uff1d\uff0b\uff0d\uff20"  # the full-width ones too: some programs fold them
_HARD: Final = ';,|"'
# Blanks, controls, and characters of no width: a spreadsheet may skip any of them before a sign.
_GAP: Final = re.compile(
    f"[{_HARD}\\s\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+"
)
_SOFT: Final = re.compile("[\t\r\n]")


def safe_cell(text: str) -> str:
    r"""A cell as it is written: with an apostrophe wherever a reader could see a formula begin.

    That is before its start, and behind each separator, quote and line end in it. European spreadsheets split
    lines of our commas at semicolons, and quotes in the middle of a cell protect nothing (OWASP, CSV
    Injection).

    >>> safe_cell("x;=1+1"), safe_cell("\n=1"), safe_cell("x = y")
    ("x;'=1+1", "'\n'=1", 'x = y')
    """
    guarded = text[:1] in {*_SIGNS, "\t", "\r"}
    written = ["'"] if guarded else []
    at = 0
    for gap in _GAP.finditer(text):
        end = gap.end()
        if end < len(text) and text[end] in _SIGNS:
            written += (text[at : gap.start()], _guarded(gap[0], first=gap.start() == 0 and not guarded))
            at = end
    return "".join([*written, text[at:]])


def _guarded(gap: str, *, first: bool) -> str:
    """What stands before a sign, with an apostrophe behind each character at which a reader may split."""
    behind_hard = max(map(gap.rfind, _HARD)) + 1
    guard = "'" if first or behind_hard else ""
    return f"{gap[:behind_hard]}{guard}" + _SOFT.sub(r"\g<0>'", gap[behind_hard:])
