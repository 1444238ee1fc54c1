"""The table of a plan's emails: who each goes to, which copies, and how it ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from vetmail_core.cli.layout import Table

if TYPE_CHECKING:
    from vetmail_core.bulk import BulkPlan, PlanSummary
    from vetmail_core.message import Email

__all__ = ["TableOfEmails", "named"]

_IN_QUOTES: Final = frozenset(',;<>"')


class TableOfEmails:
    """A row for each email, in columns as wide as the plan needs them.

    Args:
        plan: walked once, for its summary and the width of the columns.

    Attributes:
        summary: the plan's.
        total: how many rows there will be.
    """

    def __init__(self, plan: BulkPlan) -> None:
        self._table = Table(sys.stdout, "#", "to", "copies", "outcome")
        self.summary: PlanSummary = plan.summary(seen=self._measure)
        self.total = self.summary.emails
        self._table.measure(f"{self.total}/{self.total}")

    def join(self, email: Email) -> None:
        """Show one email to everybody in place of the plan's."""
        self.total = 1
        self._measure(email)

    def row(self, number: int, email: Email, outcome: str) -> None:
        """Print the row of one email."""
        self._table.row(f"{number}/{self.total}", named(email), _copies(email), outcome)

    def _measure(self, email: Email) -> None:
        self._table.measure("", named(email), _copies(email))


def named(email: Email) -> str:
    """Who an email is for, as people read it; a name with a comma in it stands in quotes."""
    return ", ".join(
        f"{_quoted(m.display_name)} <{m.addr_spec}>" if m.display_name else m.addr_spec
        for m in email.recipients.to
    )


def _quoted(name: str) -> str:
    if _IN_QUOTES.isdisjoint(name):
        return name
    escaped = name.replace('"', "'")
    return f'"{escaped}"'


def _copies(email: Email) -> str:
    recipients = email.recipients
    if not (recipients.cc or recipients.bcc):
        return ""
    parts = [("cc " + m.addr_spec) for m in recipients.cc] + [("bcc " + m.addr_spec) for m in recipients.bcc]
    return ", ".join(parts)
