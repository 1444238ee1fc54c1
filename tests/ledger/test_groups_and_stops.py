"""How many emails a run takes at once, and how it stops."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import Cause, Email, Receipt, SqliteLedger, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


@pytest.mark.parametrize(("seconds", "emails", "least", "most"), [(0.0, 900, 128, 1024), (0.12, 7, 1, 4)])
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
