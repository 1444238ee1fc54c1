"""Tables and progress for a terminal.

What it is for: rows that people read and a line that moves. What it refuses: to let a control character
of somebody's record reach the terminal, and to end a run because nobody reads about it. Its law: results go
to stdout, complaints to stderr, and what moves to a terminal alone.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import shutil
import unicodedata
from typing import TYPE_CHECKING, Final, TextIO

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Nowhere", "ProgressLine", "Rows", "one_line", "plain", "say"]

_BAR: Final = 24
_MINUTE: Final = 60
_NARROWEST: Final = 12


class Nowhere(io.StringIO):
    """Stands in the place of stdout or stderr where the process was given none."""

    def write(self, text: str, /) -> int:
        """Let it go."""
        return len(text)


def plain(text: str) -> str:
    """A text with what cannot be printed shown as its code point, never raw."""
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)


def one_line(error: BaseException) -> str:
    """An error as the one line that the command line promises."""
    return plain(" ".join(str(error).split()))


def say(line: str = "", *, out: TextIO, end: str = "\n") -> None:
    """Print a line now.

    Once it cannot be written (the reader of a pipe has gone, the disk below a log is full), nothing more is
    written there, and whatever goes on goes on.
    """
    try:
        print(line, end=end, file=out, flush=True)
    except OSError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, out.fileno())
            os.close(nowhere)


def _cells(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _fit(text: str, width: int) -> str:
    text = plain(text)
    if _cells(text) > width:
        # From the front: a hundred copies in one cell would take a second a row from the end.
        ends = itertools.accumulate(map(_cells, text))
        text = text[: sum(1 for _ in itertools.takewhile(lambda end: end < width, ends))] + "…"
    return text + " " * (width - _cells(text))


def _widths(columns: Sequence[tuple[str, int]], room: int) -> list[int]:
    """The widths of columns, the widest made narrower until all have room; no wider than they ask."""
    widths = [width for _, width in columns]
    while sum(widths) + 2 * (len(widths) - 1) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


class Rows:
    """A table printed row by row, so that a long run is seen while it goes on; no row, no table.

    Args:
        out: where to; a narrow terminal gets narrow columns.
        columns: title and width of each column; the last one may run on.
    """

    def __init__(self, out: TextIO, *, columns: Sequence[tuple[str, int]]) -> None:
        self._out = out
        self._titles: Sequence[str] = [title for title, _ in columns]
        room = shutil.get_terminal_size().columns if out.isatty() else sum(width + 2 for _, width in columns)
        self._widths = _widths(columns, room)

    def row(self, *cells: str) -> None:
        """Print one row, the first below the titles; too long a cell is cut, but for the last."""
        if self._titles:
            titles, self._titles = self._titles, ()
            self.row(*titles)
            self.row(*("-" * width for width in self._widths))
        fitted = [_fit(cell, width) for cell, width in zip(cells[:-1], self._widths[:-1], strict=True)]
        say("  ".join([*fitted, plain(cells[-1])]).rstrip(), out=self._out)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE:02d} min"


@attrs.frozen
class ProgressLine:
    """One line that moves: bar, count, time left. Drawn over itself on a terminal; elsewhere there is none.

    Args:
        out: usually stderr.
        total: emails to come.
    """

    out: TextIO
    total: int = attrs.field(kw_only=True)

    def show(self, done: int, *, seconds_left: float | None = None) -> None:
        """Draw the line for ``done`` emails."""
        share = done / self.total if self.total else 1.0
        left = "" if seconds_left is None or seconds_left < 1 else f", about {_duration(seconds_left)} left"
        full = round(_BAR * share)
        self._draw(f"[{'#' * full}{'.' * (_BAR - full)}] {done}/{self.total}{left}")

    def say(self, words: str) -> None:
        """Draw words in its place, until it is drawn again."""
        self._draw(plain(words))

    def clear(self) -> None:
        """Take the line away, so that a row can be printed in its place."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if self.out.isatty():
            room = shutil.get_terminal_size().columns - 1  # a line that wraps could not be drawn over
            say(f"\r{line[:room]}\x1b[K", end="", out=self.out)
