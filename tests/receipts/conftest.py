"""What the tests of receipts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import Content, Email, Mailbox, Outcome, Receipt, Recipients, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core import Cause, Reply


@pytest.fixture
def email() -> Email:
    """One email to three people, one of them as a blind copy."""
    return Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients("ann@example.com", "lee@example.com", "kim@example.com"),
        content=Content("Your class moved", "It is in room 4 now."),
        key="class-7/ann",
    )


@pytest.fixture
def answered() -> Callable[..., Receipt]:
    """One email to one person, answered."""

    def make(
        status: Status,
        *,
        to: str = "ann@example.com",
        cause: Cause | None = None,
        reply: Reply | None = None,
        key: str = "",
    ) -> Receipt:
        email = Email(
            sender=Mailbox("office@example.com"),
            recipients=Recipients(to),
            content=Content("Your class moved", "It is in room 4 now."),
            key=key,
        )
        outcomes = [Outcome(mailbox, status, cause=cause, reply=reply) for mailbox in email.recipients.all]
        return Receipt(email, outcomes, reply=reply)

    return make
