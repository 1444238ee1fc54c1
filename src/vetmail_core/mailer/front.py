"""`Mailer`: send, plan_bulk, send_bulk.

A run that ends early, for whatever reason, still leaves a report.
"""

from __future__ import annotations

import contextlib
import threading
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import (
    TransportValueError,
    wrong_type,
)
from vetmail_core.ledger import AlreadySent, Delivery
from vetmail_core.mailer.new_keys import refuse_new_keys
from vetmail_core.mailer.one_email import compose, limits_while_somebody_waits, sender_for
from vetmail_core.mailer.waiting import StoppableClock, Stopped
from vetmail_core.mailer.walk import Walk
from vetmail_core.people import Person
from vetmail_core.preferences import EmailPreferences
from vetmail_core.receipts import Receipt, Tally
from vetmail_core.recipients import (
    Exclusion,
    ExclusionReason,
)
from vetmail_core.transports import transport_for
from vetmail_core.transports.base import hang_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.contexts import EmailContext
    from vetmail_core.ledger import Ledger
    from vetmail_core.message import Content, Email
    from vetmail_core.people import Staff
    from vetmail_core.receipts import Report
    from vetmail_core.sender import Sender
    from vetmail_core.transports import Transport
    from vetmail_core.transports.smtp.settings import Deadlines, Limits

__all__ = ["Mailer", "RunInterrupted"]

_MOST_UNTRIED_LISTED: Final = 10_000  # of a stopped run; a million merged emails would fill the memory
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NOBODY: Final[Mapping[str, tuple[Person, ...]]] = MappingProxyType({})


class RunInterrupted(KeyboardInterrupt):
    """A bulk run that was interrupted from the keyboard; ``except KeyboardInterrupt`` catches it too.

    Attributes:
        report: what became of everyone so far.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


class Mailer:
    """Sends under an organisation's preferences.

    A context manager; leaving it closes the transport that it made. One that was handed in stays its owner's
    to close; the connection that it may still hold is ended politely, and it can be used again.

    With the built-in client off the default mail program knows who sends, where replies go and how to log in:
    for it only the address separator of the preferences counts.

    Args:
        preferences: the organisation's.
        staff: the staff member who sends; None for mail by the system.
        transport: where emails go; by default what the preferences say, made when it is first needed.
        token: gives an OAuth 2.0 access token, asked for at each connection.
        limits: of a connection, a message and a run. Without them `send` pauses 20 seconds at most, as
            somebody may be waiting for it, and a bulk run five minutes; messages are as large, and to as
            many, as the provider of the server states.
        deadlines: how long each answer of the mail server may take.
        clock: every wait goes through it.

    Attributes:
        last_report: the report of the last bulk run, also of one that ended with an exception; None before.

    Raises:
        TypeError: the preferences are not EmailPreferences.
        TransportValueError: limits or deadlines for a transport that was handed in; it has its own.
    """

    def __init__(
        self,
        preferences: EmailPreferences,
        *,
        staff: Staff | None = None,
        transport: Transport | None = None,
        token: Callable[[], str] | None = None,
        limits: Limits | None = None,
        deadlines: Deadlines | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(preferences, EmailPreferences):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "Mailer()", "EmailPreferences", preferences, "Load them with load_preferences(path)."
            )
        if transport is not None and (limits is not None or deadlines is not None):
            given = "limits" if limits is not None else "deadlines"
            raise TransportValueError(
                f"Mailer() needs either transport= or {given}, got both. Give {given} to the transport"
                " when it is made, or leave transport= out."
            )
        self.preferences: Final = preferences
        self.staff: Final = staff
        self.last_report: Report | None = None
        self._token = token
        self._limits = limits
        self._deadlines = deadlines
        self._patient: bool = False  # the transport of its own was made for a bulk run
        self._clock = StoppableClock(SystemClock() if clock is None else clock)
        self._transport = transport
        self._own = transport is None
        self._lock = threading.Lock()  # for moments; never held while anything goes over a network
        self._at_work = 0  # sends and runs, of all threads

    def __repr__(self) -> str:
        sender = "the system" if self.staff is None else self.staff.name or self.staff.address.addr_spec
        return f"Mailer(for {sender}, {'by the preferences' if self._own else repr(self._transport)})"

    def send(
        self,
        content: Content,
        *,
        to: Iterable[Mailbox | str] | Mailbox | str | None = (),
        cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        context: EmailContext | str | None = None,
        people: Mapping[str, Iterable[Person] | Person] | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
        reply_to: Iterable[Mailbox | str] | Mailbox | str | None = None,
        key: str = "",
        ledger: Ledger | None = None,
        retry_unknown: bool = False,
    ) -> Receipt:
        """Send one email; with a key and a ledger, once.

        Args:
            content: what is read.
            to: mailboxes; a string is split at the preferences' address separator.
            cc: likewise.
            bcc: likewise.
            context: an email context or its key; its roles are added to the recipients.
            people: role -> the people who hold it; needs a context.
            headers: further headers.
            fields: merge field -> value, for the content and the values of headers.
            reply_to: where answers go, instead of what the preferences say; a string is split as `to` is, and
                () lets them return to the sender.
            key: names this email, whatever its text: its Message-ID is made from it.
            ledger: what has been sent. The same key a second time sends nothing and gives the remembered
                receipt, also to another process and after a kill; whoever is still open is tried again.
            retry_unknown: send again when it is in doubt. They may get a second copy.

        Returns:
            What became of it; at least one recipient was accepted or handed over. Its warnings name people of
            the context who cannot be written to, and roles that nobody holds.

        Raises:
            DeliveryError: nobody was accepted, or nobody is known to have been; its `receipt` says why.
            LedgerError: there is a ledger and no key, or the ledger cannot be opened.
            RecipientsError: there is nobody to send to, the context is private and more than one address
                would read the email, nothing knows the context or a role, or there are people without a
                context.
            AddressError: a mailbox that is not valid.
            MergeError: the content or a header asks for a field that is not given.
            PreferencesError: no sender or no login can be worked out.
        """
        one = compose(
            content,
            preferences=self.preferences,
            sender=self._sender,
            to=to,
            cc=cc,
            bcc=bcc,
            context=context,
            people=people,
            headers=headers,
            fields=fields,
            reply_to=reply_to,
            key=key,
        )
        return one.answered(self._deliver(one.email, ledger, retry_unknown=retry_unknown))

    def plan_bulk(
        self,
        content: Content | Callable[[Person], Content],
        people: Iterable[Person] | Person,
        *,
        cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        context: EmailContext | str | None = None,
        shared: Mapping[str, Iterable[Person] | Person] = _NOBODY,
        marketing: bool = False,
        batch: str | int | None = "",
        headers: Mapping[str, str] | Callable[[Person], Mapping[str, str]] = _NO_HEADERS,
        unsubscribe: str | Callable[[Person], str] = "",
        suppressed: Callable[[Mailbox], str | None] | None = None,
    ) -> BulkPlan:
        """Plan one email for each person; nothing is sent. The arguments are those of `plan_bulk`.

        Raises:
            PreferencesError: no sender can be worked out.
            AddressError: a typed copy that is not a mailbox.
            MessageError: a header or a link to unsubscribe that no email may carry.
        """
        return plan_bulk(
            content,
            people,
            sender=self._sender(),
            cc=cc,
            bcc=bcc,
            copies=self.preferences.settings.bulk_copies,
            context=context,
            shared=shared,
            preferences=self.preferences,
            marketing=marketing,
            batch=batch,
            headers=headers,
            unsubscribe=unsubscribe,
            suppressed=suppressed,
        )

    def send_bulk(
        self,
        plan: BulkPlan | Iterable[Email],
        *,
        ledger: Ledger | None = None,
        progress: Callable[[Receipt], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        retry_unknown: bool = False,
        new_keys: bool = False,
    ) -> Report:
        """Send a plan, or any emails.

        Args:
            plan: from `plan_bulk`, or any iterable of emails; pulled lazily.
            ledger: what has been sent; with it a run can be started again.
            progress: called with each receipt; a `Progress` hears of those sent in an earlier run as well.
            cancel: asked before each email, and while a transport of the mailer's own waits; once it says
                True no more are sent, the connection is ended with QUIT, and whoever is left in a plan or
                a list is reported as not attempted.
            retry_unknown: send again to those in doubt from an earlier run.
            new_keys: people whose address this batch has under a key that no longer comes are new people.

        Returns:
            What became of everyone.

        Raises:
            RecipientsError: such people came without `new_keys`; nothing was sent.
            LedgerError: the ledger cannot be opened, or an email has no key.
            TypeError: progress or cancel is not a function, or the plan is one email.
            MessageError: something else than emails came; those before it are sent.
            RunInterrupted: from the keyboard; holds the report, which is complete as after a cancel.
            Exception: what the plan or `progress` raised; `last_report` says how far the run got.
        """
        _check_function("progress", progress)
        _check_function("cancel", cancel)
        if ledger is not None and not new_keys and isinstance(plan, BulkPlan):
            refuse_new_keys(plan, ledger)
        tally = Tally()
        try:
            return self._run(
                plan, tally, ledger=ledger, progress=progress, cancel=cancel, retry_unknown=retry_unknown
            )
        except KeyboardInterrupt as error:
            # One that falls while the report is made, after the last answer.
            if isinstance(error, RunInterrupted) or not tally.answered:
                raise
            self.last_report = tally.report()
            raise RunInterrupted(self.last_report) from error

    def _run(
        self,
        plan: BulkPlan | Iterable[Email],
        tally: Tally,
        *,
        ledger: Ledger | None,
        progress: Callable[[Receipt], None] | None,
        cancel: Callable[[], bool] | None,
        retry_unknown: bool,
    ) -> Report:
        pass_over: Callable[[], None] = getattr(progress, "pass_over", _nothing)
        emails = Walk(plan, tally)
        transport = self._opened(patient=True)
        stop = cancel or _never
        try:
            delivery = Delivery(transport, emails, ledger=ledger, retry_unknown=retry_unknown, stop=stop)
        except BaseException:
            self._is_last()
            raise
        interrupt: KeyboardInterrupt | None = None
        self._clock.stop = cancel
        try:
            with contextlib.closing(delivery.steps()) as steps:
                for step in steps:
                    _count(tally, step, plan=plan)
                    if isinstance(step, Receipt):
                        if progress is not None:
                            progress(step)
                    else:
                        pass_over()
        except BaseException as error:
            tally.cancel()
            number, last = delivery.given
            if last is not None and tally.answered < number:
                _count(tally, last, plan=plan)  # the interrupt fell before it was counted
            _count(tally, *delivery.unfinished, plan=plan)
            if isinstance(error, KeyboardInterrupt):
                interrupt = error
            elif not isinstance(error, Stopped):
                raise
        else:
            if delivery.stopped:
                tally.cancel()
        finally:
            self._clock.stop = None
            report = self.last_report = tally.report()
            if self._is_last() if self._own else tally.cancelled:
                self.close()
        if tally.cancelled:
            lost = _lost(emails.given, delivery)
            rest = chain(lost, delivery.undecided, emails if emails.can_go_on else ())
            try:
                _answer_for_the_rest(
                    tally, plan, Delivery(transport, rest, ledger=ledger, stop=_always, to_the_end=True)
                )
            except KeyboardInterrupt as error:  # a second one, of somebody who will not wait for the list
                interrupt = error
            report = self.last_report = tally.report()
        if interrupt is not None:
            raise RunInterrupted(report) from interrupt
        return report

    def close(self) -> None:
        """End the connection politely. A second call does nothing; the next send connects again."""
        transport = self._transport
        if transport is None:
            return
        if self._own:
            self._transport = None
            transport.close()
        else:
            hang_up(transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _sender(self) -> Sender:
        return sender_for(self.preferences, self.staff, transport=None if self._own else self._transport)

    def _deliver(self, email: Email, ledger: Ledger | None, *, retry_unknown: bool) -> Receipt:
        transport = self._opened(patient=False)
        try:
            if ledger is None:
                (receipt,) = transport.deliver([email])
                return receipt
            delivery = Delivery(transport, [email], ledger=ledger, retry_unknown=retry_unknown)
            with contextlib.closing(delivery.steps()) as steps:
                (step,) = steps
            return step if isinstance(step, Receipt) else step.receipt()
        finally:
            self._is_last()

    def _opened(self, *, patient: bool) -> Transport:
        """The transport, for one more send or run; `_is_last` is called when that is over."""
        if self._own and self._limits is None and patient is not self._patient and not self._at_work:
            self.close()  # one that has the other patience
        with self._lock:
            if self._transport is None:
                self._patient = patient
                self._transport = transport_for(
                    self.preferences,
                    staff=self.staff,
                    token=self._token,
                    limits=self._limits
                    if patient
                    else limits_while_somebody_waits(self._limits, self.preferences),
                    deadlines=self._deadlines,
                    clock=self._clock,
                )
            self._at_work += 1
            return self._transport

    def _is_last(self) -> bool:
        """A send or run is over; whether nothing else goes on."""
        with self._lock:
            self._at_work -= 1
            return self._at_work == 0


def _check_function(name: str, value: object) -> None:
    if value is not None and not callable(value):
        example = "progress=Progress(total)" if name == "progress" else "cancel=stopped.is_set"
        raise wrong_type(f"{name}=", "a function", value, f"Write {example}.")


def _nothing() -> None:
    """What a `progress` does that does not count the emails of an earlier run."""


def _never() -> bool:
    return False


def _always() -> bool:
    return True


def _count(tally: Tally, *steps: Receipt | AlreadySent, plan: BulkPlan | Iterable[Email] = ()) -> None:
    for step in steps:
        if isinstance(step, Receipt):
            tally.add(step)
        else:
            tally.exclude(_exclusion(step, plan))


def _lost(given: Email | None, delivery: Delivery) -> tuple[Email, ...]:
    """The email that the run was given last, where an interrupt fell before it was written down anywhere."""
    if given is None:
        return ()
    answers = [delivery.given[1], *delivery.unfinished]
    known = [*(answer.email for answer in answers if answer is not None), *delivery.undecided]
    return () if any(email is given for email in known) else (given,)


def _answer_for_the_rest(tally: Tally, plan: BulkPlan | Iterable[Email], delivery: Delivery) -> None:
    """After a stop: whoever the run did not come to is in the report too. Nothing is sent."""
    for number, step in enumerate(delivery.steps(), start=1):
        if number <= _MOST_UNTRIED_LISTED or not isinstance(step, Receipt) or not step.not_attempted:
            _count(tally, step, plan=plan)
        else:
            tally.count_untried(step.email)


def _exclusion(sent: AlreadySent, plan: BulkPlan | Iterable[Email]) -> Exclusion:
    mailbox = sent.email.recipients.all[0]
    key = plan.person_key(sent.email) if isinstance(plan, BulkPlan) else sent.email.key
    person = Person(mailbox, key=key, name=mailbox.display_name)
    return Exclusion(person, ExclusionReason.ALREADY_SENT, sent.detail)
