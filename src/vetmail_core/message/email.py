"""One email: what is read, who it is from and who gets it.

An email reads no clock: a transport gives it the date, and a Message-ID where it has no key to make one
from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, final

import attrs

from vetmail_core._shown import HALF_A_PAIR, has_surrogate
from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.address.addr_spec import ASCII_ATOM
from vetmail_core.errors import MessageError, RecipientsError, wrong_type
from vetmail_core.message.content import Content
from vetmail_core.message.headers import HeaderFields
from vetmail_core.message.wire import wire_bytes
from vetmail_core.message.written import as_written
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

__all__ = ["Email"]

_ATOM: Final = rf"[{ASCII_ATOM}]+"
# RFC 5322, section 3.6.4, without what it calls obsolete: that some readers fall over.
_MESSAGE_ID: Final = re.compile(rf"<{_ATOM}(?:\.{_ATOM})*@(?:{_ATOM}(?:\.{_ATOM})*|\[[!-Z^-~]*\])>")
_MESSAGE_ID_LIMIT: Final = 900
_NO_HEADERS: Final = HeaderFields()
_FIRST_YEAR: Final = 1900  # RFC 5322, section 3.3


def _mailbox(value: Mailbox | str) -> Mailbox:
    if type(value) is Mailbox:
        return value
    if isinstance(value, str):
        return parse_mailbox(value)
    raise wrong_type(
        "the sender, reply_to or bounce_to of an email",
        "a mailbox or its text",
        value,
        "take the mailbox of a person, a staff member or a Sender",
        error=MessageError,
    )


def _mailboxes(value: Iterable[Mailbox | str] | Mailbox | str) -> tuple[Mailbox, ...]:
    if not value:
        return ()
    if isinstance(value, str) or not isinstance(value, Iterable):
        return (_mailbox(value),)
    return tuple([_mailbox(one) for one in value])


def _bounce_to(value: Mailbox | str | None) -> Mailbox | None:
    return None if value is None else _mailbox(value)


def _written(value: bytes | None) -> bytes | None:
    return None if value is None else as_written(value)


def _given(value: str | None) -> str:
    return "" if value is None else value


def _headers(value: Mapping[str, str]) -> HeaderFields:
    if type(value) is HeaderFields:
        return value.merge({})
    return HeaderFields(value).merge({}) if value else _NO_HEADERS


def _date(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type("the date", "a datetime with a time zone", value, error=MessageError)
    offset = value.utcoffset()
    if offset is None:
        raise MessageError(
            f"the date {value.isoformat()} has no time zone; use an aware datetime such as "
            "datetime(..., tzinfo=UTC)"
        )
    moment = value
    if offset.total_seconds() % 60:  # a header's offset has hours and minutes
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            raise MessageError(f"the date {value.isoformat()} is at the end of all time in UTC") from None
    if moment.year < _FIRST_YEAR:
        raise MessageError(
            f"the date {value.isoformat()} is before the year {_FIRST_YEAR}, which no email may carry"
        )
    return moment


def is_message_id(value: object) -> bool:
    """Whether an email may have it as its Message-ID."""
    return (
        isinstance(value, str)
        and len(value) <= _MESSAGE_ID_LIMIT
        and _MESSAGE_ID.fullmatch(value) is not None
    )


def _check_message_id(value: object) -> None:
    if not is_message_id(value):
        shown = value[:80] if isinstance(value, str) else value
        raise MessageError(
            f"{shown!a} is not a Message-ID; expected <left@right> in ASCII, "
            f"{_MESSAGE_ID_LIMIT} characters at most"
        )


def _check_key(value: object) -> None:
    if not isinstance(value, str):
        raise wrong_type("the key of an email", "text", value, "write a number as text", error=MessageError)
    if has_surrogate(value):
        raise MessageError(f"the key {value!r} holds {HALF_A_PAIR}; read its source as UTF-8")


def _made_message_id(key: str, sender: Mailbox) -> str:
    identity = f"{key}\0{sender.address_key}".encode()
    from hashlib import blake2b  # noqa: PLC0415 - only for an email with a key

    return f"<{blake2b(identity, digest_size=16).hexdigest()}@{sender.ascii_domain}>"


@final
@attrs.frozen(kw_only=True)
class Email:
    """Content with its sender and recipients.

    Args:
        sender: From.
        recipients: To, CC and BCC; at least one.
        content: what is read. A ``$${`` in it becomes ``${``, and a field with a default takes it.
        reply_to: where answers go; none means the sender.
        key: the email's identity in a run, from which its Message-ID is made: the same key and sender
            give the same Message-ID on every machine; "" and None are no key.
        message_id: ``<left@right>``; "" or None makes it from the key, or leaves it to the transport
            without one.
        date: aware; None leaves it to the transport.
        headers: further headers, such as Auto-Submitted or List-Unsubscribe.
        bounce_to: where servers report that it could not be delivered (MAIL FROM), when that is not the
            sender; it stands in no header.
        written: the whole message, header and all, where another program has written it: its octets are
            sent as they are, but for a Bcc, and the other values only say what they hold and who gets it.

    Raises:
        RecipientsError: nobody would receive it.
        MessageError: a header, Message-ID or date that is not valid.
        MergeError: the content or a header still holds a merge field; merge it first.
        AddressError: a mailbox given as text that is not valid.
    """

    sender: Mailbox = attrs.field(converter=_mailbox)
    recipients: Recipients
    content: Content
    reply_to: tuple[Mailbox, ...] = attrs.field(default=(), converter=_mailboxes)
    key: str = attrs.field(default="", converter=_given)
    message_id: str = attrs.field(default="", converter=_given)
    date: datetime | None = attrs.field(default=None, converter=_date)
    headers: HeaderFields = attrs.field(default=_NO_HEADERS, converter=_headers)
    bounce_to: Mailbox | None = attrs.field(default=None, converter=_bounce_to)
    written: bytes | None = attrs.field(
        default=None, converter=_written, repr=lambda octets: "None" if octets is None else "<octets>"
    )

    def __attrs_post_init__(self) -> None:
        if type(self.content) is not Content:
            raise wrong_type("an email", "a Content", self.content, error=MessageError)
        # Nothing unmerged leaves: whatever an email carries is finished, whoever made the email.
        object.__setattr__(self, "content", self.content.merge({}))
        if type(self.recipients) is not Recipients:
            raise wrong_type(
                "an email", "Recipients", self.recipients, "write Recipients(to=...)", error=RecipientsError
            )
        if not self.recipients:
            raise RecipientsError(
                f'the email "{self.content.subject}" has no recipient; give it at least one in To, CC or BCC'
            )
        _check_key(self.key)
        if self.message_id != "":
            _check_message_id(self.message_id)
        elif self.key:
            object.__setattr__(self, "message_id", _made_message_id(self.key, self.sender))

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address of it, a blind copy's too, has letters beyond ASCII before its @ (RFC 6531)."""
        if self.envelope_sender.needs_smtputf8:
            return True
        return any(mailbox.needs_smtputf8 for mailbox in (self.sender, *self.recipients.all, *self.reply_to))

    @property
    def envelope_sender(self) -> Mailbox:
        """The address in MAIL FROM, which servers tell when it could not be delivered."""
        return self.bounce_to or self.sender

    def stamped(self, now: datetime, message_id: str) -> Email:
        """The same email with a date and a Message-ID, for the wire; only transports call this.

        Args:
            now: aware; used when the email has no date.
            message_id: used when the email has none.
        """
        if self.date is not None and self.message_id:
            return self
        return attrs.evolve(self, date=self.date or now, message_id=self.message_id or message_id)

    def as_bytes(self, *, smtputf8: bool = False) -> bytes:
        """The email as it goes on the wire: CRLF, seven bits, lines of at most 998 octets, no Bcc.

        Pure: without a date it carries no Date, and without key and message_id no Message-ID. A
        transport calls ``wire_bytes`` with both.

        Args:
            smtputf8: addresses may be written in UTF-8 where they need it (RFC 6532).

        Raises:
            MessageError: an address needs SMTPUTF8 and ``smtputf8`` is False.
        """
        return wire_bytes(self, smtputf8=smtputf8)

    def to_message(self) -> EmailMessage:
        """The email as the standard library's object, for hosts that go on with that; never a Bcc header."""
        from vetmail_core.message.standard import to_message  # noqa: PLC0415 - email.message is heavy, and seldom needed

        return to_message(self)
