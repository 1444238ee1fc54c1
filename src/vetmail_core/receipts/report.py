"""What became of everyone in a run.

What it is for: counting receipts as they come, keeping those that need somebody's attention, and saying
it in words, as CSV and as JSON. What it refuses: to keep what went well; a million accepted emails are a
number. Its law: whoever was not accepted or handed over can be found in the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.receipts.causes import Status
from vetmail_core.receipts.outcomes import Receipt, only_for
from vetmail_core.recipients import Exclusion, ExclusionReason

if TYPE_CHECKING:
    from vetmail_core.message import Email

__all__ = ["Report", "Tally"]

_MOST_ALREADY_SENT: Final = 10_000  # listed; a run of a million that is taken up again stays small


@attrs.frozen(kw_only=True)
class Report:
    """What became of everyone.

    Attributes:
        emails: how many emails were answered for.
        accepted: recipients for whom the server took responsibility.
        refused: recipients refused for good.
        deferred: recipients put off for now.
        unknown: recipients in doubt; they may have the email.
        not_attempted: recipients for whom nothing was tried.
        handed_over: recipients whose draft a mail program or a folder has.
        failures: the receipts in which somebody was neither accepted nor handed over, in order.
        exclusions: people who were left out, and why: the plan's, and those sent to in an earlier run.
        already_sent: emails passed over because an earlier run has sent them, or another one is at it; the
            first 10,000 of them are among `exclusions`.
        cancelled: the run was stopped before its end.
        unlisted: emails that a stopped run did not try, counted in `not_attempted` and not among `failures`.
    """

    emails: int = 0
    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    unknown: int = 0
    not_attempted: int = 0
    handed_over: int = 0
    failures: tuple[Receipt, ...] = attrs.field(default=(), converter=tuple[Receipt, ...])
    exclusions: tuple[Exclusion, ...] = attrs.field(default=(), converter=tuple[Exclusion, ...])
    already_sent: int = 0
    cancelled: bool = False
    unlisted: int = 0

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
        """Whether the run came to its end and every recipient was accepted or handed over.

        People who were left out on purpose do not count; they are in `exclusions`.
        """
        reached = self.accepted + self.handed_over == self.recipients
        return reached and not self.failures and not self.cancelled

    def retry(self, *, unknown: bool = False) -> tuple[Email, ...]:
        """The emails to send once more, each to those recipients alone who still need it.

        They keep their key and Message-ID. Hand them to `send_bulk`, with the run's ledger if it had one.

        Args:
            unknown: include those in doubt. They may get a second copy, so this is somebody's decision, and
                with a ledger `send_bulk` has to be told ``retry_unknown=True`` as well.

        Returns:
            Emails to those who were deferred, for whom nothing was tried, or who were refused for a reason
            that lies with us: the login, the day's allowance, a block.
        """
        emails: list[Email] = []
        for receipt in self.failures:
            keys = {
                o.mailbox.address_key
                for o in receipt.outcomes
                if o.is_open or (unknown and o.status is Status.UNKNOWN)
            }
            if keys:
                emails.append(only_for(receipt.email, keys))
        return tuple(emails)

    def to_csv(self) -> str:
        """Those not reached and those left out, one line each, for a spreadsheet program.

        A cell that a spreadsheet program would take for a formula begins with an apostrophe.

        Returns:
            CSV with a header line (RFC 4180).
        """
        from vetmail_core.receipts.export import csv_of  # noqa: PLC0415 - seldom needed

        return csv_of(self)

    def to_json(self) -> str:
        """The whole report for another program; never a subject or a text of an email.

        Returns:
            JSON, ``{"schema": 1, "counts": {...}, "failures": [...], "exclusions": [...]}``.
        """
        from vetmail_core.receipts.export import json_of  # noqa: PLC0415 - seldom needed

        return json_of(self)

    def __str__(self) -> str:
        from vetmail_core.receipts.export import text_of  # noqa: PLC0415 - seldom needed

        return text_of(self)


class Tally:
    """Counts receipts as they come; the one thing here that changes."""

    __slots__ = (
        "_accepted", "_already_sent", "_cancelled", "_counts", "_emails", "_exclusions", "_failures",
        "_unlisted",
    )  # fmt: skip

    def __init__(self) -> None:
        self._already_sent = 0
        self._emails = 0
        self._accepted = 0
        self._counts = dict.fromkeys(Status, 0)
        self._failures: list[Receipt] = []
        self._exclusions: list[Exclusion] = []
        self._cancelled = False
        self._unlisted = 0

    def add(self, receipt: Receipt) -> None:
        """Count one receipt, and keep it when somebody was not reached."""
        self._emails += 1
        outcomes = receipt.outcomes
        if len(outcomes) == 1 and outcomes[0].status is Status.ACCEPTED:
            self._accepted += 1
            return
        for outcome in outcomes:
            self._counts[outcome.status] += 1
        if not receipt.ok:
            self._failures.append(receipt)

    def exclude(self, exclusion: Exclusion) -> None:
        """Keep somebody who was left out; of a great many sent to in an earlier run, the first."""
        if exclusion.reason is ExclusionReason.ALREADY_SENT:
            self._already_sent += 1
            if self._already_sent > _MOST_ALREADY_SENT:
                return
        self._exclusions.append(exclusion)

    def cancel(self) -> None:
        """Note that the run was stopped before its end."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped before its end."""
        return self._cancelled

    def count_untried(self, email: Email) -> None:
        """Count an email that a stopped run did not come to, without keeping it."""
        self._emails += 1
        self._unlisted += 1
        self._counts[Status.NOT_ATTEMPTED] += len(email.recipients.all)

    def report(self) -> Report:
        """The state of things so far."""
        counts = self._counts
        return Report(
            emails=self._emails,
            accepted=self._accepted + counts[Status.ACCEPTED],
            refused=counts[Status.REFUSED],
            deferred=counts[Status.DEFERRED],
            unknown=counts[Status.UNKNOWN],
            not_attempted=counts[Status.NOT_ATTEMPTED],
            handed_over=counts[Status.HANDED_OVER],
            failures=self._failures,
            exclusions=self._exclusions,
            already_sent=self._already_sent,
            cancelled=self._cancelled,
            unlisted=self._unlisted,
        )
