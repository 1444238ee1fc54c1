"""Emails and a mail program's stand-in for the tests of the hand-over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import Content, Email, Mailbox, Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vetmail_core import Attachment


@pytest.fixture
def make_email() -> Callable[..., Email]:
    """Makes an email that differs from the usual one where it is told to."""

    def make(
        *,
        to: Iterable[str] = ("sam@example.com",),
        cc: Iterable[str] = (),
        bcc: Iterable[str] = (),
        subject: str = "Your class moved",
        text: str = "Room 7",
        html: str = "",
        attachments: Iterable[Attachment] = (),
        reply_to: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Email:
        return Email(
            sender=Mailbox("office@example.com", "The Office"),
            recipients=Recipients(to=to, cc=cc, bcc=bcc),
            content=Content(subject, text, html=html, attachments=attachments),
            reply_to=reply_to,
            headers=headers or {},
        )

    return make
