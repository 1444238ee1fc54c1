"""`Mailings`: enqueue, open_slices, deliver_slice, report, progress, stop, resume, forget.

Two workers on one slice are harmless, and so is a call that comes twice or never. What happens to mail is a
result; exceptions are for misuse.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import LedgerError, wrong_type
from vetmail_core.ledger.delivery import Delivery
from vetmail_core.ledger.policy import LedgerState, forgotten
from vetmail_core.mailings.reading import GIVEN_UP_SECONDS, TRIES, Known, find, report_of, slice_emails
from vetmail_core.mailings.values import Mailing, MailingProgress, SliceResult
from vetmail_core.mailings.writing import PlanFailedError, when, write_down
from vetmail_core.receipts import Cause, Receipt, Report, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from vetmail_core.bulk import BulkPlan
    from vetmail_core.ledger.delivery import Delivers
    from vetmail_core.ledger.policy import Ledger
    from vetmail_core.ledger.tables import Statements, Tables

    class KeepsTables(Ledger, Protocol):
        """A ledger in a database."""

        @property
        def tables(self) -> Tables:
            """Its statements."""
            ...


__all__ = ["Mailings"]

_LOOK_SECONDS: Final = 0.3  # how long a stop may go unnoticed
_LONGEST_PAUSE_SECONDS: Final = 3600.0
_HIGHEST_FACTOR: Final = 1 << 20
_QUOTA_SECONDS: Final = 3600.0  # before a server is asked again that said that the day's allowance is used up
# In this order, the recipient who needs attention most says how an email counts.
_NEEDIEST: Final = (
    Status.UNKNOWN,
    Status.NOT_ATTEMPTED,
    Status.DEFERRED,
    Status.ACCEPTED,
    Status.HANDED_OVER,
    Status.REFUSED,
)
# An email of a slice that may still be sent: never tried or given back, put off, or in a worker's hands.
_OPEN: Final = "(e.key IS NULL OR e.state='attempting' OR (e.state='deferred' AND m.since > ?))"
_JOINED: Final = (
    "@planned p JOIN @slices s ON s.id=p.slice JOIN @mailings m ON m.id=s.mailing"
    " LEFT JOIN @emails e ON e.key=p.key"
)


class Mailings:
    """Mailings in a ledger's database.

    Args:
        ledger: a `SqliteLedger` for the workers of one machine, a `PostgresLedger` for a fleet.
        clock: tells how long a slice has taken.

    Raises:
        TypeError: the ledger keeps no tables; a host's own has none.
    """

    def __init__(self, ledger: KeepsTables, *, clock: Clock | None = None) -> None:
        if not hasattr(ledger, "tables"):
            raise wrong_type(
                "Mailings()",
                "a SqliteLedger or a PostgresLedger",
                ledger,
                "Open one with SqliteLedger(path) or PostgresLedger(conninfo).",
            )
        self._ledger = ledger
        self._tables = ledger.tables
        self._clock = SystemClock() if clock is None else clock

    def enqueue(self, plan: BulkPlan, *, slice_emails: int = 250) -> Mailing:
        """Write a plan down: all of it, or nothing.

        Args:
            plan: with a batch; each person with a key. Walked once, in flat memory.
            slice_emails: how many emails a slice has.

        Returns:
            The mailing. The same batch with the same emails is the same mailing, and nothing is written.

        Raises:
            RecipientsError: no batch, or mail of a private context.
            LedgerError: the batch was written down with other emails, one of them cannot be written down, or
                the database cannot be written.
            ValueError: a slice of no emails.
            Exception: whatever the plan raises.
        """
        if slice_emails < 1:
            raise ValueError(f"slice_emails= needs a whole number from 1, got {slice_emails!r}.")
        try:
            with self._tables.writing() as statements:
                return write_down(plan, statements, slice_emails=slice_emails)
        except PlanFailedError as error:
            failure = error.failure
        raise failure  # out here, as it is: it has nothing to do with the database

    def open_emails(self) -> int:
        """How many emails may still be sent; none of mailings that are stopped, or of poisoned slices.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._tables.reading() as statements:
            ((left,),) = statements.rows(
                f"SELECT count(*) FROM {_JOINED} WHERE m.stopped=0 AND m.forgotten IS NULL"  # noqa: S608 - our own words
                f" AND s.tries<? AND {_OPEN}",
                TRIES,
                statements.now - GIVEN_UP_SECONDS,
            )
        return int(left)

    def open_slices(self, *, quiet_seconds: float = 60.0, most: int = 1_000_000) -> tuple[int, ...]:
        """Find slices that somebody should be at and nobody is; each is told once, to one caller.

        What runs that died left behind is worked out first. A slice whose last call brought no email to its
        end waits longer each time, up to an hour.

        Args:
            quiet_seconds: how long a slice must not have been begun, or been told.
            most: how many to tell at most.

        Raises:
            LedgerError: the database cannot be read or written.
        """
        self._tables.recover_all()
        with self._tables.writing() as statements:
            statements.lock("sweep")
            now = statements.now
            found = statements.rows(
                "SELECT s.id FROM @slices s JOIN @mailings m ON m.id=s.mailing"
                " WHERE m.stopped=0 AND m.forgotten IS NULL AND s.tries<? AND s.until<=?"
                " AND (s.woken IS NULL OR s.woken + CASE WHEN s.factor * ? > ? THEN ? ELSE s.factor * ? END"
                " <= ?) AND EXISTS (SELECT 1 FROM @planned p LEFT JOIN @emails e ON e.key=p.key"
                " WHERE p.slice=s.id AND (e.key IS NULL OR (e.state='deferred' AND m.since>?)))"
                " AND NOT EXISTS (SELECT 1 FROM @planned p JOIN @emails e ON e.key=p.key"
                " WHERE p.slice=s.id AND e.run IS NOT NULL) ORDER BY s.id LIMIT ?",
                TRIES,
                now,
                quiet_seconds,
                _LONGEST_PAUSE_SECONDS,
                _LONGEST_PAUSE_SECONDS,
                quiet_seconds,
                now,
                now - GIVEN_UP_SECONDS,
                most,
            )
            slices = tuple(number for (number,) in found)
            statements.many("UPDATE @slices SET woken=? WHERE id=?", [(now, number) for number in slices])
        return slices

    def deliver_slice(
        self,
        id: int,  # noqa: A002 - the contract's name
        /,
        transport: Delivers,
        *,
        seconds: float = 60.0,
        stop: Callable[[], bool] = lambda: False,
    ) -> SliceResult:
        """Send what is still to be sent of a slice, in order. Once, twice or by two workers: each email once.

        Args:
            id: the slice's number.
            transport: where the emails go; it stays open.
            seconds: after them the call ends with the email at hand; the sweep finds the rest.
            stop: asked before each email; once it says True no more are sent.

        Raises:
            LedgerError: the slice is unknown; or the database cannot be read or written, after what had left
                was heard out.
        """
        with self._tables.writing() as statements:
            mailing = find(statements, slice_id=id)
            ((tries,),) = statements.rows("SELECT tries FROM @slices WHERE id=?", id)
            if tries >= TRIES or mailing.stopped or mailing.forgotten is not None:
                return SliceResult(counts={}, open=_open(statements, id, mailing), poisoned=tries >= TRIES)
            open_before = _open(statements, id, mailing)
            if not open_before:
                return SliceResult(counts=_ended(statements, id), open=0)
            statements.many("UPDATE @slices SET tries=tries+1, woken=? WHERE id=?", [(statements.now, id)])
        pass_ = _Pass(self._tables, mailing, id, self._clock, seconds=seconds, stop=stop)
        delivery = Delivery(
            transport,
            slice_emails(self._tables, mailing, id),
            ledger=self._ledger,
            stop=pass_.is_over,
            forbidden=pass_.is_stopped,
        )
        with contextlib.closing(delivery.steps()) as steps:
            for step in steps:
                pass_.take(step if isinstance(step, Receipt) else None)
        if delivery.broken is not None:
            raise LedgerError(
                f"The ledger could not be read or written, so slice {id} is not at its end:"
                f" {delivery.broken}. The sweep finds it again."
            ) from delivery.broken
        return pass_.end(getattr(transport, "goes_on", None) or 0.0)

    def report(self, batch: str) -> Report:
        """What became of everybody, complete at any moment because it starts from the list.

        Whoever has not been tried is NOT_ATTEMPTED, with the reason.

        Raises:
            LedgerError: the batch is unknown, or has been forgotten.
        """
        self._tables.recover_all()
        with self._tables.reading() as statements:
            mailing = find(statements, batch=batch)
        if mailing.forgotten is not None:
            raise LedgerError(
                f"The mailing {batch!r} was forgotten on {when(mailing.forgotten)}: its texts and addresses"
                " are gone, so there is no report. Its progress still counts."
            )
        return report_of(self._tables, mailing)

    def progress(self, batch: str) -> MailingProgress:
        """How far a mailing is; one question to the database, good for a page that asks every second.

        Raises:
            LedgerError: the batch is unknown.
        """
        with self._tables.reading() as statements:
            mailing = find(statements, batch=batch)
            rows = statements.rows(
                f"SELECT e.state, count(*), sum(CASE WHEN {_OPEN} THEN 1 ELSE 0 END)"  # noqa: S608 - our own words
                f" FROM {_JOINED} WHERE m.id=? GROUP BY e.state",
                statements.now - GIVEN_UP_SECONDS,
                mailing.id,
            )
            poisoned = statements.rows(
                "SELECT id FROM @slices WHERE mailing=? AND tries>=? ORDER BY place", mailing.id, TRIES
            )
        counts: Counter[str] = Counter()
        for state, emails, _ in rows:
            counts[_status_of(state)] += emails
        return MailingProgress(
            batch=batch,
            emails=mailing.emails,
            counts=counts,
            open=sum(int(may_be_sent) for _, _, may_be_sent in rows),
            poisoned=tuple(number for (number,) in poisoned),
            stopped=mailing.stopped,
            enqueued_at=datetime.fromtimestamp(mailing.at, UTC),
        )

    def stop(self, batch: str) -> None:
        """Stop a mailing: one second after this returns, none of its emails begins.

        Raises:
            LedgerError: the batch is unknown.
        """
        with self._tables.writing() as statements:
            mailing = find(statements, batch=batch)
            statements.many("UPDATE @mailings SET stopped=1 WHERE id=?", [(mailing.id,)])

    def resume(self, batch: str) -> None:
        """Let a mailing go on: what was stopped, what is poisoned, and what was given up after two days.

        Raises:
            LedgerError: the batch is unknown.
        """
        with self._tables.writing() as statements:
            mailing = find(statements, batch=batch)
            statements.many(
                "UPDATE @mailings SET stopped=0, since=? WHERE id=?", [(statements.now, mailing.id)]
            )
            statements.many(
                "UPDATE @slices SET tries=0, factor=1, woken=NULL, until=0 WHERE mailing=?", [(mailing.id,)]
            )

    def forget(self, *, before: datetime) -> int:
        """Remove the texts, names and addresses of mailings in which nothing is open and nothing in doubt.

        Keys and states stay: the same batch, enqueued again, sends to nobody who had it.

        Args:
            before: aware; mailings that were written down before it.

        Returns:
            How many mailings were forgotten.

        Raises:
            LedgerError: the database cannot be written.
            TypeError: the moment has no time zone.
        """
        if before.tzinfo is None:
            raise TypeError(
                f"before= needs a datetime with a time zone, got {before!r}. Write datetime(..., tzinfo=UTC)."
            )
        self._tables.recover_all()
        with self._tables.writing() as statements:
            mailings = statements.rows(
                "SELECT m.id FROM @mailings m WHERE m.at<? AND m.forgotten IS NULL AND NOT EXISTS"  # noqa: S608 - our own words
                " (SELECT 1 FROM @slices s JOIN @planned p ON p.slice=s.id LEFT JOIN @emails e ON e.key=p.key"
                f" WHERE s.mailing=m.id AND (e.state='unknown' OR {_OPEN}))",
                before.timestamp(),
                statements.now - GIVEN_UP_SECONDS,
            )
            for (mailing,) in mailings:
                _forget(statements, mailing)
        return len(mailings)


class _Pass:
    """One call of `deliver_slice`: what it counts, and when it is over."""

    def __init__(
        self,
        tables: Tables,
        mailing: Known,
        number: int,
        clock: Clock,
        *,
        seconds: float,
        stop: Callable[[], bool],
    ) -> None:
        self._tables = tables
        self._mailing = mailing
        self._number = number
        self._clock = clock
        self._stop = stop
        now = clock.monotonic()
        self._until = now + seconds
        self._look = now + _LOOK_SECONDS
        self._over = self._stopped = False
        self._counts: Counter[str] = Counter()
        self._ended = self._answers = 0
        self._quota = False

    def is_over(self) -> bool:
        """Whether no further email may begin."""
        self._over = self.is_stopped() or self._clock.monotonic() >= self._until or self._stop()
        return self._over

    def is_stopped(self) -> bool:
        """Whether the mailing was stopped; looked up now and then."""
        now = self._clock.monotonic()
        if not self._stopped and now >= self._look:
            self._look = now + _LOOK_SECONDS
            with self._tables.reading() as statements:
                self._stopped = find(statements, slice_id=self._number).stopped
        return self._stopped

    def take(self, receipt: Receipt | None) -> None:
        """Count an answer; None is an email that was passed over."""
        if receipt is None:
            self._counts["already_sent"] += 1
            return
        statuses = {outcome.status for outcome in receipt.outcomes}
        cause = receipt.outcomes[0].cause
        if statuses == {Status.NOT_ATTEMPTED} and cause is Cause.CANCELLED:
            return  # it was not its turn
        self._counts[next(status for status in _NEEDIEST if status in statuses).value] += 1
        if not self._answers:
            # It came to an answer without killing its worker.
            self._write("UPDATE @slices SET tries=0 WHERE id=?", self._number)
        self._answers += 1
        self._ended += not any(outcome.is_open for outcome in receipt.outcomes) and bool(receipt.attempts)
        self._quota = self._quota or cause is Cause.DAILY_QUOTA

    def end(self, goes_on: float) -> SliceResult:
        """Write down how it went, for the sweep.

        Args:
            goes_on: when a used-up day goes on, in seconds since 1970; 0 when nobody knows.
        """
        with self._tables.writing() as statements:
            now = statements.now
            doubled = f"CASE WHEN factor<{_HIGHEST_FACTOR} THEN factor*2 ELSE factor END"
            factor = "1" if self._ended else doubled
            statements.many(
                f"UPDATE @slices SET tries=0, woken=?, until=?, factor={factor} WHERE id=?",  # noqa: S608 - our own words
                [(now, max(goes_on, now + _QUOTA_SECONDS) if self._quota else 0, self._number)],
            )
            left = _open(statements, self._number, self._mailing)
        return SliceResult(counts=self._counts, open=left)

    def _write(self, statement: str, *values: Any) -> None:  # noqa: ANN401 - values of columns
        with self._tables.writing() as statements:
            statements.many(statement, [values])


def _open(statements: Statements, number: int, mailing: Known) -> int:
    if mailing.forgotten is not None:
        return 0
    ((left,),) = statements.rows(
        f"SELECT count(*) FROM {_JOINED} WHERE s.id=? AND {_OPEN}",  # noqa: S608 - our own words
        number,
        statements.now - GIVEN_UP_SECONDS,
    )
    return int(left)


def _ended(statements: Statements, number: int) -> Counter[str]:
    """What a slice in which nothing is open counts: those who had it, and those in doubt."""
    counts: Counter[str] = Counter()
    for state, emails in statements.rows(
        f"SELECT e.state, count(*) FROM {_JOINED} WHERE s.id=? GROUP BY e.state",  # noqa: S608 - our own words
        number,
    ):
        counts[state if state in {"unknown", "deferred"} else "already_sent"] += emails
    return counts


def _status_of(state: str | None) -> str:
    return Status.NOT_ATTEMPTED.value if state is None or state == LedgerState.ATTEMPTING else state


def _forget(statements: Statements, mailing: int) -> None:
    rows = statements.rows(
        f"SELECT e.key, e.state, e.detail FROM {_JOINED} WHERE m.id=? AND e.key IS NOT NULL",  # noqa: S608 - our own words
        mailing,
    )
    statements.many(
        "UPDATE @emails SET detail=?, recipients=NULL WHERE key=?",
        [(forgotten(LedgerState(state), detail), key) for key, state, detail in rows],
    )
    statements.many(
        "DELETE FROM @notices WHERE email IN (SELECT id FROM @emails WHERE key=?)",
        [(key,) for key, _, _ in rows],
    )
    slices = [(number,) for (number,) in statements.rows("SELECT id FROM @slices WHERE mailing=?", mailing)]
    statements.many("UPDATE @planned SET email=NULL WHERE slice=?", slices)
    statements.many("DELETE FROM @files WHERE mailing=?", [(mailing,)])
    statements.many("DELETE FROM @left_out WHERE mailing=?", [(mailing,)])
    statements.many("UPDATE @mailings SET base=NULL, forgotten=? WHERE id=?", [(statements.now, mailing)])
