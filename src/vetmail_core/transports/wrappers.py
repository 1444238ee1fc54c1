"""Transports made of transports.

Everything to one address, another try for what was put off, a pause between emails, and a copy of what
left. What goes out of a wrapper is answered for as what came in: the caller's own emails, in order,
recipient by recipient.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self, cast, runtime_checkable

import attrs

from vetmail_core.address.lists import as_mailbox
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import TransportError, TransportValueError, wrong_type
from vetmail_core.message import HeaderFields
from vetmail_core.message.written import content_of, with_headers
from vetmail_core.receipts import Cause, Outcome, Receipt, Reply, Status, only_for
from vetmail_core.recipients import Recipients
from vetmail_core.transports.base import Transport, ask, chooses_sender, hang_up, nothing
from vetmail_core.transports.calls import checked_call
from vetmail_core.transports.eml.folder import NumberedFolder
from vetmail_core.transports.handed_on import HandedOn, announced
from vetmail_core.transports.stamping import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email
    from vetmail_core.transports.handed_on import Leaves
    from vetmail_core.transports.smtp import ConnectionCheck, SmtpTransport

__all__ = ["Archived", "RedirectAll", "Retrying", "Spaced", "Spacing"]

_PAST_RETRYING: Final = frozenset({Cause.DAILY_QUOTA, Cause.BLOCKED})


class _Wrapper:
    """What the wrappers share: they are made around a transport, and end with it."""

    def __init__(self, inner: Transport) -> None:
        if not isinstance(inner, Transport):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                f"{type(self).__name__}()",
                "a transport",
                inner,
                "Give it one, such as transport_for(preferences).",
                error=TransportError,
            )
        self._inner = inner

    # Every optional question is passed on from here: a pile of wrappers answers as the transport inside.

    def hang_up(self) -> None:
        """End a connection that the transport inside keeps open; the next run connects again."""
        hang_up(self._inner)

    def wind_up(self) -> None:
        """End the run of the transport inside, which still answers for the emails it has taken."""
        ask(self._inner, "wind_up", default=nothing)()

    @property
    def trouble(self) -> str:
        """Why the transport inside does not get on; "" while it does."""
        return ask(self._inner, "trouble", default="")

    @property
    def chooses_sender(self) -> bool:
        """Whether From, Reply-To and login are for the transport inside to say."""
        return chooses_sender(self._inner)

    @property
    def check(self) -> Callable[..., ConnectionCheck]:
        """The `check` of the transport inside.

        Raises:
            AttributeError: it has none, so neither has this.
        """
        return cast("SmtpTransport", self._inner).check

    def check_windows(self, count: int) -> None:
        """Say beforehand what the transport inside would say to so many emails.

        Raises:
            TransportError: they are too many.
        """
        ask(self._inner, "check_windows", default=nothing)(count)

    def close(self) -> None:
        """Close the transport inside. A second call does nothing."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Answers:
    """The receipts of a transport inside, and what it raised behind them: an interrupt, say.

    Args:
        receipts: what it delivers.

    Attributes:
        error: what ended the receipts early; None when they ended of themselves.
    """

    def __init__(self, receipts: Iterator[Receipt]) -> None:
        self._receipts = receipts
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[Receipt]:
        try:
            yield from self._receipts
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - raised by whoever walks these, when it is their turn
            self.error = error


class RedirectAll(_Wrapper):
    """Sends every email to one address instead of its recipients: for staging and trials.

    The headers ``X-Original-To`` and ``X-Original-Cc`` and the subject say whom it was meant for. Of blind
    copies only the number is told, as they are in no email. The receipt answers for the caller's email:
    what became of the one copy counts for each of its recipients.

    Give a trial run a ledger of its own, or none: in the ledger of the real run everybody would
    stand as having been sent to.

    Args:
        inner: what delivers.
        to: the one address; text is parsed strictly.

    Raises:
        AddressError: `to` is not a mailbox.
        TransportError: `inner` is not a transport.
    """

    def __init__(self, inner: Transport, to: Mailbox | str) -> None:
        super().__init__(inner)
        self._to = as_mailbox(to)
        self._recipients = Recipients(to=(self._to,))

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, each to the one address.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order.
        """
        leaves = announced(emails)
        pairs = ((email, self._redirected(email)) for email in emails)
        yield from HandedOn(pairs, leaves, source=emails, answer=self._answer).receipts(self._inner)

    def _redirected(self, email: Email) -> Email:
        recipients = email.recipients
        headers = {
            name: value
            for name, value in email.headers.items()
            if not name.casefold().startswith("x-original-")
        }
        for name, mailboxes in (("X-Original-To", recipients.to), ("X-Original-Cc", recipients.cc)):
            if mailboxes:
                headers[name] = ", ".join(mailbox.addr_spec for mailbox in mailboxes)
        if recipients.bcc:
            headers["X-Original-Bcc-Count"] = str(len(recipients.bcc))
        shown = recipients.to + recipients.cc
        first = shown[0].addr_spec if shown else "blind copies"
        more = len(recipients.all) - 1 if shown else 0
        meant = f"{first} and {more} more" if more else first
        subject = f"[for {meant}] {email.content.subject}"
        if email.written is not None:
            shown_now = {"To": self._to.addr_spec, "Cc": None, "Subject": subject}
            written = with_headers(email.written, {**headers, **shown_now})
            return attrs.evolve(
                email, recipients=self._recipients, content=content_of(written), written=written
            )
        content = attrs.evolve(email.content, subject=subject).finished()
        kept = HeaderFields(headers).finished()
        return attrs.evolve(email, recipients=self._recipients, content=content, headers=kept)

    def _answer(self, email: Email, receipt: Receipt) -> Receipt:
        (outcome,) = receipt.outcomes
        return attrs.evolve(
            receipt,
            email=email,
            outcomes=[attrs.evolve(outcome, mailbox=mailbox) for mailbox in email.recipients.all],
            warnings=(*receipt.warnings, f"redirected to {self._to.addr_spec}; nobody else was written to"),
        )

    def __repr__(self) -> str:
        return f"RedirectAll({self._inner!r}, {self._to.addr_spec!r})"


class Retrying(_Wrapper):
    """Tries again what was put off for now: replies of the 4xx kind, and nothing else.

    Only the recipients that were deferred are tried again. While it waits, the run stands still, so that
    receipts stay in order and nothing piles up: good for a single email and a class; for thousands, send
    `Report.retry` once more when the run is over. What a quota or a block put off is left alone, because
    repeating it makes it last longer. Before each wait the connection is ended, as a server that is not well,
    or has not seen us before, may take the next one kindly.

    Args:
        inner: what delivers.
        delays: seconds before the second, third ... try; as many tries as there are delays.
        clock: waits.

    Raises:
        TransportError: a delay that is negative or no number, or `inner` is not a transport.
    """

    def __init__(self, inner: Transport, *, delays: Iterable[float], clock: Clock | None = None) -> None:
        super().__init__(inner)
        self._delays = tuple(delays)
        self._clock = SystemClock() if clock is None else clock
        for delay in self._delays:
            _check_delay(delay)

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, trying again those that were deferred.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order; `attempts` counts all tries.
        """
        leaves = announced(emails)
        source = iter(emails)
        for email in source:
            yield from self._stretch(email, source, leaves)

    def _stretch(self, first: Email, rest: Iterator[Email], leaves: Leaves | None) -> Iterator[Receipt]:
        """Deliver up to the first email that was put off, let the transport finish, then try again."""
        held: deque[tuple[Email, Receipt]] = deque()

        def taken() -> Iterator[tuple[Email, Email]]:
            yield first, first
            while not held:
                try:
                    email = next(rest)
                except StopIteration:
                    return
                yield email, email

        answers = Answers(HandedOn(taken(), leaves).receipts(self._inner))
        for receipt in answers:
            if held or self._worth_another_try(receipt):
                held.append((receipt.email, receipt))
            else:
                yield receipt
        interrupted = answers.error
        while held:
            email, receipt = held.popleft()
            if interrupted is None:
                receipt, interrupted = self._persist(email, receipt, leaves)
            yield receipt
        if interrupted is not None:
            raise interrupted

    def _worth_another_try(self, receipt: Receipt) -> bool:
        return bool(self._delays) and any(_put_off(outcome) for outcome in receipt.outcomes)

    def _persist(
        self, email: Email, receipt: Receipt, leaves: Leaves | None
    ) -> tuple[Receipt, BaseException | None]:
        """Try again. An interrupt of the wait is handed back, beside what is known so far."""
        for delay in self._delays:
            again = {outcome.mailbox.address_key for outcome in receipt.outcomes if _put_off(outcome)}
            if not again:
                break
            # Before the wait: a server that puts a client off at first looks at its next connection kindly.
            self.hang_up()
            try:
                self._clock.sleep(delay)
            except BaseException as interrupt:  # noqa: BLE001 - raised by the caller, after the receipts
                return receipt, interrupt
            handed = HandedOn([(email, only_for(email, again))], leaves)
            answers = Answers(handed.receipts(self._inner))
            latest = receipt
            for latest in answers:
                receipt = _merged(receipt, latest)
            if answers.error is not None:
                return receipt, answers.error
            if all(outcome.status is Status.NOT_ATTEMPTED for outcome in latest.outcomes):
                break
        return receipt, None

    def __repr__(self) -> str:
        return f"Retrying({self._inner!r}, delays={self._delays!r})"


def _check_delay(seconds: object) -> None:
    if not (isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0):
        raise TransportValueError(f"A delay needs a number of seconds from 0, got {seconds!r}.")


def _put_off(outcome: Outcome) -> bool:
    return outcome.status is Status.DEFERRED and outcome.cause not in _PAST_RETRYING


def _merged(earlier: Receipt, latest: Receipt) -> Receipt:
    # A try that did not come about takes nothing back: the recipient is still deferred.
    new = {
        outcome.mailbox.address_key: outcome
        for outcome in latest.outcomes
        if outcome.status is not Status.NOT_ATTEMPTED
    }
    outcomes = [
        attrs.evolve(new[outcome.mailbox.address_key], mailbox=outcome.mailbox)
        if outcome.mailbox.address_key in new
        else outcome
        for outcome in earlier.outcomes
    ]
    return attrs.evolve(
        latest,
        email=earlier.email,
        outcomes=outcomes,
        attempts=earlier.attempts + latest.attempts,
        reply=latest.reply or earlier.reply,
        warnings=tuple(dict.fromkeys((*earlier.warnings, *latest.warnings))),
    )


class Spacing:
    """A pause between emails that several transports keep together.

    Args:
        seconds: from the end of one email to the beginning of the next.
        clock: waits.

    Raises:
        TransportError: the pause is negative or no number.
    """

    def __init__(self, seconds: float, *, clock: Clock | None = None) -> None:
        _check_delay(seconds)
        self._seconds = seconds
        self._clock = SystemClock() if clock is None else clock
        self._ended: float | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        """Wait for the turn, and then for the rest of the pause."""
        self._turn.acquire()
        try:
            if self._ended is not None:
                self._clock.sleep(self._seconds - (self._clock.monotonic() - self._ended))
        except BaseException:
            self._turn.release()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended = self._clock.monotonic()
        self._turn.release()


class Spaced(_Wrapper):
    """Keeps a pause between emails, also between those of different transports.

    A server counts what an organisation sends, not which connection it came by. Where staff members send by
    their own logins, each has a transport; give all of them one `Spacing`. Several processes share a
    `vetmail_core.spacing.SharedSpacing`: of it the place of a connection is held while emails are delivered,
    and the allowance of a day is asked before each. An email that is over it is NOT_ATTEMPTED, DAILY_QUOTA.

    Args:
        inner: what delivers; it is handed one email at a time.
        spacing: any context manager, entered before each email and left after it.

    Raises:
        TransportError: `inner` is not a transport, or `spacing` is not a context manager.
    """

    def __init__(self, inner: Transport, spacing: AbstractContextManager[object]) -> None:
        super().__init__(inner)
        if not isinstance(spacing, AbstractContextManager):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise TransportValueError(
                f"Spaced() needs a context manager such as a Spacing, got {type(spacing).__name__}. Write "
                "Spaced(transport, Spacing(seconds))."
            )
        self._spacing = spacing

    @property
    def goes_on(self) -> float | None:
        """When a used-up day goes on, in seconds since 1970; None while it is not, or nobody knows."""
        return getattr(self._spacing, "goes_on", None)

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, with a pause from the end of one to the beginning of the next.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order.
        """
        spacing = self._spacing
        leaves = announced(emails)
        if not isinstance(spacing, _Allowance):
            for email in emails:
                with spacing:
                    receipts, error = self._given(email, leaves)
                yield from receipts
                if error is not None:
                    raise error
            return
        source = iter(emails)
        first = next(source, None)  # no place is taken for nobody
        if first is None:
            return
        with spacing.place():
            try:
                for email in chain((first,), source):
                    yield from self._allowed(email, spacing, leaves)
            finally:
                self.hang_up()  # before the place is another's

    def _given(self, email: Email, leaves: Leaves | None) -> tuple[list[Receipt], BaseException | None]:
        """Deliver one email; an interrupt is handed back, beside the receipt."""
        answers = Answers(HandedOn([(email, email)], leaves).receipts(self._inner))
        return list(answers), answers.error

    def _allowed(self, email: Email, spacing: _Allowance, leaves: Leaves | None) -> Iterator[Receipt]:
        why = spacing.reserve(len(email.recipients.all))
        if why:
            yield _untried(email, why)
            return
        with spacing:
            receipts, error = self._given(email, leaves)
        for receipt in receipts:
            spacing.answered(receipt)
            yield receipt
        if error is not None:
            raise error

    def __repr__(self) -> str:
        return f"Spaced({self._inner!r})"


class Archived(_Wrapper):
    """Keeps the very octets that left, with their receipt: a sent log.

    Each receipt of which something was tried is kept once, in order; of a refused email the octets are those
    that would have left. What was not attempted, or was remembered by a ledger, is not kept. Blind copies are
    in the receipt alone, so whoever may read receipts may know of them.

    Put it next to the transport that sends, within a `RedirectAll` or `Retrying`: it keeps what it hands on.

    Args:
        inner: what delivers.
        keep: a folder, which gets a new NAME.eml and NAME.json (`Receipt.to_dict`) for each; or a function,
            which is called with the receipt and the octets between DATA and the final dot. What it raises is
            a warning of that receipt, and the run goes on.
        clock: asked for the Date of emails that have none.

    Raises:
        TransportError: `inner` is not a transport.
        TypeError: `keep` is neither a folder nor a function.
    """

    def __init__(
        self, inner: Transport, keep: Path | Callable[[Receipt, bytes], None], *, clock: Clock | None = None
    ) -> None:
        super().__init__(inner)
        if not (isinstance(keep, Path) or callable(keep)):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "Archived()", "a folder or a function", keep, 'Write Archived(transport, Path("sent")).'
            )
        self._keep = keep
        self._clock = SystemClock() if clock is None else clock
        self._folder = NumberedFolder(keep, clock=self._clock) if isinstance(keep, Path) else None

    @checked_call
    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Deliver emails, and keep what left.

        Args:
            emails: any iterable, pulled lazily.

        Yields:
            One receipt for each email, in order.
        """
        leaves = announced(emails)
        under_way: deque[Email] = deque()

        def stamped() -> Iterator[tuple[Email, Email]]:
            # Date and Message-ID are fixed here, so that the octets can be written again once they have left.
            for email in emails:
                sent = stamp(email, self._clock.now())
                under_way.append(sent)
                yield email, sent

        handed = HandedOn(stamped(), leaves, source=emails, answer=_for_own)
        for receipt in handed.receipts(self._inner):
            yield self._kept(receipt, under_way.popleft())

    def _kept(self, receipt: Receipt, sent: Email) -> Receipt:
        tried = any(outcome.status is not Status.NOT_ATTEMPTED for outcome in receipt.outcomes)
        if not tried or receipt.remembered:
            return receipt
        try:
            octets = sent.as_bytes(smtputf8=sent.needs_smtputf8)
            if self._folder is None:
                cast("Callable[[Receipt, bytes], None]", self._keep)(receipt, octets)
            else:
                record = attrs.evolve(receipt, email=sent).to_dict()
                self._folder.look()
                self._folder.store(
                    sent, octets, f"{json.dumps(record, ensure_ascii=False, indent=1)}\n".encode()
                )
        except Exception as error:  # noqa: BLE001 - a full disk costs no mail and no report
            said = f"kept no copy: {str(error) or type(error).__name__}"
            return attrs.evolve(receipt, warnings=(*receipt.warnings, said))
        return receipt

    def __repr__(self) -> str:
        return f"Archived({self._inner!r}, {self._keep!r})"


def _for_own(own: Email, receipt: Receipt) -> Receipt:
    return receipt if receipt.email is own else attrs.evolve(receipt, email=own)


@runtime_checkable
class _Allowance(Protocol):
    """A spacing that knows more than turns; see `vetmail_core.spacing.SharedSpacing`."""

    def __enter__(self) -> object: ...

    def __exit__(self, *error: object) -> object: ...

    def place(self) -> AbstractContextManager[None]:
        """The place of a connection, held while emails are delivered."""
        ...

    def reserve(self, recipients: int) -> str:
        """Take some recipients out of the day's allowance; or why not."""
        ...

    def answered(self, receipt: Receipt) -> None:
        """Take an answer in."""
        ...


def _untried(email: Email, why: str) -> Receipt:
    reply = Reply(0, "", why)
    return Receipt(
        email,
        [
            Outcome(mailbox, Status.NOT_ATTEMPTED, cause=Cause.DAILY_QUOTA, reply=reply)
            for mailbox in email.recipients.all
        ],
        attempts=0,
        reply=reply,
    )
