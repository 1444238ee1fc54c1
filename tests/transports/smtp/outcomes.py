"""What became of emails, in words short enough to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.receipts import Outcome, Receipt


def said(receipt: Receipt) -> list[tuple[str, str, str]]:
    """Address, status and cause of each outcome."""
    return [
        (
            outcome.mailbox.addr_spec,
            outcome.status.value,
            "" if outcome.cause is None else outcome.cause.value,
        )
        for outcome in receipt.outcomes
    ]


def statuses(receipts: Iterable[Receipt]) -> list[str]:
    """The status of each email's first recipient."""
    return [receipt.outcomes[0].status.value for receipt in receipts]


def first(receipts: Iterable[Receipt]) -> Outcome:
    """The only receipt's only outcome."""
    (receipt,) = receipts
    return receipt.outcomes[0]
