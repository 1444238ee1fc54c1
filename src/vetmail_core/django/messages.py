"""Read a Django message as an email.

The octets are Django's own, for whichever version of Django is installed: header, parts and encodings are not
made again. Only who sends and who receives is read, and the texts for whoever looks at the email.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from datetime import UTC
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Final, Protocol

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.errors import AddressError, MessageError
from vetmail_core.message import Email, HeaderFields
from vetmail_core.message.email import is_message_id
from vetmail_core.message.written import as_written, content_of
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from email.message import EmailMessage, Message

__all__ = ["DjangoMessage", "as_email"]

_POLICY: Final = policy.SMTP.clone(cte_type="7bit")


class DjangoMessage(Protocol):
    """What is used of `django.core.mail.EmailMessage`; an address may be a lazy translation."""

    from_email: object
    to: Sequence[object]
    cc: Sequence[object]
    bcc: Sequence[object]
    message: Callable[..., Message]
    recipients: Callable[[], Sequence[object]]


def as_email(message: DjangoMessage) -> Email:
    """Read a Django message as an email that is sent as Django writes it.

    Args:
        message: with at least one recipient. It is not changed.

    Raises:
        ValueError: Django cannot write it, such as with a line break in its subject (BadHeaderError).
        AddressError: the sender or a recipient is not a mailbox.
        MessageError: it cannot be written in seven bits, or an address has letters beyond ASCII before its @.
    """
    envelope = _mailbox(message.from_email)
    read = copy.copy(message)
    read.from_email = _as_django_reads(message.from_email)
    read.to, read.cc = [[_as_django_reads(one) for one in some if one] for some in (message.to, message.cc)]
    octets = _octets(read)
    parsed = message_from_bytes(octets, policy=policy.default)
    sender = next(iter(_in_header(parsed, "From")), envelope)
    email = Email(
        sender=sender,
        recipients=Recipients(_mailboxes(message.to), _mailboxes(message.cc), _mailboxes(message.bcc)),
        content=content_of(octets),
        reply_to=_in_header(parsed, "Reply-To"),
        message_id=_message_id(parsed),
        date=_date(parsed),
        headers=_further_headers(parsed),
        bounce_to=None if envelope.addr_spec == sender.addr_spec else envelope,
        written=octets,
    )
    if email.needs_smtputf8:
        raise MessageError(
            "an address of the message has letters beyond ASCII before its @, and Django writes no header "
            "for that; send it with Mailer.send, or use another address"
        )
    return email


def _mailbox(text: object) -> Mailbox:
    return parse_mailbox(str(text), lenient=True)


def _mailboxes(texts: Iterable[object]) -> tuple[Mailbox, ...]:
    return tuple(_mailbox(text) for text in texts if text)


def _as_django_reads(text: object) -> str:
    """An address as it is given, or quoted where Django would read something else: "Lee, Ann <ann@..>"."""
    mailbox, given = _mailbox(text), str(text)
    seen = policy.default.header_factory("To", given).addresses
    return given if len(seen) == 1 and seen[0].domain else str(mailbox)


def _octets(message: DjangoMessage) -> bytes:
    """What Django writes, by the way that this version of Django has."""
    takes_policy = "policy" in inspect.signature(message.message).parameters
    made = message.message(policy=_POLICY) if takes_policy else message.message()
    return as_written(made.as_bytes())


def _in_header(parsed: EmailMessage, name: str) -> tuple[Mailbox, ...]:
    """The mailboxes of a header; none where it has none that we read, such as in a group."""
    found = [address for value in parsed.get_all(name, []) for address in value.addresses]
    try:
        return tuple(Mailbox(one.addr_spec, one.display_name) for one in found)
    except AddressError:
        return ()


def _message_id(parsed: EmailMessage) -> str:
    written = str(parsed.get("Message-ID", "")).strip()
    return written if is_message_id(written) else ""


def _date(parsed: EmailMessage) -> datetime | None:
    date: datetime | None = getattr(parsed.get("Date"), "datetime", None)
    if date is None or date.tzinfo is not None:
        return date
    return date.replace(tzinfo=UTC)  # "-0000": UTC, and nothing is said of the zone (RFC 5322, section 3.3)


def _further_headers(parsed: EmailMessage) -> dict[str, str]:
    """The headers that an email of ours may carry as well, for whoever looks at the email."""
    kept: dict[str, str] = {}
    for name, value in parsed.items():
        with contextlib.suppress(MessageError):
            kept.update(HeaderFields({name: str(value)}))
    return kept
