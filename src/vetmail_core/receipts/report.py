"""What became of everyone in a run.

Receipts are counted as they come, and those that need attention are kept: whoever was not accepted or
handed over can be found in the report. What went well is only counted, so memory stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.message import Content
from vetmail_core.receipts.causes import Status
from vetmail_core.receipts.outcomes import Receipt, only_for
from vetmail_core.recipients import Exclusion, ExclusionReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vetmail_core.message import Email

__all__ = ["Report", "Tally", "Untried"]

_MOST_ALREADY_SENT: Final = 10_000  # listed; a run of a million that is taken up again stays small
_MOST_FAILURES: Final = 10_000  # kept whole, for `Report.retry`
_MOST_OCTETS: Final = 64 * 1024 * 1024  # of the contents of those


@attrs.frozen
class Untried:
    """Somebody whose turn did not come in a run that was stopped, when a great many are left."""

    key: str
    address: str
    name: str


class _Shelf:
    """Failing receipts: the first ones whole, the others without their contents."""

    __slots__ = ("_octets", "_seen", "_subjects", "rest", "whole")

    def __init__(self) -> None:
        self.whole: list[Receipt] = []
        self.rest: list[Receipt] = []
        self._octets = 0
        self._seen: set[int] = set()  # what several emails share is there once; all of it is kept alive
        self._subjects: dict[str, Content] = {}

    def add(self, receipt: Receipt) -> None:
        """Keep it whole while there is room; the one that was kept last may come again."""
        if self.whole and self.whole[-1] is receipt:
            return
        if self.rest and self.rest[-1].outcomes is receipt.outcomes:
            return
        email = receipt.email
        if len(self.whole) < _MOST_FAILURES and self._octets < _MOST_OCTETS:
            self._octets += self._weight(email.content)
            if self._octets <= _MOST_OCTETS:
                self.whole.append(receipt)
                return
        subject = email.content.subject
        bare = self._subjects.setdefault(subject, Content(subject))
        self.rest.append(attrs.evolve(receipt, email=attrs.evolve(email, content=bare, headers={})))

    def _weight(self, content: Content) -> int:
        parts: list[tuple[object, int]] = [(content, len(content.text) + len(content.html))]
        parts += [(attachment, len(attachment.data)) for attachment in content.attachments]
        new = [size for part, size in parts if id(part) not in self._seen]
        self._seen.update(id(part) for part, _ in parts)
        return sum(new)


@attrs.frozen(kw_only=True)
class Report:
    """What became of everyone.

    Attributes:
        emails: how many emails were answered for.
        accepted: recipients for whom the server took responsibility.
        refused: recipients refused permanently.
        deferred: recipients put off for now.
        unknown: recipients in doubt; they may have the email.
        not_attempted: recipients for whom nothing was tried.
        handed_over: recipients whose draft a mail program or a folder has.
        failures: the receipts in which somebody was neither accepted nor handed over, in order; the first
            10,000, and no more than 64 MB of contents.
        exclusions: people who were left out, and why: the plan's, and those sent to in an earlier run.
        already_sent: emails passed over because an earlier run has sent them, or another one is at it; the
            first 10,000 of them are among `exclusions`.
        cancelled: the run was stopped before its end.
        unlisted: emails beyond those in `failures`. They are in the counts, and named in text, CSV and JSON.
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
    _rest: tuple[Receipt, ...] = attrs.field(
        default=(), alias="rest", converter=tuple[Receipt, ...], repr=False
    )
    _untried: tuple[Untried, ...] = attrs.field(
        default=(), alias="untried", converter=tuple[Untried, ...], repr=False
    )

    @classmethod
    def join(cls, reports: Iterable[Report]) -> Report:
        """One report of several runs, such as one for each sender; in their order.

        Args:
            reports: what became of everyone in each.
        """
        tally = Tally()
        for report in reports:
            tally.take_over(report)
        return tally.report()

    @property
    def named(self) -> tuple[Receipt, ...]:
        """All receipts with a failure; those beyond `failures` without their contents."""
        return (*self.failures, *self._rest)

    @property
    def untried(self) -> tuple[Untried, ...]:
        """Those of a stopped run whose turn did not come, beyond the ones in `failures`."""
        return self._untried

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
            One email for each in `failures` with somebody whose outcome `is_open`, and to them alone. Of the
            emails beyond those the contents are gone: start the plan again, with its ledger.
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
    """Counts receipts as they come; the one thing here that changes.

    An interrupt may fall anywhere, so what is counted changes in one step, the last of each method: a receipt
    is counted or it is not, and `answered` tells which. If it is not, it can be added once more.
    """

    __slots__ = (
        "_accepted", "_beyond", "_cancelled", "_exclusions", "_failures", "_listed", "_others", "_unlisted",
        "_untried",
    )  # fmt: skip

    def __init__(self) -> None:
        self._listed = 0  # emails of an earlier run among the exclusions
        self._beyond = 0  # and those that are too many for it
        self._accepted = 0  # emails to one recipient each that were accepted
        self._others = (0, dict.fromkeys(Status, 0))  # all other emails, and their recipients by status
        self._failures = _Shelf()
        self._exclusions: list[Exclusion] = []
        self._cancelled = False
        self._unlisted = 0
        self._untried: list[Untried] = []

    def add(self, receipt: Receipt) -> None:
        """Count one receipt, and keep it when somebody was not reached."""
        outcomes = receipt.outcomes
        if len(outcomes) == 1 and outcomes[0].status is Status.ACCEPTED:
            self._accepted += 1
            return
        if not receipt.ok:
            self._failures.add(receipt)
        self._plus([outcome.status for outcome in outcomes])

    def _plus(self, statuses: Iterable[Status]) -> None:
        emails, counts = self._others
        counts = dict(counts)
        for status in statuses:
            counts[status] += 1
        self._others = (emails + 1, counts)

    @property
    def answered(self) -> int:
        """How many emails have been counted, those of an earlier run too."""
        return self._accepted + self._others[0] + self._already_sent

    @property
    def _already_sent(self) -> int:
        # What is in the list counts, and not how many it should be: an interrupt may fall between the two.
        listed = sum(exclusion.reason is ExclusionReason.ALREADY_SENT for exclusion in self._exclusions)
        return listed + self._beyond

    def count(self, status: Status, recipients: int) -> None:
        """Count an email that reached all its recipients and of which no receipt is at hand."""
        self._plus([status] * recipients)

    def exclude(self, exclusion: Exclusion) -> None:
        """Keep somebody who was left out; of a great many sent to in an earlier run, the first."""
        if exclusion.reason is not ExclusionReason.ALREADY_SENT:
            self._exclusions.append(exclusion)
            return
        if self._listed < _MOST_ALREADY_SENT:
            self._exclusions.append(exclusion)
            self._listed += 1
        else:
            self._beyond += 1

    def cancel(self) -> None:
        """Note that the run was stopped before its end."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped before its end."""
        return self._cancelled

    def count_untried(self, email: Email) -> None:
        """Count an email that a stopped run did not come to; only names are kept of it."""
        self._plus([Status.NOT_ATTEMPTED] * len(email.recipients.all))
        self._unlisted += 1
        self._untried += [
            Untried(email.key, mailbox.addr_spec, mailbox.display_name) for mailbox in email.recipients.all
        ]

    def take_over(self, report: Report) -> None:
        """Add what another run came to."""
        emails, counts = self._others
        for status in Status:
            counts[status] += getattr(report, status.value)
        self._others = (emails + report.emails, counts)
        for receipt in report.failures:
            self._failures.add(receipt)
        bare = report.named[len(report.failures) :]
        self._failures.rest += bare
        self._unlisted += report.unlisted - len(bare)
        self._untried += report.untried
        listed = sum(exclusion.reason is ExclusionReason.ALREADY_SENT for exclusion in report.exclusions)
        for exclusion in report.exclusions:
            self.exclude(exclusion)
        self._beyond += report.already_sent - listed
        self._cancelled = self._cancelled or report.cancelled

    def report(self) -> Report:
        """The state of things so far."""
        emails, counts = self._others
        return Report(
            emails=self._accepted + emails,
            accepted=self._accepted + counts[Status.ACCEPTED],
            refused=counts[Status.REFUSED],
            deferred=counts[Status.DEFERRED],
            unknown=counts[Status.UNKNOWN],
            not_attempted=counts[Status.NOT_ATTEMPTED],
            handed_over=counts[Status.HANDED_OVER],
            failures=self._failures.whole,
            exclusions=self._exclusions,
            already_sent=self._already_sent,
            cancelled=self._cancelled,
            unlisted=self._unlisted + len(self._failures.rest),
            rest=self._failures.rest,
            untried=self._untried,
        )
