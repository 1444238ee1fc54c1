"""Mail programs, driven as a person would, and what each of them understood of an email."""

from __future__ import annotations

import contextlib
import mailbox
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs
from tests.integration.understood import Understood, understood

from vetmail_core import Email, MailtoTransport

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60  # seconds for a program to show its window, on a slow machine


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
