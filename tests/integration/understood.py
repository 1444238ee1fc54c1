"""The email that every mail program is given, and what one of them sent of it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import TYPE_CHECKING

import attrs

from vetmail_core import Content, Email, Mailbox, Recipients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.mail_programs import Sent

SUBJECT = "100% & a=b; c, d? #e Zażółć"
TEXT = (
    "Dear Sam,\n\n$(id) %PATH% %20 &attach=/etc/passwd&bcc=evil@example.net\n-- not a signature\nZażółć 😀\n"
)


def an_email(**changes: object) -> Email:
    """The email that every program is given: two people in each field, and texts full of traps."""
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(
            to=("sam.o'brien+class@example.com", "pat@example.com"),
            cc=("kim@example.com", "lou@example.com"),
            bcc=("audit@example.org", "file@example.org"),
        ),
        content=Content(SUBJECT, TEXT),
    )
    return attrs.evolve(email, **changes)  # type: ignore[arg-type]


@attrs.frozen(kw_only=True)
class Understood:
    """What a program sent."""

    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    attachments: tuple[str, ...]

    def cells(self, email: Email) -> tuple[str, ...]:
        """The row of the page's table: to, cc, bcc, subject, text.

        People are counted in the envelope: whom the server was told to send to, not what a header looks like.
        """
        groups = (email.recipients.to, email.recipients.cc, email.recipients.bcc)
        people = [_found([one.addr_spec for one in group], self.recipients) for group in groups]
        texts = [
            "exact" if got.strip() == sent.strip() else "changed"
            for sent, got in ((email.content.subject, self.subject), (email.content.text, self.text))
        ]
        return (*people, *texts)


def _found(wanted: Sequence[str], sent_to: Sequence[str]) -> str:
    kept = sum(one in sent_to for one in wanted)
    return "all" if kept == len(wanted) else f"{kept} of {len(wanted)}"


def understood(sent: Sent) -> Understood:
    """Read what a program sent."""
    message = message_from_bytes(sent.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return Understood(
        recipients=sent.recipients,
        subject=str(message["Subject"] or ""),
        text=_text(plain),
        html=_text(html),
        attachments=tuple(str(part.get_filename()) for part in message.iter_attachments()),
    )


def _text(part: MIMEPart | None) -> str:
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")
