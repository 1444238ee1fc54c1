"""Nobody is mailed twice by a run that came back, and nobody is forgotten."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vetmail_core import Cause, Email, LedgerError, Outcome, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState
from vetmail_core.ledger.delivery import Feed
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_each_email_gets_one_receipt_in_order(path: Path, postbox: Make, email: Make) -> None:
    """As from the transport itself."""
    emails = [email(f"p{n}@example.com") for n in range(600)]
    with SqliteLedger(path) as ledger:
        receipts = list(deliver_once(ledger, postbox(), emails))
    assert [receipt.email for receipt in receipts] == emails
    assert all(receipt.email is email for receipt, email in zip(receipts, emails, strict=True))


@pytest.mark.parametrize("ahead", [0, 1, 8, 5000])
def test_a_second_run_sends_nothing(path: Path, postbox: Make, email: Make, ahead: int) -> None:
    """However far ahead the transport reads."""
    emails = [email(f"p{n}@example.com") for n in range(5)] * 1
    with SqliteLedger(path) as ledger:
        assert len(list(deliver_once(ledger, postbox(ahead=ahead), emails))) == 5
    again = postbox()
    with SqliteLedger(path) as ledger:
        assert list(deliver_once(ledger, again, emails)) == []
    assert again.calls == 0, "with nothing to send there is no connection to make"


ON_RESUME = [
    # what became of it; its state; sent again; receipts of the second run
    (Status.ACCEPTED, LedgerState.ACCEPTED, False, []),
    (Status.HANDED_OVER, LedgerState.HANDED_OVER, False, []),
    (Status.REFUSED, LedgerState.REFUSED, False, []),
    (Status.DEFERRED, LedgerState.DEFERRED, True, [Status.ACCEPTED]),
    (Status.UNKNOWN, LedgerState.UNKNOWN, False, [Status.UNKNOWN]),
    (Status.NOT_ATTEMPTED, None, True, [Status.ACCEPTED]),
]


@pytest.mark.parametrize(
    ("status", "state", "again", "receipts"), ON_RESUME, ids=[row[0].value for row in ON_RESUME]
)
def test_what_a_later_run_does_follows_from_how_it_ended(
    path: Path,
    postbox: Make,
    email: Make,
    *,
    status: Status,
    state: LedgerState | None,
    again: bool,
    receipts: list[Status],
) -> None:
    """The one table of resuming."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": status}), [email("ann@example.com")]))
        assert ledger.state("ann@example.com") is state
    second = postbox()
    with SqliteLedger(path) as ledger:
        found = list(deliver_once(ledger, second, [email("ann@example.com")]))
    assert [receipt.outcomes[0].status for receipt in found] == receipts
    assert second.sent == ([("ann@example.com",)] if again else [])


def test_in_doubt_is_reported_on_every_later_run(path: Path, postbox: Make, email: Make) -> None:
    """Until somebody decides."""
    with SqliteLedger(path, clock=FakeClock()) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": Status.UNKNOWN}), [email("ann@example.com")]))
        for _ in range(3):
            (receipt,) = deliver_once(ledger, postbox(), [email("ann@example.com")])
            assert receipt.unknown
            assert receipt.outcomes[0].cause is Cause.CONNECTION
            assert "in doubt since an earlier run (2026-03-02 09:00 UTC)" in receipt.warnings[0]
        assert ledger.in_doubt() == ("ann@example.com",)


def test_in_doubt_is_sent_again_by_choice(path: Path, postbox: Make, email: Make) -> None:
    """`retry_unknown` is that choice."""
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"ann@example.com": Status.UNKNOWN}), [email("ann@example.com")]))
        (receipt,) = deliver_once(ledger, second, [email("ann@example.com")], retry_unknown=True)
        assert receipt.ok
        assert ledger.state("ann@example.com") is LedgerState.ACCEPTED
    assert second.to("ann@example.com") == 1


def test_only_the_recipients_that_were_put_off_are_sent_to_again(
    path: Path, postbox: Make, email: Make
) -> None:
    """Ann and Lee have it; Kim's server was busy, so Kim alone gets it, and the receipt answers for all."""
    fates = {"kim@example.com": Status.DEFERRED, "gone@example.com": Status.REFUSED}
    one = email("ann@example.com", cc=["lee@example.com", "gone@example.com"], bcc=["kim@example.com"])
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [one]))
        assert ledger.state("ann@example.com") is LedgerState.DEFERRED
    with SqliteLedger(path) as ledger:
        (receipt,) = deliver_once(ledger, second, [one])
        assert ledger.state("ann@example.com") is LedgerState.ACCEPTED
        assert list(deliver_once(ledger, second, [one])) == []
    assert second.sent == [("kim@example.com",)]
    assert receipt.email is one
    assert [outcome.status for outcome in receipt.outcomes] == [
        Status.ACCEPTED,
        Status.ACCEPTED,
        Status.REFUSED,
        Status.ACCEPTED,
    ]
    assert str(receipt.outcomes[2].reply) == "550 5.1.1 No such user"
    assert "ann@example.com, lee@example.com, gone@example.com" in receipt.warnings[0]


def test_a_doubt_about_one_and_a_delay_of_another_are_kept_apart(
    path: Path, postbox: Make, email: Make
) -> None:
    """The delayed one is tried again, the doubtful one is not, and stays in doubt."""
    one = email("ann@example.com", cc=["lee@example.com"])
    second = postbox()
    with SqliteLedger(path) as ledger:
        fates = {"ann@example.com": Status.UNKNOWN, "lee@example.com": Status.DEFERRED}
        list(deliver_once(ledger, postbox(fates), [one]))
        assert ledger.state(one.key) is LedgerState.UNKNOWN
        (receipt,) = deliver_once(ledger, second, [one])
        assert (len(receipt.unknown), len(receipt.accepted)) == (1, 1)
        (receipt,) = deliver_once(ledger, second, [one])
        assert (len(receipt.unknown), len(receipt.accepted)) == (1, 1)
        (receipt,) = deliver_once(ledger, second, [one], retry_unknown=True)
        assert receipt.ok
    assert second.sent == [("lee@example.com",), ("ann@example.com",)]


def test_a_corrected_address_gets_the_email_that_the_old_one_refused(
    path: Path, postbox: Make, email: Make
) -> None:
    """The person is the same, so the key is too; nobody has had the email yet."""
    second = postbox()
    with SqliteLedger(path) as ledger:
        list(
            deliver_once(
                ledger, postbox({"an@example.com": Status.REFUSED}), [email("an@example.com", key="C1")]
            )
        )
        (receipt,) = deliver_once(ledger, second, [email("ann@example.com", key="C1")])
        assert receipt.ok
    assert second.sent == [("ann@example.com",)]


def test_a_new_address_of_somebody_who_was_sent_to_changes_nothing(
    path: Path, postbox: Make, email: Make
) -> None:
    """A person is known by their key."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(), [email("ann@example.com", key="C1")]))
        assert list(deliver_once(ledger, postbox(), [email("ann@example.org", key="C1")])) == []


def test_an_email_without_a_key_ends_the_run_after_those_before_it(
    path: Path, postbox: Make, email: Make
) -> None:
    """What cannot be known again cannot be remembered; the error says what to do."""
    box = postbox(ahead=1)
    receipts: list[Receipt] = []
    emails = [email("ann@example.com"), email("lee@example.com", key=""), email("kim@example.com")]
    with (
        SqliteLedger(path) as ledger,
        pytest.raises(LedgerError, match=r"lee@example\.com has no key"),
    ):
        receipts.extend(deliver_once(ledger, box, emails))
    assert box.sent == [("ann@example.com",)]
    assert len(receipts) == 1


def test_an_error_of_the_callers_own_comes_after_the_emails_before_it(
    path: Path, postbox: Make, email: Make
) -> None:
    """A merge that fails at the second person does not put the first in doubt."""

    def emails() -> Iterator[Email]:
        yield email("ann@example.com")
        raise LookupError("no such field")

    box = postbox(ahead=3)
    with SqliteLedger(path) as ledger:
        with pytest.raises(LookupError):
            list(deliver_once(ledger, box, emails()))
        assert ledger.counts() == {LedgerState.ACCEPTED: 1}


def test_the_same_key_twice_in_a_run_is_sent_once(path: Path, postbox: Make, email: Make) -> None:
    """Near each other or far apart."""
    box = postbox()
    crowd = [email(f"p{n}@example.com") for n in range(300)]
    twice = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        steps = list(Delivery(box, [twice, twice, *crowd, twice], ledger=ledger).steps())
    assert box.to("ann@example.com") == 1
    assert [type(step) for step in steps].count(AlreadySent) == 2


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


def test_a_transport_that_stops_taking_is_an_error(path: Path, email: Make) -> None:
    """Emails that were never asked for are not forgotten in silence."""

    class Idle:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            del emails
            return iter(())

    with SqliteLedger(path) as ledger:
        with pytest.raises(Exception, match="before every email was answered for"):
            list(deliver_once(ledger, Idle(), [email("ann@example.com")]))
        assert ledger.counts() == {}


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


def test_an_answer_that_cannot_be_written_ends_the_run_after_what_is_on_its_way(
    path: Path, postbox: Make, email: Make
) -> None:
    """The disk fills up: what is on its way is answered, nothing more goes, the next run asks about it."""
    emails = [email(f"p{n}@example.com", cc=["c@example.com"]) for n in range(9)]
    box = postbox({"c@example.com": Status.DEFERRED})
    receipts: list[Receipt] = []
    with SqliteLedger(path) as ledger:
        for receipt in deliver_once(ledger, box, emails):
            ledger._store._db.execute("PRAGMA query_only=1")
            receipts.append(receipt)
        assert len(receipts) == 9
        assert "readonly" in str(receipts[-1].outcomes[0].reply)
    with SqliteLedger(path) as ledger:
        doubts = ledger.in_doubt()
    assert 1 <= len(doubts) == len(box.sent) - 1


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


FATES = st.sampled_from(
    [Status.ACCEPTED, Status.REFUSED, Status.DEFERRED, Status.UNKNOWN, Status.NOT_ATTEMPTED]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), people=st.integers(1, 12), runs=st.integers(1, 4), ahead=st.integers(0, 3))
def test_nobody_is_ever_sent_to_after_being_accepted_or_in_doubt(
    tmp_path_factory: pytest.TempPathFactory,
    postbox: Make,
    email: Make,
    *,
    data: st.DataObject,
    people: int,
    runs: int,
    ahead: int,
) -> None:
    """Whatever servers answer, in whatever run: an address that has the email, or may have it, gets none."""
    path = tmp_path_factory.mktemp("law") / "ledger"
    emails = [
        email(f"p{n}@example.com", cc=[f"c{n}@example.com"], bcc=["log@example.com"] if n == 0 else [])
        for n in range(people)
    ]
    final: dict[str, Status] = {}
    for _ in range(runs):
        fates = {m.addr_spec: data.draw(FATES) for one in emails for m in one.recipients.all}
        box = postbox(fates, ahead=ahead)
        with SqliteLedger(path) as ledger:
            for receipt in deliver_once(ledger, box, emails):
                assert len(receipt.outcomes) == len(receipt.email.recipients.all)
        for recipients in box.sent:
            for address in recipients:
                assert final.get(address) not in {Status.ACCEPTED, Status.UNKNOWN, Status.REFUSED}
                final[address] = fates[address]
    assert len(final) == sum(len(one.recipients.all) for one in emails), "nobody was forgotten"
