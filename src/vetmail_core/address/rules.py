"""What may stand in a name without quotes, for each way a mailbox is read.

What it is for: one mailbox alone, an entry of a list and a pasted entry differ in a few characters, and
here they stand side by side. What it refuses: nothing by itself. Its law: the separator of a list is never
part of a word.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

__all__ = ["LENIENT", "ONE", "Rules", "in_list"]


@attrs.frozen(kw_only=True)
class Rules:
    """What may stand in a name without quotes.

    Attributes:
        word: matches a run of it.
        own_address: whether the mailbox's own address may be its name.
        separator: the list's separator; "" when one mailbox alone is read.
    """

    word: re.Pattern[str]
    own_address: bool = False
    separator: str = ""


ONE: Final = Rules(word=re.compile(r'[^ \t"()<>@:\\\[\],;]++'))
"""One mailbox alone, strictly."""

LENIENT: Final = Rules(word=re.compile(r'[^ \t"()<>@\\]++'), own_address=True)
"""A pasted entry, already cut out of its list."""

_IN_LIST: Final = {
    ";": Rules(word=re.compile(r'[^ \t"()<>@:\\\[\];]++'), separator=";"),
    ",": Rules(word=re.compile(r'[^ \t"()<>@:\\\[\],]++'), separator=","),
}


def in_list(separator: str) -> Rules:
    """The strict rules inside a list."""
    return _IN_LIST[separator]
