"""Mail programs, driven as a person would, and what each of them sends of an email."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import socketserver
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs

from vetmail_core.transports.mailto.opening import LinuxOpener

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60
NOTHING_AFTER = 12  # seconds without a window, after which none will come


@attrs.frozen(kw_only=True)
class Sent:
    """What left a program.

    Attributes:
        recipients: whom the server, or sendmail, was told to send to; in the program's own words.
        data: the message.
    """

    recipients: tuple[str, ...]
    data: bytes


class Program(Protocol):
    """A mail program that can be given something to open."""

    def send(self, uri: str) -> Sent | None:
        """Open a link or a draft file and send what appears; None when nothing to be sent appears."""
        ...


# --- A server that takes everything -------------------------------------------------------------------------


class Sink(socketserver.ThreadingTCPServer):
    """Keeps whatever it is given, also recipients that no server would take."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.sent: list[Sent] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def wait(self, messages: int = 1) -> list[Sent]:
        """Wait until that many have come."""
        end = time.monotonic() + PATIENCE
        while len(self.sent) < messages:
            assert time.monotonic() < end, f"{len(self.sent)} of {messages} came"
            time.sleep(0.05)
        return self.sent


class _Taking(socketserver.StreamRequestHandler):
    server: Sink

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        recipients: list[str] = []
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                data = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.sent.append(
                    Sent(recipients=tuple(recipients), data=data.replace(b"\r\n..", b"\r\n."))
                )
                recipients.clear()
            elif verb == b"RCPT":
                recipients.append(line.decode().partition("<")[2].rpartition(">")[0])
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A running sink."""
    with Sink() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


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

    def send(self, uri: str) -> Sent:
        """Open a link or a draft file and send what appears."""
        (self.folder / "rc").write_text(_MUTTRC.format(folder=self.folder), encoding="utf-8")
        (self.folder / "sendmail").write_text(_SENDMAIL.format(folder=self.folder), encoding="utf-8")
        (self.folder / "sendmail").chmod(0o700)
        self._open(uri)
        options = (self.folder / "recipients").read_text(encoding="utf-8").splitlines()
        return Sent(
            recipients=tuple(options[options.index("--") + 1 :]), data=(self.folder / "message").read_bytes()
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
        assert self.waits_for(name, seconds=PATIENCE), f"no window {name}"
        return self.windows(name)[0]

    def windows(self, name: str) -> list[str]:
        """The windows whose names match that can be seen now."""
        words = ["xdotool", "search", "--onlyvisible", "--name", name]
        return subprocess.run(
            words,
            env=os.environ | {"DISPLAY": self.display},
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout.split()

    def waits_for(self, name: str, *, seconds: float) -> bool:
        """True as soon as a window whose name matches can be seen; False when none came in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.windows(name):
                return True
            time.sleep(0.2)
        return False

    def press(self, window: str, keys: str) -> None:
        """Press keys in a window that is ready for them."""
        self.settle(window)
        self._ask("windowfocus", "--sync", window)
        self._ask("key", *keys.split())

    def settle(self, window: str) -> None:
        """Wait until the program has filled in its window: until it takes no more of the processor."""
        stat = Path(f"/proc/{self.process(window)}/stat")
        end = time.monotonic() + PATIENCE
        used = -1
        while time.monotonic() < end:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            now = int(fields[11]) + int(fields[12])  # utime and stime in hundredths of a second (proc(5))
            if used >= 0 and now - used <= 2:
                return
            used = now
            time.sleep(1)

    def process(self, window: str) -> int:
        """The process that owns a window."""
        return int(self._ask("getwindowpid", window))

    def end(self, process: int) -> None:
        """End a program."""
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


@attrs.frozen(kw_only=True)
class DesktopProgram:
    """A program with windows, opened by the desktop (xdg-open), that sends to a sink.

    Args:
        composing: what the name of a window matches in which a person writes.
    """

    screen: Screen
    sink: Sink
    composing: str
    sends_by: str = "ctrl+Return"

    def prepare(self) -> None:
        """Its settings, an account and the folders."""
        raise NotImplementedError

    def send(self, uri: str) -> Sent | None:
        """Open a link or a draft file and send what appears; None when nothing to be sent appears."""
        self.prepare()
        LinuxOpener()(uri)
        seconds = NOTHING_AFTER if uri.startswith("file:") else PATIENCE
        return self.send_what_opened() if self.screen.waits_for(self.composing, seconds=seconds) else None

    def send_what_opened(self) -> Sent:
        """Wait for the window in which a person writes, and send."""
        window = self.screen.window(self.composing)
        process = self.screen.process(window)  # the window closes once it has been sent
        try:
            self.screen.press(window, self.sends_by)
            return self.sink.wait()[0]
        finally:
            self.screen.end(process)


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
    "mail.compose.attachment_reminder": False,
    "mail.warn_on_send_accel_key": False,
    "mail.compose.warn_public_recipients.aggressive": False,
    "mail.compose.warn_public_recipients.threshold": 9999,
    "mail.smtpserver.smtp1.authMethod": 1,
    "mail.smtpserver.smtp1.try_ssl": 0,
    "mail.identity.id1.fcc": False,
    "mail.smtp.defaultserver": "smtp1",
    "mail.smtpserver.smtp1.hostname": "127.0.0.1",
    "mail.smtpserver.smtp1.port": 9,
    "mail.smtpservers": "smtp1",
    "mailnews.send_plaintext_flowed": False,
    "mailnews.start_page.enabled": False,
    "toolkit.telemetry.enabled": False,
}


@attrs.frozen(kw_only=True)
class Thunderbird(DesktopProgram):
    """Thunderbird."""

    composing: str = "^Write: "
    html: bool = False

    def prepare(self) -> None:
        """A profile with an account."""
        profile = self.screen.home / ".thunderbird" / "office"
        profile.mkdir(parents=True)
        (profile.parent / "profiles.ini").write_text(
            "[General]\nStartWithLastProfile=1\n[Profile0]\nName=office\nIsRelative=1\nPath=office\nDefault=1\n",
            encoding="utf-8",
        )
        prefs = _THUNDERBIRD_PREFS | {
            "mail.identity.id1.compose_html": self.html,
            "mail.smtpserver.smtp1.port": self.sink.port,
        }
        (profile / "user.js").write_text(
            "".join(f'user_pref("{name}", {_js(value)});\n' for name, value in prefs.items()),
            encoding="utf-8",
        )
        set_default(self.screen.home, "thunderbird.desktop")


def _js(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def set_default(home: Path, entry: str) -> None:
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
set_smtpport=1
smtp_port={port}
"""
_FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist><folder type="mh" name="Mail" path="Mail">
<folderitem name="inbox" path="inbox" type="inbox"/><folderitem name="sent" path="sent" type="outbox"/>
<folderitem name="draft" path="draft" type="draft"/><folderitem name="queue" path="queue" type="queue"/>
<folderitem name="trash" path="trash" type="trash"/><folderitem name="junk" path="junk" type="junk"/>
</folder></folderlist>
"""


@attrs.frozen(kw_only=True)
class SylpheedKin(DesktopProgram):
    """Claws Mail or Sylpheed.

    Args:
        entry: the program's desktop entry.
        settings: its folder of settings, and the file with those that all accounts share.
        protocol: its number for an account that fetches nothing by itself.
    """

    entry: str
    settings: tuple[str, str]
    protocol: int

    @classmethod
    def claws_mail(cls, screen: Screen, sink: Sink) -> SylpheedKin:
        """Claws Mail."""
        return cls(
            screen=screen,
            sink=sink,
            entry="claws-mail.desktop",
            settings=(".claws-mail", "clawsrc"),
            protocol=6,
            composing="Compose message$",
        )

    @classmethod
    def sylpheed(cls, screen: Screen, sink: Sink) -> SylpheedKin:
        """Sylpheed."""
        return cls(
            screen=screen,
            sink=sink,
            entry="sylpheed.desktop",
            settings=(".sylpheed-2.0", "sylpheedrc"),
            protocol=0,
            composing=" Compose$",
            sends_by="alt+f s",
        )

    def prepare(self) -> None:
        """Its settings, an account and the folders."""
        name, shared = self.settings
        settings = self.screen.home / name
        settings.mkdir()
        account = _ACCOUNT.format(protocol=self.protocol, port=self.sink.port)
        (settings / "accountrc").write_text(account, encoding="utf-8")
        (settings / "folderlist.xml").write_text(_FOLDERS, encoding="utf-8")
        (settings / shared).write_text(
            "[Common]\noutgoing_charset=UTF-8\nenable_aspell=0\nautowrap=0\nwarn_sending_many_recipients_num=0\n"
            "send_dialog_invisible=1\nsend_dialog_mode=1\n",
            encoding="utf-8",
        )
        for folder in ("inbox", "sent", "draft", "queue", "trash", "junk"):
            (self.screen.home / "Mail" / folder).mkdir(parents=True)
        set_default(self.screen.home, self.entry)


_SOURCES = {
    "office": """[Mail Account]
BackendName=none
IdentityUid=identity
""",
    "identity": """[Mail Identity]
Address=office@example.com
Name=
[Mail Submission]
TransportUid=transport
UseSentFolder=false
""",
    "transport": """[Mail Transport]
BackendName=smtp
[Authentication]
Host=127.0.0.1
Port={port}
Method=none
User=
[Security]
Method=none
""",
}
_EVOLUTION = """[org/gnome/evolution/mail]
prompt-check-if-default-mailer=false
prompt-on-accel-send=false
prompt-on-composer-mode-switch=false
[org/gnome/evolution-data-server]
migrated=true
"""


@attrs.frozen(kw_only=True)
class Evolution(DesktopProgram):
    """Evolution, with a bus of its own."""

    composing: str = "^Compose Message$|^100% |^Your class"

    def prepare(self) -> None:
        """Its settings and an account."""
        config = self.screen.home / ".config"
        set_default(self.screen.home, "org.gnome.Evolution.desktop")
        sources = config / "evolution" / "sources"
        sources.mkdir(parents=True)
        for name, text in _SOURCES.items():
            parent = "" if name == "office" else "office"
            (sources / f"{name}.source").write_text(
                f"[Data Source]\nDisplayName=office\nEnabled=true\nParent={parent}\n"
                + text.format(port=self.sink.port),
                encoding="utf-8",
            )
        (config / "glib-2.0" / "settings").mkdir(parents=True)
        (config / "glib-2.0" / "settings" / "keyfile").write_text(_EVOLUTION, encoding="utf-8")
