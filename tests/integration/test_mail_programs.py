"""What real mail programs understand of our links and draft files.

Each program of docs/reference/mail-programs.md is given the same email in three forms: a link with
semicolons, a link with commas, and a draft file. What it would send is read from its own draft (Thunderbird,
Claws Mail, Sylpheed) or from what it hands to sendmail (mutt, NeoMutt), and compared with the email, field by
field. The table in that page is the expectation: a program that changes its mind fails the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.mail_programs import Program, Screen, SylpheedKin, TerminalProgram, Thunderbird
from tests.integration.understood import SUBJECT, TEXT, an_email

from vetmail_core import Attachment, Content, MailtoTransport, Recipients, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mail-programs.md"


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A screen of its own for each test; whatever is started sees it, and a home folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith("XDG_"):
            monkeypatch.delenv(name)
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:  # noqa: PTH123 - a pipe, not a file
        display = f":{answer.readline().strip()}"
    for name, value in {
        "DISPLAY": display,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "MOZ_LEGACY_PROFILES": "1",
    }.items():
        monkeypatch.setenv(name, value)
    yield Screen(display=display, home=home)
    server.terminate()
    server.wait(30)


def rows() -> list[tuple[str, str, tuple[str, ...]]]:
    """The page's table: program, what it was given, what it understood."""
    found = re.findall(
        r"^\| (\w[\w ]*?) [\d.]+ *\| (link `[;,]`|draft file) *\| (.+) \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(found) == 13
    return [
        (program, form, tuple(cell.strip() for cell in cells.split("|"))) for program, form, cells in found
    ]


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """The program of a row."""
    name = request.param
    if name in {"mutt", "NeoMutt"}:
        return TerminalProgram(name=name.lower(), folder=tmp_path)
    screen: Screen = request.getfixturevalue("screen")
    if name == "Thunderbird":
        return Thunderbird(screen=screen)
    return SylpheedKin.claws_mail(screen) if name == "Claws Mail" else SylpheedKin.sylpheed(screen)


@pytest.mark.parametrize(("program", "form", "cells"), rows(), indirect=["program"])
def test_a_program_understands_what_the_page_says(
    program: Program, form: str, cells: tuple[str, ...]
) -> None:
    """Recipients, subject and text, by both separators and as a draft file."""
    changes: dict[str, object] = {"reply_to": ("reply@example.com",)} if form == "draft file" else {}
    email = an_email(**changes)
    got = program.given(email, separator="," if "," in form else ";")
    assert got.cells(email) == cells, got


def test_thunderbird_opens_a_draft_file_whole(screen: Screen) -> None:
    """Five hundred blind copies, formatted text and an attachment, ready to send."""
    email = an_email(
        recipients=Recipients(bcc=[f"student{number:03}@example.com" for number in range(500)]),
        content=Content(
            SUBJECT, TEXT, html="<p>Room <b>7</b></p>", attachments=[Attachment("Prüfung.pdf", b"%PDF-1.4")]
        ),
    )
    got = Thunderbird(screen=screen, html=True).given(email, separator=";")
    assert (got.to, got.cc) == ((), ())
    assert got.bcc == tuple(one.addr_spec for one in email.recipients.bcc)
    assert got.subject == SUBJECT
    assert "<b>7</b>" in got.html
    assert got.attachments == ("Prüfung.pdf",)


@pytest.fixture
def desktop_with_claws_mail_alone(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A desktop whose one mail program is Claws Mail."""
    entries = tmp_path / "share" / "applications"
    entries.mkdir(parents=True)
    shutil.copy("/usr/share/applications/claws-mail.desktop", entries)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    SylpheedKin.claws_mail(screen).prepare()
    return screen


def test_claws_mail_opens_no_draft_file_and_we_say_so(desktop_with_claws_mail_alone: Screen) -> None:
    """It is not registered for .eml files, and shows an empty main window when it is given one by force."""
    email = an_email(reply_to=("reply@example.com",))
    folder = desktop_with_claws_mail_alone.home / "drafts"
    with (
        MailtoTransport(drafts=folder) as transport,
        pytest.raises(TransportError, match="no program for draft"),
    ):
        list(transport.deliver([email]))
    assert list(folder.iterdir()) == []


def test_sylpheed_shows_a_draft_file_as_a_message_received(screen: Screen) -> None:
    """Which is why the receipt of a draft file carries a warning."""
    SylpheedKin.sylpheed(screen).prepare()
    with MailtoTransport(drafts=screen.home) as transport:
        [receipt] = transport.deliver([an_email(reply_to=("reply@example.com",))])
    assert receipt.warnings == ("draft_file",)
    window = screen.window("^100% .* - Sylpheed$")
    try:
        assert not screen.has_window("Compose")
    finally:
        screen.end(window)


def test_a_desktop_without_a_mail_program_is_a_transport_error(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real xdg-mime, asked where no program is registered: no web browser starts."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(screen.home))
    with MailtoTransport() as transport, pytest.raises(TransportError, match="no program for mailto links"):
        list(transport.deliver([an_email()]))
