"""What remembering costs: the same run with and without a ledger, by a real socket and a real disk.

usage: python benchmarks/ledger.py [--quick]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.harness import Section, Table, seconds_each
from benchmarks.smtp import sink

from vetmail_core import (
    Content,
    Email,
    EmailPreferences,
    Mailbox,
    Mailer,
    MailServer,
    Recipients,
    SmtpTransport,
    SqliteLedger,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHARE_ALLOWED = 0.25


def _emails(count: int) -> Iterator[Email]:
    sender, content = Mailbox("office@example.com"), Content("Your class moved", "It is in room 4 now.")
    for number in range(count):
        to = Recipients(Mailbox(f"p{number}@example.com"))
        yield Email(sender=sender, recipients=to, content=content, key=f"class/C{number:07}")


def _runs(port: int, count: int, folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    server = MailServer(host="127.0.0.1", port=port)
    ledgers = iter(range(1000))

    def without() -> None:
        with Mailer(EmailPreferences(), transport=SmtpTransport(server)) as mailer:
            assert mailer.send_bulk(_emails(count)).ok

    def remembered() -> None:
        transport = SmtpTransport(server)
        with (
            SqliteLedger(folder / f"{port}-{next(ledgers)}.ledger") as ledger,
            Mailer(EmailPreferences(), transport=transport) as mailer,
        ):
            assert mailer.send_bulk(_emails(count), ledger=ledger).ok

    return without, remembered


def run(*, quick: bool) -> Section:
    """Measure.

    Args:
        quick: fewer emails and turns.
    """
    rows: list[list[str]] = []
    raw: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for round_trip_ms, count in ((0, 1000 if quick else 5_000), (10, 50 if quick else 300)):
            with sink(round_trip_ms) as port:
                without, remembered = _runs(port, count, Path(folder))
                seconds = seconds_each({"without": without, "with": remembered}, rounds=3 if quick else 5)
            plain, kept = seconds["without"] / count, seconds["with"] / count
            share = 1 - plain / kept
            raw[f"{round_trip_ms} ms"] = {"without": plain, "with": kept, "share": share}
            rows.append(
                [
                    f"{round_trip_ms} ms",
                    f"{1 / plain:,.0f}",
                    f"{1 / kept:,.0f}",
                    f"{share:.0%}",
                    f"{_SHARE_ALLOWED:.0%}",
                ]
            )
    table = Table(
        title="Emails a second, one connection, AUTO",
        columns=["round trip", "without a ledger", "with SqliteLedger", "throughput lost", "at most allowed"],
        rows=rows,
        note="Every email is written through to the disk before it can leave. Medians of interleaved runs.",
    )
    return Section(
        name="ledger",
        title="What remembering costs",
        prose="The same run with and without a ledger, to a server on this machine that throws mail away.",
        tables=[table],
        raw=raw,
    )


if __name__ == "__main__":
    section = run(quick="--quick" in sys.argv)
    for shown in section.tables:
        print(shown.title)
        for row in (shown.columns, *shown.rows):
            print(" | ".join(row))
