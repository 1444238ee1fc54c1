"""Text for a terminal of any width: columns as wide as their content, and nothing cut that is needed whole.

A table knows its widest cells before its first row. Where the columns together are wider than the terminal,
the widest ones get less room. A cell that is wider than its column takes the room it needs, and what no
longer fits on the line goes on below, indented by two. Nothing is cut, and an address stands on one line;
where it alone is wider than the terminal, the terminal breaks it.
"""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING, Final, TextIO

from vetmail_core.cli.show import plain, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Table", "cells", "room_of", "tell", "wrapped"]

_GAP: Final = "  "
_INDENT: Final = "  "
_JAMO: Final = range(0x1160, 0x1200)  # vowels and finals of Hangul, drawn within the syllable before them
_INVISIBLE: Final = frozenset({"Mn", "Me", "Cf"})


def room_of(out: TextIO) -> int | None:
    """How many cells a line has: the terminal's, else what COLUMNS says; None for as many as it takes."""
    if out.isatty():
        try:
            columns = os.get_terminal_size(out.fileno()).columns
        except (OSError, ValueError):  # something of a host's own in the place of a terminal
            columns = 0
        if columns:
            return columns
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isascii() and said.isdigit() and int(said) else None


def cells(text: str) -> int:
    """How many cells a terminal takes for a text: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in _INVISIBLE or ord(character) in _JAMO:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces that fit a line; what has an address in it stays whole."""
    if "@" in word:
        yield word
        return
    piece, size = "", 0
    for character in word:
        width = _cells_of(character)
        if piece and size + width > room:
            yield piece
            piece, size = "", 0
        piece += character
        size += width
    yield piece


def wrapped(text: str, room: int | None, *, first: str = "", indent: str = _INDENT) -> Iterator[str]:
    """Break a text at its spaces into lines that fit.

    Args:
        text: what is to be broken.
        room: cells of a line; None does not break it.
        first: spaces before the first line.
        indent: spaces before the others. An address that fits a line without them does without.
    """
    if room is None or len(first) + cells(text) <= room:
        yield first + text
        return
    line, size, fresh = first, len(first), True  # the line so far, its cells, and whether no word is on it
    for word in text.split(" "):
        for number, piece in enumerate(_pieces(word, room - max(len(first), len(indent)))):
            width = cells(piece)
            gap = 0 if fresh or number else 1
            if size + gap + width <= room:
                line, size, fresh = line + " " * gap + piece, size + gap + width, False
                continue
            if not fresh:
                yield line
            start = indent if len(indent) + width <= room else ""
            line, size, fresh = start + piece, len(start) + width, False
    yield line


def tell(text: str, *, out: TextIO, indent: str = _INDENT) -> None:
    """Print a line, broken where it does not fit; what cannot be printed is named."""
    words = text.lstrip(" ")
    lead = text[: len(text) - len(words)]
    for line in wrapped(plain(words), room_of(out), first=lead, indent=lead + indent):
        say(line, out=out)


class Table:
    """A table printed row by row, so that a long run is seen while it goes on; without rows there is none.

    Args:
        out: where to.
        titles: of the columns. The last one is there in any case and may run on; another one is left out when
            nothing was measured for it.
    """

    def __init__(self, out: TextIO, *titles: str) -> None:
        self._out = out
        self._titles = titles
        self._widest = [0] * len(titles)
        self._shown: tuple[int, ...] = ()
        self._starts: list[int] = []
        self._room = room_of(out)
        self._begun = False

    def measure(self, *row: str) -> None:
        """Take in one row that will be printed, or its first cells."""
        widest = self._widest
        for number, cell in enumerate(row):
            size = len(cell) if cell.isascii() and cell.isprintable() else cells(plain(cell))
            widest[number] = max(widest[number], size)

    def row(self, *row: str) -> None:
        """Print one row, the first below the titles."""
        if not self._begun:
            self._begin()
        for line in self._lines([row[number] for number in self._shown]):
            say(line, out=self._out)

    def _begin(self) -> None:
        self._begun = True
        last = len(self._titles) - 1
        self._shown = tuple(n for n, widest in enumerate(self._widest) if widest or n == last)
        titles = [self._titles[n] for n in self._shown]
        widths = [max(self._widest[n], cells(self._titles[n])) for n in self._shown]
        self._fit(widths, [cells(title) for title in titles])
        start = 0
        for width in widths:
            self._starts.append(start)
            start += width + len(_GAP)
        for lines in (titles, ["-" * width for width in widths]):
            for line in self._lines(lines):
                say(line, out=self._out)

    def _fit(self, widths: list[int], least: list[int]) -> None:
        """Take from the widest columns, until all have room or none is wider than its title."""
        if self._room is None:
            return
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - self._room
        while over > 0:
            number = max(range(len(widths)), key=lambda n: widths[n] - least[n])
            if widths[number] <= least[number]:
                return
            widths[number] -= 1
            over -= 1

    def _lines(self, row: Sequence[str]) -> Iterator[str]:
        line, used = "", 0
        for text, start in zip(map(plain, row), self._starts, strict=True):
            if not text:
                continue
            at = max(start, used + len(_GAP)) if used else start
            size = cells(text)
            if self._room is None or at + size <= self._room:
                line, used = f"{line}{' ' * (at - used)}{text}", at + size
                continue
            if line:
                yield line
            *full, line = wrapped(text, self._room, first=_INDENT)
            yield from full
            used = cells(line)
        if line:
            yield line
