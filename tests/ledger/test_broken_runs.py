"""A run that breaks, or whose transport does: what was on its way is in doubt, and nothing else."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from vetmail_core import Email, Outcome, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState
from vetmail_core.ledger.delivery import Feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


@pytest.mark.parametrize("ahead", [0, 1, 8])
def test_closing_the_iterator_brings_what_was_taken_to_its_end(
    path: Path, postbox: Make, email: Make, ahead: int
) -> None:
    """Nothing is left in doubt by a caller who stops half-way, and nothing more is taken."""
    box = postbox(ahead=ahead)
    with SqliteLedger(path) as ledger:
        steps = deliver_once(ledger, box, (email(f"p{n}@example.com") for n in range(1000)))
        for _ in range(20):
            next(steps)
        steps.close()
        assert ledger.in_doubt() == ()
        assert ledger.counts() == {LedgerState.ACCEPTED: len(box.sent)}
    assert 20 <= len(box.sent) <= 21 + ahead


class Breaks:
    """Takes emails and breaks its promise in one way or another."""

    def __init__(self, *, answers: int, extra: bool = False, error: BaseException | None = None) -> None:
        self.answers = answers
        self.extra = extra
        self.error = error

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Answers for the first so many, then does what it was made for."""
        for count, email in enumerate(emails):
            if count == self.answers:
                if self.error is not None:
                    raise self.error
                return
            yield Receipt(email, [Outcome(m, Status.ACCEPTED) for m in email.recipients.all])
            if self.extra:
                yield Receipt(email, [Outcome(m, Status.ACCEPTED) for m in email.recipients.all])


def test_a_transport_that_ends_early_leaves_a_doubt_and_an_error(path: Path, email: Make) -> None:
    """What it took and did not answer may have gone."""
    with SqliteLedger(path) as ledger:
        with pytest.raises(Exception, match="before every email was answered for"):
            list(deliver_once(ledger, Breaks(answers=2), [email(f"p{n}@example.com") for n in range(9)]))
        assert ledger.counts() == {LedgerState.ACCEPTED: 2, LedgerState.UNKNOWN: 1}


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_transport_that_stops_taking_is_an_error(path: Path, email: Make, taken: int) -> None:
    """Emails that were never asked for are not forgotten in silence, whatever became of those before them."""

    class Idle:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            return iter(
                [
                    Receipt(one, [Outcome(m, Status.ACCEPTED) for m in one.recipients.all])
                    for one in islice(emails, taken)
                ]
            )

    for count in range(taken + 1, 5):  # whether or not the next has been put down already
        with SqliteLedger(path.with_name(f"{count}.ledger")) as ledger:
            with pytest.raises(Exception, match="before every email was answered for"):
                list(deliver_once(ledger, Idle(), [email(f"p{n}@example.com") for n in range(count)]))
            assert sum(ledger.counts().values()) == taken


def test_a_transport_that_answers_twice_is_an_error(path: Path, email: Make) -> None:
    """One receipt for each email."""
    with SqliteLedger(path) as ledger, pytest.raises(Exception, match="more emails than it was given"):
        list(deliver_once(ledger, Breaks(answers=5, extra=True), [email("ann@example.com")]))


def test_a_transport_that_answers_for_another_email_is_an_error(path: Path, email: Make) -> None:
    """The answer is for the email whose turn it is, or it is for nobody."""

    class Confused:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            for _ in emails:
                other = email("eve@example.com")
                yield Receipt(other, [Outcome(m, Status.ACCEPTED) for m in other.recipients.all])

    with SqliteLedger(path) as ledger:
        with pytest.raises(Exception, match="out of order"):
            list(deliver_once(ledger, Confused(), [email("ann@example.com")]))
        assert ledger.in_doubt() == ("ann@example.com",)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
def test_an_exception_in_the_middle_leaves_only_what_was_handed_over_in_doubt(
    path: Path, email: Make, error: BaseException
) -> None:
    """The group that was put down ahead is let go of, the email on its way is in doubt, both are answered."""
    with SqliteLedger(path) as ledger:
        delivery = Delivery(
            Breaks(answers=3, error=error), [email(f"p{n}@example.com") for n in range(99)], ledger=ledger
        )
        steps: list[Receipt | AlreadySent] = []
        with pytest.raises(type(error)):
            steps.extend(delivery.steps())
        assert ledger.counts() == {LedgerState.ACCEPTED: 3, LedgerState.UNKNOWN: 1}
    statuses = [step.outcomes[0].status for step in delivery.unfinished if isinstance(step, Receipt)]
    assert statuses[0] is Status.UNKNOWN
    assert set(statuses[1:]) <= {Status.NOT_ATTEMPTED}


def test_a_transport_that_tells_what_leaves_has_less_in_doubt(path: Path, email: Make) -> None:
    """Taken ahead, and known not to have begun: that one is free to go in the next run."""

    class Tells:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            assert isinstance(emails, Feed)
            leaves = emails.announce()
            first, _second = next(emails), next(emails)
            leaves(first)
            raise RuntimeError("the lights went out")
            yield  # a generator, as transports are

    with SqliteLedger(path) as ledger:
        with pytest.raises(RuntimeError):
            list(deliver_once(ledger, Tells(), [email(f"p{n}@example.com") for n in range(5)]))
        assert ledger.counts() == {LedgerState.UNKNOWN: 1}
        assert ledger.in_doubt() == ("p0@example.com",)


def test_telling_of_an_email_that_was_never_taken_changes_nothing(path: Path, email: Make) -> None:
    """A transport's own mistake does not put somebody else in doubt."""

    class Confused:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            assert isinstance(emails, Feed)
            leaves = emails.announce()
            next(emails)
            leaves(email("eve@example.com"))
            raise RuntimeError("the lights went out")
            yield  # a generator, as transports are

    with SqliteLedger(path) as ledger:
        with pytest.raises(RuntimeError):
            list(deliver_once(ledger, Confused(), [email("ann@example.com")]))
        assert ledger.counts() == {}


def test_a_transport_may_answer_with_a_copy_of_the_email(path: Path, email: Make) -> None:
    """The caller gets a receipt for the email it handed over all the same."""

    class Copies:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            for one in emails:
                copy = attrs.evolve(one, headers={"X-Copy": "yes"})
                yield Receipt(copy, [Outcome(m, Status.ACCEPTED) for m in copy.recipients.all])

    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        (receipt,) = deliver_once(ledger, Copies(), [one])
    assert receipt.email is one
    assert receipt.warnings == ()


def test_a_doubt_from_an_earlier_run_is_still_answered_when_this_one_breaks(
    path: Path, postbox: Make, email: Make
) -> None:
    """It lay between two emails that were handed over."""
    emails = [email(f"p{n}@example.com") for n in range(6)]
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"p1@example.com": Status.UNKNOWN}), emails[1:2]))

        class Breaks:
            def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
                source = iter(emails)
                next(source)
                next(source)
                raise RuntimeError("the lights went out")
                yield  # a generator, as transports are

        delivery = Delivery(Breaks(), emails, ledger=ledger)
        with pytest.raises(RuntimeError):
            list(delivery.steps())
    keys = [step.email.key for step in delivery.unfinished]
    assert keys[:3] == ["p0@example.com", "p1@example.com", "p2@example.com"]
