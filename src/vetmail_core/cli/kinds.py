"""Complaints by their kind: as long as there are kinds, however many people there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TextIO

import attrs

from vetmail_core.cli.layout import tell
from vetmail_core.cli.table_of_emails import named
from vetmail_core.receipts import Cause, Status
from vetmail_core.recipients import ExclusionReason

if TYPE_CHECKING:
    from vetmail_core.receipts import Outcome, Receipt, Report
    from vetmail_core.recipients import Exclusion

__all__ = ["Kinds", "complain"]

_SHOWN: Final = 20  # of a kind
_WENT: Final = frozenset({Status.ACCEPTED, Status.HANDED_OVER})


@attrs.define
class _Kind:
    """One kind of thing: how often it happened, and to whom first."""

    alone: str
    count: int = 0
    lines: list[str] = attrs.field(factory=list[str])


class Kinds:
    """Collects what happened, and says it: one head line for each kind, and the first of its people.

    Args:
        everything: list them all.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._kinds: dict[tuple[str, str, str], _Kind] = {}

    def add(self, head: str, line: str, *, alone: str, people: str = "people", advice: str = "") -> None:
        """Take in what happened to somebody.

        Args:
            head: of the kind, such as "left out: no address".
            line: who it happened to, below the head.
            alone: the same as one line, for a kind of one.
            people: what several are called.
            advice: what to do about all of the kind.
        """
        kind = self._kinds.setdefault((head, advice, people), _Kind(alone))
        kind.count += 1
        if self._everything or len(kind.lines) < _SHOWN:
            kind.lines.append(line)

    def add_more(self, head: str, count: int) -> None:
        """Count more people of a kind whose names nobody has kept."""
        self._kinds.setdefault((head, "", "people"), _Kind(head)).count += count

    def leave_out(self, exclusion: Exclusion) -> None:
        """Take in somebody who is left out."""
        person = exclusion.person
        who = " ".join(part for part in (person.key, person.name) if part)
        reason = exclusion.reason.value.replace("_", " ")
        detail = " ".join(exclusion.detail.split())
        self.add(f"left out: {reason}", f"{who}: {detail}", alone=f"left out: {who}: {reason}: {detail}")

    def miss(self, receipt: Receipt, outcome: Outcome) -> None:
        """Take in a recipient who was not reached."""
        # Who may have the email must not read as who has not: somebody would send it again.
        word = "in doubt" if outcome.status is Status.UNKNOWN else "not sent"
        to = named(receipt.email)
        who = f"{to}: {outcome.mailbox.addr_spec}"
        status = outcome.status.value.replace("_", " ")
        said = f" ({outcome.said})" if outcome.said else ""
        advice = f": {outcome.advice}" if outcome.advice else ""
        cause = "" if outcome.cause is None else f", {outcome.cause.value.replace('_', ' ')}"
        self.add(
            word if outcome.status is Status.UNKNOWN else f"{word}: {status}{cause}",
            f"{to if outcome.mailbox in receipt.email.recipients.to else who}{said}",
            alone=f"{word}: {who} {status}{said}{advice}",
            people="recipients",
            advice=outcome.advice or "",
        )

    def say(self, out: TextIO) -> None:
        """Print what was collected."""
        for (head, advice, people), kind in self._kinds.items():
            if kind.count == 1:
                tell(kind.alone, out=out)
                continue
            tell(f"{head} ({kind.count} {people}){f': {advice}' if advice else ''}", out=out)
            for line in kind.lines:
                tell(f"  {line}", out=out)
            if kind.count > len(kind.lines):
                more = "" if self._everything else "; -v lists them"
                tell(f"  and {kind.count - len(kind.lines)} more{more}", out=out)


def complain(report: Report, *, everything: bool) -> None:
    """Say on stderr who was not sent to, and why.

    Args:
        report: of the run.
        everything: however many there are of a kind.
    """
    if report.cancelled:
        tell("interrupted; nobody further was written to", out=sys.stderr)
    kinds = Kinds(everything=everything)
    for receipt in report.named:
        for outcome in receipt.outcomes:
            if outcome.status not in _WENT:
                kinds.miss(receipt, outcome)
    for untried in report.untried:
        kinds.add(
            "not sent: not attempted, cancelled",
            untried.address,
            alone=f"not sent: {untried.address}, whose turn did not come",
            people="recipients",
            advice=Cause.CANCELLED.advice,
        )
    sent = 0
    for exclusion in report.exclusions:
        kinds.leave_out(exclusion)
        sent += exclusion.reason is ExclusionReason.ALREADY_SENT
    if report.already_sent > sent:
        kinds.add_more("left out: already sent", report.already_sent - sent)
    kinds.say(sys.stderr)
