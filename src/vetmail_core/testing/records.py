"""What a recording transport remembers of each email, and whether a test has looked at it.

An email is claimed when an assertion of the outbox matches it, when the test reads its record, or when the
test itself reads its receipt. A look by the library or by the tested feature does not count.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import attrs

from vetmail_core.receipts import Receipt

if TYPE_CHECKING:
    from vetmail_core.message import Email
    from vetmail_core.testing.matching import Delivery

__all__ = ["Record", "WatchedReceipt"]


class Record:
    """One email that came to an outbox, and what it answered. Reading it claims it.

    Args:
        delivery: the facts.
    """

    __slots__ = ("_delivery", "claimed")

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.claimed = False
        """Whether the test has looked at it."""

    @property
    def number(self) -> int:
        """1 for the first email of the outbox."""
        return self._delivery.number

    @property
    def email(self) -> Email:
        """The very email that was handed over."""
        return self.look().email

    @property
    def receipt(self) -> Receipt:
        """The answer to it."""
        return self.look().receipt

    @property
    def data(self) -> bytes:
        """Its bytes as they go on the wire, stamped with Date and Message-ID."""
        return self.look().data

    def look(self) -> Delivery:
        """Claim it, and give the facts."""
        self.claimed = True
        return self._delivery

    def peek(self) -> Delivery:
        """The facts, without claiming it."""
        return self._delivery

    def __repr__(self) -> str:
        email = self._delivery.email
        to = ", ".join(mailbox.addr_spec for mailbox in email.recipients.all)
        return f"<Record #{self.number} {email.content.subject!r} to {to}>"


class WatchedReceipt(Receipt):
    """A receipt that notices when a test reads it; in every other way a ``Receipt``, and equal to it."""

    __slots__ = ("_record", "_test_file")

    @classmethod
    def of(cls, receipt: Receipt, record: Record, test_file: str) -> WatchedReceipt:
        """The same receipt, watched.

        Args:
            receipt: the answer.
            record: what is claimed when the receipt is read.
            test_file: the path of the test's file; a look from elsewhere does not count.
        """
        watched = object.__new__(cls)  # checked already
        for field in attrs.fields(Receipt):
            object.__setattr__(watched, field.name, getattr(receipt, field.name))
        object.__setattr__(watched, "_record", record)
        object.__setattr__(watched, "_test_file", test_file)
        return watched

    def __getattribute__(self, name: str) -> object:
        value: object = object.__getattribute__(self, name)
        if not name.startswith("_"):
            reader = inspect.currentframe()
            caller = None if reader is None else reader.f_back
            watch = object.__getattribute__
            try:
                test_file = watch(self, "_test_file")
            except AttributeError:
                return value  # an evolved copy: nobody watches it
            if caller is not None and caller.f_code.co_filename == test_file:
                watch(self, "_record").claimed = True
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Receipt):
            return NotImplemented
        return _facts(self) == _facts(other)

    __hash__ = Receipt.__hash__

    def __repr__(self) -> str:
        return f"Receipt{super().__repr__().removeprefix(type(self).__name__)}"


def _facts(receipt: Receipt) -> tuple[object, ...]:
    return (receipt.email, receipt.outcomes, receipt.attempts, receipt.reply, receipt.warnings)
