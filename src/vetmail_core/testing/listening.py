"""A mailer that tells its outbox whom it left out.

What it is for: the hint "she was left out of the plan: no marketing mail" when an email is missing. What it
refuses: to do anything else differently. Its law: it is the mailer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.mailer import Mailer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core.bulk import BulkPlan
    from vetmail_core.ledger import Ledger
    from vetmail_core.message import Email
    from vetmail_core.people import Staff
    from vetmail_core.preferences import EmailPreferences
    from vetmail_core.receipts import Receipt, Report
    from vetmail_core.testing.outbox import Outbox

__all__ = ["ListeningMailer"]


class ListeningMailer(Mailer):
    """A mailer on a line of its own into an outbox; closing it leaves the outbox open.

    Args:
        outbox: where the mail goes.
        preferences: whose rules apply.
        staff: who sends.
    """

    def __init__(self, outbox: Outbox, preferences: EmailPreferences, *, staff: Staff | None) -> None:
        super().__init__(preferences, staff=staff, transport=outbox.line(), clock=outbox.clock)
        self._outbox = outbox

    def send_bulk(
        self,
        plan: BulkPlan | Iterable[Email],
        *,
        ledger: Ledger | None = None,
        progress: Callable[[Receipt], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        retry_unknown: bool = False,
    ) -> Report:
        """Send, and tell the outbox who was left out; see `Mailer.send_bulk`."""
        report = super().send_bulk(
            plan, ledger=ledger, progress=progress, cancel=cancel, retry_unknown=retry_unknown
        )
        self._outbox.heard(report.exclusions)
        return report
