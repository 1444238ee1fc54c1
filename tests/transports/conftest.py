"""Emails, and a disk that is full, for the tests of folders and mail programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import Content, Email, Mailbox, Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

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
        key: str = "",
    ) -> Email:
        return Email(
            sender=Mailbox("office@example.com", "The Office"),
            recipients=Recipients(to=to, cc=cc, bcc=bcc),
            content=Content(subject, text, html=html, attachments=attachments),
            reply_to=reply_to,
            headers=headers or {},
            key=key,
        )

    return make


@pytest.fixture
def full_disk(no_file_above: Callable[[int], AbstractContextManager[None]]) -> Iterator[None]:
    """A system that lets nobody write a file of more than 200,000 bytes."""
    with no_file_above(200_000):
        yield
