"""Questions to a record of sent mail.

An assertion that looks at an email claims it, and one that fails says what there was. Mail that nobody
accepted does not count as sent.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Final, Unpack

from vetmail_core.receipts.causes import REACHED
from vetmail_core.testing.failure_texts import nothing_expected, nothing_matched, wrong_number
from vetmail_core.testing.matching import Fields, wishes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vetmail_core.recipients import Exclusion
    from vetmail_core.testing.matching import Delivery, Wish
    from vetmail_core.testing.records import Record

__all__ = ["SentMail", "fits"]

_RESULTS: Final = frozenset({"refused", "deferred", "unknown", "not_attempted"})


class SentMail(ABC):
    """Mail that a recording transport was handed, to ask about."""

    @property
    @abstractmethod
    def records(self) -> tuple[Record, ...]:
        """Every email handed over, in order, whatever became of it. Reading a record claims it."""

    @property
    @abstractmethod
    def exclusions(self) -> tuple[Exclusion, ...]:
        """People whom a plan or context left out, as far as they are known here, for the hints."""

    def __len__(self) -> int:
        """How many emails were handed over."""
        return len(self.records)

    def __bool__(self) -> bool:
        """Always true, so that `outbox or something` means what it says."""
        return True

    def find(self, **fields: Unpack[Fields]) -> tuple[Record, ...]:
        """Every email with these fields, whatever became of it, in order; claims them.

        Args:
            **fields: `to`, `cc`, `bcc`, `recipient`, `sender`, `reply_to`, `accepted`, `refused`, `deferred`,
                `unknown`, `not_attempted` take addresses: one among others, or a list that is all of them.
                `subject`, `text`, `html`, `body`, `attachment`, `key`, and each of `headers`, take a text:
                exact, or `contains`, `matches`, `any_of`.

        Raises:
            TypeError: a field no email has, or a value that field cannot have.
            AddressError: an address that is not valid.
        """
        found = self._matching(wishes(fields))
        for record in found:
            record.look()
        return tuple(found)

    def failure(self, text: str) -> AssertionError:
        """The error of an assertion that failed; an outbox takes note of it."""
        return AssertionError(text)

    def one(self, **fields: Unpack[Fields]) -> Record:
        """The only email with these fields, whatever became of it; claims it.

        Args:
            **fields: as in ``find``.

        Raises:
            AssertionError: there is none, or more than one.
        """
        __tracebackhide__ = True
        wanted = wishes(fields)
        found = self._matching(wanted)
        if not found:
            raise self.failure(self._nothing_matched(wanted))
        if len(found) > 1:
            raise self.failure(self._wrong_number(1, wanted, found))
        found[0].look()
        return found[0]

    def assert_sent(self, times: int | None = None, **fields: Unpack[Fields]) -> Record:
        """At least one email with these fields went out, or exactly so many; claims them.

        Sent means accepted: for each address asked for in `to`, `cc`, `bcc` or `recipient`, otherwise for at
        least one recipient. Asking for `refused`, `deferred`, `unknown` or `not_attempted` asks for those.

        Args:
            times: exactly so many; None is one or more.
            **fields: as in ``find``.

        Returns:
            The first of them.

        Raises:
            AssertionError: there are none, or not so many; says what was sent instead.
            TypeError: ``times`` is not a number; an address goes into a field.
            ValueError: ``times`` below 1.
        """
        __tracebackhide__ = True
        if times is not None and not isinstance(times, int):  # pyright: ignore[reportUnnecessaryIsInstance] - tests are not all typed
            raise TypeError(
                f"expected times, a number, got {times!r}: write what is wanted as to=..., subject=..."
            )
        if times is not None and times < 1:
            raise ValueError(f"expected times of 1 or more, got {times}: assert_none(...) asks for no email")
        wanted = wishes(fields)
        found = [record for record in self._matching(wanted) if _went_out(wanted, record.peek())]
        if not found:
            raise self.failure(self._nothing_matched(wanted))
        if times is not None and len(found) != times:
            raise self.failure(self._wrong_number(times, wanted, found))
        for record in found:
            record.look()
        return found[0]

    def assert_none(self, **fields: Unpack[Fields]) -> None:
        """No email with these fields was so much as handed over; without fields, none at all.

        Args:
            **fields: as in ``find``.

        Raises:
            AssertionError: there was one.
        """
        __tracebackhide__ = True
        wanted = wishes(fields)
        found = self._matching(wanted)
        if found:
            raise self.failure(nothing_expected(wanted, [one.peek() for one in found]))

    def assert_bcc_hidden(self) -> None:
        """No address in BCC stands in the headers of a message, as its bytes go on the wire. Claims nothing.

        Raises:
            AssertionError: one does; says which header.
        """
        __tracebackhide__ = True
        for record in self.records:
            delivery = record.peek()
            email = delivery.email
            # Who writes to themselves in BCC stands in From by right.
            shown = {mailbox.address_key for mailbox in (email.sender, *email.reply_to)}
            headers = message_from_bytes(delivery.data, policy=policy.compat32).items()
            for mailbox in email.recipients.bcc:
                if mailbox.address_key in shown:
                    continue
                whole = re.compile(
                    rf"(?<![^\s<,:;]){re.escape(mailbox.addr_spec)}(?![^\s>,;])", re.IGNORECASE
                )
                for name, value in headers:
                    if whole.search(str(value)):
                        raise AssertionError(
                            f"expected BCC to stay hidden; email #{delivery.number} shows"
                            f" {mailbox.addr_spec} in its header {name}."
                        )

    def _matching(self, wanted: Sequence[Wish]) -> list[Record]:
        return [record for record in self.records if fits(wanted, record.peek())]

    def _nothing_matched(self, wanted: Sequence[Wish]) -> str:
        return nothing_matched(wanted, [record.peek() for record in self.records], self.exclusions)

    def _wrong_number(self, times: int, wanted: Sequence[Wish], found: Sequence[Record]) -> str:
        deliveries = [record.peek() for record in self.records]
        return wrong_number(times, wanted, [one.peek() for one in found], deliveries)


def fits(wanted: Sequence[Wish], delivery: Delivery) -> bool:
    """Whether an email is as wanted in every field."""
    return all(wish.compare(delivery).ok for wish in wanted)


def _went_out(wanted: Sequence[Wish], delivery: Delivery) -> bool:
    """Whether it was accepted for those it is asked about."""
    if any(wish.name in _RESULTS for wish in wanted):
        return True
    reached = frozenset(
        outcome.mailbox.address_key for outcome in delivery.receipt.outcomes if outcome.status in REACHED
    )
    return bool(reached) and all(wish.is_met_by(delivery, reached) for wish in wanted)
