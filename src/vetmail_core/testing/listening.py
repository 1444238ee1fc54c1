"""A mailer that tells its outbox whom it left out.

It gives the hint "she was left out: no marketing mail" when an email is missing. In everything else it is
the mailer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vetmail_core.mailer import Mailer
from vetmail_core.people import as_people, by_role
from vetmail_core.recipients import expand_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vetmail_core.address import Mailbox
    from vetmail_core.bulk import BulkPlan
    from vetmail_core.contexts import EmailContext
    from vetmail_core.ledger import Ledger
    from vetmail_core.message import Content, Email
    from vetmail_core.people import Person, Staff
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
        wait = preferences.mail_server.wait_between_emails_ms if preferences.use_built_in_client else 0
        line = outbox.line(wait_between_emails_ms=wait)
        super().__init__(preferences, staff=staff, transport=line, clock=outbox.clock)
        self._outbox = outbox

    def send(
        self,
        content: Content,
        *,
        to: Iterable[Mailbox | str] | Mailbox | str | None = (),
        cc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        bcc: Iterable[Mailbox | str] | Mailbox | str | None = (),
        context: EmailContext | str | None = None,
        people: Mapping[str, Iterable[Person] | Person] | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
        reply_to: Iterable[Mailbox | str] | Mailbox | str | None = None,
        key: str = "",
        ledger: Ledger | None = None,
        retry_unknown: bool = False,
    ) -> Receipt:
        """Send, and tell the outbox who was left out; see `Mailer.send`."""
        held = {role: as_people(some) for role, some in by_role(people or {}).items()}
        if context is not None:
            self._outbox.heard(expand_context(context, held, self.preferences).exclusions)
        receipt = super().send(
            content,
            to=to,
            cc=cc,
            bcc=bcc,
            context=context,
            people=held,
            headers=headers,
            fields=fields,
            reply_to=reply_to,
            key=key,
            ledger=ledger,
            retry_unknown=retry_unknown,
        )
        # The mailer may have written its own warnings on a copy, which nobody watches.
        return self._outbox.watched(receipt)

    def send_bulk(
        self,
        plan: BulkPlan | Iterable[Email],
        *,
        ledger: Ledger | None = None,
        progress: Callable[[Receipt], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        retry_unknown: bool = False,
        new_keys: bool = False,
    ) -> Report:
        """Send, and tell the outbox who was left out; see `Mailer.send_bulk`."""
        report = super().send_bulk(
            plan,
            ledger=ledger,
            progress=progress,
            cancel=cancel,
            retry_unknown=retry_unknown,
            new_keys=new_keys,
        )
        self._outbox.heard(report.exclusions)
        return report
