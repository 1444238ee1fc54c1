"""What hostile text costs: time in proportion to its length, and no recursion."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from vetmail_core.address import AddressError, Mailbox, collect_mailbox_list, parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

PIECES = [
    *',;"<>()[]@:.\\ \t\n-é“‘%=',
    "g:",
    "g:g:;",
    "a.",
    "a ",
    "a@b ",
    "a@b.com,",
    "a@b.com;",
    "x;",
    "<a@b>",
    "a<",
    "<>",
    '"a" ',
    '"a@b",',
    "(a)b",
    '"(',
    "[(",
    "@[",
    "@[1]",
    '\\"',
    "“a”",
    "“@",
    "\u200b",
    "\u0301",
    "\u3002",
    "xn--a.",
    "=?utf-8?q?a?= ",
    "mailto:",
    "%41",
    "a@b\r\n",
    "👩\u200d",
    "\ud800",
]
FRAMES = [("", ""), ("", " <a@example.com>"), ("mailto:", "")]

WAYS: dict[str, Callable[[str], object]] = {
    "one": parse_mailbox,
    "one, pasted": lambda text: parse_mailbox(text, lenient=True),
    "list": collect_mailbox_list,
    "list, pasted": lambda text: collect_mailbox_list(text, lenient=True),
    "comma list": lambda text: collect_mailbox_list(text, separator=","),
    "comma list, pasted": lambda text: collect_mailbox_list(text, separator=",", lenient=True),
    "address": Mailbox,
    "name": lambda text: Mailbox("a@example.com", text),
}


def _seconds(read: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    with contextlib.suppress(AddressError):
        read(text)
    return time.process_time() - start


@pytest.mark.parametrize("frame", FRAMES, ids=repr)
@pytest.mark.parametrize("way", WAYS)
def test_twice_the_text_costs_at_most_two_and_a_half_times_as_much(way: str, frame: tuple[str, str]) -> None:
    """From 10 to 20 kB of any shape; less than two milliseconds are not measured.

    The machine may be busy, so one good pair of twenty proves it: what is not linear has none.
    """
    for piece in PIECES:
        short, long = (
            frame[0] + (piece * (size // len(piece) + 1))[:size] + frame[1] for size in (10_000, 20_000)
        )
        if _seconds(WAYS[way], long) < 0.002:
            continue
        ratios = (_seconds(WAYS[way], long) / _seconds(WAYS[way], short) for _ in range(20))
        assert any(ratio <= 2.5 for ratio in ratios), f"{piece!r} costs too much"
