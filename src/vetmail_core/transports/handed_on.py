"""What a wrapper hands on to the transport inside.

What it is for: emails on their way in, each beside the email of the caller's that it stands for. What it
refuses: to keep one that is answered. Its law: whoever must know which emails have begun to leave, as a
ledger must after a kill, is told of every one, and of none before its time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.message import Email

    Leaves = Callable[[Email], None]

__all__ = ["Announces", "HandedOn", "announced"]


@runtime_checkable
class Announces(Protocol):
    """A source of emails that wants to know which of them begin to leave, as that of a ledger does."""

    def announce(self) -> Leaves:
        """Take the promise; what it returns is called with each email before it leaves."""
        ...


def announced(emails: Iterable[Email]) -> Leaves | None:
    """Promise the source of emails to tell which begin to leave, if it wants to know.

    Call it before the first email is taken.

    Returns:
        What to call with each of the source's own emails before it leaves; None when nobody asks.
    """
    return emails.announce() if isinstance(emails, Announces) else None


class HandedOn:
    """Emails for the transport inside: an iterator.

    A transport that takes emails ahead of their turn calls `announce`, and then says which begin to leave.
    Of any other, each may leave as soon as it is handed on, and that is what the source is told.

    Args:
        emails: pairs, pulled lazily: the caller's own email, and what is handed on in its place.
        leaves: what `announced` gave.
    """

    def __init__(self, emails: Iterable[tuple[Email, Email]], leaves: Leaves | None) -> None:
        self._emails = iter(emails)
        self._leaves = leaves
        self._announced = False
        self._under_way: deque[tuple[Email, Email]] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        own, sent = next(self._emails)
        self._under_way.append((own, sent))
        if self._leaves is not None and not self._announced:
            self._leaves(own)
        return sent

    def announce(self) -> Leaves:
        """Promise to tell when an email begins to leave; see `vetmail_core.ledger.delivery.Feed`."""
        self._announced = True
        return self._begins

    def _begins(self, sent: Email) -> None:
        if self._leaves is not None:
            for own, handed in self._under_way:
                if handed is sent:
                    self._leaves(own)
                    return

    def answered(self) -> Email:
        """The caller's own email that the receipt at hand is for; receipts come in order."""
        own, _sent = self._under_way.popleft()
        return own
