"""Drafts filed in a mailbox: `ImapDrafts` beside a loop of `imaplib`, over one connection.

usage: python benchmarks/drafts.py [--quick]
"""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.harness import Section, Table, seconds_each

from vetmail_core import Content, Email, ImapDrafts, Login, Mailbox, PlainSecret, Recipients, TlsMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PASSWORD: Final = "quiet-otter"  # noqa: S105 - of a server that lives for this run
LEAST: Final = 0.9
TEXT: Final = "Your class has moved to room 7. Bring your card, and come by the side door.\n" * 12
LOOP: Final = "imaplib"
BARE: Final = "imaplib, messages ready"
OURS: Final = "ImapDrafts"
OURS_READY: Final = "ImapDrafts, emails ready"


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    command = [sys.executable, str(Path(__file__).with_name("imap_sink.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()


def _has_dovecot() -> bool:
    """Whether Debian's Dovecot is here and may be started: it gives its processes another account."""
    return shutil.which("dovecot") is not None and os.geteuid() == 0


@contextlib.contextmanager
def _dovecot() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        place = Path(folder)
        place.chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        (place / "home").mkdir()
        mail = pwd.getpwnam("mail")
        os.chown(place / "home", mail.pw_uid, mail.pw_gid)
        settings = f"""
protocols = imap
listen = 127.0.0.1
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
ssl = no
first_valid_uid = 1
mail_location = maildir:{place}/home/%u
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={place}/home/%u
}}
"""
        (place / "dovecot.conf").write_text(settings, encoding="utf-8")
        with (place / "out").open("ab") as out:
            command = ["dovecot", "-F", "-c", str(place / "dovecot.conf")]
            with subprocess.Popen(command, stdout=out, stderr=out) as process:
                try:
                    _wait_for(port)
                    yield port
                finally:
                    process.terminate()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _message(number: int) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Kim Lee <kim@example.com>"
    message["To"] = f"student{number}@example.com"
    message["Bcc"] = "audit@example.org"
    message["Subject"] = f"Class {number} moved"
    message["Date"] = localtime()
    message.set_content(TEXT)
    return message.as_bytes()


def _email(number: int) -> Email:
    return Email(
        sender=Mailbox("kim@example.com", "Kim Lee"),
        recipients=Recipients(to=f"student{number}@example.com", bcc="audit@example.org"),
        content=Content(f"Class {number} moved", TEXT),
    )


def _loop(port: int, user: str, messages: Iterable[bytes]) -> None:
    with imaplib.IMAP4("127.0.0.1", port) as server:
        # As fair as can be: without it a draft may cost 40 ms, by the algorithm of Nagle.
        server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.login(user, PASSWORD)
        for message in messages:
            assert server.append("Drafts", "\\Draft", "", message)[0] == "OK"


def _rivals(port: int, count: int) -> dict[str, Callable[[], object]]:
    ready = [_message(number) for number in range(count)]
    # A mailbox of its own for each run: in one that grows, whoever comes later waits longer.
    users = (f"kim{number}" for number in itertools.count())

    emails = [_email(number) for number in range(count)]

    def ours(some: Iterable[Email]) -> None:
        login = Login(next(users), PlainSecret(PASSWORD))
        with ImapDrafts("127.0.0.1", port=port, tls=TlsMethod.NONE, login=login) as drafts:
            assert sum(receipt.ok for receipt in drafts.deliver(some)) == count

    return {
        LOOP: lambda: _loop(port, next(users), map(_message, range(count))),
        OURS: lambda: ours(map(_email, range(count))),
        BARE: lambda: _loop(port, next(users), ready),
        OURS_READY: lambda: ours(emails),
    }


def run(*, quick: bool) -> Section:
    """Measure.

    Args:
        quick: fewer drafts and turns.
    """
    rows: list[list[str]] = []
    raw: dict[str, object] = {}
    places = {"a server that throws them away": _sink}
    if _has_dovecot():
        places["Dovecot"] = _dovecot
    for name, place in places.items():
        count = 300 if quick else 1_000
        with place() as port:
            seconds = seconds_each(_rivals(port, count), rounds=3 if quick else 5)
        ratio, bare_ratio = seconds[LOOP] / seconds[OURS], seconds[BARE] / seconds[OURS_READY]
        rates = {rival: count / taken for rival, taken in seconds.items()}
        raw[name] = {**rates, "ratio": ratio, "ratio of ready ones": bare_ratio}
        shown = [f"{rate:,.0f}" for rate in rates.values()]
        rows.append([name, *shown, f"{ratio:.2f} x", f"{bare_ratio:.2f} x", f"{LEAST} x"])
    table = Table(
        title="Drafts a second, one connection",
        columns=[
            "filed at",
            LOOP,
            OURS,
            BARE,
            OURS_READY,
            "ratio",
            "ratio, both ready",
            "at least, at Dovecot",
        ],
        rows=rows,
        note="The loop makes each message with EmailMessage and sets TCP_NODELAY. Medians of runs in turn."
        + ("" if "Dovecot" in places else " Dovecot is not installed, or nobody may start it here."),
    )
    return Section(
        name="drafts",
        title="Filing drafts",
        prose="Emails of one page with a blind copy, filed in the Drafts folder of a mailbox by IMAP, in the "
        "clear.",
        tables=[table],
        raw=raw,
    )


if __name__ == "__main__":
    section = run(quick="--quick" in sys.argv)
    for shown in section.tables:
        print(shown.title)
        for row in (shown.columns, *shown.rows):
            print(" | ".join(row))
