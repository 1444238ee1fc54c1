"""Limits that all workers hold together: a rate, connections, and the recipients of 24 hours.

For a mailbox, a tenant or a relay that several processes send through. The ledger's database decides by its
clock whose turn it is. A day's allowance that is used up ends a run; nothing sleeps for hours.
"""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, Self

import attrs

from vetmail_core.bulk.pace import at_least, least_seconds
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import TransportValueError, wrong_type
from vetmail_core.receipts import Cause, Status

if TYPE_CHECKING:
    from collections.abc import Generator

    from vetmail_core.bulk import PlanSummary
    from vetmail_core.ledger.tables import Statements, Tables
    from vetmail_core.receipts import Receipt

    class KeepsTables(Protocol):
        """A ledger in a database."""

        @property
        def tables(self) -> Tables:
            """Its statements."""
            ...


__all__ = ["Forecast", "SharedSpacing", "forecast"]

_HOUR: Final = 3600
_DAY_HOURS: Final = 24
_MINUTE: Final = 60.0
_FIRST_PENALTY: Final = 1.0
_LONGEST_PENALTY: Final = 60.0
_KEPT_AFTER_SUCCESS: Final = 0.9
_NEGLIGIBLE: Final = 0.05
_LEASE: Final = 60.0
_LOOK_AGAIN: Final = 0.2  # seconds, while every place is taken
_COUNTS: Final = frozenset({Status.ACCEPTED, Status.HANDED_OVER, Status.UNKNOWN})


@attrs.frozen(kw_only=True)
class Forecast:
    """How long a mailing takes, and how much of it goes today.

    Attributes:
        seconds: at least, without the pause until the allowance goes on; 0.0 where no rate is known.
        today: recipients that the allowance of 24 hours still takes.
        later: recipients after that.
        goes_on: when the allowance takes more, aware, UTC; None where nobody has to wait.
        per_day: the allowance; None where none is known.
    """

    seconds: float
    today: int
    later: int
    goes_on: datetime | None = None
    per_day: int | None = None

    def __str__(self) -> str:
        over = ""
        if self.later:
            over = f"{self.later:,} are over the {self.per_day or 0:,} of a day"
            if self.goes_on is not None:
                over += f" and go from {self.goes_on:%Y-%m-%d %H:%M} UTC"
        return "; ".join(part for part in (at_least(self.seconds), over) if part) or "no limit is known"


def forecast(
    summary: PlanSummary,
    *,
    per_minute: float | None = None,
    recipients_per_day: int | None = None,
    used: int = 0,
    goes_on: datetime | None = None,
) -> Forecast:
    """What the limits of a server mean for a mailing.

    Args:
        summary: of the plan.
        per_minute: emails.
        recipients_per_day: recipients in 24 hours.
        used: recipients of the last 24 hours.
        goes_on: when the allowance takes more.
    """
    recipients = summary.recipients
    left = recipients if recipients_per_day is None else max(0, recipients_per_day - used)
    # An email whose recipients do not all fit goes later as a whole.
    each = math.ceil(recipients / summary.emails) if summary.emails else 1
    today = recipients if recipients <= left else left // each * each
    later = recipients - today
    return Forecast(
        seconds=least_seconds(summary.emails, per_minute=per_minute),
        today=today,
        later=later,
        goes_on=goes_on if later else None,
        per_day=recipients_per_day,
    )


class SharedSpacing:
    """Limits that all workers of a ledger hold together. A context manager: ``with spacing:`` is one turn.

    Hand it to `Spaced`, which also holds a connection's place while it delivers, and the day's allowance. For
    a mailbox and the tenant it belongs to, make two and wrap twice: the stricter one wins.

    Args:
        ledger: a `SqliteLedger` or a `PostgresLedger`; for all workers the same.
        name: the mailbox, the tenant or the relay.
        per_minute: emails; None for any number.
        connections: at the server at once; None for any number.
        recipients_per_day: recipients in 24 hours; accepted and in doubt count.
        longest_pause: how long a server that throttles may slow everybody down for one turn, seconds.
        lease_seconds: how long the place of a worker that died is kept.
        clock: waits.

    Raises:
        ValueError: a limit that is not above zero.
        TypeError: the ledger keeps no tables; a host's own has none.
    """

    def __init__(
        self,
        ledger: KeepsTables,
        name: str,
        *,
        per_minute: float | None = None,
        connections: int | None = None,
        recipients_per_day: int | None = None,
        longest_pause: float = _LONGEST_PENALTY,
        lease_seconds: float = _LEASE,
        clock: Clock | None = None,
    ) -> None:
        if not hasattr(ledger, "tables"):
            raise wrong_type(
                "SharedSpacing()",
                "a SqliteLedger or a PostgresLedger",
                ledger,
                "Open one with SqliteLedger(path) or PostgresLedger(conninfo).",
            )
        for limit in (per_minute, connections, recipients_per_day):
            if limit is not None and not limit > 0:
                raise TransportValueError(f"A limit of SharedSpacing() must be above 0, got {limit!r}.")
        self._tables = ledger.tables
        self.name: Final = name
        self._per_minute = per_minute
        self._connections = connections
        self._per_day = recipients_per_day
        self._longest_pause = longest_pause
        self._lease = lease_seconds
        self._clock = SystemClock() if clock is None else clock
        self._penalty = 0.0
        self._place: int | None = None
        self.goes_on: float | None = None
        """When a day that is used up goes on, in seconds since 1970; None while it is not."""

    def __enter__(self) -> Self:
        """Wait for the turn."""
        gap = 0.0 if self._per_minute is None else _MINUTE / self._per_minute
        with self._tables.writing() as statements:
            start, self._penalty = self._next_turn(statements, gap)
            wait = start - statements.now
            if self._place is not None:
                statements.many(
                    "UPDATE @places SET until=? WHERE id=?",
                    [(max(start, statements.now) + self._lease, self._place)],
                )
        if wait > 0:
            self._clock.sleep(wait)
        return self

    def __exit__(self, *_error: object) -> None:
        """The turn is over; nothing has to be given back."""

    def _next_turn(self, statements: Statements, gap: float) -> tuple[float, float]:
        statements.many("INSERT INTO @turns (name) VALUES (?) ON CONFLICT (name) DO NOTHING", [(self.name,)])
        now = statements.now
        statements.many(
            "UPDATE @turns SET next=CASE WHEN next>? THEN next ELSE ? END + ? + penalty WHERE name=?",
            [(now, now, gap, self.name)],
        )
        ((after, penalty),) = statements.rows("SELECT next, penalty FROM @turns WHERE name=?", self.name)
        return after - gap - penalty, penalty

    @contextlib.contextmanager
    def place(self) -> Generator[None]:
        """Hold the place of one connection; wait for one where all are taken."""
        if self._connections is None:
            yield
            return
        while self._place is None:
            self._place = self._take_place(self._connections)
            if self._place is None:
                self._clock.sleep(_LOOK_AGAIN)
        try:
            yield
        finally:
            place, self._place = self._place, None
            with self._tables.writing() as statements:
                statements.many("DELETE FROM @places WHERE id=?", [(place,)])

    def _take_place(self, connections: int) -> int | None:
        with self._tables.writing() as statements:
            statements.lock(f"places {self.name}")
            now = statements.now
            statements.many("DELETE FROM @places WHERE name=? AND until<?", [(self.name, now)])
            ((taken,),) = statements.rows("SELECT count(*) FROM @places WHERE name=?", self.name)
            if taken >= connections:
                return None
            return statements.add("places", name=self.name, until=now + self._lease)

    def reserve(self, recipients: int) -> str:
        """Take some recipients out of the day's allowance.

        Returns:
            "" when they fit; otherwise a sentence with the number, and when it goes on. Nothing waits.
        """
        with self._tables.writing() as statements:
            statements.lock(f"day {self.name}")
            closed = self._closed(statements)
            used = self._used(statements)
            over = self._per_day is not None and used + recipients > self._per_day
            if closed <= statements.now and not over:
                self.goes_on = None
                self._count(statements, recipients)
                return ""
            self.goes_on = max(closed, self._goes_on(statements, recipients) if over else 0.0)
        moment = datetime.fromtimestamp(self.goes_on, UTC)
        number = "" if self._per_day is None else f" of {self._per_day:,} recipients"
        return (
            f"The allowance{number} in 24 hours is used up for {self.name} ({used:,} so far);"
            f" it goes on at {moment:%Y-%m-%d %H:%M} UTC. Start the run again then."
        )

    def answered(self, receipt: Receipt) -> None:
        """Take an answer in: give back what did not count, slow down or recover, close a day.

        Args:
            receipt: for an email whose recipients were reserved.
        """
        counted = sum(outcome.status in _COUNTS for outcome in receipt.outcomes)
        causes = {outcome.cause for outcome in receipt.outcomes}
        throttled = Cause.THROTTLED in causes
        unused = len(receipt.outcomes) - counted
        if not (unused or throttled or self._penalty):
            return
        with self._tables.writing() as statements:
            if unused:
                self._count(statements, -unused)
            if throttled:
                self._slow_down(statements)
            elif self._penalty:
                kept = f"penalty*{_KEPT_AFTER_SUCCESS}"
                statements.many(
                    f"UPDATE @turns SET penalty=CASE WHEN {kept}>? THEN {kept} ELSE 0 END WHERE name=?",  # noqa: S608 - a number
                    [(_NEGLIGIBLE, self.name)],
                )
            if Cause.DAILY_QUOTA in causes:
                # The server counts more than we do: nobody asks again before the oldest of today's falls out.
                until = self._goes_on(statements, 1)
                statements.many("UPDATE @turns SET closed=? WHERE name=?", [(until, self.name)])

    def _slow_down(self, statements: Statements) -> None:
        longer = f"CASE WHEN penalty*2<{_FIRST_PENALTY} THEN {_FIRST_PENALTY} ELSE penalty*2 END"
        statements.many(
            f"UPDATE @turns SET penalty=CASE WHEN {longer}>? THEN ? ELSE {longer} END WHERE name=?",  # noqa: S608 - numbers
            [(self._longest_pause, self._longest_pause, self.name)],
        )
        statements.many(
            "UPDATE @turns SET next=CASE WHEN next>? THEN next ELSE ? END + penalty WHERE name=?",
            [(statements.now, statements.now, self.name)],
        )

    def _closed(self, statements: Statements) -> float:
        rows = statements.rows("SELECT closed FROM @turns WHERE name=?", self.name)
        return float(rows[0][0]) if rows else 0.0

    def _used(self, statements: Statements) -> int:
        first = int(statements.now // _HOUR) - _DAY_HOURS
        statements.many("DELETE FROM @uses WHERE name=? AND hour<?", [(self.name, first)])
        ((used,),) = statements.rows(
            "SELECT coalesce(sum(recipients), 0) FROM @uses WHERE name=? AND hour>=?", self.name, first
        )
        return int(used)

    def _count(self, statements: Statements, recipients: int) -> None:
        statements.many(
            "INSERT INTO @uses (name, hour, recipients) VALUES (?, ?, ?) ON CONFLICT (name, hour)"
            " DO UPDATE SET recipients=@uses.recipients+excluded.recipients",
            [(self.name, int(statements.now // _HOUR), recipients)],
        )

    def _goes_on(self, statements: Statements, recipients: int) -> float:
        """When so many more fit, as the hours of the last day fall out one after the other."""
        left = math.inf if self._per_day is None else self._per_day
        used = self._used(statements)
        for hour, of_hour in statements.rows(
            "SELECT hour, recipients FROM @uses WHERE name=? ORDER BY hour", self.name
        ):
            used -= of_hour
            if used + recipients <= left:
                return float((hour + _DAY_HOURS + 1) * _HOUR)
        return statements.now + _DAY_HOURS * _HOUR

    def forecast(self, summary: PlanSummary) -> Forecast:
        """How long a mailing takes under these limits, and how much of it still goes today.

        Args:
            summary: of the plan.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._tables.writing() as statements:
            used = self._used(statements)
            moment = max(self._goes_on(statements, 1), self._closed(statements))
        return forecast(
            summary,
            per_minute=self._per_minute,
            recipients_per_day=self._per_day,
            used=used,
            goes_on=datetime.fromtimestamp(moment, UTC),
        )

    def __repr__(self) -> str:
        return f"SharedSpacing({self.name!r})"
