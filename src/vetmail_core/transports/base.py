"""The seam between what is decided and what is done.

A transport takes emails, pulled lazily, and answers with exactly one receipt for each, in order. It does
not raise for what a server or network did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["DefaultAnswers", "EmailSource", "Transport", "ask", "chooses_sender", "hang_up", "nothing"]

_Answer = TypeVar("_Answer")


@runtime_checkable
class Transport(Protocol):
    """What delivers: two methods, and questions that it may answer.

    Transports are context managers too; leaving one closes it.

    A run with a ledger, and every wrapper, gives `deliver` an `EmailSource`. A transport that takes emails
    ahead of their turn calls ``emails.announce()`` once, before the first ``next``, and what it got with
    each email just before the first octet of its text can leave. So of a batch that was taken and interrupted
    nobody is in doubt who was not on the way. Of a transport that does not ask, each email counts as begun
    when it is taken.

    A transport may also have, and a wrapper passes on:

    - ``hang_up()``: end a connection that rests between two runs; the next run connects again.
    - ``trouble``, a str: why the run at hand does not get on; "" while it does.
    - ``chooses_sender``, a bool: True for a mail program, whose account says From, Reply-To and login.
    - ``check(recipient)``: try the connection without sending anything.
    - ``check_windows(count)``: raise what `deliver` would say to so many emails.
    - ``wind_up()``: begin nothing more, and hear the answers owed for some seconds at most. The
      iterator of the run still gives a receipt for each email that was taken, and ends. Without a run nothing
      happens.

    A transport that lacks one is taken to answer no.
    """

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


class DefaultAnswers:
    """A transport that keeps no connection, waits for nothing and sends as the preferences say."""

    def hang_up(self) -> None:
        """Do nothing; between two runs no connection is kept."""

    @property
    def trouble(self) -> str:
        """Always ""; nothing is waited for."""
        return ""

    @property
    def chooses_sender(self) -> bool:
        """False; From and Reply-To are those of the email."""
        return False


def ask(transport: object, question: str, *, default: _Answer) -> _Answer:
    """Ask a transport one of the optional questions of `Transport`.

    Args:
        transport: any; a wrapper asks the one inside.
        question: the attribute's name, such as "trouble" or "hang_up".
        default: the answer of a transport that does not know the question; for a method, a function.

    Returns:
        The attribute, of the type that the question has.
    """
    answer: _Answer = getattr(transport, question, default)
    return answer


def hang_up(transport: object) -> None:
    """End a connection that rests between two runs, if the transport keeps one."""
    ask(transport, "hang_up", default=nothing)()


def chooses_sender(transport: object) -> bool:
    """True if From, Reply-To and login are for a program with accounts of its own to say."""
    return ask(transport, "chooses_sender", default=False)


def nothing(*_given: object) -> None:
    """What a method does that a transport lacks."""
