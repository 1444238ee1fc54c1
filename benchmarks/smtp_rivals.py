"""One mailer, alone in its process: sends for some seconds, and says how many emails and at what cost.

Its law: the same email for everybody. Each mailer merges the person's values by its cheapest means, builds
the message, and sends it over one connection that is kept open.

usage: python -m benchmarks.smtp_rivals NAME PORT COPIES SECONDS LEAST      (prints JSON)
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import smtplib
import sys
import time
from email.message import EmailMessage
from email.utils import formatdate
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from vetmail_core import BulkPlan, Email, Limits, Pipelining

    Send: TypeAlias = Callable[[Iterable[int]], int]  # numbers of people -> emails that were taken
    Start: TypeAlias = Callable[[int, int], Send]  # port, number of copies -> connected

SUBJECT: Final = "Class moved, {first_name}"
TEXT: Final = (
    "Dear {name},\n\n"
    + "Your class in Certificate III in Commercial Cookery moves to room 5 on Monday, nine sharp.\n" * 21
    + "\nThe office\n"
)
SENDER: Final = "office@example.com"
SENDER_NAME: Final = "The Office"
HOST: Final = "127.0.0.1"
OWN_NAME: Final = "bench.example.com"
WARM_UP: Final = 2
WIDE_WINDOW: Final = 32


def copies_of(count: int) -> list[str]:
    """The addresses that get a copy of every email."""
    return [f"trainer{number}@example.com" for number in range(count)]


def values_of(number: int) -> dict[str, str]:
    """What is merged for a person."""
    return {"first_name": "Sam", "name": f"Sam O'Neill {number}", "address": f"student{number}@example.com"}


def plan(numbers: Iterable[int], copies: int) -> BulkPlan:
    """A bulk send as a host plans it: people from records, a template, copies on every email."""
    from vetmail_core import BulkCopies, Content, Mailbox, Person, plan_bulk  # noqa: PLC0415 - loaded by the one rival

    mark = {"first_name": "${first_name}", "name": "${name}"}
    return plan_bulk(
        Content(SUBJECT.format(**mark), TEXT.format(**mark)),
        (
            Person(values["address"], key=f"C{number:07}", name=values["name"])
            for number in numbers
            for values in (values_of(number),)
        ),
        sender=Mailbox(SENDER, SENDER_NAME),
        cc=copies_of(copies),
        copies=BulkCopies.EVERY_RECIPIENT,
        batch="benchmark",
    )


def _limits(window: int | None) -> Limits:
    from vetmail_core import Limits  # noqa: PLC0415 - as above

    raised = Limits(messages_per_connection=1_000_000_000, connection_seconds=1e9)
    if window is None:
        return raised
    return Limits(messages_per_connection=1_000_000_000, connection_seconds=1e9, chunking_window=window)


def merged(numbers: Iterable[int], copies: int) -> Iterator[Email]:
    """The emails without a plan, as the rivals make theirs: values merged, one email after the other."""
    from vetmail_core import Content, Email, Mailbox, Recipients  # noqa: PLC0415 - loaded by the one rival

    mark = {"first_name": "${first_name}", "name": "${name}"}
    template = Content(SUBJECT.format(**mark), TEXT.format(**mark))
    sender = Mailbox(SENDER, SENDER_NAME)
    copied = tuple(map(Mailbox, copies_of(copies)))
    for number in numbers:
        values = values_of(number)
        yield Email(
            sender=sender,
            recipients=Recipients((Mailbox(values["address"], values["name"]),), copied),
            content=template.merge(values),
            key=f"C{number:07}",
        )


def _ours(
    mode: str,
    *,
    window: int | None = None,
    make: Callable[[Iterable[int], int], Iterable[Email]] = merged,
) -> Start:
    def start(port: int, copies: int) -> Send:
        from vetmail_core import MailServer, Pipelining, SmtpTransport  # noqa: PLC0415 - as above

        pipelining: Pipelining = Pipelining[mode]
        transport = SmtpTransport(
            MailServer(host=HOST, port=port), pipelining=pipelining, limits=_limits(window)
        )
        return lambda numbers: sum(receipt.ok for receipt in transport.deliver(make(numbers, copies)))

    return start


def standard_message(number: int, copies: str) -> EmailMessage:
    """The email as the standard library's object."""
    values = values_of(number)
    message = EmailMessage()
    message["From"] = f"{SENDER_NAME} <{SENDER}>"
    message["To"] = f'"{values["name"]}" <{values["address"]}>'
    if copies:
        message["Cc"] = copies
    message["Subject"] = SUBJECT.format(**values)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<C{number:07}.benchmark@example.com>"
    message.set_content(TEXT.format(**values))
    return message


def _smtplib(port: int, copies: int) -> Send:
    client = smtplib.SMTP(HOST, port, local_hostname=OWN_NAME)
    copied = ", ".join(copies_of(copies))

    def send(numbers: Iterable[int]) -> int:
        return sum(not client.send_message(standard_message(number, copied)) for number in numbers)

    return send


def _aiosmtplib(port: int, copies: int) -> Send:
    loop = asyncio.new_event_loop()
    client = import_module("aiosmtplib").SMTP(
        hostname=HOST, port=port, local_hostname=OWN_NAME, start_tls=False
    )
    loop.run_until_complete(client.connect())
    copied = ", ".join(copies_of(copies))

    async def all_of(numbers: Iterable[int]) -> int:
        sent = 0
        for number in numbers:
            refused, _ = await client.send_message(standard_message(number, copied))
            sent += not refused
        return sent

    return lambda numbers: loop.run_until_complete(all_of(numbers))


def _django(port: int, copies: int) -> Send:
    mail = import_module("django.core.mail")
    import_module("django.conf").settings.configure(
        DEFAULT_CHARSET="utf-8", USE_TZ=True, EMAIL_USE_LOCALTIME=False
    )
    connection = mail.get_connection(
        "django.core.mail.backends.smtp.EmailBackend", host=HOST, port=port, username="", password=""
    )
    connection.open()
    copied = copies_of(copies)

    def send(numbers: Iterable[int]) -> int:
        sent = 0
        for number in numbers:
            values = values_of(number)
            sent += mail.EmailMessage(
                SUBJECT.format(**values),
                TEXT.format(**values),
                f"{SENDER_NAME} <{SENDER}>",
                [f'"{values["name"]}" <{values["address"]}>'],
                cc=copied,
                headers={"Message-ID": f"<C{number:07}.benchmark@example.com>"},
                connection=connection,
            ).send()
        return sent

    return send


def _red_mail(port: int, copies: int) -> Send:
    sender = import_module("redmail").EmailSender(host=HOST, port=port, use_starttls=False)
    sender.use_jinja = False  # a str.format is cheaper
    sender.connect()
    copied = copies_of(copies)

    def send(numbers: Iterable[int]) -> int:
        sent = 0
        for number in numbers:
            values = values_of(number)
            sender.send(
                subject=SUBJECT.format(**values),
                sender=f"{SENDER_NAME} <{SENDER}>",
                receivers=[f'"{values["name"]}" <{values["address"]}>'],
                cc=copied or None,
                text=TEXT.format(**values),
            )
            sent += 1
        return sent

    return send


def _yagmail(port: int, copies: int) -> Send:
    client = import_module("yagmail").SMTP(
        {SENDER: SENDER_NAME},
        "no password",
        host=HOST,
        port=port,
        smtp_starttls=False,
        smtp_ssl=False,
        smtp_skip_login=True,
        soft_email_validation=False,
    )
    copied = copies_of(copies)

    def send(numbers: Iterable[int]) -> int:
        sent = 0
        for number in numbers:
            values = values_of(number)
            refused = client.send(
                to={values["address"]: values["name"]},
                subject=SUBJECT.format(**values),
                contents=TEXT.format(**values),
                cc=copied or None,
                prettify_html=False,
            )
            sent += not refused
        return sent

    return send


RIVALS: Final[dict[str, Start]] = {
    "smtplib": _smtplib,
    "Django": _django,
    "aiosmtplib": _aiosmtplib,
    "Red Mail": _red_mail,
    "yagmail": _yagmail,
    "vetmail_core OFF": _ours("OFF"),
    "vetmail_core ENVELOPE": _ours("ENVELOPE"),
    "vetmail_core AUTO": _ours("AUTO"),
    "vetmail_core AUTO, planned": _ours("AUTO", make=plan),
    "vetmail_core CHUNKING, window 8": _ours("CHUNKING"),
    f"vetmail_core CHUNKING, window {WIDE_WINDOW}": _ours("CHUNKING", window=WIDE_WINDOW),
    f"vetmail_core CHUNKING, window {WIDE_WINDOW}, planned": _ours("CHUNKING", window=WIDE_WINDOW, make=plan),
}


def for_seconds(seconds: float, least: int) -> Iterator[int]:
    """Numbers of emails to send, until the time is over and at least so many have gone."""
    end = time.perf_counter() + seconds
    number = 0
    while number < least or time.perf_counter() < end:
        number += 1
        yield number


def largest_mb() -> float:
    """The largest resident size this process has had; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    lines = status.read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, port: int, copies: int, seconds: float, least: int) -> dict[str, float]:
    """Send, and say what it took."""
    send = RIVALS[name](port, copies)
    assert send(range(WARM_UP)) == WARM_UP
    gc.collect()
    before = largest_mb()
    cpu, start = _cpu_seconds(), time.perf_counter()
    emails = send(for_seconds(seconds, least))
    taken, used = time.perf_counter() - start, _cpu_seconds() - cpu
    return {
        "emails": emails,
        "seconds": taken / emails,
        "cpu_seconds": used / emails,
        "mb": largest_mb(),
        "grown_mb": largest_mb() - before,
    }


if __name__ == "__main__":
    which, port, copies, seconds, least = sys.argv[1:]
    print(json.dumps(measured(which, int(port), int(copies), float(seconds), int(least))))
