"""A run that is stopped, interrupted or broken still says what became of everyone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.mailer.many import emails

from vetmail_core import (
    Cause,
    Content,
    Email,
    EmailPreferences,
    Mailer,
    MergeError,
    Person,
    Phase,
    Receipt,
    SmtpTransport,
    SqliteLedger,
    Status,
)
from vetmail_core.ledger import LedgerState
from vetmail_core.mailer import RunInterrupted
from vetmail_core.mailer.walk import Walk
from vetmail_core.receipts import Tally
from vetmail_core.testing import FakeClock, LocalSmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_cancelling_stops_between_two_emails_with_quit(smtpd: LocalSmtpServer, tmp_path: Path) -> None:
    """No half-sent message, no connection left hanging, nobody in doubt."""
    seen: list[Receipt] = []
    transport = SmtpTransport(smtpd.mail_server)
    with SqliteLedger(tmp_path / "ledger") as ledger:
        report = Mailer(smtpd.server_preferences(), transport=transport).send_bulk(
            emails(50), ledger=ledger, progress=seen.append, cancel=lambda: len(seen) >= 5
        )
        assert ledger.in_doubt() == ()
        assert ledger.counts() == {LedgerState.ACCEPTED: len(smtpd.emails)}
    assert smtpd.verbs[-1] == "QUIT"
    assert 5 <= len(smtpd.emails) <= 6, "one more may have been on its way"
    assert report.accepted == len(smtpd.emails)
    assert report.cancelled
    assert not report.ok


def test_cancelling_a_mailers_own_connection_ends_it_too(smtpd: LocalSmtpServer) -> None:
    """With QUIT, before `send_bulk` returns."""
    mailer = Mailer(smtpd.server_preferences())
    mailer.send_bulk(emails(50), cancel=lambda: len(smtpd.emails) >= 3)
    assert smtpd.verbs[-1] == "QUIT"
    assert len(smtpd.emails) < 10


@pytest.mark.parametrize("kind", ["list", "plan"])
def test_after_a_cancel_everybody_left_is_in_the_report(
    preferences: EmailPreferences, counting: Make, kind: str
) -> None:
    """Of a plan or a list, which end; they are not attempted, and can be sent from `retry`."""
    people = [Person(f"p{n}@example.com", key=f"k{n}") for n in range(20)]
    people[15] = Person(None, key="k15")
    transport = counting()
    with Mailer(preferences, transport=transport) as mailer:
        plan: Iterable[Email] = (
            list(emails(20)) if kind == "list" else mailer.plan_bulk(Content("Hello", "Text"), people)
        )
        report = mailer.send_bulk(plan, cancel=lambda: transport.count >= 5)
    total = 20 if kind == "list" else 19
    assert (report.emails, report.accepted, report.not_attempted) == (total, 5, total - 5)
    assert len(report.retry()) == total - 5
    assert {receipt.outcomes[0].cause for receipt in report.failures} == {Cause.CANCELLED}
    assert len(report.exclusions) == 20 - total


def test_after_a_cancel_the_rest_of_an_iterator_is_the_callers(
    preferences: EmailPreferences, counting: Make
) -> None:
    """It may have no end; what was not taken is still in it."""
    transport = counting()
    source = emails(20)
    with Mailer(preferences, transport=transport) as mailer:
        report = mailer.send_bulk(source, cancel=lambda: transport.count >= 5)
    assert report.cancelled
    assert report.emails + len(list(source)) == 20


def test_after_a_cancel_the_ledger_says_who_of_the_rest_has_it_already(
    preferences: EmailPreferences, counting: Make, tmp_path: Path
) -> None:
    """Nobody who was sent to last time is called "not attempted" today."""
    transport = counting({"p8@example.com": Status.UNKNOWN})
    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(preferences, transport=transport) as mailer:
        mailer.send_bulk(list(emails(20))[7:9], ledger=ledger)
        transport.count = 0
        report = mailer.send_bulk(list(emails(20)), ledger=ledger, cancel=lambda: transport.count >= 2)
        assert (report.accepted, report.unknown, report.not_attempted) == (2, 1, 16)
        assert [exclusion.person.key for exclusion in report.exclusions] == ["k7"]
        assert ledger.counts() == {LedgerState.ACCEPTED: 3, LedgerState.UNKNOWN: 1}


def test_a_great_many_left_after_a_cancel_are_counted_and_not_all_kept(
    preferences: EmailPreferences, counting: Make
) -> None:
    """Ten thousand are listed; the rest of a very long plan would fill the memory."""
    with Mailer(preferences, transport=counting()) as mailer:
        report = mailer.send_bulk(list(emails(10_500)), cancel=lambda: True)
    assert report.not_attempted == 10_500
    assert len(report.failures) + report.unlisted == 10_500
    assert report.unlisted >= 499


def test_a_wait_can_be_cancelled(
    waiting: Callable[[int], EmailPreferences], smtpd: LocalSmtpServer, tmp_path: Path
) -> None:
    """Ten minutes between emails do not keep anybody ten minutes, and the next email does not go early."""
    clock = FakeClock()
    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(waiting(600_000), clock=clock) as mailer:
        report = mailer.send_bulk(list(emails(5)), ledger=ledger, cancel=lambda: sum(clock.slept) > 30)
        assert ledger.counts() == {LedgerState.ACCEPTED: 1}
    assert sum(clock.slept) < 31
    assert len(smtpd.emails) == 1
    assert (report.accepted, report.not_attempted, report.cancelled) == (1, 4, True)
    assert smtpd.verbs[-1] == "QUIT"


def test_the_wait_before_a_second_run_can_be_cancelled_too(
    waiting: Callable[[int], EmailPreferences], smtpd: LocalSmtpServer
) -> None:
    """Nobody is forgotten, and the third run waits for what is left of the time, not for all of it again."""
    clock = FakeClock()
    mailer = Mailer(waiting(600_000), clock=clock)
    assert mailer.send_bulk(list(emails(1))).ok
    report = mailer.send_bulk(list(emails(5)), cancel=lambda: sum(clock.slept) > 30)
    assert (report.accepted, report.not_attempted, report.cancelled) == (0, 5, True)
    assert sum(clock.slept) < 31
    assert mailer.send_bulk(list(emails(1))).ok
    assert sum(clock.slept) == pytest.approx(600, abs=1)
    assert len(smtpd.emails) == 2


@pytest.mark.parametrize("remembered", [True, False], ids=["with a ledger", "without"])
def test_whoever_was_waited_for_is_not_in_doubt(
    waiting: Callable[[int], EmailPreferences], smtpd: LocalSmtpServer, *, remembered: bool
) -> None:
    """The email whose wait was ended had not begun to leave, and that is known without a ledger too."""
    clock = FakeClock()
    book = SqliteLedger(":memory:") if remembered else contextlib.nullcontext()
    with book as ledger, Mailer(waiting(600_000), clock=clock) as mailer:
        report = mailer.send_bulk(list(emails(5)), ledger=ledger, cancel=lambda: sum(clock.slept) > 30)
    assert (report.accepted, report.unknown, report.not_attempted) == (1, 0, 4)
    assert len(smtpd.emails) == 1


def test_an_interrupt_leaves_nobody_of_a_list_out_of_the_report(
    preferences: EmailPreferences, counting: Make
) -> None:
    """As after a cancel; whoever presses the keys once more does not wait for that."""

    def interrupt(_: Receipt) -> None:
        raise KeyboardInterrupt

    class Impatient(list[Email]):
        def __iter__(self) -> Iterator[Email]:
            for number, email in enumerate(super().__iter__()):
                if number == 5:
                    raise KeyboardInterrupt
                yield email

    for kind, listed in ((list[Email], 9), (Impatient, 5)):
        mailer = Mailer(preferences, transport=counting())
        with pytest.raises(RunInterrupted) as caught:
            mailer.send_bulk(kind(emails(9)), progress=interrupt)
        assert (caught.value.report.emails, caught.value.report.accepted) == (listed, 1)
        assert mailer.last_report == caught.value.report


@pytest.mark.parametrize("remembered", [True, False], ids=["with a ledger", "without"])
@pytest.mark.parametrize("kind", ["list", "iterator"])
@pytest.mark.parametrize("at", [0, 5, 8])
def test_an_interrupt_while_an_email_is_made_leaves_nobody_of_a_plan_out_of_the_report(
    preferences: EmailPreferences, counting: Make, *, at: int, kind: str, remembered: bool
) -> None:
    """Neither whoever it fell upon, nor those after them, nor those whom the run had taken with them."""
    made: list[str] = []

    def notice(person: Person) -> Content:
        made.append(person.key)
        if len(made) == at + 1:
            raise KeyboardInterrupt
        return Content("Hello", "Text")

    transport = counting()
    people = [Person(f"p{n}@example.com", key=f"k{n}") for n in range(9)]
    people.insert(3, Person(None, key="k9"))
    book = SqliteLedger(":memory:") if remembered else contextlib.nullcontext()
    with book as ledger, Mailer(preferences, transport=transport) as mailer:
        plan = mailer.plan_bulk(notice, people if kind == "list" else iter(people), batch="class-7")
        with pytest.raises(RunInterrupted) as caught:
            mailer.send_bulk(plan, ledger=ledger)
    report = caught.value.report
    assert report.unknown == 0
    assert report.accepted == transport.count
    # Of people who come from an iterator, those who had been taken out of it are answered for.
    assert report.accepted + report.not_attempted == report.emails == (9 if kind == "list" else at)
    assert len(report.exclusions) == (1 if kind == "list" or at > 3 else 0)


def test_of_an_iterator_that_outlives_an_interrupt_nothing_is_passed_over() -> None:
    """It cannot be walked again, and goes on from where it was."""

    class Outlives:
        def __init__(self) -> None:
            self.left = list(emails(5))
            self.interrupted = False

        def __iter__(self) -> Outlives:
            return self

        def __next__(self) -> Email:
            if len(self.left) == 3 and not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

    walk = Walk(Outlives(), Tally())
    taken = [next(walk), next(walk)]
    with pytest.raises(KeyboardInterrupt):
        next(walk)
    assert [email.key for email in (*taken, *walk)] == ["k0", "k1", "k2", "k3", "k4"]


@pytest.mark.parametrize("where", ["progress", "transport"])
def test_an_interrupt_from_the_keyboard_brings_the_report_along(
    preferences: EmailPreferences, counting: Make, tmp_path: Path, where: str
) -> None:
    """Catch it as KeyboardInterrupt or by its own name; what was sent is in the report and in the ledger."""

    class Interrupted(counting):  # type: ignore[misc]
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            for receipt in super().deliver(emails):
                if where == "transport" and self.count == 4:
                    raise KeyboardInterrupt
                yield receipt

    def interrupt(receipt: Receipt) -> None:
        if where == "progress" and receipt.email.key == "k2":
            raise KeyboardInterrupt

    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(preferences, transport=Interrupted()) as mailer:
        with pytest.raises(KeyboardInterrupt) as caught:
            mailer.send_bulk(emails(9), ledger=ledger, progress=interrupt)
        assert isinstance(caught.value, RunInterrupted)
        report = caught.value.report
        assert report.accepted == 3
        assert report.cancelled
        assert mailer.last_report == report
        doubts = 1 if where == "transport" else 0
        assert report.unknown == len(ledger.in_doubt()) == doubts
        assert str(report) in str(caught.value)


def test_an_interrupt_in_the_middle_of_an_email_says_whether_it_is_in_doubt(
    smtpd: LocalSmtpServer, tmp_path: Path
) -> None:
    """While the run waits to connect again nothing is on its way, so nobody is in doubt."""

    class Impatient(FakeClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            raise KeyboardInterrupt

    transport = SmtpTransport(smtpd.mail_server, clock=Impatient())
    smtpd.close()
    with (
        SqliteLedger(tmp_path / "ledger") as ledger,
        Mailer(smtpd.server_preferences(), transport=transport) as mailer,
    ):
        with pytest.raises(RunInterrupted) as caught:
            mailer.send_bulk(emails(3), ledger=ledger)
        assert ledger.counts() == {}
    assert caught.value.report.unknown == 0


def test_an_error_of_the_hosts_own_leaves_the_report_behind(
    preferences: EmailPreferences, counting: Make, tmp_path: Path
) -> None:
    """`last_report` says how far the run got; the ledger knows as well."""

    def fails(receipt: Receipt) -> None:
        if receipt.email.key == "k3":
            raise ZeroDivisionError

    with SqliteLedger(tmp_path / "ledger") as ledger, Mailer(preferences, transport=counting()) as mailer:
        with pytest.raises(ZeroDivisionError):
            mailer.send_bulk(emails(9), ledger=ledger, progress=fails)
        assert mailer.last_report is not None
        assert mailer.last_report.accepted == 4
        assert ledger.counts() == {LedgerState.ACCEPTED: 4}


def test_a_merge_that_fails_in_the_middle_does_not_put_the_emails_before_it_in_doubt(
    smtpd: LocalSmtpServer,
) -> None:
    """They are sent and counted; the error names the person."""
    people = [Person(f"p{n}@example.com", key=f"k{n}", fields={"room": "4"}) for n in range(3)]
    people[2] = Person("p2@example.com", key="k2", name="Ann", fields={"room": "4\nx"})
    with Mailer(smtpd.server_preferences()) as mailer:
        with pytest.raises(MergeError):
            mailer.send_bulk(mailer.plan_bulk(Content("Room ${room}", "Text"), people))
        assert mailer.last_report is not None
        assert mailer.last_report.accepted == len(smtpd.emails) == 2


def test_a_line_lost_after_the_dot_is_reported_in_doubt_and_never_sent_again(
    smtpd: LocalSmtpServer, tmp_path: Path
) -> None:
    """Not by this run, not by the next."""
    smtpd.faults.drop(after=Phase.DOT, times=1)
    with SqliteLedger(tmp_path / "ledger") as ledger:
        for _ in range(2):
            with Mailer(smtpd.server_preferences(), clock=FakeClock()) as mailer:
                report = mailer.send_bulk(emails(3), ledger=ledger)
            assert report.unknown == 1
    assert len(smtpd.emails) == 3
    assert "so it may have arrived" in " ".join(str(report).split())
