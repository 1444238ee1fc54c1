"""Scripted misfortune: what a mail server will answer, or fail to answer, in a test.

One script of refusals, deferrals, dropped lines and silences drives the ``Outbox`` in memory and the
``LocalSmtpServer`` on a real socket alike. Faults that never fired can be asked for (``unused``), because
they tested nothing.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.errors import AddressError
from vetmail_core.receipts import Phase, Reply
from vetmail_core.testing.fault import Fault, FaultKind
from vetmail_core.testing.provider_faults import AmazonSesFaults, GmailFaults, Office365Faults

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Faults"]

# What servers commonly write behind these codes; a script may bring its own words.
_USUAL_TEXTS: Final = {
    "4.2.1": "Mailbox busy, try again later",
    "4.2.2": "Mailbox over quota",
    "4.5.3": "Too many recipients",
    "4.7.0": "Temporary authentication failure",
    "4.7.1": "Sending too fast, slow down",
    "5.1.1": "User unknown",
    "5.2.2": "Mailbox full",
    "5.3.4": "Message too big",
    "5.7.1": "Message refused",
    "5.7.8": "Authentication credentials invalid",
}


class _Line:
    """One fault with its count."""

    __slots__ = ("fault", "fired", "passed")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.fired = 0
        self.passed = 0


class Faults:
    """A script of faults, written line by line; each method returns the script, so lines chain.

    Where two lines fit an occasion, the earlier one fires until it is used up. Safe to share between threads.

    Args:
        script: faults made beforehand, for instance by a hypothesis strategy.

    >>> faults = Faults().refuse("old@example.com").defer("busy@example.com").then_accept()
    >>> [str(fault) for fault in faults.unused()]
    ['answer 550 5.1.1 at RCPT for old@example.com', 'answer 450 4.2.1 at RCPT for busy@example.com, once']
    """

    def __init__(self, script: Iterable[Fault] = ()) -> None:
        self._lines = [_Line(fault) for fault in script]
        self._lock = threading.Lock()

    @property
    def script(self) -> tuple[Fault, ...]:
        """The faults, in the order in which they were written."""
        with self._lock:
            return tuple(line.fault for line in self._lines)

    @property
    def office365(self) -> Office365Faults:
        """What Microsoft 365 answers."""
        return Office365Faults(self)

    @property
    def gmail(self) -> GmailFaults:
        """What Gmail and Google Workspace answer."""
        return GmailFaults(self)

    @property
    def ses(self) -> AmazonSesFaults:
        """What Amazon SES answers."""
        return AmazonSesFaults(self)

    def add(self, fault: Fault) -> Self:
        """Append a fault made beforehand."""
        with self._lock:
            self._lines.append(_Line(fault))
        return self

    def refuse(
        self,
        address: str | Mailbox | None = None,
        code: int = 550,
        enhanced: str = "5.1.1",
        *,
        text: str | None = None,
        at: Phase = Phase.RCPT,
        times: int | None = None,
    ) -> Self:
        """Refuse permanently.

        Args:
            address: whose mail; "@example.com" for a whole domain, None for everybody.
            code: 500 to 599.
            enhanced: RFC 3463 code, "" for a server that gives none.
            text: the words behind the codes; the usual ones when not given.
            at: where the server says so. At RCPT it is about one recipient, at MAIL, DATA or DOT about the
                message, at GREETING, STARTTLS or AUTH about the connection.
            times: how often at most; None is always.

        Raises:
            AddressError: ``address`` is not an address.
            ValueError: a reply no server could give.
        """
        self._check_class(5, code, "a permanent refusal", "defer() takes 400 to 499")
        return self._answer(at, code, enhanced, text, address=address, times=times)

    def defer(
        self,
        address: str | Mailbox | None = None,
        code: int = 450,
        enhanced: str = "4.2.1",
        times: int | None = None,
        *,
        text: str | None = None,
        at: Phase = Phase.RCPT,
    ) -> Self:
        """Refuse for now.

        Args:
            address: whose mail; "@example.com" for a whole domain, None for everybody.
            code: 400 to 499.
            enhanced: RFC 3463 code, "" for a server that gives none.
            times: how often at most; None is always.
            text: the words behind the codes; the usual ones when not given.
            at: where the server says so, as in ``refuse``.

        Raises:
            AddressError: ``address`` is not an address.
            ValueError: a reply no server could give.
        """
        self._check_class(4, code, "a passing refusal", "refuse() takes 500 to 599")
        return self._answer(at, code, enhanced, text, address=address, times=times)

    def throttle(
        self,
        code: int = 451,
        enhanced: str = "4.7.1",
        *,
        after: int = 0,
        times: int | None = 1,
        text: str | None = None,
    ) -> Self:
        """Say that mail comes too fast, in answer to MAIL.

        Args:
            code: 400 to 499.
            enhanced: RFC 3463 code, "" for a server that gives none.
            after: how many messages may begin before it happens.
            times: how often at most; None is always.
            text: the words behind the codes; the usual ones when not given.

        Raises:
            ValueError: a reply no server could give.
        """
        self._check_class(4, code, "a passing refusal", "auth_fails() and refuse() take others")
        return self._answer(Phase.MAIL, code, enhanced, text, times=times, skip=after)

    def auth_fails(
        self, code: int = 535, enhanced: str = "5.7.8", *, text: str | None = None, times: int | None = None
    ) -> Self:
        """Turn the login down.

        Args:
            code: 400 to 599; 454 is a passing failure.
            enhanced: RFC 3463 code, "" for a server that gives none.
            text: the words behind the codes; the usual ones when not given.
            times: how often at most; None is always.

        Raises:
            ValueError: a reply no server could give.
        """
        return self._answer(Phase.AUTH, code, enhanced, text, times=times)

    def drop(
        self, after: Phase = Phase.DOT, times: int | None = 1, *, address: str | Mailbox | None = None
    ) -> Self:
        """Close the line without an answer, once the client has done its part of a phase.

        Args:
            after: the phase; after DOT nobody knows whether the message was taken.
            times: how often at most; None is always.
            address: only for a message to this address.

        Raises:
            AddressError: ``address`` is not an address.
            ValueError: an address with a phase that comes before any.
        """
        return self._silence(FaultKind.DROP, after, times, address)

    def stall(
        self, after: Phase = Phase.DOT, times: int | None = 1, *, address: str | Mailbox | None = None
    ) -> Self:
        """Fall silent, once the client has done its part of a phase, until the client gives up.

        On a real socket the client's deadline passes in real time, so give it a short one; in memory it
        passes at once.

        Args:
            after: the phase; the line stays open.
            times: how often at most; None is always.
            address: only for a message to this address.

        Raises:
            AddressError: ``address`` is not an address.
            ValueError: an address with a phase that comes before any.
        """
        return self._silence(FaultKind.STALL, after, times, address)

    def then_accept(self) -> Self:
        """Let the last line fire once only: refused, then taken.

        Raises:
            ValueError: there is no line yet.
        """
        with self._lock:
            if not self._lines:
                raise ValueError("then_accept() goes behind a fault: faults.defer(...).then_accept()")
            last = self._lines[-1]
            last.fault = attrs.evolve(last.fault, times=1)
        return self

    def next_at(self, phase: Phase, addresses: Iterable[str] = ()) -> Fault | None:
        """The fault that fires on this occasion, counted; None when the server answers as it should.

        This is what a fake server asks, once for each answer it is about to give.

        Args:
            phase: the answer due.
            addresses: the sender, the recipient being answered, or the recipients of the message.
        """
        with self._lock:
            if not self._lines:
                return None
            keys = _keys(addresses)
            for line in self._lines:
                fault = line.fault
                if fault.occasion is not phase or line.fired == fault.times or not fault.concerns(keys):
                    continue
                if line.passed < fault.skip:
                    line.passed += 1
                    continue
                line.fired += 1
                return fault
        return None

    def unused(self) -> tuple[Fault, ...]:
        """The faults that never fired: what the test did not test."""
        with self._lock:
            return tuple(line.fault for line in self._lines if not line.fired)

    def fired(self) -> int:
        """How often a fault fired so far, all lines together."""
        with self._lock:
            return sum(line.fired for line in self._lines)

    def rewound(self) -> Faults:
        """The same script with nothing fired yet, for another transport."""
        return Faults(self.script)

    def __repr__(self) -> str:
        lines = "; ".join(map(str, self.script))
        return f"<Faults {lines or 'none'}>"

    @staticmethod
    def _check_class(first: int, code: int, what: str, instead: str) -> None:
        """The first digit of a reply says whether trying again may help (RFC 5321, section 4.2.1)."""
        if code // 100 != first:
            raise ValueError(f"expected {what}, code {first}00 to {first}99, got {code}: {instead}")

    def _answer(
        self,
        phase: Phase,
        code: int,
        enhanced: str,
        text: str | None,
        *,
        times: int | None,
        address: str | Mailbox | None = None,
        skip: int = 0,
    ) -> Self:
        words = _USUAL_TEXTS.get(enhanced, "Refused by script") if text is None else text
        return self.add(
            Fault(
                kind=FaultKind.REPLY,
                phase=phase,
                reply=Reply(code, enhanced, words),
                address=_spelt(address),
                times=times,
                skip=skip,
            )
        )

    def _silence(
        self, kind: FaultKind, phase: Phase, times: int | None, address: str | Mailbox | None
    ) -> Self:
        return self.add(Fault(kind=kind, phase=phase, address=_spelt(address), times=times))


def _keys(addresses: Iterable[str]) -> frozenset[str]:
    """What addresses are compared by; no fault can be about one that our rules refuse."""
    keys: set[str] = set()
    for address in addresses:
        with contextlib.suppress(AddressError):
            keys.add(parse_mailbox(address).address_key)
    return frozenset(keys)


def _spelt(address: str | Mailbox | None) -> str:
    if isinstance(address, Mailbox):
        return address.addr_spec
    return address or ""
