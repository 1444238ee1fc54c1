"""What a wrapper hands on to the transport inside.

Each email on its way in is kept beside the caller's email that it was made from, until it is answered. A
ledger must know which emails have begun to leave: it is asked about every one, not before its time, and its
no is kept.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self

from vetmail_core.receipts import Cause, Receipt, Status
from vetmail_core.transports.base import EmailSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.message import Email
    from vetmail_core.transports.base import Transport

    Leaves = Callable[[Email], bool]

__all__ = ["HandedOn", "announced", "held_elsewhere"]


def announced(emails: Iterable[Email]) -> Leaves | None:
    """Promise the source of emails to ask before each leaves, if it wants to be asked.

    Call it before the first email is taken.

    Returns:
        What to call with each of the source's own emails before it leaves; None when nobody asks.
    """
    return emails.announce() if isinstance(emails, EmailSource) else None


def held_elsewhere(email: Email) -> Receipt:
    """The receipt for an email that its source held back at the last moment."""
    return Receipt.for_all(email, Status.NOT_ATTEMPTED, cause=Cause.HELD_ELSEWHERE)


class HandedOn:
    """Emails for the transport inside: an iterator.

    A transport that takes emails ahead of their turn calls `announce`, and then asks before each begins to
    leave. Of any other, each may leave as soon as it is handed on, so the source is asked then, and what it
    holds back is not handed on at all.

    Args:
        emails: pairs, pulled lazily: the caller's own email, and what is handed on in its place.
        leaves: what `announced` gave.
        source: where the emails come from; told of answers that are known before their turn.
        answer: what the receipt for the email handed on means for the caller's own.
    """

    def __init__(
        self,
        emails: Iterable[tuple[Email, Email]],
        leaves: Leaves | None,
        *,
        source: Iterable[Email] = (),
        answer: Callable[[Email, Receipt], Receipt] = lambda _own, receipt: receipt,
    ) -> None:
        self._emails = iter(emails)
        self._leaves = leaves
        self._tell: Callable[[Receipt], None] | None = getattr(source, "answered", None)
        self._answer = answer
        self._announced = False
        self._under_way: deque[tuple[Email, Email | None]] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        for own, sent in self._emails:
            if self._announced or self._may_leave(own):
                self._under_way.append((own, sent))
                return sent
            self._under_way.append((own, None))
        raise StopIteration

    def announce(self) -> Leaves:
        """Promise to ask before an email begins to leave; see `EmailSource`."""
        self._announced = True
        return self._begins

    def answered(self, receipt: Receipt) -> None:
        """Pass on an answer that is known before its turn."""
        own = self._own(receipt.email)
        if own is not None and self._tell is not None:
            self._tell(self._answer(own, receipt))

    def receipts(self, inner: Transport) -> Iterator[Receipt]:
        """What becomes of the caller's own emails, in order, by way of the transport inside."""
        for receipt in inner.deliver(self):
            yield from self._held_back()
            own, _sent = self._under_way.popleft()
            yield self._answer(own, receipt)
        yield from self._held_back()

    def _held_back(self) -> Iterator[Receipt]:
        while self._under_way and self._under_way[0][1] is None:
            own, _sent = self._under_way.popleft()
            yield held_elsewhere(own)

    def _may_leave(self, own: Email) -> bool:
        # A source that says nothing at all has nothing against it.
        return self._leaves is None or self._leaves(own) is not False

    def _begins(self, sent: Email) -> bool:
        own = self._own(sent)
        return own is None or self._may_leave(own)

    def _own(self, sent: Email) -> Email | None:
        return next((own for own, handed in self._under_way if handed is sent), None)
