"""People who come back under other keys than a ledger has them.

A ledger knows an email again by its batch and the person's key. Where a spreadsheet program has eaten the
zeros of 00123, everybody would be new, and a whole class would be mailed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vetmail_core.errors import RecipientsError
from vetmail_core.people import Person
from vetmail_core.recipients import why_excluded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.bulk import BulkPlan

__all__ = ["KnowsAddresses", "refuse_new_keys"]


@runtime_checkable
class KnowsAddresses(Protocol):
    """A ledger that keeps with each email the address it went to."""

    def first_recipients(self, prefix: str, /) -> Iterable[tuple[str, str]]:
        """Give the email keys that begin with a prefix, each with the address key of its first recipient.

        Emails of which no address is known, as a file of an earlier version has them, are left out.
        """
        ...


def refuse_new_keys(plan: BulkPlan, ledger: object) -> None:
    """Look for people whose address the batch has under a key that no longer comes in this plan.

    Families are never stopped, since both keys are still in the plan, and new people are not.

    Args:
        plan: people that can be read once are not asked, nor is a plan without a batch.
        ledger: one that knows no addresses is not asked.

    Raises:
        RecipientsError: there are such people.
    """
    if not (plan.batch and plan.can_be_walked_again and isinstance(ledger, KnowsAddresses)):
        return
    prefix = plan.key_prefix
    keys_of: dict[str, list[str]] = {}
    for key, address in ledger.first_recipients(prefix):
        keys_of.setdefault(address, []).append(key.removeprefix(prefix))
    if not keys_of:
        return
    known = {key for keys in keys_of.values() for key in keys}
    here: set[str] = set()
    new: list[tuple[str, str]] = []
    for person in plan.people:
        if not isinstance(person, Person) or why_excluded(person, marketing=plan.marketing) is not None:  # pyright: ignore[reportUnnecessaryIsInstance] - the walk of the plan says so
            continue
        address = person.mailbox().address_key
        if person.key in known:
            here.add(person.key)
        elif address in keys_of:
            new.append((person.key, address))
    back = [(key, old, address) for key, address in new for old in keys_of[address] if old not in here]
    if not back:
        return
    key, old, address = back[0]
    count = len({key for key, _, _ in back})
    who = "1 person comes" if count == 1 else f"{count} people come"
    raise RecipientsError(
        f"{who} back under another key than this batch has: {address} was written to as {old} and is now "
        f"{key}. Give them their earlier keys, or say that they are new people: new_keys=True, --new-keys."
    )
