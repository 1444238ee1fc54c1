"""The seam between what is decided and what is done.

What it is for: anything that takes emails and answers with receipts. What it refuses: to raise for what
a server or network did. Its law: exactly one receipt for each email, in order, pulled lazily.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["EmailSource", "HangsUp", "SaysTrouble", "Transport"]


@runtime_checkable
class Transport(Protocol):
    """What delivers. Transports are context managers too; leaving one closes it."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, one after the other.

        Args:
            emails: any iterable, pulled lazily; an endless one is fine. An `EmailSource` is one that wants to
                be asked before each email leaves. A transport that takes emails ahead of their turn asks it;
                of one that does not ask, each email counts as begun when it is taken.

        Yields:
            One receipt for each email, in order.

        Raises:
            TransportError: the transport is closed, or is used from two threads at once.
        """
        ...

    def close(self) -> None:
        """End politely. A second call does nothing."""
        ...


@runtime_checkable
class EmailSource(Protocol):
    """What `deliver` is given by a run with a ledger: an iterator that is asked before each email leaves.

    A source may also have ``answered(receipt)``. It is called once for an email whose answer is known before
    its turn; the receipt still comes in its turn.
    """

    def __iter__(self) -> Self:
        """The source itself."""
        ...

    def __next__(self) -> Email:
        """The next email."""
        ...

    def announce(self) -> Callable[[Email], bool]:
        """Promise to ask; called once, before the first `next`.

        Returns:
            What to call with the very email that `next` gave, once, just before the first octet of its text
            can leave. False: it must not leave; its receipt is NOT_ATTEMPTED, HELD_ELSEWHERE, and the run
            goes on. What it raises ends the run as an error of the iterator does.
        """
        ...


@runtime_checkable
class HangsUp(Protocol):
    """A transport that keeps its connection open between runs, and can end it without being closed."""

    def hang_up(self) -> None:
        """End the connection politely; the next run connects again."""
        ...


@runtime_checkable
class SaysTrouble(Protocol):
    """A transport that tells why it waits."""

    @property
    def trouble(self) -> str:
        """Why the run at hand does not get on; "" while it does."""
        ...
