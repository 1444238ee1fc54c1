"""Tables and progress for a terminal.

What it is for: rows that people read and a line that moves. What it refuses: to let a control character
of somebody's record reach the terminal. Its law: results go to stdout, progress and complaints to stderr.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, TextIO

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ProgressLine", "Rows", "one_line", "plain"]

_BAR: Final = 24
_MINUTE: Final = 60


def plain(text: str) -> str:
    """A text with what cannot be printed shown as its code point, never raw."""
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)


def one_line(error: BaseException) -> str:
    """An error as the one line that the command line promises."""
    return plain(" ".join(str(error).split()))


def _cells(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _fit(text: str, width: int) -> str:
    text = plain(text)
    if _cells(text) > width:
        while _cells(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _cells(text))


@attrs.frozen
class Rows:
    """A table printed row by row, so that a long run is seen while it goes on.

    Args:
        out: where to.
        columns: title and width of each column; the last one may run on.
    """

    out: TextIO
    columns: Sequence[tuple[str, int]] = attrs.field(kw_only=True)

    def head(self) -> None:
        """Print the titles and a rule."""
        self.row(*(title for title, _ in self.columns))
        self.row(*("-" * width for _, width in self.columns))

    def row(self, *cells: str) -> None:
        """Print one row; too long a cell is cut with an ellipsis, but for the last."""
        widths = [width for _, width in self.columns]
        fitted = [_fit(cell, width) for cell, width in zip(cells[:-1], widths[:-1], strict=True)]
        print("  ".join([*fitted, plain(cells[-1])]).rstrip(), file=self.out)


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE:02d} min"


@attrs.define
class ProgressLine:
    """One line that moves: bar, count, time left.

    On a terminal it is drawn over itself; elsewhere (a log file) a line stands at each tenth.

    Args:
        out: usually stderr.
        total: emails to come.
    """

    out: TextIO
    total: int = attrs.field(kw_only=True)
    _tenths: int = attrs.field(default=-1, init=False)

    def show(self, done: int, *, seconds_left: float | None = None) -> None:
        """Draw the line for ``done`` emails."""
        share = done / self.total if self.total else 1.0
        left = (
            f", about {_duration(seconds_left)} left"
            if seconds_left is not None and done < self.total
            else ""
        )
        if self.out.isatty():
            full = round(_BAR * share)
            print(
                f"\r[{'#' * full}{'.' * (_BAR - full)}] {done}/{self.total}{left}\x1b[K",
                end="",
                file=self.out,
                flush=True,
            )
        elif int(10 * share) > self._tenths:
            self._tenths = int(10 * share)
            print(f"{done}/{self.total}{left}", file=self.out, flush=True)

    def clear(self) -> None:
        """Take the line away, so that a row can be printed in its place."""
        if self.out.isatty():
            print("\r\x1b[K", end="", file=self.out, flush=True)
