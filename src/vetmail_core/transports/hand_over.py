"""Receipts of the transports that hand an email to something else than a mail server.

A folder and a mail program give the same kind of answer. It is never ACCEPTED, since only a server takes
responsibility, and the code of its reply is 0, since the words are the library's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.receipts import Cause, Outcome, Phase, Receipt, Reply, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from vetmail_core.address import Mailbox
    from vetmail_core.message import Email

__all__ = ["handed_over", "in_doubt", "not_attempted", "without"]


def handed_over(email: Email, *, how: str = "", warnings: Iterable[str] = ()) -> Receipt:
    """Answer for an email that is in other hands now.

    Args:
        email: what was handed over.
        how: in words, "" when there is only one way.
        warnings: what to look at.
    """
    return Receipt(
        email,
        [Outcome(mailbox, Status.HANDED_OVER, phase=Phase.HAND_OVER) for mailbox in email.recipients.all],
        reply=Reply(0, "", how) if how else None,
        warnings=warnings,
    )


def without(receipt: Receipt, mailboxes: Collection[Mailbox], *, why: str) -> Receipt:
    """The same receipt with some recipients NOT_ATTEMPTED, because they were left out.

    Args:
        receipt: for an email that was handed over.
        mailboxes: who was left out; may be empty.
        why: what left them out, and what to do about it.
    """
    if not mailboxes:
        return receipt
    reply = Reply(0, "", why)
    outcomes = [
        Outcome(one.mailbox, Status.NOT_ATTEMPTED, cause=Cause.OTHER, reply=reply, phase=Phase.HAND_OVER)
        if one.mailbox in mailboxes
        else one
        for one in receipt.outcomes
    ]
    return attrs.evolve(receipt, outcomes=outcomes)


def not_attempted(email: Email, *, why: str, cause: Cause = Cause.OTHER) -> Receipt:
    """Answer for an email that could not be handed over.

    Args:
        email: what is left.
        why: what stopped the run, and what to do about it.
        cause: what kind of thing stopped it.
    """
    return _all(email, Status.NOT_ATTEMPTED, why, cause=cause, attempts=0)


def in_doubt(email: Email, *, why: str) -> Receipt:
    """Answer for an email of which nobody knows whether it was handed over.

    Args:
        email: what may be in other hands.
        why: what happened, and how to find out.
    """
    return _all(email, Status.UNKNOWN, why, cause=Cause.CONNECTION, attempts=1)


def _all(email: Email, status: Status, why: str, *, cause: Cause, attempts: int) -> Receipt:
    return Receipt.for_all(
        email, status, cause=cause, reply=Reply(0, "", why), phase=Phase.HAND_OVER, attempts=attempts
    )
