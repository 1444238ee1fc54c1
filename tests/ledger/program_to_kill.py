"""A program that sends a class its email through a ledger, to be killed at any moment.

Run as ``python program_to_kill.py PORT LEDGER PEOPLE [MODE]``. Prints a line when it begins, and the report
as JSON at the end.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vetmail_core import (
    Content,
    Email,
    EmailPreferences,
    Mailbox,
    Mailer,
    MailServer,
    Pipelining,
    Recipients,
    SmtpTransport,
    SqliteLedger,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT, LEDGER, PEOPLE = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
MODE = Pipelining[sys.argv[4]] if len(sys.argv) > 4 else Pipelining.AUTO


def emails() -> Iterator[Email]:
    """One for each person."""
    sender = Mailbox("office@example.com")
    for number in range(PEOPLE):
        yield Email(
            sender=sender,
            recipients=Recipients(Mailbox(f"p{number}@example.com")),
            content=Content("Your class moved", "It is in room 4 now."),
            key=f"class/{number}",
        )


def main() -> None:
    """Send to everyone who has not been sent to."""
    transport = SmtpTransport(MailServer(host="127.0.0.1", port=PORT), pipelining=MODE)
    with SqliteLedger(LEDGER) as ledger, Mailer(EmailPreferences(), transport=transport) as mailer:
        print("ready", flush=True)
        print(mailer.send_bulk(emails(), ledger=ledger).to_json(), flush=True)


main()
