"""The seam between what is decided and what is done.

What it is for: anything that takes emails and answers with receipts. What it refuses: to raise for what
a server or network did. Its law: exactly one receipt for each email, in order, pulled lazily.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["ChoosesSender", "HangsUp", "OpensWindows", "SaysTrouble", "Transport"]


@runtime_checkable
class Transport(Protocol):
    """What delivers. Transports are context managers too; leaving one closes it."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, one after the other.

        Args:
            emails: any iterable, pulled lazily; an endless one is fine.

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
