"""One mailer, several threads: each run is its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.mailer.many import emails

from vetmail_core import Content, LedgerError, Limits, Mailer, Report

if TYPE_CHECKING:
    from vetmail_core.testing import LocalSmtpServer

HELLO = Content("Hello", "A word.")


def in_threads(count: int, work: Any) -> None:  # noqa: ANN401 - a function of a number
    """Do the work in so many threads at once, and wait for all of them."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("most", [1, 3])
def test_threads_send_through_one_mailer(smtpd: LocalSmtpServer, most: int) -> None:
    """Each receipt goes to its own caller, each email arrives once, over as many connections as may be."""
    mailer = Mailer(smtpd.server_preferences(), limits=Limits(connections=most))
    answers: list[tuple[str, str]] = []

    def work(number: int) -> None:
        for turn in range(5):
            to = f"t{number}-{turn}@example.com"
            receipt = mailer.send(HELLO, to=to)
            answers.append((to, receipt.outcomes[0].mailbox.addr_spec))

    with mailer:
        in_threads(6, work)
    assert len(answers) == 30
    assert all(asked == answered for asked, answered in answers)
    assert sorted(one.recipients[0] for one in smtpd.emails) == sorted(asked for asked, _ in answers)
    assert smtpd.verbs.count("EHLO") <= most


def test_cancelling_one_run_leaves_another_alone(smtpd: LocalSmtpServer) -> None:
    """Its emails, its waits and its report are its own, also where the first one ends the connection."""
    mailer = Mailer(smtpd.server_preferences(), limits=Limits(connections=2))
    reports: dict[int, Report] = {}

    def work(number: int) -> None:
        seen: list[object] = []
        reports[number] = mailer.send_bulk(
            emails(60),
            progress=seen.append,
            cancel=(lambda: len(seen) >= 5) if number else None,
        )

    in_threads(2, work)
    assert reports[0].accepted == 60
    assert not reports[0].cancelled
    assert reports[1].cancelled
    assert reports[1].accepted < 60
    assert mailer.last_report in reports.values()
    assert smtpd.verbs[-1] == "QUIT"


def test_a_run_that_cannot_begin_leaves_the_mailer_as_it_was(smtpd: LocalSmtpServer) -> None:
    """The next run still ends the connection behind it."""
    mailer = Mailer(smtpd.server_preferences())
    with pytest.raises(LedgerError):
        mailer.send_bulk(emails(2), ledger="a path")  # type: ignore[arg-type]
    assert mailer.send_bulk(emails(2)).accepted == 2
    assert smtpd.verbs[-1] == "QUIT"
