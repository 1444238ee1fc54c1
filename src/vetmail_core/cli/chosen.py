"""The emails of single people, chosen out of a plan: to look at, or to send to oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.address import parse_mailbox
from vetmail_core.cli.planning import NothingTriedError
from vetmail_core.errors import AddressError
from vetmail_core.message import Email
from vetmail_core.recipients import Exclusion, Recipients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.address import Mailbox
    from vetmail_core.bulk import BulkPlan

__all__ = ["chosen_emails", "myself", "to_myself"]


def chosen_emails(plan: BulkPlan, keys: Sequence[str], *, most: int) -> list[Email]:
    """Give the emails of the people with these keys, or without keys the first ones.

    Args:
        plan: whose people can be walked again.
        keys: as typed, in any order.
        most: how many without keys.

    Raises:
        NothingTriedError: nobody has the key, or whoever has it is left out.
    """
    wanted = dict.fromkeys(keys)
    found: dict[str, Email | Exclusion] = {}
    first: list[Email] = []
    for person, step in zip(plan.people, plan.steps(), strict=True):
        if person.key in wanted:
            found.setdefault(person.key, step)
        if isinstance(step, Email) and len(first) < most:
            first.append(step)
        if len(found) == len(wanted) and (wanted or len(first) == most):
            break
    if not wanted:
        return first
    emails: list[Email] = []
    for key in wanted:
        chosen = found.get(key)
        if chosen is None:
            raise NothingTriedError(f"--person {key}: expected the key of somebody in --people, found nobody")
        if isinstance(chosen, Exclusion):
            raise NothingTriedError(f"--person {key}: is left out: {chosen.detail}")
        emails.append(chosen)
    return emails


def myself(text: str) -> Mailbox:
    """Read whom the test copies go to.

    Raises:
        NothingTriedError: it is not a mailbox.
    """
    try:
        return parse_mailbox(text)
    except AddressError as error:
        raise NothingTriedError(f"--to-myself {text}: {error}") from error


def to_myself(email: Email, me: Mailbox) -> Email:
    """Make the test copy of an email: as its person reads it, To one address, and no copy to anybody.

    Without its key, so that the person's own email is another one for every server and program.
    """
    return attrs.evolve(email, recipients=Recipients(to=me), key="", message_id="")
