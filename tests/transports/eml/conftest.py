"""Emails for the tests of the folder."""

from __future__ import annotations

from typing import Protocol

import pytest

from vetmail_core import Attachment, Content, Email, Mailbox, Recipients


class MakeEmail(Protocol):
    """Makes an email that differs from the usual one where it is told to."""

    def __call__(  # noqa: D102 - as above
        self,
        *,
        to: tuple[str, ...] = ("sam@example.com",),
        cc: tuple[str, ...] = (),
        bcc: tuple[str, ...] = (),
        subject: str = "Your class moved",
        text: str = "It is in room 7 now.",
        html: str = "",
        attachments: tuple[Attachment, ...] = (),
        key: str = "",
    ) -> Email: ...


@pytest.fixture
def make_email() -> MakeEmail:
    """Makes emails."""

    def make(
        *,
        to: tuple[str, ...] = ("sam@example.com",),
        cc: tuple[str, ...] = (),
        bcc: tuple[str, ...] = (),
        subject: str = "Your class moved",
        text: str = "It is in room 7 now.",
        html: str = "",
        attachments: tuple[Attachment, ...] = (),
        key: str = "",
    ) -> Email:
        return Email(
            sender=Mailbox("office@example.com", "The Office"),
            recipients=Recipients(to=to, cc=cc, bcc=bcc),
            content=Content(subject, text, html=html, attachments=attachments),
            key=key,
        )

    return make
