"""A host keeps its own database: three methods are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import Cause, Ledger, Outcome, Receipt, Status, deliver_once
from vetmail_core.ledger import AlreadySent, Delivery, LedgerState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


class Table:
    """A host's own table, as simple as can be."""

    def __init__(self, *, elsewhere: Collection[str] = ()) -> None:
        self.rows: dict[str, LedgerState] = {}
        self.elsewhere = elsewhere
        self.error: Exception | None = None

    def state(self, key: str, /) -> LedgerState | None:
        """What is known."""
        return self.rows.get(key)

    def attempting(self, keys: Iterable[str], /) -> Collection[str] | None:
        """Put down; None says: all of them."""
        mine = [key for key in keys if key not in self.elsewhere]
        self.rows |= dict.fromkeys(mine, LedgerState.ATTEMPTING)
        return mine if self.elsewhere else None

    def settle(self, receipt: Receipt, /) -> None:
        """Write down."""
        if self.error is not None:
            raise self.error
        if receipt.not_attempted:
            del self.rows[receipt.email.key]
        else:
            self.rows[receipt.email.key] = LedgerState(receipt.outcomes[0].status.value)


def test_the_three_methods_make_a_ledger() -> None:
    """No base class to inherit from."""
    assert isinstance(Table(), Ledger)


def test_an_email_is_put_down_before_it_is_handed_over(postbox: Make, email: Make) -> None:
    """One at a time, as such a table cannot say how far a group had got."""
    table = Table()
    seen: list[int] = []

    class Watches(postbox):  # type: ignore[misc]
        def receipt(self, email: Any) -> Receipt:  # noqa: ANN401 - as the class that it extends
            seen.append(list(table.rows.values()).count(LedgerState.ATTEMPTING))
            receipt: Receipt = super().receipt(email)
            return receipt

    list(deliver_once(table, Watches(), [email(f"p{n}@example.com") for n in range(5)]))
    assert seen == [1] * 5
    assert set(table.rows.values()) == {LedgerState.ACCEPTED}


@pytest.mark.parametrize(
    ("state", "sent", "receipts"),
    [
        (None, 1, ["accepted"]),
        (LedgerState.DEFERRED, 1, ["accepted"]),
        (LedgerState.ACCEPTED, 0, []),
        (LedgerState.REFUSED, 0, []),
        (LedgerState.HANDED_OVER, 0, []),
        (LedgerState.UNKNOWN, 0, ["unknown"]),
        (LedgerState.ATTEMPTING, 0, ["unknown"]),
    ],
)
def test_its_states_mean_what_they_mean_elsewhere(
    postbox: Make, email: Make, state: LedgerState | None, sent: int, receipts: list[str]
) -> None:
    """Attempting, with nobody at it, is in doubt."""
    table, box = Table(), postbox()
    if state is not None:
        table.rows["ann@example.com"] = state
    found = list(deliver_once(table, box, [email("ann@example.com")]))
    assert [receipt.outcomes[0].status.value for receipt in found] == receipts
    assert len(box.sent) == sent


def test_in_doubt_can_be_sent_again_by_choice(postbox: Make, email: Make) -> None:
    """As with the ledger that comes with the library."""
    table = Table()
    table.rows["ann@example.com"] = LedgerState.UNKNOWN
    (receipt,) = deliver_once(table, postbox(), [email("ann@example.com")], retry_unknown=True)
    assert receipt.ok


def test_what_another_run_holds_is_told_apart_from_what_was_sent(postbox: Make, email: Make) -> None:
    """`attempting` says which are the caller's; of the others the receipt says that somebody has them."""
    table, box = Table(elsewhere=["p1@example.com"]), postbox()
    steps = list(Delivery(box, [email(f"p{n}@example.com") for n in range(3)], ledger=table).steps())
    receipts = [step for step in steps if isinstance(step, Receipt)]
    assert [receipt.outcomes[0].cause for receipt in receipts] == [None, Cause.HELD_ELSEWHERE, None]
    assert [receipt.ok for receipt in receipts] == [True, False, True]
    assert box.sent == [("p0@example.com",), ("p2@example.com",)]


def test_a_database_that_fails_while_putting_down_stops_the_run(postbox: Make, email: Make) -> None:
    """Whatever it raises: what cannot be written down is not sent, and the report says why."""

    class Broken(Table):
        def state(self, key: str, /) -> LedgerState | None:
            if key == "p1@example.com":
                raise ConnectionError("database gone")
            return None

    box = postbox()
    receipts = list(deliver_once(Broken(), box, [email(f"p{n}@example.com") for n in range(3)]))
    assert [receipt.outcomes[0].status for receipt in receipts] == [
        Status.ACCEPTED,
        Status.NOT_ATTEMPTED,
        Status.NOT_ATTEMPTED,
    ]
    assert "database gone" in str(receipts[1].outcomes[0].reply)
    assert box.sent == [("p0@example.com",)]


def test_a_database_that_fails_while_settling_stops_the_run_and_hides_no_answer(
    postbox: Make, email: Make
) -> None:
    """What was on its way is answered, with a warning that the ledger may not know it; no more is tried."""
    table, box = Table(), postbox(ahead=1)
    table.error = ConnectionError("database gone")
    receipts = list(deliver_once(table, box, [email(f"p{n}@example.com") for n in range(9)]))
    statuses = [receipt.outcomes[0].status for receipt in receipts]
    assert statuses == [Status.ACCEPTED] * 2 + [Status.NOT_ATTEMPTED] * 7
    assert all("database gone" in receipt.warnings[0] for receipt in receipts[:2])
    assert "database gone" in str(receipts[2].outcomes[0].reply)
    assert len(box.sent) == 2


def test_the_last_answer_that_cannot_be_written_is_in_its_receipt(postbox: Make, email: Make) -> None:
    """Nothing follows that could fail and say so."""
    table = Table()
    table.error = ConnectionError("database gone")
    (receipt,) = deliver_once(table, postbox(), [email("ann@example.com")])
    assert receipt.ok
    assert "database gone" in receipt.warnings[0]


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_stop_lets_go_of_what_was_put_down_and_not_handed_over(
    postbox: Make, email: Make, ahead: int
) -> None:
    """A row that still said "attempting" would keep its person out of every later run."""
    table, box, later = Table(), postbox(ahead=ahead), postbox()
    emails = [email(f"p{n}@example.com") for n in range(9)]
    delivery = Delivery(
        box, emails, ledger=table, stop=lambda: list(table.rows) == [e.key for e in emails[:5]]
    )
    list(delivery.steps())
    assert delivery.stopped
    assert set(table.rows.values()) == {LedgerState.ACCEPTED}
    list(deliver_once(table, later, emails))
    assert box.sent + later.sent == [(f"p{n}@example.com",) for n in range(9)]


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_interrupt_while_an_answer_is_written_down_does_not_lose_it(
    postbox: Make, email: Make, ahead: int
) -> None:
    """A commit takes longer than anything else here; the answer is in the report all the same."""

    class Slow(Table):
        def settle(self, receipt: Receipt, /) -> None:
            if receipt.email.key == "p2@example.com":
                raise KeyboardInterrupt
            super().settle(receipt)

    table, box = Slow(), postbox(ahead=ahead)
    delivery = Delivery(box, [email(f"p{n}@example.com") for n in range(9)], ledger=table)
    steps: list[Receipt | AlreadySent] = []
    with pytest.raises(KeyboardInterrupt):
        steps.extend(delivery.steps())
    answers = [step for step in (*steps, *delivery.unfinished) if isinstance(step, Receipt)]
    assert [answer.email.key for answer in answers] == [f"p{n}@example.com" for n in range(3 + ahead)]
    assert [bool(answer.accepted) for answer in answers] == [True] * 3 + [False] * ahead
    assert table.rows["p2@example.com"] is LedgerState.ATTEMPTING, "in doubt for the next run, and not sent"


def test_a_broken_transport_leaves_a_doubt_in_it_too(email: Make) -> None:
    """Once handed over, it may have left."""

    class Breaks:
        def deliver(self, emails: Any, /) -> Any:  # noqa: ANN401 - it does nothing with them
            next(iter(emails))
            raise RuntimeError("the lights went out")
            yield  # a generator, as transports are

    table = Table()
    with pytest.raises(RuntimeError):
        list(deliver_once(table, Breaks(), [email("ann@example.com")]))
    assert table.rows == {"ann@example.com": LedgerState.UNKNOWN}


def test_without_any_ledger_a_broken_transport_is_still_answered_for(email: Make) -> None:
    """In the report of a run without a memory."""

    class Breaks:
        def deliver(self, emails: Any, /) -> Any:  # noqa: ANN401 - it does nothing with them
            next(iter(emails))
            raise RuntimeError("the lights went out")
            yield  # a generator, as transports are

    delivery = Delivery(Breaks(), [email("ann@example.com")])
    with pytest.raises(RuntimeError):
        list(delivery.steps())
    (receipt,) = delivery.unfinished
    assert isinstance(receipt, Receipt)
    assert receipt.unknown


def test_an_email_that_comes_twice_goes_once(postbox: Make, email: Make) -> None:
    """While the first is under way the table says "attempting", and that is this very run."""
    box = postbox(ahead=2)
    one = email("ann@example.com")
    receipts = list(deliver_once(Table(), box, [one, email("bob@example.com"), one]))
    assert [receipt.ok for receipt in receipts] == [True, True]
    assert box.to("ann@example.com") == 1


def test_a_host_may_keep_the_states_as_text(postbox: Make, email: Make) -> None:
    """As a column of a table does; every end state is still an end."""

    class Texts(Table):
        def state(self, key: str, /) -> Any:  # noqa: ANN401 - text where the protocol says LedgerState
            state = super().state(key)
            return None if state is None else str(state)

    table, box = Texts(), postbox({"lee@example.com": Status.REFUSED})
    emails = [email("ann@example.com"), email("lee@example.com")]
    assert len(list(deliver_once(table, box, emails))) == 2
    assert list(deliver_once(table, box, emails)) == []


class Whole(Table):
    """A host's table with one state for an email, open while one of its recipients is."""

    def settle(self, receipt: Receipt, /) -> None:
        """Written by the library's own rule."""
        self.rows[receipt.email.key] = LedgerState.of(receipt)


@pytest.mark.parametrize("cause", list(Cause))
def test_only_a_refusal_of_the_recipient_ends_an_email_in_a_table_of_ones_own(
    postbox: Make, email: Make, cause: Cause
) -> None:
    """A day's allowance is no end; the next run sends, as with the ledger that comes with the library."""
    table, second = Whole(), postbox()
    one = email("ann@example.com")
    list(deliver_once(table, postbox({"ann@example.com": Status.REFUSED}, cause=cause), [one]))
    final = cause in {Cause.BAD_RECIPIENT, Cause.MAILBOX_FULL}
    assert table.state(one.key) is (LedgerState.REFUSED if final else LedgerState.DEFERRED)
    list(deliver_once(table, second, [one]))
    assert second.sent == ([] if final else [("ann@example.com",)])


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([Status.ACCEPTED, Status.UNKNOWN, Status.DEFERRED], LedgerState.UNKNOWN),
        ([Status.ACCEPTED, Status.NOT_ATTEMPTED], LedgerState.DEFERRED),
        ([Status.ACCEPTED, Status.REFUSED], LedgerState.DEFERRED),
        ([Status.HANDED_OVER], LedgerState.HANDED_OVER),
        ([Status.ACCEPTED, Status.HANDED_OVER], LedgerState.ACCEPTED),
    ],
)
def test_the_state_of_an_email_is_that_of_whoever_needs_attention_most(
    email: Make, statuses: list[Status], state: LedgerState
) -> None:
    """In doubt before open, open before done."""
    one = email("ann@example.com", cc=[f"c{number}@example.com" for number in range(1, len(statuses))])
    outcomes = [
        Outcome(mailbox, status) for mailbox, status in zip(one.recipients.all, statuses, strict=True)
    ]
    assert LedgerState.of(Receipt(one, outcomes)) is state
