"""One email, once: the same key again, from a ledger opened anew, after a stop, by eight callers at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from vetmail_core import (
    Cause,
    Content,
    DeliveryError,
    Email,
    EmailPreferences,
    Ledger,
    LedgerError,
    LedgerState,
    Mailer,
    Outcome,
    Person,
    Receipt,
    Reply,
    Settings,
    SqliteLedger,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

PREFERENCES = EmailPreferences(use_built_in_client=True, settings=Settings(default_from="office@example.com"))
HELLO = Content("Your password", "Follow the link.")
KEY = "reset-17"
GONE = Reply(550, "5.1.1", "user unknown")


class Answering:
    """Answers each email as the next row says, address by address; anybody else is accepted."""

    def __init__(self, *answers: dict[str, Status]) -> None:
        self.answers = list(answers)
        self.sent: list[Email] = []

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        for email in emails:
            self.sent.append(email)
            row = self.answers.pop(0) if self.answers else {}
            yield Receipt(email, [self._outcome(m.addr_spec, row, email) for m in email.recipients.all])

    @staticmethod
    def _outcome(address: str, row: dict[str, Status], email: Email) -> Outcome:
        status = row.get(address, Status.ACCEPTED)
        (mailbox,) = (m for m in email.recipients.all if m.addr_spec == address)
        if status is Status.REFUSED:
            return Outcome(mailbox, status, cause=Cause.BAD_RECIPIENT, reply=GONE)
        cause = None if status is Status.ACCEPTED else Cause.CONNECTION
        return Outcome(mailbox, status, cause=cause)

    def close(self) -> None:
        """Nothing is open."""


def send(
    ledger: Ledger | None,
    transport: Answering,
    *,
    to: str = "ann@example.com",
    key: str = KEY,
    content: Content = HELLO,
    retry_unknown: bool = False,
) -> Receipt:
    """A task's body: a mailer of its own, and one email."""
    with Mailer(PREFERENCES, transport=transport) as mailer:
        return mailer.send(content, to=to, key=key, ledger=ledger, retry_unknown=retry_unknown)


def refused(ledger: Ledger, transport: Answering, *, to: str = "ann@example.com") -> Receipt:
    """The receipt of an email that nobody got."""
    with pytest.raises(DeliveryError) as caught:
        send(ledger, transport, to=to)
    return caught.value.receipt


def test_the_same_key_again_sends_nothing_and_gives_the_remembered_receipt(tmp_path: Path) -> None:
    """Whatever else differs, and from a ledger that was opened anew."""
    transport = Answering()
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        first = send(ledger, transport)
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        again = send(ledger, transport, content=Content("Another text"))
        other = send(ledger, transport, key="reset-18")
    assert [first.remembered, again.remembered, other.remembered] == [False, True, False]
    assert again.accepted == first.accepted
    assert again.email.message_id == first.email.message_id
    assert len(transport.sent) == 2


def test_the_warnings_of_a_remembered_receipt_are_those_of_now(tmp_path: Path) -> None:
    """Whom the context does not reach today."""
    with SqliteLedger(tmp_path / "sent.db") as ledger, Mailer(PREFERENCES, transport=Answering()) as mailer:
        people = {"client": Person("ann@example.com")}
        for _ in range(2):
            receipt = mailer.send(HELLO, context="occurrence_class", people=people, key=KEY, ledger=ledger)
    assert receipt.remembered
    assert receipt.warnings == ("nobody to write to as Class Staff",)


def test_refused_for_good_stays_refused(tmp_path: Path) -> None:
    """With the server's words of then."""
    transport = Answering({"ann@example.com": Status.REFUSED})
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        first, again = refused(ledger, transport), refused(ledger, transport)
    assert [first.remembered, again.remembered] == [False, True]
    assert again.reply == again.outcomes[0].reply == GONE
    assert len(transport.sent) == 1


def test_whoever_is_open_is_tried_again_and_nobody_else(tmp_path: Path) -> None:
    """The receipt is for all: remembered answers stand beside the new ones."""
    transport = Answering({"lee@example.com": Status.DEFERRED})
    both = "ann@example.com; lee@example.com"
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        first = send(ledger, transport, to=both)
        second = send(ledger, transport, to=both)
        third = send(ledger, transport, to=both)
    assert [len(receipt.accepted) for receipt in (first, second, third)] == [1, 2, 2]
    assert [receipt.remembered for receipt in (first, second, third)] == [False, False, True]
    assert [[m.addr_spec for m in email.recipients.all] for email in transport.sent] == [
        ["ann@example.com", "lee@example.com"],
        ["lee@example.com"],
    ]


def test_in_doubt_waits_until_somebody_decides(tmp_path: Path) -> None:
    """A second copy is worse than a question."""
    transport = Answering({"ann@example.com": Status.UNKNOWN})
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        assert refused(ledger, transport).unknown
        assert refused(ledger, transport).unknown
        assert len(transport.sent) == 1
        assert send(ledger, transport, retry_unknown=True).accepted
        assert send(ledger, transport).remembered
    assert len(transport.sent) == 2


def test_eight_callers_at_the_same_moment_send_one_email(tmp_path: Path) -> None:
    """Whoever comes while another has it is told so, and nobody gets a second copy."""
    together = threading.Barrier(8)
    transports = [Answering() for _ in range(8)]
    receipts: list[Receipt] = []

    def call(transport: Answering) -> None:
        with SqliteLedger(tmp_path / "sent.db") as ledger:
            together.wait(timeout=60)
            try:
                receipts.append(send(ledger, transport))
            except DeliveryError as error:
                receipts.append(error.receipt)

    threads = [threading.Thread(target=call, args=(transport,)) for transport in transports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(receipts) == 8
    assert sum(len(transport.sent) for transport in transports) == 1
    fresh = [receipt for receipt in receipts if receipt.accepted and not receipt.remembered]
    assert len(fresh) == 1
    held = [receipt for receipt in receipts if not receipt.accepted]
    assert all(outcome.cause is Cause.HELD_ELSEWHERE for receipt in held for outcome in receipt.outcomes)


def test_an_interrupted_call_leaves_the_doubt_in_the_ledger(tmp_path: Path) -> None:
    """A task that is stopped in the middle is not sent twice when it runs again."""

    @attrs.define
    class Interrupted:
        def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
            for _ in emails:
                raise KeyboardInterrupt
            yield from ()

        def close(self) -> None: ...

    transport = Answering()
    with SqliteLedger(tmp_path / "sent.db") as ledger:
        with pytest.raises(KeyboardInterrupt), Mailer(PREFERENCES, transport=Interrupted()) as mailer:
            mailer.send(HELLO, to="ann@example.com", key=KEY, ledger=ledger)
        assert ledger.state(KEY) is LedgerState.UNKNOWN
        assert refused(ledger, transport).unknown
    assert transport.sent == []


@pytest.mark.parametrize("key", ["", None])
def test_a_ledger_without_a_key_is_refused_before_anything_is_sent(tmp_path: Path, key: str | None) -> None:
    """Nothing could be remembered."""
    transport = Answering()
    with SqliteLedger(tmp_path / "sent.db") as ledger, pytest.raises(LedgerError, match="key"):
        send(ledger, transport, key=cast("str", key))
    with pytest.raises(LedgerError, match="SqliteLedger"):
        send(cast("Ledger", "sent.db"), transport)
    assert transport.sent == []


@attrs.define
class Table:
    """A host's own ledger of three methods."""

    states: dict[str, LedgerState] = attrs.field(factory=dict)

    def state(self, key: str, /) -> LedgerState | None:
        """What is known."""
        return self.states.get(key)

    def attempting(self, keys: Iterable[str], /) -> Collection[str] | None:
        """Write it down."""
        self.states.update(dict.fromkeys(keys, LedgerState.ATTEMPTING))
        return None

    def settle(self, receipt: Receipt, /) -> None:
        """Write down how it ended."""
        self.states[receipt.email.key] = LedgerState.ACCEPTED


def test_a_hosts_own_ledger_serves_as_well() -> None:
    """Three methods are enough to remember."""
    ledger, transport = Table(), Answering()
    first, again = send(ledger, transport), send(ledger, transport)
    assert [first.remembered, again.remembered] == [False, True]
    assert again.accepted == first.accepted
    assert len(transport.sent) == 1
