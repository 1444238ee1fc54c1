"""What became of everyone in a run.

What it is for: counting receipts as they come, keeping those that need somebody's attention, and saying
it in words, as CSV and as JSON. What it refuses: to keep what went well; a million accepted emails are a
number. Its law: whoever was not accepted or handed over can be found in the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from vetmail_core.receipts.causes import Status

if TYPE_CHECKING:
    from vetmail_core.receipts.outcomes import Receipt
    from vetmail_core.recipients import Exclusion

__all__ = ["Report", "Tally"]


@attrs.frozen(kw_only=True)
class Report:
    """What became of everyone; counts are of recipients, `emails` of emails."""

    emails: int = 0
    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    unknown: int = 0
    not_attempted: int = 0
    handed_over: int = 0
    failures: tuple[Receipt, ...] = attrs.field(default=(), converter=tuple["Receipt", ...])
    exclusions: tuple[Exclusion, ...] = attrs.field(default=(), converter=tuple["Exclusion", ...])

    @property
    def recipients(self) -> int:
        """How many recipients the emails had."""
        return (
            self.accepted
            + self.refused
            + self.deferred
            + self.unknown
            + self.not_attempted
            + self.handed_over
        )

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted or handed over; people left out on purpose do not count."""
        return not self.failures


class Tally:
    """Counts receipts as they come."""

    def __init__(self) -> None:
        self._emails = 0
        self._counts = dict.fromkeys(Status, 0)
        self._failures: list[Receipt] = []
        self._exclusions: list[Exclusion] = []

    def add(self, receipt: Receipt) -> None:
        """Count one receipt, and keep it when somebody was not reached."""
        self._emails += 1
        for outcome in receipt.outcomes:
            self._counts[outcome.status] += 1
        if not receipt.ok:
            self._failures.append(receipt)

    def exclude(self, exclusion: Exclusion) -> None:
        """Keep somebody who was left out."""
        self._exclusions.append(exclusion)

    def report(self) -> Report:
        """The state of things so far."""
        counts = {status.value: count for status, count in self._counts.items()}
        return Report(emails=self._emails, failures=self._failures, exclusions=self._exclusions, **counts)
