"""Emails to test with, and a reader that is not ours."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import TYPE_CHECKING, Protocol

import pytest

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable


class MakeEmail(Protocol):
    """Makes a valid email, with what a test says about it."""

    def __call__(self, content: Content | None = None, **changes: object) -> Email:
        """Make it."""
        ...


@pytest.fixture(scope="session")
def make_email() -> MakeEmail:
    """Make a valid email, with what the test says about it."""

    def make(content: Content | None = None, **changes: object) -> Email:
        settings: dict[str, object] = {
            "sender": Mailbox("office@example.com", "The Office"),
            "recipients": Recipients(to="sam@example.com"),
            "content": content if content is not None else Content("Class moved", "Room 5 now.\n"),
        }
        return Email(**(settings | changes))  # type: ignore[arg-type]  # a test may give what it likes

    return make


@pytest.fixture(scope="session")
def read() -> Callable[[bytes], EmailMessage]:
    """Read a message with the standard library."""

    def parse(data: bytes) -> EmailMessage:
        return BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(data)

    return parse
