"""Text for a terminal: every line fits, and every address is found whole."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.cli.layout import Table, cells, room_of, tell, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("Ann", 3),
        ("日本語", 6),
        ("e\u0301te\u0301", 3),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),
        ("محمد", 4),
        ("ש\u05c1", 1),
        ("👩", 2),
        ("❤\ufe0f", 1),
    ],
)
def test_cells_are_counted_as_a_terminal_draws_them(text: str, width: int) -> None:
    """Two for a wide character, none for what is drawn on the one before."""
    assert cells(text) == width


def test_columns_are_as_wide_as_their_content_and_empty_ones_are_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipe has no width, so nothing is broken there."""
    monkeypatch.delenv("COLUMNS", raising=False)
    out = io.StringIO()
    table = Table(out, "#", "to", "copies", "outcome")
    for row in (("1/2", "Zoë <zoe@example.com>", ""), ("2/2", "李 <li@example.com>", "")):
        table.measure(*row)
    assert out.getvalue() == ""
    table.row("1/2", "Zoë <zoe@example.com>", "", "accepted")
    table.row("2/2", "李 <li@example.com>", "", "refused (550)")
    assert out.getvalue().splitlines() == [
        "#    to                     outcome",
        "---  ---------------------  -------",
        "1/2  Zoë <zoe@example.com>  accepted",
        "2/2  李 <li@example.com>    refused (550)",
    ]


def test_a_row_that_does_not_fit_goes_on_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indented by two; an address is whole, and a name is broken where it is wider than the line."""
    monkeypatch.setenv("COLUMNS", "30")
    out = io.StringIO()
    table = Table(out, "#", "to", "outcome")
    rows = [
        ("1", "Ann <ann@example.com>", "accepted"),
        ("2", f"{'x' * 40} <somebody@example.com>", "accepted"),
    ]
    for row in rows:
        table.measure(*row)
    for row in rows:
        table.row(*row)
    lines = out.getvalue().splitlines()
    assert lines[2:] == [
        "1  Ann <ann@example.com>",
        "  accepted",
        "2",
        f"  {'x' * 28}",
        f"  {'x' * 12}",
        "  <somebody@example.com>",
        "  accepted",
    ]


def test_an_address_wider_than_the_terminal_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal breaks it, and it can be copied whole."""
    monkeypatch.setenv("COLUMNS", "20")
    out = io.StringIO()
    address = f"{'a' * 40}@example.com"
    Table(out, "to").row(address)
    tell(f"not sent: {address}: refused", out=out)
    assert out.getvalue().count(address) == 2


@given(st.lists(st.text("ab日é\u0301 ", max_size=30), max_size=6), st.integers(12, 60))
def test_no_line_is_wider_than_the_room(texts: list[str], room: int) -> None:
    """Whatever the words are, nothing of them is lost."""
    text = " ".join(texts)
    lines = list(wrapped(text, room))
    assert all(cells(line) <= room for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize(("said", "room"), [("57", 57), ("", None), ("0", None), ("wide", None)])
def test_columns_says_the_width_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, said: str, room: int | None
) -> None:
    """Else there is none; something of a host's own in the place of a terminal does not know either."""
    monkeypatch.setenv("COLUMNS", said)
    assert room_of(io.StringIO()) == room
    assert room_of(_Terminal()) == room


PEOPLE = (
    "key,name,address\n"
    'C1,"Lee, Ann",ann.lee@example.com\n'
    "C2,Zoë Müller-Lüdenscheidt-Hohenstein,zoe.mueller-luedenscheidt@example.com\n"
    "C3,李小龍李小龍李小龍李小龍李小龍李小龍李小龍,li@example.com\n"
    "C4,محمد عبد الله,mohammed@example.org\n"
    "C5,e\u0301te\u0301,ete@example.com\n"
    "C6,,bad@@example.com\n"
)
ADDRESSES = (
    "ann.lee@example.com",
    "zoe.mueller-luedenscheidt@example.com",
    "li@example.com",
    "mohammed@example.org",
    "ete@example.com",
)


def _terminal(columns: int) -> tuple[int, int]:
    """A pseudo-terminal of some width: our end, and the program's."""
    import fcntl  # noqa: PLC0415 - Windows has none of these, and collects this file all the same
    import pty  # noqa: PLC0415 - as above
    import struct  # noqa: PLC0415 - used here alone
    import termios  # noqa: PLC0415 - as above

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def _on_a_terminal(words: Sequence[str], folder: Path, *, columns: int) -> tuple[int, str]:
    """Run a command on a pseudo-terminal of some width; its status and what stood there."""
    ours, theirs = _terminal(columns)
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(
        [sys.executable, "-m", "vetmail_core", *words],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how a terminal says on Linux that nobody is left
                break
            seen += piece
    os.close(ours)
    return process.returncode, seen.decode().replace("\r\n", "\n")


@pytest.mark.wire
@pytest.mark.parametrize("columns", [40, 60, 80, 112])
@pytest.mark.parametrize("copies", [(), ("--cc", "audit@example.com; registrar.of.the.office@example.com")])
def test_every_width_shows_every_address_whole(folder: Path, columns: int, copies: Sequence[str]) -> None:
    """A table of names of many scripts, with and without copies; no line is beyond the width."""
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (folder / "short.txt").write_text("Hello.\n", encoding="utf-8")
    words = ["send", "--people", "people.csv", "--subject", "Hello", "--text", "short.txt", *copies]
    status, seen = _on_a_terminal(
        [*words, "--preferences", "email-preferences.json"], folder, columns=columns
    )
    assert status == 1, seen
    lines = seen.splitlines()
    assert [line for line in lines if cells(line) > columns] == []
    assert all(address in seen for address in ADDRESSES)
    assert '"Lee, Ann"' in seen
    assert "\x1b" not in seen
    assert ("copies" in seen) == bool(copies)
    assert all(
        name in seen for name in ("audit@example.com", "registrar.of.the.office@example.com") if copies
    )
    shown, told = _on_a_terminal(["show", "--preferences", "email-preferences.json"], folder, columns=columns)
    assert shown == 0
    assert [line for line in told.splitlines() if cells(line) > columns] == []


def test_a_terminal_tells_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever COLUMNS says, which a shell may have set for another window."""
    monkeypatch.setenv("COLUMNS", "200")
    ours, theirs = _terminal(57)
    with os.fdopen(theirs, "w", encoding="utf-8") as out:
        assert room_of(out) == 57
    os.close(ours)


def test_columns_are_no_narrower_than_their_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that not even the titles fit, each cell has its line; a row of nothing has none."""
    monkeypatch.setenv("COLUMNS", "12")
    out = io.StringIO()
    table = Table(out, "recipient", "outcome")
    table.measure("ann@example.com")
    table.row("ann@example.com", "accepted")
    table.row("", "")
    assert out.getvalue().splitlines()[-2:] == ["ann@example.com", "  accepted"]
