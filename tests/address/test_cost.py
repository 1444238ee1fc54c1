"""What hostile text costs: steps in proportion to its length. Its seconds are the benchmark's."""

from __future__ import annotations

import contextlib
import sys
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


def _steps(read: Callable[[str], object], text: str) -> int:
    """The calls it takes, of our functions and of Python's own: the same on every machine."""
    steps = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal steps
        del frame, argument
        steps += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(AddressError):
            read(text)
    finally:
        sys.setprofile(before)
    return steps


@pytest.mark.parametrize("frame", FRAMES, ids=repr)
@pytest.mark.parametrize("way", WAYS)
def test_twice_the_text_takes_at_most_two_and_a_half_times_the_steps(
    way: str, frame: tuple[str, str]
) -> None:
    """Whatever the text repeats, and however it is read."""
    for piece in PIECES:
        short, long = (
            _steps(WAYS[way], frame[0] + (piece * (size // len(piece) + 1))[:size] + frame[1])
            for size in (2_000, 4_000)  # both past what a name may hold
        )
        assert long <= 2.5 * short, f"{piece!r} takes {short} steps, and {long} for twice the text"


def test_a_quadratic_reader_would_be_found_out() -> None:
    """The count above can tell: one that looks back over everything at each character takes four."""

    def looks_back(text: str) -> None:
        for end in range(len(text)):
            for character in text[:end]:
                character.isspace()

    assert _steps(looks_back, "x" * 200) > 3.5 * _steps(looks_back, "x" * 100)
