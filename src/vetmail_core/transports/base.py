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

__all__ = ["ChoosesSender", "EmailSource", "HangsUp", "OpensWindows", "SaysTrouble", "Transport", "WindsUp"]


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


@runtime_checkable
class WindsUp(Protocol):
    """A transport that can end the run at hand early, without leaving it in the dark what has left."""

    def wind_up(self) -> None:
        """Begin nothing more, and hear the answers owed for some seconds at most.

        The iterator of the run still gives a receipt for each email that was taken, and ends. Without a run
        nothing happens.
        """
        ...


@runtime_checkable
class ChoosesSender(Protocol):
    """A transport that may hand emails to a program with accounts of its own."""

    @property
    def chooses_sender(self) -> bool:
        """True if From, Reply-To and login are not ours to say."""
        ...


@runtime_checkable
class OpensWindows(Protocol):
    """A transport that opens a window for each email, and not any number of them."""

    def check_windows(self, count: int) -> None:
        """Say beforehand what `deliver` would say to so many emails.

        Raises:
            TransportError: they are too many.
        """
        ...
