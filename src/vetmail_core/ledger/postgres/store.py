"""The connection to a ledger's database, its rows, and what dead runs left behind.

The ledger and its runs share one connection under one lock. No session setting is used, so a connection
pooler may be in between. The database's clock alone decides which run is dead.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import psycopg
from psycopg import conninfo as conninfos

from vetmail_core.errors import LedgerError
from vetmail_core.ledger.owners_lock import OwnersLock
from vetmail_core.ledger.policy import LedgerState, doubted, resolved
from vetmail_core.ledger.postgres.schema import STATEMENTS, quoted, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from vetmail_core.ledger.tables import Row as Values
    from vetmail_core.ledger.tables import Statements

__all__ = ["DEAD", "Row", "Store"]

_NOW: Final = "extract(epoch FROM clock_timestamp())::float8"
DEAD: Final = "(until < clock_timestamp() OR boot <> pg_postmaster_start_time())"
_COLUMNS: Final = "key, state, at, detail, run, begun, prior"
_TRIES: Final = 5  # where deadlocks come
_Found = TypeVar("_Found")


class Row(NamedTuple):
    """One email in the table; `run` and `begun` while a run holds it, `prior` the state it had before."""

    key: str
    state: LedgerState
    at: int
    detail: str | None
    run: int | None
    begun: bool
    prior: str | None


class _Statements:
    """A transaction of the database; see `vetmail_core.ledger.tables.Statements`."""

    def __init__(self, store: Store, connection: psycopg.Connection[Values]) -> None:
        self._store = store
        self._connection = connection
        ((self.now,),) = self.rows(f"SELECT {_NOW}")

    def rows(self, statement: str, *values: object) -> list[Values]:
        """Run one statement; its rows."""
        cursor = self._connection.execute(self._store.spelled(statement), values)
        return cursor.fetchall() if cursor.description is not None else []

    def many(self, statement: str, values: Iterable[Values]) -> None:
        """Run one statement for each row of values."""
        with self._connection.cursor() as cursor:
            cursor.executemany(self._store.spelled(statement), list(values))

    def lock(self, what: str) -> None:
        """Keep others who lock the same out, until the transaction ends."""
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"vetmail {what}",))

    def add(self, table: str, **values: object) -> int:
        """Put a row in; the number that the database gave it."""
        holes = ",".join("?" * len(values))
        ((number,),) = self.rows(
            f"INSERT INTO @{table} ({','.join(values)}) VALUES ({holes}) RETURNING id",  # noqa: S608 - our own names
            *values.values(),
        )
        return int(number)


class Store:
    """The connection to a ledger's database.

    Args:
        conninfo: as libpq takes it.
        lease_seconds: how long a run lives after it was last heard of.
        schema: where the tables are.

    Raises:
        LedgerError: the database does not answer.
    """

    def __init__(self, conninfo: str, *, lease_seconds: float, schema: str) -> None:
        self.lease_seconds = lease_seconds
        self._schema = schema
        self._conninfo = conninfo
        self._closed = False
        self.name, self._secret = _shown(conninfo)
        self.lock: Final = OwnersLock(f"in {self.name}")
        self.spelled = lru_cache(maxsize=200)(self._spelled)
        self._connection = self._connected()

    def _spelled(self, statement: str) -> bytes:
        # Statements are our own words; a "%" can stand in the name of the schema alone.
        return spelled(statement.replace("?", "%s"), self._schema.replace("%", "%%")).encode()

    def _connected(self) -> psycopg.Connection[Values]:
        try:
            # A prepared statement belongs to a session, which a pooler may give to somebody else meanwhile.
            return psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            # A malformed conninfo is quoted in the error, with whatever secret it holds.
            said = "" if isinstance(error, psycopg.ProgrammingError) else self._said(error)
        raise LedgerError(
            f"The ledger in {self.name} cannot be opened{said}. See that the database runs, and that conninfo"
            " names it, its user and where the password is."
        )

    def _said(self, error: BaseException) -> str:
        text = " ".join(str(error).split()).rstrip(".")
        return f": {text.replace(self._secret, '***') if self._secret else text}"

    @contextlib.contextmanager
    def guard(self, what: str) -> Generator[psycopg.Connection[Values]]:
        """Hold the lock and the connection, and say in our own words what the database complains of."""
        with self.lock:
            if self._closed:
                raise LedgerError("This PostgresLedger has been closed; open it again.")
            if self._connection.closed:
                self._connection = self._connected()
            with self._telling(what):
                yield self._connection

    @contextlib.contextmanager
    def _telling(self, what: str) -> Generator[None]:
        said = ""
        try:
            yield
        except psycopg.errors.UndefinedTable:
            said = ": its tables are not there. Make them with create_tables(), or with PostgresLedger.SQL"
        except psycopg.Error as error:
            said = f"{self._said(error)}. Nothing is sent that cannot be written down"
        except UnicodeEncodeError as error:
            said = f": the key {error.object!r} holds half of a surrogate pair, which no database can keep"
        if said:
            # Out here, so that no traceback leads to what the driver knows.
            raise LedgerError(f"The ledger in {self.name} {what}{said}.")

    @contextlib.contextmanager
    def reading(self) -> Generator[Statements]:
        """Statements that read; see `Tables`."""
        with self.guard("cannot be read") as connection:
            yield _Statements(self, connection)

    @contextlib.contextmanager
    def writing(self) -> Generator[Statements]:
        """Statements in one transaction; see `Tables`."""
        with self.guard("cannot be written") as connection, connection.transaction():
            yield _Statements(self, connection)

    @contextlib.contextmanager
    def streaming(self) -> Generator[psycopg.Connection[Values]]:
        """A second connection, in one transaction, for work that takes long and changes nothing here."""
        with self._telling("cannot be read"), self._connected() as connection, connection.transaction():
            yield connection

    def create_tables(self) -> None:
        """Make the schema and the tables."""
        with self.writing() as statements:
            statements.lock("tables")
            if not statements.rows("SELECT 1 FROM pg_namespace WHERE nspname=?", self._schema):
                statements.rows(f"CREATE SCHEMA {quoted(self._schema)}".replace("%", "%%"))
            for statement in STATEMENTS:
                statements.rows(statement)

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._connection.close()

    def state(self, key: str) -> LedgerState | None:
        """What is known of one email."""
        self.recover_all()
        with self.reading() as statements:
            rows = statements.rows("SELECT state FROM @emails WHERE key=?", key)
            return LedgerState(rows[0][0]) if rows else None

    def in_doubt(self) -> tuple[str, ...]:
        """The keys of all emails in doubt, oldest first."""
        self.recover_all()
        with self.reading() as statements:
            rows = statements.rows("SELECT key FROM @emails WHERE state='unknown' ORDER BY id")
            return tuple(key for (key,) in rows)

    def counts(self) -> dict[LedgerState, int]:
        """How many emails are in each state."""
        with self.reading() as statements:
            rows = statements.rows("SELECT state, count(*) FROM @emails GROUP BY state")
            return {LedgerState(state): count for state, count in rows}

    def resolve(self, key: str, state: LedgerState) -> bool:
        """End a doubt; False when there is none."""
        with self.writing() as statements:
            rows = statements.rows(
                "SELECT detail FROM @emails WHERE key=? AND state='unknown' FOR UPDATE", key
            )
            if not rows:
                return False
            after, detail = resolved(rows[0][0], state)
            statements.rows(
                "UPDATE @emails SET state=?, detail=?, at=?, lost_by=NULL WHERE key=?",
                after.value,
                detail,
                int(statements.now),
                key,
            )
            return True

    def recover_all(self) -> None:
        """Work out what became of the emails of every run that is dead."""
        self.again(recover)

    def again(self, work: Callable[[Statements], _Found]) -> _Found:
        """Do something in one transaction, again after a deadlock.

        Raises:
            LedgerError: the database cannot be written.
        """
        tries = 0
        with self.guard("cannot be written") as connection:
            while True:
                try:
                    with connection.transaction():
                        return work(_Statements(self, connection))
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                    tries += 1
                    if tries == _TRIES:
                        raise


def _shown(conninfo: str) -> tuple[str, str]:
    """What may be shown of where a database is, and the secret that may not."""
    try:
        told = conninfos.conninfo_to_dict(conninfo)
    except psycopg.Error:
        return "PostgreSQL", ""
    where = [f"{name}={told[name]}" for name in ("service", "host", "port", "dbname") if name in told]
    return " ".join(where) or "PostgreSQL", str(told.get("password") or "")


def recover(statements: Statements) -> None:
    """Work out what became of the emails of runs that are dead; those that another is at are left to it."""
    dead = statements.rows(
        f"SELECT id, boot <> pg_postmaster_start_time() FROM @runs WHERE {DEAD} FOR UPDATE SKIP LOCKED"  # noqa: S608 - our own words
    )
    if dead:
        # Marks do not wait for the disk, so a server that was started again may have lost some.
        end_runs(statements, {run: bool(void) for run, void in dead})


def end_runs(statements: Statements, runs: dict[int, bool]) -> None:
    """End runs: what had begun is in doubt, what was only put down is as it was before.

    Args:
        statements: a transaction.
        runs: number -> whether its marks are void, so that all it held counts as begun.
    """
    held = statements.rows(
        "SELECT key, run, begun, prior, detail FROM @emails WHERE run=ANY(?) ORDER BY key FOR UPDATE",
        list(runs),
    )
    lost = [(doubted(detail), run, key) for key, run, begun, _, detail in held if begun or runs[run]]
    back = [(prior, key) for key, run, begun, prior, _ in held if not (begun or runs[run]) and prior]
    gone = [(key,) for key, run, begun, prior, _ in held if not (begun or runs[run]) and prior is None]
    if lost:
        statements.many(
            "UPDATE @emails SET state='unknown', detail=?, lost_by=?, run=NULL, begun=false, prior=NULL"
            " WHERE key=?",
            lost,
        )
    if back:
        statements.many("UPDATE @emails SET state=?, run=NULL, begun=false, prior=NULL WHERE key=?", back)
    if gone:
        statements.many("DELETE FROM @emails WHERE key=?", gone)
    statements.rows("DELETE FROM @runs WHERE id=ANY(?)", list(runs))


def rows_of(statements: Statements, keys: Sequence[str]) -> dict[str, Row]:
    """The rows of some emails, locked in key order."""
    found = statements.rows(
        f"SELECT {_COLUMNS} FROM @emails WHERE key=ANY(?) ORDER BY key FOR UPDATE",  # noqa: S608 - our own columns
        list(keys),
    )
    return {row[0]: Row(row[0], LedgerState(row[1]), *row[2:]) for row in found}
