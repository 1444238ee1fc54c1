"""One run through the ledger in PostgreSQL.

Emails are written down in groups, and the database is asked once more before each leaves. An answer is
written together with the beginning of the next email, so a kill leaves one email in doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.adapters import keyless
from vetmail_core.ledger.policy import NEW, LedgerState, Standing, Verdict, identity, remember, stand
from vetmail_core.ledger.postgres.store import DEAD, Row, end_runs, recover, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vetmail_core.ledger.postgres.store import Store
    from vetmail_core.ledger.tables import Statements
    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["PostgresRun"]

_THIRD: Final = 1 / 3
_Found = TypeVar("_Found")
_MINE: Final = "(run=? OR (state='unknown' AND lost_by=ANY(?)))"
_SETTLE: Final = (
    "UPDATE @emails SET state=?, detail=?, at=?, run=NULL, begun=false, prior=NULL, lost_by=NULL,"
    " queue_id=coalesce(?, queue_id) WHERE key=? AND @mine"
).replace("@mine", _MINE)
_BACK: Final = (
    "UPDATE @emails SET state=?, detail=?, run=NULL, begun=false, prior=NULL, lost_by=NULL"
    " WHERE key=? AND @mine"
).replace("@mine", _MINE)
_GONE: Final = "DELETE FROM @emails WHERE key=? AND @mine".replace("@mine", _MINE)
_IDENTITY: Final = (
    "UPDATE @emails SET message_id=coalesce(message_id, ?), recipients=coalesce(recipients, ?) WHERE key=?"
)
_UNCLAIMED: Final = (
    "INSERT INTO @emails AS old (key, state, at, detail, queue_id, message_id, recipients)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET state=excluded.state,"
    " at=excluded.at, detail=excluded.detail, lost_by=NULL WHERE old.run IS NULL"
)
_BEGIN: Final = "UPDATE @emails SET begun=true WHERE key=? AND run=? RETURNING key"
_ASYNC: Final = "WITH c AS (SELECT set_config('synchronous_commit', 'off', true))"
# As nearly always: the answer to the email before, and this one's beginning, in one statement.
_SETTLE_AND_BEGIN: Final = (
    (
        "@async, settled AS (@settle RETURNING key)"
        " UPDATE @emails AS one SET begun=true FROM c WHERE one.key=? AND one.run=? RETURNING one.key"
    )
    .replace("@async", _ASYNC)
    .replace("@settle", _SETTLE)
)
_RENEW: Final = "UPDATE @runs SET until=clock_timestamp() + ? * interval '1 second' WHERE id=?"


@attrs.frozen(kw_only=True)
class _Settled:
    """What became of an email that is not written yet; state None when nothing was tried."""

    state: LedgerState | None
    detail: str | None
    queue_id: str | None
    before: Row | None
    identity: tuple[str, str]


class PostgresRun:
    """One run through a `PostgresLedger`.

    Args:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = SystemClock()
        self._claims: dict[str, Row | None] = {}
        self._unwritten: dict[str, _Settled] = {}
        self._bare: set[str] = set()  # put down by their keys alone
        self._any_put_off: bool | None = None  # known when first asked
        self._numbers: list[int] = []  # this run's own; a new one after each lease that ran out
        self._heard = 0.0
        self.closed = False
        store.again(self._take_number)

    def _take_number(self, statements: Statements) -> None:
        ((number,),) = statements.rows(
            "INSERT INTO @runs (boot, until) VALUES (pg_postmaster_start_time(),"
            " clock_timestamp() + ? * interval '1 second') RETURNING id",
            self._store.lease_seconds,
        )
        self._numbers.append(number)
        self._heard = self._clock.monotonic()

    def has_settled(self, key: str) -> bool:
        """Whether an email was answered and that is not written yet."""
        return key in self._unwritten

    def put_off(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the emails that an earlier run put off, for some or all of their recipients.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._store.reading() as statements:
            if self._any_put_off is None:
                found = statements.rows("SELECT 1 FROM @emails WHERE state='deferred' LIMIT 1")
                self._any_put_off = bool(found)
            if not self._any_put_off:
                return frozenset()
            rows = statements.rows(
                "SELECT key FROM @emails WHERE key=ANY(?) AND state='deferred' AND run IS NULL", list(keys)
            )
        return frozenset(key for (key,) in rows)

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Decide about a group of emails, and put down those to be sent.

        Args:
            emails: each with a key; some thousands at most.
            retry_unknown: those in doubt are sent again.

        Returns:
            One standing for each email, in order.

        Raises:
            LedgerError: the database cannot be written; none of the group may be sent.
        """
        identities = {email.key: identity(email) for email in reversed(emails)}

        def work(statements: Statements) -> tuple[list[Standing], dict[str, Row | None]]:
            rows = self._prepared(statements, identities)
            standings: list[Standing] = []
            wanted: dict[str, Row | None] = {}
            for email in emails:
                row = rows.get(email.key)
                if email.key in wanted:
                    standing = Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING)
                elif row is None:
                    standing = NEW
                elif row.run is not None:
                    standing = Standing(Verdict.ELSEWHERE, state=row.state, at=row.at)
                else:
                    standing = stand(email, row.state, row.detail, row.at, retry_unknown=retry_unknown)
                if standing.verdict is Verdict.SEND:
                    wanted[email.key] = row
                standings.append(standing)
            self._take(statements, [key for key, row in wanted.items() if row is not None])
            return standings, wanted

        with self._store.lock:
            standings, claims = self._worked(work)
            self._claims.update(claims)
            return standings

    def claim_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Put down emails of which only the keys are known, as begun.

        Raises:
            LedgerError: the database cannot be written; none of them may be sent.
        """
        taken = (LedgerState.ACCEPTED, LedgerState.HANDED_OVER)

        def work(statements: Statements) -> dict[str, Row | None]:
            rows = self._prepared(statements, dict.fromkeys(keys, (None, None)))
            wanted = {
                key: row
                for key, row in ((key, rows.get(key)) for key in keys)
                if row is None or (row.run is None and row.state not in taken)
            }
            self._take(statements, [key for key, row in wanted.items() if row is not None])
            statements.rows("UPDATE @emails SET begun=true WHERE key=ANY(?)", list(wanted))
            return wanted

        with self._store.lock:
            claims = self._worked(work)
            self._claims.update(claims)
            self._bare.update(claims)
            return frozenset(claims)

    def _worked(self, work: Callable[[Statements], _Found]) -> _Found:
        self._check_open()
        found = self._store.again(work)
        self._written()
        return found

    def _prepared(
        self, statements: Statements, identities: Mapping[str, tuple[str | None, str | None]]
    ) -> dict[str, Row]:
        """Write what is taken down, stay alive, put new keys in; the rows of the others, locked."""
        self._write(statements)
        if not statements.rows(
            f"UPDATE @runs SET until=clock_timestamp() + ? * interval '1 second'"  # noqa: S608 - our own words
            f" WHERE id=? AND NOT {DEAD} RETURNING id",
            self._store.lease_seconds,
            self._numbers[-1],
        ):
            self._take_number(statements)
        self._heard = self._clock.monotonic()
        recover(statements)
        now = int(statements.now)
        keys = sorted(identities)
        fresh = statements.rows(
            "INSERT INTO @emails (key, state, at, run, message_id, recipients)"
            " SELECT key, 'attempting', ?, ?, message_id, recipients"
            " FROM unnest(?::text[], ?::text[], ?::text[]) AS new (key, message_id, recipients) ORDER BY key"
            " ON CONFLICT DO NOTHING RETURNING key",
            now,
            self._numbers[-1],
            keys,
            [identities[key][0] for key in keys],
            [identities[key][1] for key in keys],
        )
        new = {key for (key,) in fresh}
        return rows_of(statements, [key for key in keys if key not in new])

    def _take(self, statements: Statements, keys: list[str]) -> None:
        statements.rows(
            "UPDATE @emails SET prior=state, state='attempting', run=?, begun=false, lost_by=NULL"
            " WHERE key=ANY(?)",
            self._numbers[-1],
            keys,
        )

    def begin(self, email: Email) -> bool:
        """Ask once more whether an email may leave; written with the answer to the one before.

        Returns:
            False: its row says another run by now, or none.

        Raises:
            LedgerError: the database cannot be written, or the ledger was closed in the middle of the run.
        """
        with self._store.lock:
            self._check_open()
            with self._store.guard("cannot be written") as connection:
                renew = self._clock.monotonic() - self._heard > self._store.lease_seconds * _THIRD
                spelled = self._store.spelled
                told = self._statements()
                mine = (email.key, self._numbers[-1])
                if len(told) == 1 and told[0][0] is _SETTLE and not renew:
                    # A mark need not wait for the disk: after a crash of the server all marks are void.
                    begun = connection.execute(spelled(_SETTLE_AND_BEGIN), (*told[0][1], *mine))
                    allowed = begun.fetchone() is not None
                    self._written()
                    return allowed
                with connection.pipeline(), connection.transaction():
                    connection.execute("SET LOCAL synchronous_commit = off")
                    for statement, values in told:
                        connection.execute(spelled(statement), values)
                    if renew:
                        connection.execute(spelled(_RENEW), (self._store.lease_seconds, self._numbers[-1]))
                    begun = connection.execute(spelled(_BEGIN), mine)
                allowed = begun.fetchone() is not None
            self._written()
            if renew:
                self._heard = self._clock.monotonic()
            return allowed

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email; written with the next email's beginning, or the next group.

        Raises:
            LedgerError: the email has no key, or the ledger was closed in the middle of the run.
        """
        key = receipt.email.key
        if not key:
            raise keyless(receipt.email)
        with self._store.lock:
            self._check_open()
            before = self._claims.get(key)
            if key not in self._claims:
                before = self._row(key)
            state, detail = (
                remember(receipt)
                if before is None or before.state is LedgerState.ATTEMPTING
                else remember(receipt, before.state, before.detail)
            )
            queue_id = receipt.queue_id if state is LedgerState.ACCEPTED else ""
            self._unwritten[key] = _Settled(
                state=state,
                detail=detail,
                queue_id=queue_id or None,
                before=before,
                identity=identity(receipt.email),
            )

    def _row(self, key: str) -> Row | None:
        with self._store.writing() as statements:
            return rows_of(statements, (key,)).get(key)

    def flush(self) -> None:
        """Write what is taken down.

        Raises:
            LedgerError: the database cannot be written.
        """
        with self._store.lock:
            self._store.again(self._write)
            self._written()

    def _statements(self) -> list[tuple[str, tuple[object, ...]]]:
        """What is to be written, as statements."""
        told: list[tuple[str, tuple[object, ...]]] = []
        now = int(self._clock.now().timestamp())  # for people to read; nothing is decided by it
        for key, one in self._unwritten.items():
            mine = (key, self._numbers[-1], self._numbers)
            if key not in self._claims:
                if one.state is not None:
                    what = (one.state.value, now, one.detail, one.queue_id, *one.identity)
                    told.append((_UNCLAIMED, (key, *what)))
            elif one.state is not None:
                told.append((_SETTLE, (one.state.value, one.detail, now, one.queue_id, *mine)))
                if key in self._bare:
                    told.append((_IDENTITY, (*one.identity, key)))
            elif one.before is None:
                told.append((_GONE, mine))
            else:
                told.append((_BACK, (one.before.state.value, one.before.detail, *mine)))
        return told

    def _write(self, statements: Statements) -> None:
        for statement, values in self._statements():
            statements.rows(statement, *values)

    def _written(self) -> None:
        for key in self._unwritten:
            self._bare.discard(key)
            self._claims.pop(key, None)
        self._unwritten.clear()

    def _check_open(self) -> None:
        if self.closed:
            raise LedgerError("This PostgresLedger was closed in the middle of a run; close it after.")

    def close(self) -> None:
        """End the run: write what is taken down, and let go of what was put down and never begun.

        When that cannot be written, the run's lease ends by itself and the next one works it out.
        """
        if self._store.lock.foreign:
            return
        with self._store.lock:
            if self.closed:
                return
            self.closed = True

            def work(statements: Statements) -> None:
                self._write(statements)
                end_runs(statements, dict.fromkeys(self._numbers, False))

            try:
                self._store.again(work)
            except LedgerError:
                return
