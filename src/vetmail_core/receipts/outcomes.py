"""The result for one recipient, and for one email.

Every recipient of an email is in its receipt exactly once.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address.lists import as_mailbox
from vetmail_core.errors import RecipientsError, wrong_type
from vetmail_core.receipts.causes import REACHED, Cause, Phase, Status
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email

__all__ = ["Outcome", "Receipt", "Reply", "only_for"]


@attrs.frozen
class Reply:
    """What a server said.

    Args:
        code: the three digits (RFC 5321, 4.2); 0 when the words are not a server's.
        enhanced: "5.1.1" (RFC 3463), "" when the server gave none.
        text: the rest, lines joined by a blank; without code and enhanced code.
    """

    code: int
    enhanced: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code or ""), self.enhanced, self.text) if part)


_IN_DOUBT: Final = (
    "The connection broke after the email was sent and before the server answered, so it may have arrived:"
    " ask the recipient or look into the server's log, and send it again only when it did not arrive."
)


_ABOUT_THE_RECIPIENT: Final = frozenset({Cause.BAD_RECIPIENT, Cause.MAILBOX_FULL})  # all that can be final


@attrs.frozen
class Outcome:
    """How it ended for one recipient.

    Args:
        mailbox: the recipient; text is parsed strictly.
        status: how it ended.
        cause: why, when it did not simply go through.
        reply: the server's words that decided it, when a server spoke.
        phase: where it happened.

    Raises:
        AddressError: the mailbox is not a mailbox.
        RecipientsError: the status is not a `Status`; a TypeError too.
    """

    mailbox: Mailbox = attrs.field(converter=as_mailbox)
    status: Status
    cause: Cause | None = attrs.field(default=None, kw_only=True)
    reply: Reply | None = attrs.field(default=None, kw_only=True)
    phase: Phase | None = attrs.field(default=None, kw_only=True)
    # The advice as it was written down: a later version may word it differently.
    _told: str | None = attrs.field(default=None, alias="told", kw_only=True, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.status, Status):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
            raise wrong_type(
                "Outcome(status=...)", "a Status such as Status.ACCEPTED", self.status, error=RecipientsError
            )

    @property
    def advice(self) -> str:
        """The cause's advice on what to do about it, or how to end a doubt; "" when all went well.

        Where the reply holds our own words instead of a server's, these say what to do.
        """
        if self._told is not None:
            return self._told
        # A hand-over has words of its own for every cause: the causes' advice is about mail on its way.
        own_words = self.cause is Cause.OTHER or (self.cause is not None and self.phase is Phase.HAND_OVER)
        if self.status is Status.UNKNOWN and self.phase is not Phase.HAND_OVER:
            return _IN_DOUBT
        if own_words and self.reply is not None and not self.reply.code:
            return self.reply.text
        return "" if self.cause is None else self.cause.advice

    @property
    def has_own_advice(self) -> bool:
        """True if the advice was written for this very outcome, rather than for its cause."""
        return self._told is not None

    @property
    def is_open(self) -> bool:
        """True if a later run may try this recipient again.

        A refusal is final only where it is about the recipient. Whatever lies with us (the login, the sender,
        the allowance), with the text or its size can be cured, and so may be what does not say whom it means.
        """
        if self.status is Status.REFUSED:
            return self.cause not in _ABOUT_THE_RECIPIENT
        return self.status in {Status.DEFERRED, Status.NOT_ATTEMPTED}

    @property
    def said(self) -> str:
        """The server's words; "" when it said none."""
        return "" if self.reply is None or not self.reply.code else str(self.reply)


_QUEUE_IDS: Final = (
    r"\bqueued as ([\w.-]*[\w-])",  # Postfix, SendGrid, aiosmtpd's kin
    r"\bid=([\w-]+)",  # Exim
    r"\[InternalId=(\d+)",  # Exchange, Microsoft 365
    r"^OK:?\s+\d{9,11}\s+(\S+) - gsmtp",  # Gmail
    r"^Ok ([0-9a-f]{8,16}(?:-[0-9a-f]{2,12}){2,6})$",  # Amazon SES
    r"^OK:\s*((?=\S*\d)[0-9a-z][\w.-]{7,})$",  # Amazon SES and WorkMail, in another mood
    r"^:?\s*(\w+) Message accepted for delivery",  # Sendmail, OpenSMTPD
    r"^ok \d{9,11} (qp \d+)",  # qmail
    r"\bqueued with id (\w+)",  # Stalwart
    r"\bQueued \(([0-9A-F]{8}-[0-9A-F-]{27,}(?:\.\d+)?)",  # Haraka, with the transaction's number
)
# Compiled when somebody first asks for a queue id.
_compiled: Final = functools.cache(functools.partial(re.compile, flags=re.IGNORECASE | re.ASCII))


def _tuple_of_outcomes(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    return tuple(outcomes)  # a tuple is given back as it is


@attrs.frozen
class Receipt:
    """What became of one email.

    Args:
        email: the very email that was handed to the transport.
        outcomes: one for each recipient of the email.
        attempts: how many times it was tried; 0 when nothing was tried.
        reply: the server's final reply to the message, when there was one.
        warnings: what went well but deserves a word.
        remembered: nothing was sent now: the ledger knew the answer.
        happened: the connection's own words on what went wrong, with host and port; "" when it said nothing.

    Raises:
        RecipientsError: a recipient of the email has no outcome, or more than one, or an outcome is for
            somebody the email is not addressed to.
    """

    email: Email
    outcomes: tuple[Outcome, ...] = attrs.field(converter=_tuple_of_outcomes)
    attempts: int = attrs.field(default=1, kw_only=True)
    reply: Reply | None = attrs.field(default=None, kw_only=True)
    warnings: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...], kw_only=True)
    remembered: bool = attrs.field(default=False, kw_only=True)
    _happened: str = attrs.field(default="", alias="happened", kw_only=True, eq=False, repr=False)
    # Reason and queue id as they were written down, as of an outcome's advice.
    _told: tuple[str, str] | None = attrs.field(
        default=None, alias="told", kw_only=True, eq=False, repr=False
    )

    @classmethod
    def for_all(
        cls,
        email: Email,
        status: Status,
        *,
        cause: Cause | None = None,
        reply: Reply | None = None,
        phase: Phase | None = None,
        attempts: int | None = None,
        warnings: Iterable[str] = (),
        happened: str = "",
    ) -> Receipt:
        """Make a receipt that says the same for every recipient.

        Args:
            email: the very email that was handed to the transport.
            status: how it ended for all of them.
            cause: why, when it did not simply go through.
            reply: the words that decided it.
            phase: where it happened.
            attempts: None for 0 where nothing was tried, and 1 otherwise.
            warnings: what went well but deserves a word.
            happened: the connection's own words on what went wrong, with host and port.
        """
        if attempts is None:
            attempts = 0 if status is Status.NOT_ATTEMPTED else 1
        outcomes = [
            Outcome(mailbox, status, cause=cause, reply=reply, phase=phase)
            for mailbox in email.recipients.all
        ]
        return cls(email, outcomes, attempts=attempts, reply=reply, warnings=warnings, happened=happened)

    def __attrs_post_init__(self) -> None:
        recipients = self.email.recipients.all
        outcomes = self.outcomes
        # Transports answer with the email's own mailboxes in their order; that costs one comparison each.
        if len(outcomes) == len(recipients):
            for outcome, recipient in zip(outcomes, recipients, strict=True):
                if outcome.mailbox is not recipient:
                    break
            else:
                return
        self._match(recipients)

    def _match(self, recipients: tuple[Mailbox, ...]) -> None:
        wanted = {mailbox.address_key: mailbox for mailbox in recipients}
        for outcome in self.outcomes:
            if wanted.pop(outcome.mailbox.address_key, None) is None:
                raise RecipientsError(
                    f"A receipt has one outcome for each recipient of its email; {outcome.mailbox.addr_spec}"
                    " has a second one, or is no recipient of it. Answer for the email that was handed over."
                )
        if wanted:
            missing = ", ".join(mailbox.addr_spec for mailbox in wanted.values())
            raise RecipientsError(
                f"A receipt has one outcome for each recipient of its email; there is none for {missing}."
                " Answer for what could not be tried with the status NOT_ATTEMPTED."
            )

    def _with(self, status: Status) -> tuple[Mailbox, ...]:
        return tuple(outcome.mailbox for outcome in self.outcomes if outcome.status is status)

    @property
    def accepted(self) -> tuple[Mailbox, ...]:
        """Those for whom the server took responsibility."""
        return self._with(Status.ACCEPTED)

    @property
    def refused(self) -> tuple[Mailbox, ...]:
        """Those refused permanently."""
        return self._with(Status.REFUSED)

    @property
    def deferred(self) -> tuple[Mailbox, ...]:
        """Those refused for now; a later attempt may go through."""
        return self._with(Status.DEFERRED)

    @property
    def unknown(self) -> tuple[Mailbox, ...]:
        """Those in doubt, to whom the message may have gone through."""
        return self._with(Status.UNKNOWN)

    @property
    def not_attempted(self) -> tuple[Mailbox, ...]:
        """Those for whom nothing was tried."""
        return self._with(Status.NOT_ATTEMPTED)

    @property
    def handed_over(self) -> tuple[Mailbox, ...]:
        """Those whose draft a mail program, or a folder, has now."""
        return self._with(Status.HANDED_OVER)

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted or handed over."""
        return all(outcome.status in REACHED for outcome in self.outcomes)

    @property
    def queue_id(self) -> str:
        """The server's own name for the message, to find it in its log; "" when its reply has none."""
        if self._told is not None:
            return self._told[1]
        if self.reply is not None:
            for pattern in _QUEUE_IDS:
                found = _compiled(pattern).search(self.reply.text)
                if found is not None:
                    return found[1]
        return ""

    @property
    def reason(self) -> str:
        """Why somebody was not reached and what to do, in one sentence without line ends; "" when all were.

        It holds the connection's own words, such as "Connection refused by smtp.example.com port 587", or the
        server's reply. Where recipients ended differently it speaks of the first who was not reached.
        """
        if self._told is not None:
            return self._told[0]
        return next((self.reason_for(o) for o in self.outcomes if o.status not in REACHED), "")

    def reason_for(self, outcome: Outcome) -> str:
        """The same for one of its outcomes; "" for one who was reached.

        Args:
            outcome: of this receipt.
        """
        from vetmail_core.receipts.records import sentence_of  # noqa: PLC0415 - seldom needed

        return "" if outcome.status in REACHED else sentence_of(outcome, self._happened)

    def to_dict(self) -> dict[str, object]:
        """The receipt as a dictionary, ready for JSON: ``{"schema": 1, "key": ..., "recipients": [...]}``.

        It never holds a text, an attachment, a header value or a login, and it does name blind copies.
        `receipt_from_dict` reads it.
        """
        from vetmail_core.receipts.records import dict_of  # noqa: PLC0415 - seldom needed

        return dict_of(self)

    def __str__(self) -> str:
        from vetmail_core.receipts.records import line_of  # noqa: PLC0415 - seldom needed

        return line_of(self)


def only_for(email: Email, keys: Container[str]) -> Email:
    """The same email, to some of its recipients alone; the very object when that is all of them.

    Args:
        email: keeps its key and Message-ID.
        keys: the `address_key` of those who are to get it, at least one.
    """

    def those(mailboxes: tuple[Mailbox, ...]) -> tuple[Mailbox, ...]:
        return tuple(mailbox for mailbox in mailboxes if mailbox.address_key in keys)

    recipients = email.recipients
    kept = Recipients(those(recipients.to), those(recipients.cc), those(recipients.bcc))
    return email if len(kept.all) == len(recipients.all) else attrs.evolve(email, recipients=kept)
