"""A transport that answers from a table, and emails for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from vetmail_core import Cause, Content, Email, Mailbox, Outcome, Receipt, Recipients, Reply, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class Postbox:
    """Delivers into a list. Answers "accepted", or what the table says of an address.

    Args:
        answers: address -> status, or a function that is called when the address comes up.
        ahead: how many emails it takes before it answers the first, as a pipelining transport does.
        cause: why it refuses.
    """

    def __init__(
        self,
        answers: dict[str, Status] | None = None,
        *,
        ahead: int = 0,
        cause: Cause = Cause.BAD_RECIPIENT,
    ) -> None:
        self.answers = {} if answers is None else answers
        self.cause = cause
        self.ahead = ahead
        self.sent: list[tuple[str, ...]] = []
        self.calls = 0
        self.closed = 0

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        self.calls += 1
        taken: deque[Email] = deque()
        for email in emails:
            taken.append(email)
            if len(taken) > self.ahead:
                yield self.receipt(taken.popleft())
        while taken:
            yield self.receipt(taken.popleft())

    def receipt(self, email: Email) -> Receipt:
        """Send it, so to speak."""
        self.sent.append(tuple(mailbox.addr_spec for mailbox in email.recipients.all))
        return Receipt(email, [self.outcome(mailbox) for mailbox in email.recipients.all])

    def outcome(self, mailbox: Mailbox) -> Outcome:
        """What the table says."""
        status = self.answers.get(mailbox.addr_spec, Status.ACCEPTED)
        if status is Status.REFUSED:
            reply = Reply(550, "5.1.1", "No such user")
            return Outcome(mailbox, status, cause=self.cause, reply=reply)
        return Outcome(
            mailbox, status, reply=Reply(250, "2.1.5", "Ok") if status is Status.ACCEPTED else None
        )

    def close(self) -> None:
        """Nothing to end."""
        self.closed += 1

    def to(self, address: str) -> int:
        """How many emails an address was sent."""
        return sum(recipients.count(address) for recipients in self.sent)


@pytest.fixture
def postbox() -> type[Postbox]:
    """The transport's class."""
    return Postbox


@pytest.fixture
def email() -> Callable[..., Email]:
    """An email: ``email("ann@example.com", cc=..., bcc=..., key=...)``; its key is the first address."""

    def make(to: str, *, cc: Iterable[str] = (), bcc: Iterable[str] = (), key: str | None = None) -> Email:
        return Email(
            sender=Mailbox("office@example.com"),
            recipients=Recipients(to, cc, bcc),
            content=Content("Your class moved", "It is in room 4 now."),
            key=to if key is None else key,
        )

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be made."""
    return tmp_path / "sent.ledger"
