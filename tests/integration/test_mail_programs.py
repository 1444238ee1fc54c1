"""What real mail programs understand of our links and draft files.

Each program of docs/reference/mail-programs.md is given the same email in three forms: a link with
semicolons, a link with commas, and a draft file. What it would send is read from its own draft (Thunderbird,
Claws Mail, Sylpheed) or from what it hands to sendmail (mutt, NeoMutt), and compared with the email, field by
field. The table in that page is the expectation: a program that changes its mind fails the test.
"""

from __future__ import annotations

import contextlib
import mailbox
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs
import pytest

from vetmail_core import Attachment, Content, Email, Mailbox, MailtoTransport, Recipients, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mail-programs.md"
PATIENCE = 60  # seconds for a program to show its window, on a slow machine

SUBJECT = "100% & a=b; c, d? #e Zażółć"
TEXT = (
    "Dear Sam,\n\n$(id) %PATH% %20 &attach=/etc/passwd&bcc=evil@example.net\n-- not a signature\nZażółć 😀\n"
)


def an_email(**changes: object) -> Email:
    """The email that every program is given: two people in each field, and texts full of traps."""
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(
            to=("sam.o'brien+class@example.com", "pat@example.com"),
            cc=("kim@example.com", "lou@example.com"),
            bcc=("audit@example.org", "file@example.org"),
        ),
        content=Content(SUBJECT, TEXT),
    )
    return attrs.evolve(email, **changes)  # type: ignore[arg-type]


@attrs.frozen(kw_only=True)
class Understood:
    """What a program would send."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    attachments: tuple[str, ...] = ()

    def cells(self, email: Email) -> tuple[str, ...]:
        """The row of the page's table: to, cc, bcc, subject, text."""
        recipients = email.recipients
        wanted = [
            tuple(one.addr_spec for one in group) for group in (recipients.to, recipients.cc, recipients.bcc)
        ]
        people = [_found(group, got) for group, got in zip(wanted, (self.to, self.cc, self.bcc), strict=True)]
        texts = [
            "exact" if got.strip() == sent.strip() else "changed"
            for sent, got in ((email.content.subject, self.subject), (email.content.text, self.text))
        ]
        return (*people, *texts)


def _found(wanted: tuple[str, ...], got: tuple[str, ...]) -> str:
    if got == wanted:
        return "all"
    if not got:
        return "none"
    kept = sum(one in wanted for one in got)
    return f"{kept} of {len(wanted)}" if kept == len(got) else "wrong"


def understood(data: bytes, *, bcc: Sequence[str] | None = None) -> Understood:
    """Read a program's own draft, or what it handed to sendmail."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)

    def people(name: str) -> tuple[str, ...]:
        field = message[name]
        return tuple(one.addr_spec for one in field.addresses) if field else ()

    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return Understood(
        to=people("To"),
        cc=people("Cc"),
        bcc=people("Bcc") if bcc is None else tuple(bcc),
        subject=str(message["Subject"] or ""),
        text=_text(plain),
        html=_text(html),
        attachments=tuple(str(part.get_filename()) for part in message.iter_attachments()),
    )


def _text(part: MIMEPart | None) -> str:
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class Program(Protocol):
    """A mail program that can be given something to open."""

    def given(self, email: Email, *, separator: str) -> Understood:
        """Open the email by our transport and say what the program understood."""
        ...


# --- Programs in a terminal ---------------------------------------------------------------------------------

_MUTTRC = """
set from="office@example.com" realname="" copy=no record="" autoedit=yes edit_headers=yes
set editor="true" sendmail="{folder}/sendmail" folder="{folder}" spoolfile="{folder}/inbox"
set abort_unmodified=no abort_nosubject=no abort_noattach=no
"""
_SENDMAIL = """#!/bin/sh
for one in "$@"; do echo "$one" >> {folder}/recipients; done
cat > {folder}/message.part
mv {folder}/message.part {folder}/message
"""


@attrs.frozen(kw_only=True)
class TerminalProgram:
    """mutt or NeoMutt: opened on a terminal of its own, and told to send."""

    name: str
    folder: Path

    def given(self, email: Email, *, separator: str) -> Understood:
        """Open the email by our transport and say what the program understood."""
        (self.folder / "rc").write_text(_MUTTRC.format(folder=self.folder), encoding="utf-8")
        (self.folder / "sendmail").write_text(_SENDMAIL.format(folder=self.folder), encoding="utf-8")
        (self.folder / "sendmail").chmod(0o700)
        with MailtoTransport(separator=separator, open_uri=self._open, drafts=self.folder) as transport:
            [receipt] = transport.deliver([email])
        assert receipt.ok
        data = (self.folder / "message").read_bytes()
        options = (self.folder / "recipients").read_text(encoding="utf-8").splitlines()
        # NeoMutt joins what came with semicolons by blanks, so the headers are searched and not parsed.
        in_the_open = data.partition(b"\n\n")[0].decode()
        return understood(
            data, bcc=[one for one in options[options.index("--") + 1 :] if one not in in_the_open]
        )

    def _open(self, uri: str) -> None:
        """As the desktop's entry does (`mutt %u`); a draft file as its manual says (`mutt -H file`)."""
        file = ["-H", url2pathname(urlsplit(uri).path)] if uri.startswith("file:") else [uri]
        process, terminal = pty.fork()
        if not process:
            os.environ |= {"TERM": "vt100", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
            os.execvp(self.name, [self.name, "-n", "-F", str(self.folder / "rc"), *file])  # noqa: S606 - no shell is the point
        try:
            self._send(terminal)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(terminal)

    def _send(self, terminal: int) -> None:
        """Press y in the compose menu, and read the screen until the program is done."""
        screen = b""
        pressed = False
        end = time.monotonic() + PATIENCE
        while not (self.folder / "message").exists():
            assert time.monotonic() < end, screen[-2000:]
            if select.select([terminal], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the program has ended
                    screen += os.read(terminal, 65536)
            elif b"Compose" in screen and not pressed:
                os.write(terminal, b"y")
                pressed = True


# --- Programs with windows ----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Screen:
    """An X server without a screen, and the home folder of whoever sits at it."""

    display: str
    home: Path

    def window(self, name: str) -> str:
        """Wait until a window whose name matches can be seen; its number."""
        found = self._ask("search", "--sync", "--onlyvisible", "--name", name)
        return found.split()[0]

    def has_window(self, name: str) -> bool:
        """Whether a window whose name matches can be seen now."""
        words = ["xdotool", "search", "--onlyvisible", "--name", name]
        return not subprocess.run(
            words,
            env=os.environ | {"DISPLAY": self.display},
            check=False,
            capture_output=True,
            timeout=PATIENCE,
        ).returncode

    def press(self, window: str, keys: str) -> None:
        """Press keys in a window that is ready for them."""
        self.settle(window)
        self._ask("windowfocus", "--sync", window)
        self._ask("key", keys)

    def settle(self, window: str) -> None:
        """Wait until the program has filled in its window: until it takes no more of the processor."""
        stat = Path(f"/proc/{self._process(window)}/stat")
        end = time.monotonic() + PATIENCE
        used = -1
        while time.monotonic() < end:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            now = int(fields[11]) + int(fields[12])  # utime and stime in hundredths of a second (proc(5))
            if used >= 0 and now - used <= 2:
                return
            used = now
            time.sleep(1)

    def _process(self, window: str) -> int:
        return int(self._ask("getwindowpid", window))

    def end(self, window: str) -> None:
        """End the program that owns a window."""
        process = self._process(window)
        os.kill(process, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < end and not _is_zombie(process):
                os.kill(process, 0)
                time.sleep(0.05)

    def _ask(self, *words: str) -> str:
        return subprocess.run(
            ["xdotool", *words],
            env=os.environ | {"DISPLAY": self.display},
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout


def _is_zombie(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    return True


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


def _saved(read: Callable[[], bytes], save: Callable[[], None]) -> Understood:
    """Have a draft saved until two of them in a row say the same: recipients may come in slowly."""
    end = time.monotonic() + PATIENCE
    before: Understood | None = None
    while True:
        save()
        data = _settled(read, seconds=3)
        now = understood(data) if data else None
        if now is not None and now == before:
            return now
        assert time.monotonic() < end, (before, now)
        before = now


def _settled(read: Callable[[], bytes], *, seconds: float) -> bytes:
    """Read a file until it is there and has not changed for a second; b"" when none came."""
    before, since = read(), time.monotonic()
    end = since + seconds
    while time.monotonic() < (end if not before else since + 1):
        time.sleep(0.1)
        now = read()
        if now != before:
            before, since = now, time.monotonic()
    return before


_THUNDERBIRD_PREFS = {
    "app.donation.eoy.version.viewed": 999,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "mail.account.account1.identities": "id1",
    "mail.account.account1.server": "server1",
    "mail.account.account2.server": "server2",
    "mail.accountmanager.accounts": "account1,account2",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2",
    "mail.identity.id1.compose_html": True,
    "mail.identity.id1.draft_folder": "mailbox://nobody@Local%20Folders/Drafts",
    "mail.identity.id1.fullName": "",
    "mail.identity.id1.smtpServer": "smtp1",
    "mail.identity.id1.useremail": "office@example.com",
    "mail.identity.id1.valid": True,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.server.server1.hostname": "127.0.0.1",
    "mail.server.server1.login_at_startup": False,
    "mail.server.server1.name": "office@example.com",
    "mail.server.server1.port": 9,
    "mail.server.server1.type": "pop3",
    "mail.server.server1.userName": "office",
    "mail.server.server2.hostname": "Local Folders",
    "mail.server.server2.name": "Local Folders",
    "mail.server.server2.type": "none",
    "mail.server.server2.userName": "nobody",
    "mail.shell.checkDefaultClient": False,
    "mail.smtp.defaultserver": "smtp1",
    "mail.smtpserver.smtp1.hostname": "127.0.0.1",
    "mail.smtpserver.smtp1.port": 9,
    "mail.smtpservers": "smtp1",
    "mailnews.send_plaintext_flowed": False,
    "mailnews.start_page.enabled": False,
    "toolkit.telemetry.enabled": False,
}


@attrs.frozen(kw_only=True)
class Thunderbird:
    """Thunderbird, opened by the desktop (xdg-open); saves a draft when told to."""

    screen: Screen
    html: bool = False

    def given(self, email: Email, *, separator: str) -> Understood:
        """Open the email by our transport and say what the program understood."""
        profile = self.screen.home / ".thunderbird" / "office"
        profile.mkdir(parents=True)
        (profile.parent / "profiles.ini").write_text(
            "[General]\nStartWithLastProfile=1\n[Profile0]\nName=office\nIsRelative=1\nPath=office\nDefault=1\n",
            encoding="utf-8",
        )
        prefs = _THUNDERBIRD_PREFS | {"mail.identity.id1.compose_html": self.html}
        (profile / "user.js").write_text(
            "".join(f'user_pref("{name}", {_js(value)});\n' for name, value in prefs.items()),
            encoding="utf-8",
        )
        _set_default(self.screen.home, "thunderbird.desktop")
        with MailtoTransport(separator=separator, drafts=self.screen.home) as transport:
            [receipt] = transport.deliver([email])
        assert receipt.ok
        window = self.screen.window("^Write: ")
        drafts = profile / "Mail" / "Local Folders" / "Drafts"
        try:
            return _saved(lambda: _last_of(drafts), lambda: self.screen.press(window, "ctrl+s"))
        finally:
            self.screen.end(window)


def _last_of(path: Path) -> bytes:
    """The last message of an mbox file; b"" when there is none yet."""
    if not path.exists():
        return b""
    with contextlib.closing(mailbox.mbox(path, create=False)) as saved:
        return saved[saved.keys()[-1]].as_bytes() if len(saved) else b""


def _js(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _set_default(home: Path, entry: str) -> None:
    """What a person does in the desktop's settings under default applications."""
    takes_files = "message/rfc822" in Path("/usr/share/applications", entry).read_text(encoding="utf-8")
    files = f"message/rfc822={entry}\n" if takes_files else ""
    (home / ".config").mkdir()
    (home / ".config" / "mimeapps.list").write_text(
        f"[Default Applications]\nx-scheme-handler/mailto={entry}\n{files}", encoding="utf-8"
    )


_ACCOUNT = """[Account: 1]
account_name=office@example.com
is_default=1
name=
address=office@example.com
protocol={protocol}
receive_server=127.0.0.1
smtp_server=127.0.0.1
"""
_FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist><folder type="mh" name="Mail" path="Mail">
<folderitem name="inbox" path="inbox" type="inbox"/><folderitem name="sent" path="sent" type="outbox"/>
<folderitem name="draft" path="draft" type="draft"/><folderitem name="queue" path="queue" type="queue"/>
<folderitem name="trash" path="trash" type="trash"/><folderitem name="junk" path="junk" type="junk"/>
</folder></folderlist>
"""


@attrs.frozen(kw_only=True)
class SylpheedKin:
    """Claws Mail or Sylpheed, opened by the desktop (xdg-open); saves a draft when told to.

    Args:
        entry: the program's desktop entry.
        settings: its folder of settings, and the file with those that all accounts share.
        protocol: its number for an account that fetches nothing by itself.
        composing: what ends the name of a window in which a person writes.
    """

    screen: Screen
    entry: str
    settings: tuple[str, str]
    protocol: int
    composing: str

    @classmethod
    def claws_mail(cls, screen: Screen) -> SylpheedKin:
        """Claws Mail."""
        return cls(
            screen=screen,
            entry="claws-mail.desktop",
            settings=(".claws-mail", "clawsrc"),
            protocol=6,
            composing="Compose message$",
        )

    @classmethod
    def sylpheed(cls, screen: Screen) -> SylpheedKin:
        """Sylpheed."""
        return cls(
            screen=screen,
            entry="sylpheed.desktop",
            settings=(".sylpheed-2.0", "sylpheedrc"),
            protocol=0,
            composing=" Compose$",
        )

    def prepare(self) -> None:
        """Its settings, an account and the folders."""
        name, shared = self.settings
        settings = self.screen.home / name
        settings.mkdir()
        (settings / "accountrc").write_text(_ACCOUNT.format(protocol=self.protocol), encoding="utf-8")
        (settings / "folderlist.xml").write_text(_FOLDERS, encoding="utf-8")
        (settings / shared).write_text("[Common]\nenable_aspell=0\nautowrap=0\n", encoding="utf-8")
        for folder in ("inbox", "sent", "draft", "queue", "trash", "junk"):
            (self.screen.home / "Mail" / folder).mkdir(parents=True)
        _set_default(self.screen.home, self.entry)

    def given(self, email: Email, *, separator: str) -> Understood:
        """Open the email by our transport and say what the program understood."""
        self.prepare()
        with MailtoTransport(separator=separator, drafts=self.screen.home) as transport:
            [receipt] = transport.deliver([email])
        assert receipt.ok
        window = self.screen.window(self.composing)
        try:
            return _saved(self._draft, lambda: self.screen.press(window, "ctrl+s"))
        finally:
            self.screen.end(window)

    def _draft(self) -> bytes:
        drafts = sorted((self.screen.home / "Mail" / "draft").glob("[0-9]*"))
        with contextlib.suppress(FileNotFoundError):  # it writes a new one and deletes the old
            return drafts[-1].read_bytes() if drafts else b""
        return b""


# --- The tests ----------------------------------------------------------------------------------------------


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
