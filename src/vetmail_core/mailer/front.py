"""`Mailer`: send, plan_bulk, send_bulk.

What it is for: the calls a host makes. What it refuses: to keep a connection that nobody uses. Its law: a
run that ends early, for whatever reason, still leaves a report.
"""

from __future__ import annotations

import contextlib
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import attrs

from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.contexts import ROLE_LABELS, RecipientType
from vetmail_core.errors import DeliveryError, PreferencesError, Problem, RecipientsError, Severity
from vetmail_core.ledger import AlreadySent, Delivery
from vetmail_core.mailer.new_keys import refuse_new_keys
from vetmail_core.mailer.progress import Progress
from vetmail_core.mailer.waiting import StoppableClock, Stopped
from vetmail_core.mailer.walk import Walk
from vetmail_core.message import Email
from vetmail_core.message.headers import HeaderFields
from vetmail_core.people import Person, by_role
from vetmail_core.preferences import EmailPreferences
from vetmail_core.receipts import Receipt, Tally
from vetmail_core.recipients import (
    Exclusion,
    ExclusionReason,
    Recipients,
    expand_context,
    refuse_private_copies,
    typed,
)
from vetmail_core.sender import UNKNOWN_SENDER, Sender, resolve_sender
from vetmail_core.transports import transport_for
from vetmail_core.transports.base import HangsUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.contexts import EmailContext
    from vetmail_core.ledger import Ledger
    from vetmail_core.message import Content
    from vetmail_core.people import Staff
    from vetmail_core.receipts import Report
    from vetmail_core.recipients import Expansion
    from vetmail_core.transports import Transport

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
        clock: every wait goes through it.

    Attributes:
        last_report: the report of the last bulk run, also of one that ended with an exception; None before.

    Raises:
        TypeError: the preferences are none.
    """

    def __init__(
        self,
        preferences: EmailPreferences,
        *,
        staff: Staff | None = None,
        transport: Transport | None = None,
        token: Callable[[], str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(preferences, EmailPreferences):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise TypeError(
                f"A mailer sends under EmailPreferences, and here came {type(preferences).__name__}. Read "
                "the file with load_preferences(path)."
            )
        self.preferences: Final = preferences
        self.staff: Final = staff
        self.last_report: Report | None = None
        self._token = token
        self._clock = StoppableClock(SystemClock() if clock is None else clock)
        self._ended: float | None = None  # when a connection of its own was last ended
        self._transport = transport
        self._own = transport is None

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
            AddressError: a mailbox that is none.
            MergeError: the content or a header asks for a field that is not given.
            PreferencesError: no sender or no login can be worked out.
        """
        content = content.merge({} if fields is None else fields)
        separator = self.preferences.settings.address_separator
        recipients = Recipients(typed(to, separator), typed(cc, separator), typed(bcc, separator))
        left_out: tuple[str, ...] = ()
        if context is None and people:
            by_role(people)
            raise RecipientsError(
                f"people holds the roles {', '.join(people)}, but no context says which of them is To, CC or"
                ' BCC. Name one, such as context="occurrence_class", or use to, cc and bcc.'
            )
        if context is not None:
            expansion = expand_context(context, _NOBODY if people is None else people, self.preferences)
            left_out = _left_out(expansion, context, self.preferences, addressed=bool(recipients.to))
            recipients |= expansion.recipients
            if not recipients:
                why = "; ".join(left_out) or "every role of the context is set to None"
                raise RecipientsError(
                    f'The email "{content.subject}" comes to nobody: {why}. Give it people'
                    " with an address, or to, cc or bcc."
                )
            refuse_private_copies(context, recipients)
        sender = self._sender()
        email = Email(
            sender=sender.mailbox,
            reply_to=sender.reply_to if reply_to is None else typed(reply_to, separator) or (),
            recipients=recipients,
            content=content,
            headers=HeaderFields(headers or {}).merge(fields or {}),
            key=key,
        )
        receipt = self._deliver(email, ledger, retry_unknown=retry_unknown)
        if left_out:
            receipt = attrs.evolve(receipt, warnings=(*receipt.warnings, *left_out))
        if not receipt.accepted and not receipt.handed_over:
            raise DeliveryError(_nobody(receipt), receipt=receipt)
        return receipt

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
    ) -> BulkPlan:
        """Plan one email for each person; nothing is sent. The arguments are those of `plan_bulk`.

        Raises:
            PreferencesError: no sender can be worked out.
            AddressError: a typed copy that is no mailbox.
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
        emails = Walk(plan, tally)
        transport = self._opened()
        stop = cancel or _never
        delivery = Delivery(transport, emails, ledger=ledger, retry_unknown=retry_unknown, stop=stop)
        interrupt: KeyboardInterrupt | None = None
        self._clock.stop = cancel
        try:
            self._wait_since_the_last()
            with contextlib.closing(delivery.steps()) as steps:
                for step in steps:
                    _count(tally, step, plan=plan)
                    if isinstance(step, Receipt):
                        if progress is not None:
                            progress(step)
                    elif isinstance(progress, Progress):
                        progress.pass_over()
        except BaseException as error:
            tally.cancel()
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
            self.last_report = tally.report()
            if self._own or tally.cancelled:
                self.close()
        if tally.cancelled:
            rest = chain(delivery.undecided, emails if emails.can_go_on else ())
            try:
                _answer_for_the_rest(
                    tally, plan, Delivery(transport, rest, ledger=ledger, stop=_always, to_the_end=True)
                )
            except KeyboardInterrupt as error:  # a second one, of somebody who will not wait for the list
                interrupt = error
            self.last_report = tally.report()
        if interrupt is not None:
            raise RunInterrupted(self.last_report) from interrupt
        return self.last_report

    def close(self) -> None:
        """End the connection politely. A second call does nothing; the next send connects again."""
        if self._transport is None:
            return
        if self._own:
            self._transport.close()
            self._transport = None
            if self._ended is None:  # else the wait was ended, and nothing went by this connection
                self._ended = self._clock.monotonic()
        elif isinstance(self._transport, HangsUp):
            self._transport.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _sender(self) -> Sender:
        if self._leaves_it_to_a_mail_program():
            # A Reply-To cannot go into a link, and what the mail program has set up is not ours to overrule.
            own = None if self.staff is None else self.staff.mailbox()
            return Sender(own or self.preferences.settings.default_from or UNKNOWN_SENDER)
        try:
            return resolve_sender(self.preferences, self.staff)
        except PreferencesError as error:
            if self.preferences.mail_server.host or not self._own:
                raise
            # Nothing could be sent for this either: both are told, so that one visit to the screen is enough.
            no_host = Problem(
                severity=Severity.ERROR,
                setting="mail_server.host",
                message="There is no mail server to send through.",
                advice='Enter "Mail server address (SMTP)" in Email preferences > Mail server.',
            )
            raise PreferencesError.of((no_host, *error.problems)) from None

    def _leaves_it_to_a_mail_program(self) -> bool:
        if self.preferences.use_built_in_client:
            return False
        if self._own:
            return True
        from vetmail_core.transports import MailtoTransport  # noqa: PLC0415 - only looked for with the built-in client off

        return isinstance(self._transport, MailtoTransport)

    def _deliver(self, email: Email, ledger: Ledger | None, *, retry_unknown: bool) -> Receipt:
        transport = self._opened()
        if ledger is None:
            self._wait_since_the_last()
            (receipt,) = transport.deliver([email])
            return receipt
        delivery = Delivery(transport, [email], ledger=ledger, retry_unknown=retry_unknown)
        self._wait_since_the_last()
        with contextlib.closing(delivery.steps()) as steps:
            (step,) = steps
        return step if isinstance(step, Receipt) else step.receipt()

    def _opened(self) -> Transport:
        if self._transport is None:
            self._transport = transport_for(
                self.preferences, staff=self.staff, token=self._token, clock=self._clock
            )
        return self._transport

    def _wait_since_the_last(self) -> None:
        """A new connection does not know when the last one's last email went."""
        if self._ended is not None and self.preferences.use_built_in_client:
            wait = self.preferences.mail_server.wait_between_emails_ms / 1000
            self._clock.sleep(wait - (self._clock.monotonic() - self._ended))
        self._ended = None


def _check_function(name: str, value: object) -> None:
    if value is not None and not callable(value):
        example = "progress=Progress(total)" if name == "progress" else "cancel=stopped.is_set"
        raise TypeError(f"{name}= needs a function, got {type(value).__name__}. Write {example}.")


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


def _answer_for_the_rest(tally: Tally, plan: BulkPlan | Iterable[Email], delivery: Delivery) -> None:
    """After a stop: whoever the run did not come to is in the report too. Nothing is sent."""
    for number, step in enumerate(delivery.steps(), start=1):
        if number <= _MOST_UNTRIED_LISTED or not isinstance(step, Receipt) or not step.not_attempted:
            _count(tally, step, plan=plan)
        else:
            tally.count_untried(step.email)


def _left_out(
    expansion: Expansion, context: EmailContext | str, preferences: EmailPreferences, *, addressed: bool
) -> tuple[str, ...]:
    """Whom a context does not reach, for the receipt's warnings; the email itself goes all the same."""
    types = preferences.recipient_types(context)
    empty = [role for role in expansion.empty_roles if not (addressed and types[role] is RecipientType.TO)]
    return (
        *(exclusion.detail for exclusion in expansion.exclusions),
        *(f"nobody to write to as {ROLE_LABELS.get(role, role)}" for role in empty),
    )


def _nobody(receipt: Receipt) -> str:
    said: list[str] = []
    for outcome in receipt.outcomes:
        reply = f" ({outcome.said})" if outcome.said else ""
        said.append(f"{outcome.mailbox.addr_spec}: {outcome.status.value.replace('_', ' ')}{reply}")
    advice = (outcome.advice for outcome in receipt.outcomes)
    told = filter(None, dict.fromkeys((receipt.reason, *advice)))
    return " ".join((f'Nobody was sent "{receipt.email.content.subject}": {"; ".join(said)}.', *told))


def _exclusion(sent: AlreadySent, plan: BulkPlan | Iterable[Email]) -> Exclusion:
    mailbox = sent.email.recipients.all[0]
    key = plan.person_key(sent.email) if isinstance(plan, BulkPlan) else sent.email.key
    person = Person(mailbox, key=key, name=mailbox.display_name)
    return Exclusion(person, ExclusionReason.ALREADY_SENT, sent.detail)
