"""Where quotes, comments and domain literals close, and where a list's entries end.

One look at the input answers for every opening character in it, in linear time. An opening without its
partner never swallows the entries after it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.address.addr_spec import QUOTED

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Nesting", "outside_quotes", "trimmed"]

_LITERAL: Final = re.compile(r"\[[^\[\]@<>]*+\]")
"""A closed domain literal. No address and no other bracket fits into one, so none is looked for beyond."""

_CROSSED_OUT: Final = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|\[[^\[\]]*+\]',
    re.DOTALL,
)
"""A quoted string, or brackets. A quote that never closes takes all the rest, so none is looked at twice."""
_PARENTHESIS: Final = re.compile(r"\\.|[()]", re.DOTALL)
_STOPS: Final = {
    ";": re.compile(r'[\\"(\[;]'),
    ",": re.compile(r'[\\"(\[,]'),
}


def trimmed(text: Sequence[str], start: int, end: int, blanks: str) -> tuple[int, int]:
    """The offsets of a piece of input without the blanks at both its ends."""
    while start < end and text[start] in blanks:
        start += 1
    while end > start and text[end - 1] in blanks:
        end -= 1
    return start, end


def outside_quotes(piece: str) -> str:
    """A piece of input with its quoted strings and brackets crossed out, as long as before."""
    return _CROSSED_OUT.sub(lambda found: "x" * len(found[0]), piece)


class Nesting:
    """The closing places of one input.

    Args:
        text: the whole input.
    """

    __slots__ = ("_comments", "_open_quote", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._comments: dict[int, int] | None = None
        self._open_quote = len(text)

    def _quote_end(self, start: int) -> int | None:
        """The offset behind the quoted string that opens at ``start``; None when it never closes."""
        if start >= self._open_quote:
            return None
        found = QUOTED.match(self.text, start)
        if found is None:
            # No bare quotation mark follows, so none that follows can close either.
            self._open_quote = start
            return None
        return found.end()

    def _comment_end(self, start: int) -> int | None:
        """The offset behind the comment that opens at ``start``; None when it never closes."""
        if self._comments is None:
            self._comments = {}
            open_at: list[int] = []
            for found in _PARENTHESIS.finditer(self.text, start):
                if found[0] == "(":
                    open_at.append(found.start())
                elif found[0] == ")" and open_at:
                    self._comments[open_at.pop()] = found.end()
        return self._comments.get(start)

    def _literal_end(self, start: int) -> int | None:
        """The offset behind the domain literal that opens at ``start``; None when it never closes."""
        found = _LITERAL.match(self.text, start)
        return None if found is None else found.end()

    def closing(self, start: int) -> int | None:
        """The offset behind whatever opens at ``start``: a quote, comment or domain literal.

        A square bracket that follows no @ opens nothing, and its "end" is the next character.
        """
        match self.text[start]:
            case '"':
                return self._quote_end(start)
            case "(":
                return self._comment_end(start)
            case _:
                if self.text[start - 1 : start] != "@":
                    return start + 1
                return self._literal_end(start)

    def entry_end(self, start: int, separator: str) -> int:
        """The offset of the separator that ends the entry at ``start``, or of the end of the input.

        When something in the entry never closes, the next separator ends it, wherever it stands.
        """
        text, stops = self.text, _STOPS[separator]
        position = start
        while (found := stops.search(text, position)) is not None:
            at = found.start()
            if found[0] == separator:
                return at
            if found[0] == "\\":
                position = at + (1 if text[at + 1 : at + 2] == separator else 2)
                continue
            closing = self.closing(at)
            if closing is None:
                end = text.find(separator, at)
                return len(text) if end < 0 else end
            position = closing
        return len(text)
