"""Text for a terminal of any width: columns as wide as their content, and nothing cut that is needed whole.

A table knows its widest cells before its first row. Where the columns together are wider than the terminal,
the widest ones get less room. A cell that is wider than its column takes the room it needs, and what no
longer fits on the line goes on below, indented by two. An address, a number or an outcome is never cut; where
an address alone is wider than the terminal, the terminal breaks it.
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


def _cut(word: str, room: int) -> str:
    """A word without an address in it, cut to the room that there is."""
    if "@" in word or cells(word) <= room:
        return word
    taken = size = 0
    for character in word:
        size += _cells_of(character)
        if size > room - 1:
            break
        taken += 1
    return word[:taken] + "…"


def wrapped(text: str, room: int | None, *, indent: str = _INDENT, used: int = 0) -> Iterator[str]:
    """Break a text at its blanks into lines that fit.

    Args:
        text: one line.
        room: cells of a line; None does not break it.
        indent: of every line but the first.
        used: cells that the first line has lost already.
    """
    if room is None or used + cells(text) <= room:
        yield text
        return
    line = ""
    size = used
    for word in text.split(" "):
        fresh = _cut(word, room - len(indent))
        width = cells(fresh)
        if line and size + 1 + width > room:
            yield line
            line, size = indent + fresh, len(indent) + width
        else:
            # At the beginning of a line the blanks of its own indent stand before the first word.
            line, size = (
                (f"{line} {fresh}", size + 1 + width) if line or size != used else (fresh, size + width)
            )
    yield line


def tell(text: str, *, out: TextIO, indent: str = _INDENT) -> None:
    """Print a line, broken where it does not fit; what cannot be printed is named."""
    lead = text[: len(text) - len(text.lstrip(" "))]
    for number, line in enumerate(
        wrapped(plain(text[len(lead) :]), room_of(out), indent=lead + indent, used=len(lead))
    ):
        say(line if number else lead + line, out=out)


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
            *full, line = wrapped(text, self._room, indent=_INDENT, used=len(_INDENT))
            full = [_INDENT + full[0], *full[1:]] if full else full
            line = line if full else _INDENT + line
            yield from full
            used = cells(line)
        if line:
            yield line
