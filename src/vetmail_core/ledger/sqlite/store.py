"""The rows of a ledger file, and the rules for touching them.

The ledger and its runs share one connection under one lock. Every change is one transaction, written
through to the disk. What a dead run left behind is worked out before anybody decides on it. Another
program's database, or a later version's, is refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, assert_never

from vetmail_core._files import NEW, checked_name, open_regular
from vetmail_core._process import when_forked
from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.owners_lock import OwnersLock
from vetmail_core.ledger.policy import LedgerState, doubted, resolved
from vetmail_core.ledger.sqlite.marks import DeadRun, Mark, stray_runs
from vetmail_core.ledger.tables import table_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from vetmail_core.clock import Clock
    from vetmail_core.ledger.tables import Statements

__all__ = ["Claim", "Row", "Settled", "Store", "keep_all"]

_APPLICATION: Final = 0x76746D6C  # "vtml": the file says whose it is
_BUSY_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.005
_UNTOLD: Final = (None, None)
_PRIMARY: Final = 0xFF  # of an extended result code
_MOST_AT_ONCE: Final = 10_000  # keys of one question; SQLite takes 32,766
_EMAILS: Final = """
CREATE TABLE emails (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    detail TEXT,
    run TEXT,
    slot INTEGER,
    prior TEXT
)
"""
# Each step takes a file from one schema to the next; a new file goes through all of them. What is known of an
# email beside its state is kept once: its Message-ID, the server's name for it, and its recipients' address
# keys in order, one a line.
_STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (_EMAILS,),
    (
        "ALTER TABLE emails ADD COLUMN message_id TEXT",
        "ALTER TABLE emails ADD COLUMN queue_id TEXT",
        "ALTER TABLE emails ADD COLUMN recipients TEXT",
    ),
    tuple(
        statement.replace("@", "")
        for statement in table_statements(
            prefix="", identity="INTEGER PRIMARY KEY", real="REAL", octets="BLOB"
        )
    ),
    (
        "CREATE INDEX emails_by_message_id ON emails (message_id)",
        "CREATE INDEX emails_by_queue_id ON emails (queue_id) WHERE length(queue_id) > 40",
        """
        CREATE TABLE notices (
            email INTEGER NOT NULL,
            address TEXT NOT NULL,
            action TEXT NOT NULL,
            enhanced TEXT NOT NULL,
            said TEXT NOT NULL,
            weight TEXT NOT NULL,
            at INTEGER NOT NULL,
            lifted INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (email, address, action)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX notices_by_address ON notices (address)",
        "CREATE TABLE suppressed (address TEXT PRIMARY KEY, why TEXT NOT NULL, until INTEGER) WITHOUT ROWID",
    ),
)
_SCHEMA: Final = len(_STEPS)
_TABLES: Final = frozenset(re.findall(r"CREATE TABLE (\w+)", "\n".join(map("\n".join, _STEPS)), re.ASCII))
_WHAT_TO_DO: Final[Mapping[int, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_NOTADB: "It is a file of another kind: give the ledger a file of its own.",
        sqlite3.SQLITE_CORRUPT: (
            "The file is damaged: restore it from a copy, because only the ledger knows who has been sent to."
        ),
        sqlite3.SQLITE_CANTOPEN: "Name a file, in a folder that is there and where this program may write.",
        sqlite3.SQLITE_BUSY: "Another program has held it for half a minute: let that end, then start again.",
    }
)
_CANNOT_OPEN: Final = sqlite3.SQLITE_CANTOPEN
_NO_ROOM: Final = (
    "Nothing is sent that cannot be written down: make room on the disk, or give this program the right to"
    " write there, then start the run again."
)
_SETTLE: Final = (
    "UPDATE emails SET state=?, detail=?, at=?, run=NULL, slot=NULL, prior=NULL,"
    " queue_id=coalesce(?, queue_id) WHERE id=?"
)
_KNOWN: Final = (
    "UPDATE emails SET message_id=coalesce(message_id, ?), recipients=coalesce(recipients, ?) WHERE key=?"
)
_BACK: Final = "UPDATE emails SET state=?, detail=?, run=NULL, slot=NULL, prior=NULL WHERE id=?"


class Row(NamedTuple):
    """One email in the file; `run` and `slot` while a run holds it, `prior` the state it had before."""

    id: int
    key: str
    state: LedgerState
    at: int
    detail: str | None
    run: str | None
    slot: int | None
    prior: str | None


class Claim(NamedTuple):
    """A row that a run has put down; `state` and `detail` are those it had before, if it was there."""

    row: int
    slot: int | None
    state: LedgerState | None = None
    detail: str | None = None


class Settled(NamedTuple):
    """What became of an email and is not written yet; `state` None when nothing was tried.

    `identity` is there where the email was not put down with it.
    """

    state: LedgerState | None
    detail: str | None
    queue_id: str | None
    identity: tuple[str, str] | None


def _make_private(path: Path) -> None:
    """Make a new ledger its owner's alone; SQLite's files beside it take after it.

    Raises:
        LedgerError: there is something that is not a file, or a file that has lost its content.
        OSError: no file can have the name.
    """
    checked_name(path)
    try:
        os.close(open_regular(path, os.O_RDWR | NEW))
    except FileExistsError:
        _refuse_what_is_no_ledger(path)
    except OSError:
        pass  # what cannot be made here cannot be opened either, and SQLite then says why


def _refuse_what_is_no_ledger(path: Path) -> None:
    # Looked at by its name: closing a file of SQLite's ends its locks in this whole process. What tells of
    # an earlier life comes first, as another program may be filling the file at this moment.
    wal = path.with_name(f"{path.name}-wal")
    lived = bool(stray_runs(path)) or (wal.exists() and wal.stat().st_size > 0)
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise LedgerError(
            f"The ledger {path} cannot be opened: it is not a file. {_WHAT_TO_DO[_CANNOT_OPEN]}"
        )
    if lived and not found.st_size:
        raise _lost(path)


def _lost(path: Path) -> LedgerError:
    return LedgerError(
        f"The ledger {path} has lost what it knew; nothing is sent, as somebody could be written to twice."
        " Put back a copy of it, or give a new ledger another name."
    )


class _Statements:
    """A transaction of the file; see `vetmail_core.ledger.tables.Statements`."""

    def __init__(self, database: sqlite3.Connection, now: float) -> None:
        self._db = database
        self.now = now

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement; its rows."""
        return self._db.execute(statement.replace("@", ""), values).fetchall()

    def many(self, statement: str, values: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each row of values."""
        self._db.executemany(statement.replace("@", ""), values)

    def lock(self, what: str) -> None:
        """Nobody else writes to the file meanwhile, whatever it is."""

    def add(self, table: str, **values: object) -> int:
        """Put a row in; the number that the database gave it."""
        holes = ",".join("?" * len(values))
        cursor = self._db.execute(
            f"INSERT INTO {table} ({','.join(values)}) VALUES ({holes})",  # noqa: S608 - our own names
            tuple(values.values()),
        )
        return cursor.lastrowid or 0


class Store:
    """The connection to a ledger file.

    Args:
        path: the file.
        clock: tells when something was written down.

    Raises:
        LedgerError: the file cannot be opened, or holds something else.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.lock: Final = OwnersLock(str(path))
        self.own: Final[set[str]] = set()
        self._clock = clock
        try:
            _make_private(path)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise self.error("cannot be opened", error) from error
        _OPENED.add(self)
        try:
            with self.guard("cannot be opened"):
                self._prepare()
            self.recover_all()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._turn_to_wal()
        self._db.execute("PRAGMA synchronous=FULL")
        with self._transaction():
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (schema,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if application != _APPLICATION and tables:
                raise LedgerError(
                    f"{self.path} is the database of another program; expected a ledger or no file."
                    " Give the ledger a file of its own."
                )
            if schema > _SCHEMA:
                raise LedgerError(
                    f"{self.path} was written by a later version (schema {schema}, expected at most"
                    f" {_SCHEMA}). Use that version, or another file."
                )
            for step in _STEPS[schema:]:
                for statement in step:
                    self._db.execute(statement)
            names = {
                name for (name,) in self._db.execute("SELECT name FROM sqlite_schema WHERE type='table'")
            }
            if not names >= _TABLES:
                raise _lost(self.path)
            if schema < _SCHEMA:
                self._db.execute(f"PRAGMA application_id={_APPLICATION}")
                self._db.execute(f"PRAGMA user_version={_SCHEMA}")

    def _turn_to_wal(self) -> None:
        """Turn a new file to WAL mode; nothing more to do in a later run.

        Where another program turns it at the same moment, SQLite says "busy" at once and never waits: each
        has the file open for reading, which keeps the other from writing. So the waiting is done here.
        """
        clock = SystemClock()
        end = clock.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
                if not busy or clock.monotonic() > end:
                    raise
                clock.sleep(_PAUSE_SECONDS)
            else:
                return

    def connect_again(self) -> sqlite3.Connection:
        """Open a second connection, for work that takes long and writes nothing here."""
        return sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def keep_for_ever(self) -> None:
        """In a child of a fork: never close what the parent opened (sqlite.org, How To Corrupt, 2.6)."""
        _CARRIED.append(self._db)

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock.now().timestamp())

    def error(self, what: str, error: Exception) -> LedgerError:
        """The error for a file that cannot be used."""
        if isinstance(error, sqlite3.ProgrammingError):
            return LedgerError(f"The ledger {self.path} has been closed; open it again.")
        kind = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        return LedgerError(f"The ledger {self.path} {what}: {error}. {_WHAT_TO_DO.get(kind, _NO_ROOM)}")

    @contextlib.contextmanager
    def guard(self, what: str) -> Generator[None]:
        """Hold the lock, and say in the library's own words what SQLite or the system complains of."""
        with self.lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                raise self.error(what, error) from error
            except UnicodeEncodeError as error:
                raise LedgerError(
                    f"The key {error.object!r} holds half of a surrogate pair, which no database can keep;"
                    " nothing was written. Read its source as UTF-8."
                ) from None

    @contextlib.contextmanager
    def reading(self) -> Generator[Statements]:
        """Statements that read; see `Tables`."""
        with self.guard("cannot be read"):
            yield _Statements(self._db, self._clock.now().timestamp())

    @contextlib.contextmanager
    def writing(self) -> Generator[Statements]:
        """Statements in one transaction; see `Tables`.

        Raises:
            LedgerError: it could not be committed; nothing of it stands.
        """
        with self.guard("cannot be written"), self._transaction():
            yield _Statements(self._db, self._clock.now().timestamp())

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """What is known of these emails."""
        rows: dict[str, Row] = {}
        for start in range(0, len(keys), _MOST_AT_ONCE):
            some = keys[start : start + _MOST_AT_ONCE]
            holes = ",".join("?" * len(some))
            found = self._db.execute(
                f"SELECT id, key, state, at, detail, run, slot, prior FROM emails WHERE key IN ({holes})",  # noqa: S608 - question marks
                some,
            )
            rows.update((row[1], Row(row[0], row[1], LedgerState(row[2]), *row[3:])) for row in found)
        return rows

    def has(self, state: LedgerState) -> bool:
        """Whether any email has ended so.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self.guard("cannot be read"):
            found = self._db.execute("SELECT 1 FROM emails WHERE state = ? LIMIT 1", (state.value,))
            return found.fetchone() is not None

    def row(self, key: str) -> Row | None:
        """What is known of one email.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self.guard("cannot be read"):
            row = self.rows((key,)).get(key)
            if row is not None and row.run is not None and self.recover((row.run,)):
                row = self.rows((key,)).get(key)
            return row

    def in_doubt(self) -> tuple[str, ...]:
        """The keys of all emails in doubt, oldest first.

        Raises:
            LedgerError: the file cannot be read.
        """
        self.recover_all()
        with self.guard("cannot be read"):
            found = self._db.execute(
                "SELECT key FROM emails WHERE state=? ORDER BY id", (LedgerState.UNKNOWN.value,)
            )
            return tuple(key for (key,) in found)

    def counts(self) -> dict[LedgerState, int]:
        """How many emails are in each state.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self.guard("cannot be read"):
            found = self._db.execute("SELECT state, count(*) FROM emails GROUP BY state")
            return {LedgerState(state): count for state, count in found}

    def first_recipients(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """The email keys that begin with a prefix, each with its first recipient's address key, if known.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self.guard("cannot be read"):
            found = self._db.execute(
                "SELECT key, substr(recipients, 1, instr(recipients || char(10), char(10)) - 1) FROM emails"
                " WHERE key >= ? AND substr(key, 1, length(?)) = ? AND recipients IS NOT NULL ORDER BY id",
                (prefix, prefix, prefix),
            )
            return tuple(found)

    # What follows changes rows and is called within `writing`.

    def put_down(
        self,
        run: str,
        fresh: Mapping[str, int | None],
        seen: Sequence[tuple[Row, int | None]],
        identities: Mapping[str, tuple[str, str]],
    ) -> dict[str, Claim]:
        """Write down that a run is about to send.

        Args:
            run: its name.
            fresh: key -> slot, of emails that have no row.
            seen: rows and their slots, of emails that have one.
            identities: key -> Message-ID and recipients, as far as they are known.

        Returns:
            What is put down, by key.
        """
        now = self.now()
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM emails").fetchone()
        ids = {key: last + count for count, key in enumerate(fresh, start=1)}
        self._db.executemany(
            "INSERT INTO emails (id, key, state, at, run, slot, message_id, recipients)"
            " VALUES (?, ?, 'attempting', ?, ?, ?, ?, ?)",
            [(ids[key], key, now, run, slot, *identities.get(key, _UNTOLD)) for key, slot in fresh.items()],
        )
        self._db.executemany(
            "UPDATE emails SET prior=state, state='attempting', run=?, slot=?,"
            " message_id=coalesce(?, message_id), recipients=coalesce(?, recipients) WHERE id=?",
            [(run, slot, *identities.get(row.key, _UNTOLD), row.id) for row, slot in seen],
        )
        claims = {key: Claim(ids[key], slot) for key, slot in fresh.items()}
        claims.update((row.key, Claim(row.id, slot, row.state, row.detail)) for row, slot in seen)
        return claims

    def settle(self, settled: Iterable[tuple[int, LedgerState, str | None, str | None]]) -> None:
        """Write down what became of rows: row, state, detail and the server's own name for the message."""
        now = self.now()
        self._db.executemany(
            _SETTLE, [(state.value, detail, now, queue_id, row) for row, state, detail, queue_id in settled]
        )

    def settle_unclaimed(
        self, key: str, state: LedgerState, detail: str | None, queue_id: str | None
    ) -> None:
        """Write down what became of an email that nobody put down first."""
        self._db.execute(
            "INSERT INTO emails (key, state, at, detail, queue_id) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key)"
            " DO UPDATE SET state=excluded.state, at=excluded.at, detail=excluded.detail,"
            " queue_id=coalesce(excluded.queue_id, queue_id)",
            (key, state.value, self.now(), detail, queue_id),
        )

    def make_known(self, key: str, identity: tuple[str, str]) -> None:
        """Write down the Message-ID and recipients of an email that was put down by its key alone."""
        self._db.execute(_KNOWN, (*identity, key))

    def resolve(self, key: str, state: LedgerState) -> bool:
        """End a doubt; False when there is none."""
        row = self.rows((key,)).get(key)
        if row is None or row.state is not LedgerState.UNKNOWN:
            return False
        self.settle(((row.id, *resolved(row.detail, state), None),))
        return True

    def end(self, claim: Claim, mark: Mark) -> None:
        """Write down what follows from the mark of a row that its run did not settle."""
        row, _, prior, detail = claim
        match mark:
            case Mark.ACCEPTED:
                self.settle(((row, LedgerState.ACCEPTED, None, None),))
            case Mark.HANDED_OVER:
                self.settle(((row, LedgerState.HANDED_OVER, None, None),))
            case Mark.BEGUN:
                self._db.execute(_BACK, (LedgerState.UNKNOWN.value, doubted(detail), row))
            case Mark.CLAIMED | Mark.NOBODY:
                if prior is None:
                    self._db.execute("DELETE FROM emails WHERE id=?", (row,))
                else:
                    self._db.execute(_BACK, (prior.value, detail, row))
            case _:
                assert_never(mark)

    def held_by(self, run: str) -> frozenset[int]:
        """The rows that a run holds."""
        return frozenset(row for (row,) in self._db.execute("SELECT id FROM emails WHERE run=?", (run,)))

    def end_run(self, name: str, mark: Callable[[int | None], Mark]) -> None:
        """Write down what follows from the marks of everything a run holds and did not settle."""
        rows = self._db.execute("SELECT id, slot, prior, detail FROM emails WHERE run=?", (name,)).fetchall()
        for row, slot, prior, detail in rows:
            before = None if prior is None else LedgerState(prior)
            self.end(Claim(row, slot, before, detail), mark(slot))

    def recover_all(self) -> None:
        """Work out what became of the emails of every run that is dead.

        Raises:
            LedgerError: the file cannot be read or written.
        """
        with self.guard("cannot be read"):
            held = self._db.execute("SELECT DISTINCT run FROM emails WHERE run IS NOT NULL")
            self.recover(dict.fromkeys((*(name for (name,) in held), *stray_runs(self.path))))

    def recover(self, names: Collection[str]) -> frozenset[str]:
        """Work out what became of the emails of runs, as far as they are dead.

        Args:
            names: of runs; this program's own are left alone.

        Returns:
            Those that were dead.

        Raises:
            LedgerError: the file cannot be written, or the marks beside it cannot be read.
        """
        with self.guard("cannot be read"), contextlib.ExitStack() as held:
            runs = [held.enter_context(DeadRun(self.path, name)) for name in names if name not in self.own]
            dead = [run for run in runs if not run.alive]
            if dead:
                with self.writing():
                    for run in dead:
                        self.end_run(run.name, run.mark)
                for run in dead:
                    run.forget()  # only now: until the commit stood, the marks were all there was
            return frozenset(run.name for run in dead)


_OPENED: Final[weakref.WeakSet[Store]] = weakref.WeakSet()
_CARRIED: Final[list[sqlite3.Connection]] = []


def keep_all() -> None:
    """In a child of a fork: keep every connection of the parent's until the process ends."""
    for store in tuple(_OPENED):
        store.keep_for_ever()


when_forked(keep_all)
