"""What real mail programs send of our links and draft files.

Each program of docs/reference/mail-programs.md is given the same email in three forms: a link with
semicolons, a link with commas, and a draft file. What it sends is read at a mail server that takes
everything, or from what it hands to sendmail (mutt, NeoMutt), and compared with the email, field by field.
The table in that page is the expectation: a program that changes its mind fails the test.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.mail_programs import (
    DesktopProgram,
    Evolution,
    Program,
    Screen,
    Sink,
    SylpheedKin,
    TerminalProgram,
    Thunderbird,
    sink,
)
from tests.integration.understood import SUBJECT, TEXT, an_email, understood

from vetmail_core import (
    Attachment,
    Content,
    Email,
    MailtoTransport,
    Receipt,
    Recipients,
    TransportError,
    draft_bytes,
    mailto_uri,
)
from vetmail_core.transports.mailto.programs import PROGRAMS, MailProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mail-programs.md"
WINDOWS = ("Thunderbird", "Evolution", "Claws Mail", "Sylpheed")


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A screen, a bus and a home folder for each test; whatever is started sees them."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith("XDG_"):
            monkeypatch.delenv(name)
    settings = {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GSETTINGS_BACKEND": "keyfile",
        "MOZ_LEGACY_PROFILES": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with _said_to_a_pipe(
        ["Xvfb", "-displayfd", "{}", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    ) as number:
        monkeypatch.setenv("DISPLAY", f":{number}")
        # Last, because what the bus starts sees what the bus sees.
        with _said_to_a_pipe(["dbus-daemon", "--session", "--nofork", "--print-address={}"]) as bus:
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
            yield Screen(display=f":{number}", home=home)


@contextlib.contextmanager
def _said_to_a_pipe(command: list[str]) -> Iterator[str]:
    """Run a server; the line that it writes to the file descriptor `{}` once it is up."""
    reading, writing = os.pipe()
    words = [word.format(writing) for word in command]
    with subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with open(reading, encoding="utf-8") as answer:  # noqa: PTH123 - a pipe, not a file
            said = answer.readline().strip()
        yield said
        server.terminate()


@pytest.fixture
def server() -> Iterator[Sink]:
    """A mail server that takes everything."""
    with sink() as server:
        yield server


def rows() -> list[tuple[str, str, tuple[str, ...]]]:
    """The page's table: program, what it was given, what it sent."""
    found = re.findall(
        r"^\| (\w[\w ]*?) [\d.]+ *\| (link `[;,]`|draft file) *\| (.+) \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(found) == 3 * len(PROGRAMS)
    return [
        (program, form, tuple(cell.strip() for cell in cells.split("|"))) for program, form, cells in found
    ]


def desktop_program(name: str, screen: Screen, server: Sink) -> DesktopProgram:
    """One of the programs with windows."""
    match name:
        case "Thunderbird":
            return Thunderbird(screen=screen, sink=server)
        case "Evolution":
            return Evolution(screen=screen, sink=server)
        case "Claws Mail":
            return SylpheedKin.claws_mail(screen, server)
        case _:
            return SylpheedKin.sylpheed(screen, server)


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """The program of a row."""
    name = request.param
    if name not in WINDOWS:
        return TerminalProgram(name=name.lower(), folder=tmp_path)
    return desktop_program(name, request.getfixturevalue("screen"), request.getfixturevalue("server"))


def written(email: Email, form: str, folder: Path) -> str:
    """The email in one form: a link, or a file."""
    if form == "draft file":
        path = folder / "draft.eml"
        path.write_bytes(draft_bytes(email))
        return path.as_uri()
    return mailto_uri(email, separator="," if "," in form else ";")


@pytest.mark.parametrize(("program", "form", "cells"), rows(), indirect=["program"])
def test_a_program_sends_what_the_page_says(
    program: Program, form: str, cells: tuple[str, ...], tmp_path: Path
) -> None:
    """Recipients, subject and text, by both separators and as a draft file."""
    email = an_email()
    sent = program.send(written(email, form, tmp_path))
    if sent is None:
        assert cells == ("not opened",) * 5
    else:
        assert understood(sent).cells(email) == cells, sent


@pytest.mark.parametrize("row", PROGRAMS, ids=lambda row: row.name)
def test_the_table_in_the_code_is_the_table_of_the_page(row: MailProgram) -> None:
    """So what the transport does follows from what was measured."""
    measured = {form: cells for name, form, cells in rows() if name == row.name}
    for separator in ";,":
        assert (measured[f"link `{separator}`"][0] == "all") == (separator in row.separators)
    assert (measured["link `,`"][2] == "all") == row.keeps_bcc
    by_desktop = row.name in WINDOWS  # mutt and NeoMutt take a file only by an option
    assert (by_desktop and measured["draft file"][0] == "all") == row.opens_drafts


def deliver(email: Email, folder: Path) -> Receipt:
    """Hand an email to the desktop's program by the transport."""
    with MailtoTransport(separator=";", drafts=folder) as transport:
        [receipt] = transport.deliver([email])
    return receipt


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("length", [1400, 4500])
def test_whoever_is_handed_over_is_sent_to_and_the_letter_is_whole(
    name: str, length: int, screen: Screen, server: Sink
) -> None:
    """By the transport, with the preferences' semicolon, whichever program it is; nobody else is sent to."""
    program = desktop_program(name, screen, server)
    program.prepare()
    text = ("Please bring a pen and the form for room 7. " * 200)[:length].strip() + "\n"
    email = an_email(
        content=Content("Your class moved", "\n".join(text[i : i + 66] for i in range(0, length, 66)))
    )
    receipt = deliver(email, screen.home)
    sent = understood(program.send_what_opened())
    assert sorted(sent.recipients) == sorted(mailbox.addr_spec for mailbox in receipt.handed_over)
    assert sent.text.split() == email.content.text.split()


def test_thunderbird_opens_a_draft_file_whole(screen: Screen, server: Sink) -> None:
    """Five hundred blind copies, formatted text and an attachment, ready to send."""
    program = Thunderbird(screen=screen, sink=server, html=True)
    program.prepare()
    email = an_email(
        recipients=Recipients(bcc=[f"student{number:03}@example.com" for number in range(500)]),
        content=Content(
            SUBJECT, TEXT, html="<p>Room <b>7</b></p>", attachments=[Attachment("Prüfung.pdf", b"%PDF-1.4")]
        ),
    )
    assert deliver(email, screen.home).warnings == ("draft_file",)
    got = understood(program.send_what_opened())
    assert set(got.recipients) == {one.addr_spec for one in email.recipients.bcc}
    assert got.subject == SUBJECT
    assert "<b>7</b>" in got.html
    assert got.attachments == ("Prüfung.pdf",)


def test_ten_windows_open_at_once_in_a_cold_thunderbird(screen: Screen, server: Sink) -> None:
    """A class of ten, while the program is still starting."""
    program = Thunderbird(screen=screen, sink=server)
    program.prepare()
    emails = [
        an_email(
            recipients=Recipients(to=f"student{number}@example.com"), content=Content(f"Room {number}", "x")
        )
        for number in range(10)
    ]
    with MailtoTransport() as transport:
        assert all(receipt.ok for receipt in transport.deliver(emails))
    end = time.monotonic() + 60
    while len(screen.windows("^Write: Room ")) < len(emails):
        assert time.monotonic() < end, screen.windows("^Write: ")
        time.sleep(0.5)
    screen.end(screen.process(screen.window("^Write: Room ")))


@pytest.mark.parametrize(
    ("name", "opens_drafts"),
    [("Evolution", "Evolution"), ("Claws Mail", "Evolution"), ("Sylpheed", "Sylpheed")],
)
def test_a_draft_file_never_goes_to_a_program_that_does_not_open_it(
    name: str, opens_drafts: str, screen: Screen, server: Sink
) -> None:
    """The sentence names the program that has them; Claws Mail leaves them to another. Nothing is started."""
    desktop_program(name, screen, server).prepare()
    email = an_email(content=Content(SUBJECT, TEXT, attachments=[Attachment("plan.pdf", b"%PDF-1.4")]))
    with pytest.raises(TransportError, match="has attachments") as caught:
        deliver(email, screen.home / "drafts")
    assert opens_drafts in str(caught.value)
    assert list((screen.home / "drafts").glob("*")) == []
    assert not screen.waits_for(".", seconds=1)


def test_sylpheed_shows_a_draft_file_as_a_message_received(screen: Screen, server: Sink) -> None:
    """Which is why none is given to it."""
    program = SylpheedKin.sylpheed(screen, server)
    assert program.send(written(an_email(), "draft file", screen.home)) is None
    window = screen.window("^100% .* - Sylpheed$")
    screen.end(screen.process(window))


def test_a_desktop_without_a_mail_program_is_a_transport_error(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real xdg-mime, asked where no program is registered: no web browser starts."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(screen.home))
    with MailtoTransport() as transport, pytest.raises(TransportError, match="no program for mailto links"):
        list(transport.deliver([an_email()]))
