"""Writing emails: against the standard library, Django, Red Mail and nodemailer's MailComposer.

Each rival merges the person's values by its cheapest means, builds its message and writes it in CRLF form.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.harness import Chart, Section, Table, seconds_each
from benchmarks.node import nodemailer_folder, nodemailer_version

from vetmail_core.address import Mailbox
from vetmail_core.message import Attachment, Content, Email, HeaderFields, wire_bytes
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
SUBJECT: Final = "Class moved, {first_name}"
PARAGRAPH: Final = (
    "Your class in Certificate III in Commercial Cookery moves to room 5 on Monday, nine sharp.\n"
)
TEXT: Final = "Dear {first_name} {last_name},\n\n" + PARAGRAPH * 21 + "\nThe office\n"
HTML: Final = "<html><body><p>" + TEXT.replace("\n", "<br>\n") + "</p></body></html>\n"
FILE: Final = bytes(range(256)) * 4096  # 1 MiB
SENDER_NAME: Final = "The Office"
SENDER_ADDRESS: Final = "office@example.com"
OURS: Final = "vetmail_core"
STANDARD: Final = "EmailMessage"


def _people(count: int) -> list[dict[str, str]]:
    return [
        {"first_name": "Sam", "last_name": f"O'Neill {n}", "address": f"student{n}@example.com"}
        for n in range(count)
    ]


def _html(person: dict[str, str]) -> str:
    return HTML.format(**{name: escape(value) for name, value in person.items()})


class Rival(Protocol):
    """Writes one email to one person."""

    def __call__(self, person: dict[str, str], *, html: bool, file: bytes | None) -> bytes:
        """Merge, build and write."""
        ...


def _ours(*, html: bool, file: bytes | None) -> Callable[[dict[str, str]], bytes]:
    """A run of this library: the template is made once, as a host does."""
    mark = {name: f"${{{name}}}" for name in ("first_name", "last_name")}
    template = Content(
        SUBJECT.format(**mark),
        TEXT.format(**mark),
        html=HTML.format(**mark) if html else "",
        attachments=[Attachment("map.bin", file)] if file else (),
    )
    sender = Mailbox(SENDER_ADDRESS, SENDER_NAME)
    headers = HeaderFields({"Auto-Submitted": "auto-generated"})

    def write(person: dict[str, str]) -> bytes:
        mailbox = Mailbox(person["address"], f"{person['first_name']} {person['last_name']}")
        email = Email(
            sender=sender,
            recipients=Recipients((mailbox,)),
            content=template.merge(person),
            key=person["address"],
            headers=headers,
        )
        return wire_bytes(email, date=NOW)

    return write


def _standard(person: dict[str, str], *, html: bool, file: bytes | None) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = Address(SENDER_NAME, addr_spec=SENDER_ADDRESS)
    message["To"] = Address(f"{person['first_name']} {person['last_name']}", addr_spec=person["address"])
    message["Subject"] = SUBJECT.format(**person)
    message["Date"] = NOW
    message["Message-ID"] = f"<{person['address']}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(TEXT.format(**person))
    if html:
        message.add_alternative(_html(person), subtype="html")
    if file:
        message.add_attachment(file, maintype="application", subtype="octet-stream", filename="map.bin")
    return message.as_bytes()


def _django() -> Rival | None:
    try:
        settings = import_module("django.conf").settings
        mail = import_module("django.core.mail")
    except ImportError:
        return None
    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")

    def write(person: dict[str, str], *, html: bool, file: bytes | None) -> bytes:
        name = f"{person['first_name']} {person['last_name']}"
        message = mail.EmailMultiAlternatives(
            SUBJECT.format(**person),
            TEXT.format(**person),
            f'"{SENDER_NAME}" <{SENDER_ADDRESS}>',
            [f'"{name}" <{person["address"]}>'],
            headers={"Message-ID": f"<{person['address']}>", "Auto-Submitted": "auto-generated"},
        )
        if html:
            message.attach_alternative(_html(person), "text/html")
        if file:
            message.attach("map.bin", file, "application/octet-stream")
        return bytes(message.message().as_bytes(linesep="\r\n"))

    return write


def _red_mail() -> Rival | None:
    try:
        sender = import_module("redmail").EmailSender(host="localhost", port=0)
    except ImportError:
        return None

    def write(person: dict[str, str], *, html: bool, file: bytes | None) -> bytes:
        name = f"{person['first_name']} {person['last_name']}"
        message = sender.get_message(
            subject=SUBJECT.format(**person),
            sender=f'"{SENDER_NAME}" <{SENDER_ADDRESS}>',
            receivers=[f'"{name}" <{person["address"]}>'],
            text=TEXT.format(**person),
            html=_html(person) if html else None,
            attachments={"map.bin": file} if file else None,
            headers={"Auto-Submitted": "auto-generated"},
            use_jinja=False,
        )
        return bytes(message.as_bytes(policy=policy.SMTP))

    return write


NODE_SCRIPT: Final = """
const MailComposer = require('nodemailer/lib/mail-composer');
const job = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const file = job.file ? Buffer.alloc(job.file, 7) : null;
const escape = s => s.replace(/[&<>"']/g, c => '&#' + c.charCodeAt(0) + ';');
const fill = (text, person, change) => text.replace(/\\{(\\w+)\\}/g, (_, name) => change(person[name]));
async function turn() {
  const start = process.hrtime.bigint();
  for (const person of job.people) {
    const mail = {
      from: {name: job.name, address: job.address},
      to: {name: person.first_name + ' ' + person.last_name, address: person.address},
      subject: fill(job.subject, person, s => s), text: fill(job.text, person, s => s),
      html: job.html ? fill(job.html, person, escape) : undefined,
      date: new Date('2026-01-05T09:30:00Z'), messageId: '<' + person.address + '>',
      headers: {'Auto-Submitted': 'auto-generated'}, newline: 'windows',
      attachments: file ? [{filename: 'map.bin', content: file}] : [],
    };
    await new MailComposer(mail).compile().build();
  }
  return Number(process.hrtime.bigint() - start) / 1e9 / job.people.length;
}
(async () => {
  const seen = [];
  for (let n = 0; n < job.warmup + job.rounds; n++) seen.push(await turn());
  console.log(JSON.stringify(seen.slice(job.warmup)));
})();
"""


def _node_seconds(
    folder: Path, people: list[dict[str, str]], *, html: bool, file: bytes | None, rounds: int
) -> float:
    job = {
        "people": people, "rounds": rounds, "warmup": 2, "name": SENDER_NAME, "address": SENDER_ADDRESS,
        "subject": SUBJECT, "text": TEXT, "html": HTML if html else "", "file": len(file) if file else 0,
    }  # fmt: skip
    done = subprocess.run(
        ["node", "-e", NODE_SCRIPT],
        cwd=folder,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(statistics.median(json.loads(done.stdout)))


def _each(
    rivals: dict[str, Rival], node: Path | None, *, html: bool, file: bytes | None, count: int, rounds: int
) -> dict[str, float]:
    """Median seconds for one email, all rivals in turn."""
    people = _people(count)
    mine = _ours(html=html, file=file)

    def run(write: Callable[[dict[str, str]], bytes]) -> Callable[[], object]:
        def work() -> None:
            for person in people:
                write(person)

        return work

    def bound(rival: Rival) -> Callable[[dict[str, str]], bytes]:
        return lambda person: rival(person, html=html, file=file)

    turns = {OURS: run(mine)} | {name: run(bound(rival)) for name, rival in rivals.items()}
    seconds = {name: taken / count for name, taken in seconds_each(turns, rounds=rounds).items()}
    if node is not None:
        seconds["nodemailer"] = _node_seconds(node, people, html=html, file=file, rounds=rounds)
    return seconds


def _first_and_next(count: int, rounds: int) -> tuple[float, float]:
    """Seconds of the first email with a file, and of each later one that shares it."""
    firsts: list[float] = []
    nexts: list[float] = []
    people = _people(count)
    for _ in range(rounds):
        write = _ours(html=False, file=FILE)
        gc.collect()
        start = time.perf_counter()
        write(people[0])
        middle = time.perf_counter()
        for person in people[1:]:
            write(person)
        end = time.perf_counter()
        firsts.append(middle - start)
        nexts.append((end - middle) / (count - 1))
    return statistics.median(firsts), statistics.median(nexts)


def _held_by_ours(count: int) -> int:
    """Octets held by that many emails with one file between them, all written."""
    tracemalloc.start()
    paper = Attachment("map.bin", bytes(bytearray(FILE)))  # a copy, so that it is counted
    template = Content("Hi ${name}", TEXT.replace("{", "${"), attachments=[paper])
    fields = {"name": "Sam", "first_name": "Sam", "last_name": "O'Neill"}
    kept = [
        Email(
            sender=Mailbox(SENDER_ADDRESS),
            recipients=Recipients(Mailbox(f"student{n}@example.com")),
            content=template.merge(fields),
        )
        for n in range(count)
    ]
    for email in kept:
        email.as_bytes()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


def _held_by_standard(count: int) -> int:
    """The same for the standard library's objects."""
    tracemalloc.start()
    kept = []
    for _ in range(count):
        message = EmailMessage(policy=policy.SMTP)
        message.set_content(TEXT)
        message.add_attachment(FILE, maintype="application", subtype="octet-stream", filename="map.bin")
        kept.append(message)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


def _row(name: str, seconds: dict[str, float]) -> Sequence[str]:
    taken = seconds[name]
    return (name, f"{taken * 1e6:,.0f}", f"{taken / seconds[OURS]:.1f}")


def run(*, quick: bool) -> Section:
    """Measure everything; ``quick`` with fewer emails and turns."""
    made = {STANDARD: _standard, "Django": _django(), "Red Mail": _red_mail()}
    rivals: dict[str, Rival] = {name: rival for name, rival in made.items() if rival is not None}
    node = nodemailer_folder()
    absent = [name for name, rival in made.items() if rival is None] + ([] if node else ["nodemailer"])
    note = f"Not installed, so left out: {', '.join(absent)}." if absent else ""
    if node is not None:
        said = f"nodemailer {nodemailer_version()} runs right after the others, by its MailComposer."
        note = f"{said} {note}".rstrip()
    count, rounds = (60, 3) if quick else (300, 7)
    plain = _each(rivals, node, html=False, file=None, count=count, rounds=rounds)
    both = _each(rivals, node, html=True, file=None, count=count, rounds=rounds)
    filed = _each(rivals, node, html=False, file=FILE, count=2 if quick else 5, rounds=3)
    sharing = 50 if quick else 500
    first, following = _first_and_next(sharing, 2 if quick else 5)
    few, many = 10, 100 if quick else 500
    held = {n: _held_by_ours(n) for n in (1, few, many)}
    theirs = _held_by_standard(few)
    columns = ("library", "microseconds an email", "times ours")
    return Section(
        name="messages",
        title="Writing emails",
        prose=(
            f"A personalised email of {len(TEXT.encode()):,} octets of text, with From, To, Subject, Date, "
            "Message-ID and one more header: values merged (escaped in HTML), message built, CRLF bytes "
            f"written. Plain text takes {plain[OURS] * 1e6:.0f} microseconds, "
            f"{plain[STANDARD] / plain[OURS]:.0f} times less than the standard library's EmailMessage with "
            f"as_bytes(); text and HTML {both[OURS] * 1e6:.0f} microseconds, "
            f"{both[STANDARD] / both[OURS]:.0f} times less."
        ),
        tables=(
            Table(title="Plain text", columns=columns, rows=[_row(name, plain) for name in plain], note=note),
            Table(
                title="Text and HTML", columns=columns, rows=[_row(name, both) for name in both], note=note
            ),
            Table(
                title="With a file of 1 MiB, the same for all",
                columns=columns,
                rows=[_row(name, filed) for name in filed],
                note="Ours encodes the file once in a run, before these; below is what that costs.",
            ),
            Table(
                title=f"One file shared by {sharing} emails",
                columns=("email", "microseconds", "of the first"),
                rows=[
                    ("the first", f"{first * 1e6:,.0f}", "100 %"),
                    ("each of the others", f"{following * 1e6:,.0f}", f"{100 * following / first:.1f} %"),
                ],
            ),
            Table(
                title="Memory held by emails that share a file of 1 MiB, all of them written",
                columns=("emails", "MB held", "octets for each further email"),
                rows=[
                    *(
                        (
                            f"{n}",
                            f"{octets / 1e6:.2f}",
                            f"{(octets - held[1]) / (n - 1):,.0f}" if n > 1 else "",
                        )
                        for n, octets in held.items()
                    ),
                    (f"{few} of {STANDARD}", f"{theirs / 1e6:.2f}", f"{theirs / few:,.0f}"),
                ],
            ),
        ),
        charts=(
            Chart(
                name="messages",
                title="Microseconds to write one personalised email",
                kind="ranking",
                x_label="microseconds (log scale)",
                y_label="",
                x=tuple(plain),
                series={
                    "plain text": [plain[name] * 1e6 for name in plain],
                    "text and HTML": [both[name] * 1e6 for name in plain],
                },
                log_x=True,
            ),
        ),
        raw={
            "plain_seconds": plain,
            "both_seconds": both,
            "file_seconds": filed,
            "file_first_seconds": first,
            "file_next_seconds": following,
            "held_octets": {str(n): octets for n, octets in held.items()},
        },
    )


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    section = run(quick=parser.parse_args().quick)
    print(f"## {section.title}\n\n{section.prose}")
    for table in section.tables:
        print(f"\n### {table.title}\n")
        for row in (table.columns, ["---"] * len(table.columns), *table.rows):
            print("| " + " | ".join(row) + " |")
        if table.note:
            print(f"\n{table.note}")


if __name__ == "__main__":
    main()
