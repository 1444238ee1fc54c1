"""A run says what became of everyone, however it ends."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from tests.mailer.many import emails

from vetmail_core import (
    BulkCopies,
    Content,
    Email,
    EmailPreferences,
    ExclusionReason,
    Mailer,
    Person,
    Receipt,
    Recipients,
    RecipientsError,
    SqliteLedger,
    Status,
    TransportError,
)
from vetmail_core.errors import LedgerError
from vetmail_core.mailer import Progress
from vetmail_core.testing import FakeClock, LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_a_plan_is_sent_and_reported(smtpd: LocalSmtpServer, students: list[Person], notice: Content) -> None:
    """One email for each person, the one without an address left out with a reason."""
    smtpd.faults.refuse("p7@example.com", code=550, enhanced="5.1.1")
    with Mailer(smtpd.server_preferences()) as mailer:
        report = mailer.send_bulk(mailer.plan_bulk(notice, students))
        assert mailer.last_report == report
    assert (report.emails, report.accepted, report.refused) == (9, 8, 1)
    assert [receipt.outcomes[0].mailbox.addr_spec for receipt in report.failures] == ["p7@example.com"]
    assert [exclusion.reason for exclusion in report.exclusions] == [ExclusionReason.NO_ADDRESS]
    assert len(smtpd.emails) == 8
    assert "Dear Student" in smtpd.emails[0].text
    assert smtpd.verbs[-1] == "QUIT", "the connection is ended when the run is over"


def test_copies_are_split_and_placed_by_the_preferences(
    smtpd: LocalSmtpServer, students: list[Person], notice: Content
) -> None:
    """Typed copies go with the first email only, as the preferences say."""
    preferences = smtpd.server_preferences()
    assert preferences.settings.bulk_copies is BulkCopies.FIRST_RECIPIENT
    with Mailer(preferences) as mailer:
        plan = mailer.plan_bulk(
            notice, students, cc="kim@example.com", bcc=["log@example.com"], batch="class-7"
        )
        mailer.send_bulk(plan)
    assert [email.recipients[1:] for email in smtpd.emails[:2]] == [
        ("kim@example.com", "log@example.com"),
        (),
    ]


def test_any_iterable_of_emails_will_do(preferences: EmailPreferences, counting: Make) -> None:
    """A generator, pulled as the run goes."""
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer:
        assert mailer.send_bulk(emails(5)).accepted == 5
        assert mailer.send_bulk(list(emails(5))).accepted == 5
    assert transport.count == 10


def test_a_plan_of_people_who_were_read_already_is_an_error(
    preferences: EmailPreferences, counting: Make
) -> None:
    """A second run of the same iterator would write to nobody, and say that all went well."""
    with Mailer(preferences, transport=counting()) as mailer:
        plan = mailer.plan_bulk(Content("Hello", "Text"), iter([Person("ann@example.com", key="C1")]))
        assert mailer.send_bulk(plan).ok
        with pytest.raises(RecipientsError, match="iterator"):
            mailer.send_bulk(plan)


def test_progress_is_told_of_each_receipt(preferences: EmailPreferences, counting: Make) -> None:
    """In order, as they come."""
    seen: list[str] = []
    with Mailer(preferences, transport=counting()) as mailer:
        mailer.send_bulk(emails(4), progress=lambda receipt: seen.append(receipt.email.key))
    assert seen == ["k0", "k1", "k2", "k3"]


def test_memory_does_not_grow_with_the_run(preferences: EmailPreferences, counting: Make) -> None:
    """Ten times the emails, the same peak."""
    peaks: list[int] = []
    for count in (2_000, 20_000):
        with Mailer(preferences, transport=counting()) as mailer:
            tracemalloc.start()
            assert mailer.send_bulk(emails(count)).accepted == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 30_000


def test_the_wait_time_is_the_built_in_clients(
    waiting: Callable[[int], EmailPreferences], students: list[Person], notice: Content
) -> None:
    """It stays in the preferences and is not kept with a mail program, not between two runs either."""
    clock = FakeClock()
    preferences = attrs.evolve(waiting(2000), use_built_in_client=False)
    with Mailer(preferences, clock=clock) as mailer:
        plan = mailer.plan_bulk(notice, students)
        for _ in range(2):
            with pytest.raises(TransportError, match="nothing was opened"):  # there are too many of them
                mailer.send_bulk(plan)
    assert clock.slept == ()


# -- with a ledger ---------------------------------------------------------------------------------------


def test_a_second_run_lists_those_already_sent_to(
    preferences: EmailPreferences, counting: Make, students: list[Person], notice: Content, tmp_path: Path
) -> None:
    """As exclusions beside the plan's own, with a sentence that says when."""
    transport = counting({"p7@example.com": Status.DEFERRED})
    with (
        SqliteLedger(tmp_path / "ledger", clock=FakeClock()) as ledger,
        Mailer(preferences, transport=transport) as mailer,
    ):
        plan = mailer.plan_bulk(notice, students, batch="class-7")
        first = mailer.send_bulk(plan, ledger=ledger)
        transport.answers.clear()
        second = mailer.send_bulk(plan, ledger=ledger)
        third = mailer.send_bulk(plan, ledger=ledger)
    assert (first.accepted, first.deferred) == (8, 1)
    assert (second.emails, second.accepted) == (1, 1)
    assert third.emails == 0
    reasons = [exclusion.reason for exclusion in third.exclusions]
    assert reasons.count(ExclusionReason.ALREADY_SENT) == 9
    assert reasons.count(ExclusionReason.NO_ADDRESS) == 1
    sent = next(e for e in third.exclusions if e.reason is ExclusionReason.ALREADY_SENT)
    assert str(sent.person.address).endswith("p0@example.com>")
    assert sent.person.key == students[0].key
    assert sent.detail == "This email was accepted in an earlier run (2026-03-02 09:00 UTC)."


def test_a_progress_bar_goes_on_from_where_the_earlier_run_was(
    preferences: EmailPreferences, counting: Make
) -> None:
    """It comes to its end although most emails are passed over; another function hears of receipts alone."""
    mailer = Mailer(preferences, transport=counting())
    drawn: list[int] = []
    told: list[Receipt] = []
    progress = Progress(5, show=lambda progress: drawn.append(progress.done))
    with SqliteLedger(":memory:") as ledger:
        mailer.send_bulk(emails(3), ledger=ledger)
        mailer.send_bulk(emails(5), ledger=ledger, progress=progress)
        mailer.send_bulk(emails(6), ledger=ledger, progress=told.append)
    assert drawn == [1, 2, 3, 4, 5]
    assert [receipt.email.key for receipt in told] == ["k5"]


def test_retry_of_a_report_goes_through_the_same_ledger(
    preferences: EmailPreferences, counting: Make, tmp_path: Path
) -> None:
    """The deferred again, and those in doubt when somebody says so, twice."""
    transport = counting({"p1@example.com": Status.DEFERRED, "p2@example.com": Status.UNKNOWN})
    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(preferences, transport=transport) as mailer:
        report = mailer.send_bulk(emails(4), ledger=ledger)
        transport.answers.clear()
        again = mailer.send_bulk(report.retry(), ledger=ledger)
        assert (again.accepted, again.unknown) == (1, 0)
        careful = mailer.send_bulk(report.retry(unknown=True), ledger=ledger)
        assert careful.unknown == 1
        chosen = mailer.send_bulk(report.retry(unknown=True), ledger=ledger, retry_unknown=True)
        assert chosen.accepted == 1
    assert transport.count == 6


def test_an_email_without_a_key_needs_no_ledger_and_fits_none(
    preferences: EmailPreferences, counting: Make, tmp_path: Path
) -> None:
    """The error comes before anything is sent."""
    keyless = Email(
        sender="office@example.com", recipients=Recipients("ann@example.com"), content=Content("Hello")
    )
    transport = counting()
    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(preferences, transport=transport) as mailer:
        with pytest.raises(LedgerError, match="has no key"):
            mailer.send_bulk([keyless], ledger=ledger)
        assert transport.count == 0
        assert mailer.send_bulk([keyless]).ok
