"""Tables and progress for a terminal."""

from __future__ import annotations

import io

import pytest

from vetmail_core.cli.show import ProgressLine, Rows, one_line, plain


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_cannot_be_printed_is_named_never_sent_to_the_terminal() -> None:
    """A record's escape sequence must not repaint somebody's screen."""
    assert plain("a\x1b[2Jb\u202e") == "aU+001B[2JbU+202E"


def test_an_error_is_one_line() -> None:
    """However many lines its text has."""
    assert one_line(ValueError("first\n  second")) == "first second"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("short", "short   |"),
        ("exactly8", "exactly8|"),
        ("rather long", "rather …|"),
        ("日本語日本語", "日本語… |"),
        ("e\u0301te\u0301", "e\u0301te\u0301     |"),
    ],
)
def test_a_cell_keeps_its_width_on_the_screen(cell: str, shown: str) -> None:
    """Wide and combining characters count as they are seen."""
    out = io.StringIO()
    Rows(out, columns=[("x", 8), ("y", 1)]).row(cell, "|")
    assert out.getvalue() == shown.replace("|", "  |") + "\n"


def test_a_table_begins_with_its_titles() -> None:
    """And a rule below them."""
    out = io.StringIO()
    Rows(out, columns=[("#", 3), ("to", 4)]).head()
    assert out.getvalue() == "#    to\n---  ----\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (-1.0, ", about 0 s left"),
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


def test_in_a_log_file_a_line_stands_at_each_tenth() -> None:
    """A million emails do not make a million lines."""
    out = io.StringIO()
    line = ProgressLine(out, total=1000)
    for done in range(1, 1001):
        line.show(done)
    assert len(out.getvalue().splitlines()) == 11


def test_nothing_to_do_is_done() -> None:
    """A total of nothing divides nothing."""
    out = io.StringIO()
    ProgressLine(out, total=0).show(0)
    assert out.getvalue() == "0/0\n"
