"""Emails for runs, as many as a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core import Content, Email, Mailbox, Recipients

if TYPE_CHECKING:
    from collections.abc import Iterator


def emails(count: int) -> Iterator[Email]:
    """So many emails, each with a key."""
    sender, content = Mailbox("office@example.com"), Content("Hello", "Text")
    for number in range(count):
        to = Recipients(Mailbox(f"p{number}@example.com"))
        yield Email(sender=sender, recipients=to, content=content, key=f"k{number}")
