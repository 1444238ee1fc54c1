"""Django's mail through vetmail_core: the seam is an EmailBackend."""

from __future__ import annotations

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from vetmail_core import Attachment, Content, DeliveryError, Email, Recipients, parse_mailbox

from .mail import transport


class EmailBackend(BaseEmailBackend):
    """Sends what `django.core.mail` hands over; a refusal is an error unless `fail_silently`.

    The error comes when every message has its answer: a refusal does not keep the others back, and nobody has
    to guess which of them to send again.
    """

    def send_messages(self, email_messages: list[EmailMessage]) -> int:
        with transport() as line:
            receipts = list(line.deliver([as_email(message) for message in email_messages]))
        lost = [receipt for receipt in receipts if not (receipt.accepted or receipt.handed_over)]
        if lost and not self.fail_silently:
            raise DeliveryError(f"{len(lost)} of {len(receipts)} emails were not accepted.", receipt=lost[0])
        return len(receipts) - len(lost)


def as_email(message: EmailMessage) -> Email:
    """A Django message as an Email."""
    alternatives = getattr(message, "alternatives", ())
    html = next((str(body) for body, kind in alternatives if kind == "text/html"), "")
    attachments = [Attachment(name, _octets(data), kind or "") for name, data, kind in message.attachments]
    return Email(
        sender=parse_mailbox(message.from_email, lenient=True),
        recipients=Recipients(to=message.to, cc=message.cc, bcc=message.bcc),
        content=Content(message.subject, message.body, html=html, attachments=attachments),
        reply_to=message.reply_to,
        headers=message.extra_headers,
    )


def _octets(data: bytes | str) -> bytes:
    return data if isinstance(data, bytes) else data.encode()
