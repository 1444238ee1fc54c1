"""Emails through a ledger to a transport.

What it is for: one loop that asks the ledger, hands over what is to be sent, and writes the answers down in
order. What it refuses: to hand over an email that is not written down, or that somebody has. Its law: each
email that is taken from the caller is answered for, once, in order: by a receipt, or by `AlreadySent`.

Emails are taken in groups, so that one commit serves many. A group grows and shrinks so that a commit
comes about every twentieth of a second: one email at a time when the server is slow or a wait time is
set, up to 256 when it is quick. A caller who makes emails slowly is not kept waiting: a group ends
when filling it has taken that long.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, assert_never, runtime_checkable

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError, TransportError
from vetmail_core.ledger.sqlite import keyless
from vetmail_core.ledger.standing import NEW, Ledger, LedgerState, Standing, Verdict, stand
from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Reply, Status
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email

__all__ = ["AlreadySent", "Delivery", "Delivers", "deliver_once"]

_GROUP_SECONDS: Final = 0.05
_LARGEST_GROUP: Final = 256


class Delivers(Protocol):
    """What a transport is, seen from here."""

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each email, in order."""
        ...


@attrs.frozen
class AlreadySent:
    """An email that was not handed over, because the ledger says it need not or must not be.

    Args:
        email: as the caller gave it.
        state: what the ledger knows.
        detail: the same in a sentence.
    """

    email: Email
    state: LedgerState
    detail: str


class Run(Protocol):
    """One run through a ledger."""

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Decide about emails and put down those to be sent."""
        ...

    def begin(self, email: Email) -> None:
        """Mark that an email may leave from now on."""
        ...

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email."""
        ...

    def close(self) -> None:
        """End."""
        ...


@runtime_checkable
class OpensRuns(Protocol):
    """A ledger that can put down a group at a time."""

    def open_run(self) -> Run:
        """Begin a run."""
        ...


class _OneByOne:
    """A run through a ledger that has the three methods and no more."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        return [self._claim(email, retry_unknown=retry_unknown) for email in emails]

    def _claim(self, email: Email, *, retry_unknown: bool) -> Standing:
        state = self._ledger.state(email.key)
        if state is LedgerState.REFUSED:
            return Standing(Verdict.DONE, state=state)
        standing = NEW if state is None else stand(email, state, None, 0, retry_unknown=retry_unknown)
        if standing.verdict is Verdict.SEND:
            mine = self._ledger.attempting((email.key,))
            if mine is not None and email.key not in mine:
                return Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING)
        return standing

    def begin(self, email: Email) -> None:
        pass

    def settle(self, receipt: Receipt) -> None:
        self._ledger.settle(receipt)

    def close(self) -> None:
        pass


class _Unremembered:
    """A run without a ledger: everything is sent."""

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:  # noqa: ARG002 - the protocol's
        return [NEW] * len(emails)

    def begin(self, email: Email) -> None:
        pass

    def settle(self, receipt: Receipt) -> None:
        pass

    def close(self) -> None:
        pass


@attrs.frozen
class _Sending:
    """An email to hand over: the caller's, the one for those who still need it, and what is known of the rest."""

    email: Email
    sent: Email
    standing: Standing

    def answer(self, receipt: Receipt) -> Receipt:
        """The receipt for the caller's own email."""
        if self.sent is self.email and receipt.email is self.email:
            return receipt
        new = {outcome.mailbox.address_key: outcome for outcome in receipt.outcomes}
        known = self.standing.known
        outcomes = [
            known[mailbox.address_key].outcome(mailbox)
            if mailbox.address_key in known
            else attrs.evolve(new[mailbox.address_key], mailbox=mailbox)
            for mailbox in self.email.recipients.all
        ]
        return Receipt(
            self.email,
            outcomes,
            attempts=receipt.attempts,
            reply=receipt.reply,
            warnings=(*receipt.warnings, *self._remembered()),
        )

    def _remembered(self) -> tuple[str, ...]:
        names = ", ".join(
            m.addr_spec for m in self.email.recipients.all if m.address_key in self.standing.known
        )
        return (
            (f"answered in an earlier run ({self.standing.since()}) and not tried again: {names}",)
            if names
            else ()
        )


def _all(
    email: Email,
    status: Status,
    cause: Cause,
    *,
    phase: Phase | None = None,
    reply: Reply | None = None,
    warnings: tuple[str, ...] = (),
) -> Receipt:
    return Receipt(
        email,
        [Outcome(mailbox, status, cause=cause, phase=phase, reply=reply) for mailbox in email.recipients.all],
        attempts=0,
        reply=reply,
        warnings=warnings,
    )


def _in_doubt(email: Email) -> Receipt:
    return attrs.evolve(_all(email, Status.UNKNOWN, Cause.CONNECTION, phase=Phase.DOT), attempts=1)


def _still_in_doubt(email: Email, standing: Standing) -> Receipt:
    outcomes = [standing.known[mailbox.address_key].outcome(mailbox) for mailbox in email.recipients.all]
    when = f" since {standing.since()}" if standing.at else ""
    return Receipt(
        email,
        outcomes,
        attempts=0,
        warnings=(
            f"in doubt{when}: it may have arrived. Ask the recipient or look into the server's log; then resolve"
            " it in the ledger, or send it again by choice.",
        ),
    )


def _narrowed(email: Email, standing: Standing) -> Email:
    if not standing.known:
        return email

    def left(mailboxes: tuple[Mailbox, ...]) -> tuple[Mailbox, ...]:
        return tuple(mailbox for mailbox in mailboxes if mailbox.address_key not in standing.known)

    recipients = email.recipients
    return attrs.evolve(
        email, recipients=Recipients(left(recipients.to), left(recipients.cc), left(recipients.bcc))
    )


_Entry = _Sending | Receipt | AlreadySent
_DONE: Final = {
    LedgerState.ACCEPTED: "was accepted",
    LedgerState.HANDED_OVER: "was handed over to a mail program or a folder",
    LedgerState.REFUSED: "was refused for good",
}


def _entry(email: Email, standing: Standing) -> _Entry:
    match standing.verdict:
        case Verdict.SEND:
            return _Sending(email, _narrowed(email, standing), standing)
        case Verdict.IN_DOUBT:
            return _still_in_doubt(email, standing)
        case Verdict.DONE:
            words = _DONE[standing.state] if standing.state else "was sent"
            return AlreadySent(
                email, standing.state or LedgerState.ACCEPTED, f"This email {words} {standing.since()}."
            )
        case Verdict.ELSEWHERE:
            return AlreadySent(
                email,
                LedgerState.ATTEMPTING,
                "Another run is sending this email at this moment, or it comes twice in this one; that run's report"
                " says what became of it.",
            )
        case _:
            assert_never(standing.verdict)


class Delivery:
    """A run of emails through a ledger to a transport; walk `steps` once.

    Args:
        transport: where they go.
        emails: pulled lazily, a group at a time.
        ledger: what remembers; None sends everything.
        retry_unknown: send again to those in doubt.
        stop: asked before each email is handed over; once it says True no more are.

    Attributes:
        unfinished: after an exception in the middle: one receipt for each email that had been taken and was
            not answered, UNKNOWN where it had been handed over.
    """

    def __init__(
        self,
        transport: Delivers,
        emails: Iterable[Email],
        *,
        ledger: Ledger | None = None,
        retry_unknown: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._transport = transport
        self._emails = iter(emails)
        self._ledger = ledger
        self._run: Run = _Unremembered()
        self._retry_unknown = retry_unknown
        self._stop = stop
        self._stopped = False
        self._exhausted = False
        self._clock = SystemClock()
        self._size = 1
        self._began = self._clock.monotonic()
        self._ahead: deque[_Entry] = deque()
        self._passed: deque[_Entry] = deque()
        self._error: Exception | None = None
        self._broken: Exception | None = None
        self.unfinished: tuple[Receipt | AlreadySent, ...] = ()

    def steps(self) -> Generator[Receipt | AlreadySent]:
        """Walk the run.

        Yields:
            What became of each email, in order.

        Raises:
            LedgerError: the ledger cannot be used, or an email has no key, after those before it are answered.
            TransportError: the transport breaks its promise of one receipt for each email.
            Exception: what the caller's own iterable raised, after the emails before it are answered.
        """
        if isinstance(self._ledger, OpensRuns):
            self._run = self._ledger.open_run()
        elif self._ledger is not None:
            self._run = _OneByOne(self._ledger)
        try:
            # Nothing to send means no connection either.
            while not self._stopping() and self._look_ahead() and not isinstance(self._ahead[0], _Sending):
                yield from self._results(self._ahead)
            if self._ahead:
                yield from self._deliver()
            if self._error is not None:
                raise self._error
        except BaseException:
            self._abandon()
            raise
        finally:
            self._run.close()

    def _deliver(self) -> Iterator[Receipt | AlreadySent]:
        deliveries = self._transport.deliver(self._feed())
        try:
            for receipt in deliveries:
                yield from self._results(self._passed)
                yield self._answer(receipt)
        except GeneratorExit:
            # The caller wants no more: what the transport has taken is still brought to an end.
            self._stopped = True
            for receipt in deliveries:
                self._drop_results()
                self._answer(receipt)
            raise
        finally:
            close = getattr(deliveries, "close", None)
            if close is not None:
                close()
        yield from self._results(self._passed)
        if self._passed or not (self._stopped or self._exhausted):
            raise TransportError(
                "The transport stopped before every email was answered for; expected one receipt for each, in"
                " order. What it had taken is in doubt."
            )
        yield from self._not_handed_over()

    def _feed(self) -> Iterator[Email]:
        while not self._stopping() and self._look_ahead():
            entry = self._ahead.popleft()
            self._passed.append(entry)
            if isinstance(entry, _Sending):
                self._run.begin(entry.email)
                yield entry.sent

    def _stopping(self) -> bool:
        self._stopped = self._stopped or self._stop()
        return self._stopped

    def _look_ahead(self) -> bool:
        """Whether there is an email to come; takes and decides the next group when none is at hand."""
        if not self._ahead and not self._exhausted:
            began = self._clock.monotonic()
            took = began - self._began
            self._began = began
            if isinstance(self._ledger, OpensRuns):
                if took < _GROUP_SECONDS / 2:
                    self._size = min(_LARGEST_GROUP, self._size * 2)
                elif took > _GROUP_SECONDS * 2:
                    self._size = max(1, self._size // 2)
            group = self._take(began)
            if group:
                self._ahead.extend(self._decide(group))
        return bool(self._ahead)

    def _take(self, began: float) -> list[Email]:
        group: list[Email] = []
        try:
            for email in self._emails:
                if not email.key and self._ledger is not None:
                    raise keyless(email)
                group.append(email)
                if len(group) >= self._size or self._clock.monotonic() - began > _GROUP_SECONDS:
                    return group
        except Exception as error:  # noqa: BLE001 - raised again once the emails before it are answered
            self._error = error
        self._exhausted = True
        return group

    def _decide(self, group: list[Email]) -> Iterator[_Entry]:
        if self._broken is None:
            try:
                standings = self._run.claim(group, retry_unknown=self._retry_unknown)
            except Exception as error:  # noqa: BLE001 - whatever a host's database raises means: do not send
                self._broken = error
            else:
                yield from map(_entry, group, standings)
                return
        reply = Reply(0, "", str(self._broken))
        for email in group:
            yield _all(email, Status.NOT_ATTEMPTED, Cause.OTHER, reply=reply)

    def _results(self, entries: deque[_Entry]) -> Iterator[Receipt | AlreadySent]:
        """What is decided without the transport, up to the next email it has or gets."""
        while entries:
            entry = entries[0]
            if isinstance(entry, _Sending):
                return
            entries.popleft()
            yield entry

    def _drop_results(self) -> None:
        for _ in self._results(self._passed):
            pass

    def _answer(self, receipt: Receipt) -> Receipt:
        entry = self._passed.popleft() if self._passed else None
        if not isinstance(entry, _Sending):
            raise TransportError(
                "The transport answered for more emails than it was given; expected one each."
            )
        answer = entry.answer(receipt)
        self._settle(answer)
        return answer

    def _settle(self, receipt: Receipt) -> None:
        try:
            self._run.settle(receipt)
        except LedgerError as error:
            # The marks beside the file, or the next run's question, keep this one; but no further email goes.
            self._broken = error
        except Exception as error:  # noqa: BLE001 - a host's own database; raised once what is under way is answered
            self._broken = self._error = error

    def _not_handed_over(self) -> Iterator[Receipt | AlreadySent]:
        while self._ahead:
            entry = self._ahead.popleft()
            if isinstance(entry, _Sending):
                entry = entry.answer(_all(entry.sent, Status.NOT_ATTEMPTED, Cause.CANCELLED))
                self._settle(entry)
            yield entry

    def _abandon(self) -> None:
        """Answer for what was taken and is not answered, after an exception in the middle."""
        unfinished: list[Receipt | AlreadySent] = []
        while self._passed:
            entry = self._passed.popleft()
            if isinstance(entry, _Sending):
                entry = entry.answer(_in_doubt(entry.sent))
                self._settle(entry)
            unfinished.append(entry)
        unfinished += self._not_handed_over()
        self.unfinished = tuple(unfinished)


def deliver_once(
    ledger: Ledger, transport: Delivers, emails: Iterable[Email], *, retry_unknown: bool = False
) -> Iterator[Receipt]:
    """Deliver the emails that have not been delivered yet.

    Args:
        ledger: what remembers; one file, or one table, for all runs of a mailing.
        transport: where they go.
        emails: each with a key; pulled lazily.
        retry_unknown: send again to those who are in doubt. They may get a second copy.

    Yields:
        One receipt for each email that was handed over, or is in doubt from an earlier run (UNKNOWN), or could
        not be written down (NOT_ATTEMPTED). Emails that ended as accepted, handed over or refused in an
        earlier run, and those another run holds at this moment, are passed over; `Mailer.send_bulk` lists them.

    Raises:
        LedgerError: the ledger cannot be used, or an email has no key, after those before it are answered.
    """
    with contextlib.closing(
        Delivery(transport, emails, ledger=ledger, retry_unknown=retry_unknown).steps()
    ) as steps:
        for step in steps:
            if isinstance(step, Receipt):
                yield step
