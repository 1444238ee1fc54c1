"""Tables and progress for a terminal."""

from __future__ import annotations

import io
import os

import pytest

from vetmail_core.cli.show import ProgressLine, one_line, plain, say


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_cannot_be_printed_is_named_never_sent_to_the_terminal() -> None:
    """A record's escape sequence must not repaint somebody's screen."""
    assert plain("a\x1b[2Jb\u202e") == "aU+001B[2JbU+202E"


def test_an_error_is_one_line() -> None:
    """However many lines its text has."""
    assert one_line(ValueError("first\n  second")) == "first second"


def test_once_nobody_reads_nothing_more_is_written_and_nothing_ends() -> None:
    """`head` has seen enough of the table; the rest of the class gets its email all the same."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as out:
        say("first", out=out)
        say("second", out=out)


def test_what_cannot_be_written_and_has_no_file_behind_it_is_let_go() -> None:
    """A host may have put something of its own in the place of stdout."""

    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(text)

    say("first", out=Full())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.9, ""),
        (59.4, ", about 59 s left"),
        (61, ", about 1 min 01 s left"),
        (7260, ", about 2 h 01 min left"),
    ],
)
def test_on_a_terminal_the_line_is_drawn_over_itself(seconds: float | None, words: str) -> None:
    """With the time left when it is known."""
    out = _Terminal()
    ProgressLine(out, total=10).show(5, seconds_left=seconds)
    assert out.getvalue() == f"\r[{'#' * 12}{'.' * 12}] 5/10{words}\x1b[K"


def test_the_line_is_taken_away_for_a_row() -> None:
    """So that the table stays readable; a file has no line to take away."""
    terminal, file = _Terminal(), io.StringIO()
    ProgressLine(terminal, total=1).clear()
    ProgressLine(file, total=1).clear()
    assert (terminal.getvalue(), file.getvalue()) == ("\r\x1b[K", "")


@pytest.mark.parametrize("total", [0, 1000])
def test_a_file_has_no_line_that_moves(total: int) -> None:
    """What is read later, or by a program, is the table."""
    out = io.StringIO()
    ProgressLine(out, total=total).show(0)
    assert out.getvalue() == ""


def test_nothing_to_do_is_done() -> None:
    """A total of nothing divides nothing."""
    out = _Terminal()
    ProgressLine(out, total=0).show(0)
    assert "0/0" in out.getvalue()


def test_a_line_that_would_wrap_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it could not be drawn over itself."""
    monkeypatch.setenv("COLUMNS", "20")
    out = _Terminal()
    ProgressLine(out, total=10).show(5, seconds_left=100)
    assert out.getvalue() == f"\r[{'#' * 12}{'.' * 6}\x1b[K"


def test_a_dumb_terminal_has_no_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot draw over a line, and would show what is meant to draw it."""
    monkeypatch.setenv("TERM", "dumb")
    out = _Terminal()
    ProgressLine(out, total=10).show(5)
    assert out.getvalue() == ""
