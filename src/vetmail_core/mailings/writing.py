"""A plan becomes rows: all of them, or none.

A million emails are written down in flat memory. The same batch is the same mailing; another plan under its
name is refused.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from vetmail_core.errors import LedgerError, RecipientsError
from vetmail_core.mailings.codec import SCHEMA, Shared, encoded
from vetmail_core.mailings.values import Mailing
from vetmail_core.message import Email

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.bulk import BulkPlan
    from vetmail_core.ledger.tables import Statements
    from vetmail_core.recipients import Exclusion

__all__ = ["PlanFailedError", "dumped", "known_mailing", "when", "write_down"]

_AT_ONCE: Final = 500  # rows of one call


class PlanFailedError(Exception):
    """The plan itself raised; kept apart from what the database raises, which an OSError may be too.

    Args:
        failure: what it raised.
    """

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure


def dumped(value: object) -> str:
    """JSON in a form that is the same for the same value."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def when(at: float) -> str:
    """A moment, for a sentence."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def write_down(plan: BulkPlan, statements: Statements, *, slice_emails: int) -> Mailing:
    """Write a plan down within a transaction, or find that it has been.

    Raises:
        RecipientsError: no batch, or mail of a private context.
        LedgerError: the batch has been written down with other emails, or holds what cannot be.
        Exception: whatever the plan raises.
    """
    _check(plan)
    statements.lock(f"mailing {plan.batch}")
    known = statements.rows("SELECT id, at, digest FROM @mailings WHERE batch=?", plan.batch)
    if known:
        ((mailing, at, digest),) = known
        if _Writing(plan, None, 0, slice_emails).digest() != digest:
            raise LedgerError(
                f"The batch {plan.batch!r} was written down on {when(at)} with other people or another text;"
                " nothing was written. Give a new mailing a name of its own, or enqueue the same emails."
            )
        return known_mailing(plan.batch, mailing, statements)
    mailing = statements.add(
        "mailings", batch=plan.batch, at=statements.now, since=statements.now, schema=SCHEMA
    )
    writing = _Writing(plan, statements, mailing, slice_emails)
    digest = writing.digest()
    base = None if writing.shared.base is None else dumped(writing.shared.base)
    statements.rows(
        "UPDATE @mailings SET digest=?, emails=?, base=? WHERE id=?",
        digest,
        writing.emails,
        base,
        mailing,
    )
    return known_mailing(plan.batch, mailing, statements)


def known_mailing(batch: str, mailing: int, statements: Statements) -> Mailing:
    """What the host is told of a mailing that is written down."""
    slices = statements.rows("SELECT id FROM @slices WHERE mailing=? ORDER BY place", mailing)
    ((emails,),) = statements.rows("SELECT emails FROM @mailings WHERE id=?", mailing)
    return Mailing(batch=batch, slices=tuple(number for (number,) in slices), emails=emails)


def _check(plan: BulkPlan) -> None:
    if plan.private:
        raise RecipientsError(
            "Mail of a private context holds passwords or personal results, and is not kept in a database:"
            " send it by Mailer.send or send_bulk. Nothing was written."
        )
    if not plan.batch:
        raise RecipientsError(
            "A mailing that is written down needs a name, so that it is known again; nothing was written."
            ' Plan it with batch="2026-T1 results", say.'
        )


class _Writing:
    """One walk of a plan; with statements each step is written down, without it is only looked at."""

    def __init__(
        self, plan: BulkPlan, statements: Statements | None, mailing: int, slice_emails: int
    ) -> None:
        self.shared = Shared()
        self.emails = 0
        self._plan = plan
        self._statements = statements
        self._mailing = mailing
        self._slice_emails = slice_emails
        self._slice = 0
        self._left_out = 0
        self._rows: list[tuple[Any, ...]] = []

    def digest(self) -> str:
        """Walk the plan; what tells these emails from others."""
        digest = blake2b(digest_size=16)
        for text in self._walk():
            digest.update(text.encode())
        self._flush()
        if self.shared.base is not None:
            digest.update(dumped(self.shared.base).encode())
        return digest.hexdigest()

    def _walk(self) -> Iterator[str]:
        for step in self._steps():
            if isinstance(step, Email):
                text = dumped(encoded(step, self.shared))
                self._put(step, text)
                yield text
            else:
                self._leave_out(step)

    def _steps(self) -> Iterator[Email | Exclusion]:
        try:
            yield from self._plan.steps()
        except Exception as error:
            raise PlanFailedError(error) from error

    def _put(self, email: Email, text: str) -> None:
        if self._statements is None:
            self.shared.files.clear()
            return
        place = self.emails % self._slice_emails
        if place == 0:
            self._slice = self._statements.add(
                "slices", mailing=self._mailing, place=self.emails // self._slice_emails
            )
        self.emails += 1
        self._rows.append((self._slice, place, email.key, len(email.recipients.all), text))
        if len(self._rows) >= _AT_ONCE or self.shared.files:
            self._flush()

    def _leave_out(self, exclusion: Exclusion) -> None:
        if self._statements is None:
            return
        person = exclusion.person
        told = {
            "key": person.key,
            "name": person.name,
            "address": None if person.address is None else str(person.address),
            "reason": exclusion.reason.value,
            "detail": exclusion.detail,
        }
        self._statements.many(
            "INSERT INTO @left_out (mailing, place, person) VALUES (?, ?, ?)",
            [(self._mailing, self._left_out, dumped(told))],
        )
        self._left_out += 1

    def _flush(self) -> None:
        if self._statements is None:
            return
        rows, self._rows = self._rows, []
        if rows:
            self._statements.many(
                "INSERT INTO @planned (slice, place, key, recipients, email) VALUES (?, ?, ?, ?, ?)", rows
            )
        files = [(self._mailing, digest, data) for digest, data in self.shared.files.items()]
        if files:
            self._statements.many(
                "INSERT INTO @files (mailing, digest, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", files
            )
        self.shared.files.clear()
