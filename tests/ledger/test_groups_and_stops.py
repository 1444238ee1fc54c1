"""How many emails a run takes at once, and how it stops."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import Cause, Email, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


@pytest.mark.parametrize(("seconds", "emails", "least", "most"), [(0.0, 900, 32, 1024), (0.12, 7, 1, 4)])
def test_the_size_of_a_group_follows_the_pace(
    path: Path, postbox: Make, email: Make, *, seconds: float, emails: int, least: int, most: int
) -> None:
    """One commit serves many where it is quick; where each takes its time hardly any are put down ahead."""
    ahead: list[int] = []

    class Takes(postbox):  # type: ignore[misc]
        def receipt(self, email: Email) -> Receipt:
            threading.Event().wait(seconds)
            receipt: Receipt = super().receipt(email)
            return receipt

    with SqliteLedger(path) as ledger, sqlite3.connect(path) as other:
        for _ in deliver_once(ledger, Takes(), [email(f"p{n}@example.com") for n in range(emails)]):
            ahead += other.execute("SELECT count(*) FROM emails WHERE state='attempting'").fetchone()
    other.close()
    assert least <= max(ahead) <= most


class InGroups:
    """A ledger on a slow disk: writing a group down takes its time, so groups grow whatever else goes on."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger = ledger
        self.state, self.attempting, self.settle = ledger.state, ledger.attempting, ledger.settle

    def open_run(self) -> Any:  # noqa: ANN401 - the ledger's own run, but for its pace
        """Its claims wait a moment."""
        run: Any = self.ledger.open_run()
        claim = run.claim

        def slowly(emails: list[Email], *, retry_unknown: bool) -> Any:  # noqa: ANN401 - as it is
            threading.Event().wait(0.05)
            return claim(emails, retry_unknown=retry_unknown)

        run.claim = slowly
        return run


def test_of_a_group_that_was_put_down_nobody_is_sent_to_or_in_doubt_once_an_answer_cannot_be_written(
    path: Path, postbox: Make, email: Make
) -> None:
    """The disk fills up in the middle of it: the rest is answered for, and free to go in the next run."""
    emails = [email(f"p{n}@example.com", cc=["c@example.com"]) for n in range(15)]
    box = postbox({"c@example.com": Status.DEFERRED})
    receipts: list[Receipt] = []
    with SqliteLedger(path) as ledger:
        for receipt in deliver_once(InGroups(ledger), box, emails):
            receipts.append(receipt)
            if len(receipts) == 8:
                assert ledger.state(emails[10].key) is LedgerState.ATTEMPTING, "of the same group"
                ledger._store._db.execute("PRAGMA query_only=1")
    assert [receipt.email for receipt in receipts] == emails
    assert [receipt.outcomes[0].status for receipt in receipts] == (
        [Status.ACCEPTED] * 9 + [Status.NOT_ATTEMPTED] * 6
    )
    assert "readonly" in str(receipts[-1].outcomes[0].reply)
    assert len(box.sent) == 9
    with SqliteLedger(path) as ledger:
        assert ledger.in_doubt() == (emails[8].key,)
        assert ledger.counts() == {LedgerState.DEFERRED: 8, LedgerState.UNKNOWN: 1}


def test_emails_that_are_made_slowly_go_as_they_come(path: Path, postbox: Make, email: Make) -> None:
    """A caller whose emails take their time is not kept waiting for a full group."""
    made: list[int] = []
    went: list[int] = []

    def slowly() -> Iterator[Email]:
        for number in range(40):
            if number > 20:
                threading.Event().wait(0.06)
            made.append(number)
            yield email(f"p{number}@example.com")

    with SqliteLedger(path) as ledger:
        went.extend(len(made) for _ in deliver_once(ledger, postbox(), slowly()))
    assert all(made_by_then <= number + 3 for number, made_by_then in enumerate(went[25:], start=25))


def test_without_a_ledger_everything_goes(postbox: Make, email: Make) -> None:
    """Emails need no key then."""
    box = postbox()
    emails = [email("ann@example.com", key=""), email("ann@example.com", key="")]
    assert len(list(Delivery(box, emails).steps())) == 2
    assert box.to("ann@example.com") == 2


@pytest.mark.parametrize("ahead", [0, 1, 8])
def test_stop_is_asked_before_each_email(path: Path, postbox: Make, email: Make, ahead: int) -> None:
    """Once it says True no further email is handed over; those that were taken are answered for."""
    box = postbox(ahead=ahead)
    steps: list[Receipt | AlreadySent] = []
    with SqliteLedger(path) as ledger:
        delivery = Delivery(
            box,
            (email(f"p{n}@example.com") for n in range(1000)),
            ledger=ledger,
            stop=lambda: len(steps) >= 10,
        )
        for step in delivery.steps():
            steps.append(step)  # noqa: PERF402 - stop counts them as they come
        assert delivery.stopped
        assert ledger.counts() == {LedgerState.ACCEPTED: len(box.sent)}
    assert len(box.sent) == 10 + ahead
    late = [step for step in steps if isinstance(step, Receipt) and step.not_attempted]
    assert len(steps) == len(box.sent) + len(late)
    assert all(receipt.outcomes[0].cause is Cause.CANCELLED for receipt in late)


def test_stop_before_the_first_email_opens_no_connection(path: Path, postbox: Make, email: Make) -> None:
    """The transport is not even called."""
    box = postbox()
    with SqliteLedger(path) as ledger:
        (receipt,) = Delivery(box, [email("ann@example.com")], ledger=ledger, stop=lambda: True).steps()
    assert box.calls == 0
    assert isinstance(receipt, Receipt)
    assert receipt.not_attempted
    assert receipt.attempts == 0
