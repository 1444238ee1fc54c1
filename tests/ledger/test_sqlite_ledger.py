"""What a ledger remembers of each email, and how a doubt ends."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, cast

import pytest

from vetmail_core import Cause, LedgerError, Outcome, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import LedgerState
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def answered(email: Make, status: Status) -> Receipt:
    """The receipt in which everybody ended alike; refused is refused for good."""
    cause = Cause.BAD_RECIPIENT if status is Status.REFUSED else None
    return Receipt(email, [Outcome(mailbox, status, cause=cause) for mailbox in email.recipients.all])


def test_an_email_nobody_has_seen_has_no_state(path: Path) -> None:
    """None, and nothing is made up."""
    with SqliteLedger(path) as ledger:
        assert ledger.state("class-7/ann") is None


def test_attempting_is_on_the_disk_when_the_call_returns(path: Path) -> None:
    """Another connection sees it at once."""
    with SqliteLedger(path) as ledger:
        assert ledger.attempting(["a", "b", "a"]) == {"a", "b"}
        with sqlite3.connect(path) as other:
            assert dict(other.execute("SELECT key, state FROM emails")) == {
                "a": "attempting",
                "b": "attempting",
            }
        other.close()
        assert ledger.state("a") is LedgerState.ATTEMPTING


STATES = [
    (Status.ACCEPTED, LedgerState.ACCEPTED),
    (Status.REFUSED, LedgerState.REFUSED),
    (Status.DEFERRED, LedgerState.DEFERRED),
    (Status.UNKNOWN, LedgerState.UNKNOWN),
    (Status.HANDED_OVER, LedgerState.HANDED_OVER),
    (Status.NOT_ATTEMPTED, None),
]


@pytest.mark.parametrize("claimed", [True, False], ids=["put down first", "settled only"])
@pytest.mark.parametrize(("status", "state"), STATES)
def test_settling_gives_the_state(
    path: Path, email: Make, *, status: Status, state: LedgerState | None, claimed: bool
) -> None:
    """For a host that calls the three methods itself; a fresh connection reads the same."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        if claimed:
            ledger.attempting([one.key])
        ledger.settle(answered(one, status))
        assert ledger.state(one.key) is state
    with SqliteLedger(path) as ledger:
        assert ledger.state(one.key) is state


def test_settling_twice_keeps_the_later_word(path: Path, email: Make) -> None:
    """A host may settle what it never put down, and settle it again."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, Status.DEFERRED))
        ledger.settle(answered(one, Status.ACCEPTED))
        assert ledger.state(one.key) is LedgerState.ACCEPTED


def test_settling_needs_a_key(path: Path, email: Make) -> None:
    """The error says where keys come from."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="has no key"):
        ledger.settle(answered(email("ann@example.com", key=""), Status.ACCEPTED))


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.HANDED_OVER])
def test_what_somebody_has_cannot_be_put_down_again(path: Path, email: Make, status: Status) -> None:
    """`attempting` leaves it out."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, status))
        assert ledger.attempting([one.key, "new"]) == {"new"}


@pytest.mark.parametrize("status", [Status.DEFERRED, Status.UNKNOWN, Status.REFUSED])
def test_what_nobody_surely_has_can_be_put_down_again(path: Path, email: Make, status: Status) -> None:
    """Whether it should be is the host's decision; it can read the state."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, status))
        assert ledger.attempting([one.key]) == {one.key}
        ledger.settle(answered(one, Status.NOT_ATTEMPTED))
        assert ledger.state(one.key) is LedgerState(status.value), "nothing was tried, so it stands as before"


def test_any_number_can_be_put_down_at_once(path: Path) -> None:
    """More than SQLite takes in one question."""
    keys = [f"class/{number}" for number in range(40_000)]
    with SqliteLedger(path) as ledger:
        assert ledger.attempting(keys) == set(keys)
        assert ledger.attempting(["one more", *keys]) == {"one more"}


def test_what_another_program_is_sending_cannot_be_put_down(path: Path) -> None:
    """Each email is claimed by one only."""
    with SqliteLedger(path) as one, SqliteLedger(path) as other:
        assert one.attempting(["a"]) == {"a"}
        assert other.attempting(["a", "b"]) == {"b"}
        assert other.state("a") is LedgerState.ATTEMPTING
        assert one.attempting(["b"]) == frozenset()


def test_a_host_that_ends_without_settling_leaves_a_doubt(path: Path) -> None:
    """It said that it was about to send, and nothing more."""
    with SqliteLedger(path) as ledger:
        ledger.attempting(["a"])
    with SqliteLedger(path) as ledger:
        assert ledger.state("a") is LedgerState.UNKNOWN
        assert ledger.in_doubt() == ("a",)


def test_what_was_put_down_by_hand_and_not_settled_is_in_doubt_for_a_run(
    path: Path, postbox: Make, email: Make
) -> None:
    """Of the same ledger too; and settling it later still ends the doubt."""
    one, box = email("ann@example.com"), postbox()
    with SqliteLedger(path) as ledger:
        ledger.attempting([one.key])
        (receipt,) = deliver_once(ledger, box, [one])
        assert receipt.unknown
        ledger.settle(answered(one, Status.ACCEPTED))
        assert ledger.state(one.key) is LedgerState.ACCEPTED
    assert box.sent == []


def test_a_ledger_that_is_dropped_without_closing_holds_nothing(
    path: Path, postbox: Make, email: Make
) -> None:
    """Its run is dead, so its emails are in doubt, as after a kill."""
    ledger = SqliteLedger(path)
    ledger.attempting(["ann@example.com"])
    ledger._store.close()  # Python 3.13 warns of connections that are not
    del ledger
    with SqliteLedger(path) as again:
        (receipt,) = deliver_once(again, postbox(), [email("ann@example.com")])
    assert receipt.unknown


@pytest.mark.parametrize(
    ("state", "again"), [(LedgerState.ACCEPTED, 0), (LedgerState.REFUSED, 0), (LedgerState.DEFERRED, 1)]
)
def test_a_doubt_can_be_resolved(
    path: Path, postbox: Make, email: Make, state: LedgerState, again: int
) -> None:
    """Somebody looked into the server's log; the next run does what follows."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, Status.UNKNOWN))
        ledger.resolve(one.key, state)
        assert ledger.in_doubt() == ()
        box = postbox()
        list(deliver_once(ledger, box, [one]))
    assert len(box.sent) == again


ENDS = [
    # how the doubt ended, which a form may give as text; whom the next run sends to
    (LedgerState.ACCEPTED, [("kim@example.com",)]),
    (cast("LedgerState", "accepted"), [("kim@example.com",)]),
    (cast("LedgerState", "refused"), [("kim@example.com",)]),
    (LedgerState.DEFERRED, [("ann@example.com", "kim@example.com")]),
    (LedgerState.REFUSED, [("kim@example.com",)]),
]


@pytest.mark.parametrize(("state", "sent"), ENDS)
def test_resolving_is_about_those_in_doubt_and_leaves_the_others(
    path: Path, postbox: Make, email: Make, state: LedgerState, sent: list[tuple[str, ...]]
) -> None:
    """Ann was in doubt, Lee has it, Kim was put off: Lee gets nothing, Kim is tried again."""
    one = email("ann@example.com", cc=["lee@example.com", "kim@example.com"])
    fates = {"ann@example.com": Status.UNKNOWN, "kim@example.com": Status.DEFERRED}
    box = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [one]))
        ledger.resolve(one.key, state)
        assert ledger.state(one.key) is LedgerState.DEFERRED, "Kim needs attention most now"
        list(deliver_once(ledger, box, [one]))
        list(deliver_once(ledger, box, [one]))
    assert box.sent == sent


@pytest.mark.parametrize("state", [LedgerState.UNKNOWN, LedgerState.ATTEMPTING, LedgerState.HANDED_OVER])
def test_a_doubt_ends_in_one_of_three_ways(path: Path, state: LedgerState) -> None:
    """The others would be no end, or no answer."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="accepted, deferred or refused"):
        ledger.resolve("a", state)


def test_what_is_not_in_doubt_cannot_be_resolved(path: Path) -> None:
    """A mistyped key is noticed, and nothing is held up by it."""
    with SqliteLedger(path) as ledger, SqliteLedger(path) as other:
        with pytest.raises(LedgerError, match="'b' is not in doubt"):
            ledger.resolve("b", LedgerState.ACCEPTED)
        assert ledger.attempting(["a"]) == {"a"}
        assert other.attempting(["a", "b"]) == {"b"}


def test_counts_say_how_many_are_in_each_state(path: Path, postbox: Make, email: Make) -> None:
    """For a screen that shows a mailing."""
    fates = {"p1@example.com": Status.REFUSED, "p2@example.com": Status.DEFERRED}
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [email(f"p{n}@example.com") for n in range(5)]))
        assert ledger.counts() == {LedgerState.ACCEPTED: 3, LedgerState.REFUSED: 1, LedgerState.DEFERRED: 1}


def test_state_is_up_to_date_in_the_middle_of_a_run(path: Path, postbox: Make, email: Make) -> None:
    """A progress callback may ask, although answers are written in groups."""
    with SqliteLedger(path) as ledger:
        for receipt in deliver_once(ledger, postbox(), [email(f"p{n}@example.com") for n in range(40)]):
            assert ledger.state(receipt.email.key) is LedgerState.ACCEPTED


def test_the_time_is_the_clocks(path: Path, postbox: Make, email: Make) -> None:
    """A test, or a host with a time of its own, hands in a clock."""
    clock = FakeClock()
    with SqliteLedger(path, clock=clock) as ledger:
        list(deliver_once(ledger, postbox(), [email("ann@example.com")]))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT at FROM emails").fetchone() == (int(clock.now().timestamp()),)
    database.close()
