"""An email as the bytes that go on the wire.

The same email, date and Message-ID give the same bytes, and no blind-copy recipient is in them.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from vetmail_core.address.encoded_words import WORD_LINE
from vetmail_core.errors import MessageError
from vetmail_core.message.headers import SOFT_LIMIT, text_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vetmail_core.address import Mailbox
    from vetmail_core.message.email import Email

__all__ = ["header_block", "wire_bytes"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def wire_bytes(
    email: Email, *, date: datetime | None = None, message_id: str = "", smtputf8: bool = False
) -> bytes:
    """Write an email; what a transport calls.

    Args:
        email: what to write.
        date: used when the email has none; None leaves the header out.
        message_id: used when the email has none; "" leaves the header out.
        smtputf8: the server speaks SMTPUTF8, so addresses that need it may stand in UTF-8. An email
            that does not need it is the same bytes either way.

    Returns:
        The message, CRLF line ends, not dot-stuffed.

    Raises:
        MessageError: an address needs SMTPUTF8 and ``smtputf8`` is False.
    """
    if email.written is not None:
        return email.written
    block = header_block(email, date=date, message_id=message_id, smtputf8=smtputf8)
    return b"".join((block.encode(), b"MIME-Version: 1.0\r\n", *email.content.mime_parts()))


def header_block(email: Email, *, date: datetime | None, message_id: str, smtputf8: bool) -> str:
    """Write the headers from From to the caller's own, each line with its CRLF; MIME headers follow them."""
    recipients = email.recipients
    lines = [_mailboxes("From", (email.sender,), smtputf8=smtputf8)]
    if recipients.to:
        lines.append(_mailboxes("To", recipients.to, smtputf8=smtputf8))
    if recipients.cc:
        lines.append(_mailboxes("Cc", recipients.cc, smtputf8=smtputf8))
    elif not recipients.to:
        lines.append("To: undisclosed-recipients:;\r\n")
    if email.reply_to:
        lines.append(_mailboxes("Reply-To", email.reply_to, smtputf8=smtputf8))
    lines.append(text_header("Subject", email.content.subject))
    date = email.date or date
    if date is not None:
        lines.append(f"Date: {_rfc5322_date(date)}\r\n")
    message_id = email.message_id or message_id
    if message_id:
        lines.append(f"Message-ID: {message_id}\r\n")
    lines.append(email.headers.lines)
    return "".join(lines)


def _mailboxes(name: str, mailboxes: Sequence[Mailbox], *, smtputf8: bool) -> str:
    texts = [
        mailbox.header() if mailbox.addr_spec.isascii() else _international(mailbox, smtputf8=smtputf8)
        for mailbox in mailboxes
    ]
    if len(texts) == 1 and len(texts[0]) + len(name) + 2 <= SOFT_LIMIT and "\n" not in texts[0]:
        return f"{name}: {texts[0]}\r\n"
    limit = WORD_LINE if any("=?" in text for text in texts) else SOFT_LIMIT
    return f"{name}:{_folded_list(texts, used=len(name) + 1, limit=limit)}\r\n"


def _international(mailbox: Mailbox, *, smtputf8: bool) -> str:
    if mailbox.needs_smtputf8 and not smtputf8:
        raise MessageError(
            f"the address {mailbox.addr_spec} has letters beyond ASCII before its @, which only a server "
            "with SMTPUTF8 takes; send through one that has it, or ask for another address"
        )
    return mailbox.header(smtputf8=mailbox.needs_smtputf8)


def _folded_list(texts: Sequence[str], *, used: int, limit: int) -> str:
    """Join mailboxes; a line ends between two, or where a mailbox that fits on no line is folded itself."""
    written: list[str] = []
    last = len(texts) - 1
    for index, text in enumerate(texts):
        piece = text if index == last else f"{text},"
        first = piece.find("\r\n")
        width = 1 + (len(piece) if first < 0 else first)
        if used + width <= limit or (index == 0 and width > limit):
            written += (" ", piece)
            used += width
        else:
            written += ("\r\n ", piece)
            used = width
        if first >= 0:
            used = len(piece) - piece.rfind("\n") - 1
    return "".join(written)


def _rfc5322_date(moment: datetime) -> str:
    """Write a date as in RFC 5322, section 3.3: ``Mon, 05 Jan 2026 09:30:00 +1100``."""
    zone = "+0000" if moment.tzinfo is UTC else moment.strftime("%z")
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month]} {moment.year} "
        f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} {zone}"
    )
