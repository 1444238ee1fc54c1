"""The email that every mail program is given, and what one of them would send of it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import TYPE_CHECKING

import attrs

from vetmail_core import Content, Email, Mailbox, Recipients

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """What a program would send."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    attachments: tuple[str, ...] = ()

    def cells(self, email: Email) -> tuple[str, ...]:
        """The row of the page's table: to, cc, bcc, subject, text."""
        recipients = email.recipients
        wanted = [
            tuple(one.addr_spec for one in group) for group in (recipients.to, recipients.cc, recipients.bcc)
        ]
        people = [_found(group, got) for group, got in zip(wanted, (self.to, self.cc, self.bcc), strict=True)]
        texts = [
            "exact" if got.strip() == sent.strip() else "changed"
            for sent, got in ((email.content.subject, self.subject), (email.content.text, self.text))
        ]
        return (*people, *texts)


def _found(wanted: tuple[str, ...], got: tuple[str, ...]) -> str:
    if got == wanted:
        return "all"
    if not got:
        return "none"
    kept = sum(one in wanted for one in got)
    return f"{kept} of {len(wanted)}" if kept == len(got) else "wrong"


def understood(data: bytes, *, bcc: Sequence[str] | None = None) -> Understood:
    """Read a program's own draft, or what it handed to sendmail."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)

    def people(name: str) -> tuple[str, ...]:
        field = message[name]
        return tuple(one.addr_spec for one in field.addresses) if field else ()

    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return Understood(
        to=people("To"),
        cc=people("Cc"),
        bcc=people("Bcc") if bcc is None else tuple(bcc),
        subject=str(message["Subject"] or ""),
        text=_text(plain),
        html=_text(html),
        attachments=tuple(str(part.get_filename()) for part in message.iter_attachments()),
    )


def _text(part: MIMEPart | None) -> str:
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")
