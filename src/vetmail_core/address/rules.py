"""What may stand in a name without quotes, for each way a mailbox is read.

A single mailbox, an entry of a list and a pasted entry differ in a few characters; here they are side by
side.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

__all__ = ["ONE", "Rules", "in_list", "pasted"]


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

_IN_LIST: Final = {
    ";": Rules(word=re.compile(r'[^ \t"()<>@:\\\[\];]++'), separator=";"),
    ",": Rules(word=re.compile(r'[^ \t"()<>@:\\\[\],]++'), separator=","),
}

_PASTED: Final = {
    separator: Rules(word=re.compile(r'[^ \t"()<>@\\]++'), own_address=True, separator=separator)
    for separator in ("", ";", ",")
}


def in_list(separator: str) -> Rules:
    """The strict rules inside a list."""
    return _IN_LIST[separator]


def pasted(separator: str) -> Rules:
    """The lenient rules, of an entry that is cut out of its list already; "" for one mailbox alone."""
    return _PASTED[separator]
