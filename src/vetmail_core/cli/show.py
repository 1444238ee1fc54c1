"""Lines for a terminal, and one that moves.

Results go to stdout, complaints to stderr, and a moving line to a terminal only. A control character in
somebody's record does not reach the terminal, and a closed pipe does not end a run.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from typing import Final, TextIO

import attrs

__all__ = ["Nowhere", "ProgressLine", "duration", "one_line", "plain", "say"]

_BAR: Final = 24
_MINUTE: Final = 60


class Nowhere(io.StringIO):
    """Stands in the place of stdout or stderr where the process was given none."""

    def write(self, text: str, /) -> int:
        """Let it go."""
        return len(text)


def plain(text: str) -> str:
    """A text with what cannot be printed shown as its code point, never raw."""
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)


def one_line(error: object) -> str:
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


def duration(seconds: float) -> str:
    """A length of time in words: 5 s, 2 min 05 s, 11 h 06 min."""
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
        left = "" if seconds_left is None or seconds_left < 1 else f", about {duration(seconds_left)} left"
        full = round(_BAR * share)
        self._draw(f"[{'#' * full}{'.' * (_BAR - full)}] {done}/{self.total}{left}")

    def say(self, words: str) -> None:
        """Draw words in its place, until it is drawn again."""
        self._draw(plain(words))

    def clear(self) -> None:
        """Take the line away, so that a row can be printed in its place."""
        self._draw("")

    def _draw(self, line: str) -> None:
        # A dumb terminal cannot draw over a line.
        if self.out.isatty() and os.environ.get("TERM") != "dumb":
            room = shutil.get_terminal_size().columns - 1  # a line that wraps could not be drawn over
            say(f"\r{line[:room]}\x1b[K", end="", out=self.out)
