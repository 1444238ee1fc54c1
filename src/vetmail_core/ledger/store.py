"""The rows of a ledger file, and the rules for touching them.

What it is for: one connection, shared by the ledger and its runs, under one lock. What it refuses: another
program's database, and a later version's. Its law: every change is one transaction, written through to the
disk, and what a dead run left behind is worked out before anybody decides on it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from vetmail_core.clock import SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.marks import DeadRun, Mark, stray_runs
from vetmail_core.ledger.standing import LedgerState, doubted, resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from vetmail_core.clock import Clock

__all__ = ["Claim", "Row", "Store"]

_APPLICATION: Final = 0x76746D6C  # "vtml": the file says whose it is
_SCHEMA: Final = 1
_BUSY_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.005
_PRIMARY: Final = 0xFF  # of an extended result code
_MOST_AT_ONCE: Final = 10_000  # keys of one question; SQLite takes 32,766
_TABLE: Final = """
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
_NO_ROOM: Final = (
    "Nothing is sent that cannot be written down: make room on the disk, or give this program the right to"
    " write there, then start the run again."
)
_SETTLE: Final = "UPDATE emails SET state=?, detail=?, at=?, run=NULL, slot=NULL, prior=NULL WHERE id=?"
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


def _make_private(path: Path) -> None:
    """Make a new ledger its owner's alone; SQLite's files beside it take after it."""
    # What cannot be made here cannot be opened either, and SQLite then says why.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


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
        self._lock = threading.RLock()
        self._process = os.getpid()
        self.own: Final[set[str]] = set()
        self._clock = clock
        try:
            _make_private(path)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self.error("cannot be opened", error) from error
        try:
            with self.guard("cannot be opened"):
                self._prepare()
            self.recover_all()
        except BaseException:
            self._db.close()
            raise

    @property
    def is_a_copy(self) -> bool:
        """Whether this process was forked from the one that opened the file."""
        return os.getpid() != self._process

    @property
    def lock(self) -> AbstractContextManager[object]:
        """One thread at a time, of the process that opened the file.

        Raises:
            LedgerError: another process opened it; SQLite's connection must not be used in this one.
        """
        if self.is_a_copy:
            raise LedgerError(
                f"The ledger {self.path} was opened before this process was forked; expected one of this "
                "process's own. Open it again here."
            )
        return self._lock

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
            if not tables:
                self._db.execute(_TABLE)
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

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

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

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """One transaction.

        Raises:
            LedgerError: it could not be committed; nothing of it stands.
        """
        with self.guard("cannot be written"), self._transaction():
            yield

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
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

    # What follows changes rows and is called within `writing`.

    def put_down(
        self, run: str, fresh: Mapping[str, int | None], seen: Sequence[tuple[Row, int | None]]
    ) -> dict[str, Claim]:
        """Write down that a run is about to send.

        Args:
            run: its name.
            fresh: key -> slot, of emails that have no row.
            seen: rows and their slots, of emails that have one.

        Returns:
            What is put down, by key.
        """
        now = self.now()
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM emails").fetchone()
        ids = {key: last + count for count, key in enumerate(fresh, start=1)}
        self._db.executemany(
            "INSERT INTO emails (id, key, state, at, run, slot) VALUES (?, ?, 'attempting', ?, ?, ?)",
            [(ids[key], key, now, run, slot) for key, slot in fresh.items()],
        )
        self._db.executemany(
            "UPDATE emails SET prior=state, state='attempting', run=?, slot=? WHERE id=?",
            [(run, slot, row.id) for row, slot in seen],
        )
        claims = {key: Claim(ids[key], slot) for key, slot in fresh.items()}
        claims.update((row.key, Claim(row.id, slot, row.state, row.detail)) for row, slot in seen)
        return claims

    def settle(self, settled: Iterable[tuple[int, LedgerState, str | None]]) -> None:
        """Write down what became of rows."""
        now = self.now()
        self._db.executemany(_SETTLE, [(state.value, detail, now, row) for row, state, detail in settled])

    def settle_unclaimed(self, key: str, state: LedgerState, detail: str | None) -> None:
        """Write down what became of an email that nobody put down first."""
        self._db.execute(
            "INSERT INTO emails (key, state, at, detail) VALUES (?, ?, ?, ?) ON CONFLICT (key)"
            " DO UPDATE SET state=excluded.state, at=excluded.at, detail=excluded.detail",
            (key, state.value, self.now(), detail),
        )

    def resolve(self, key: str, state: LedgerState) -> bool:
        """End a doubt; False when there is none."""
        row = self.rows((key,)).get(key)
        if row is None or row.state is not LedgerState.UNKNOWN:
            return False
        self.settle(((row.id, *resolved(row.detail, state)),))
        return True

    def end(self, claim: Claim, mark: Mark) -> None:
        """Write down what follows from the mark of a row that its run did not settle."""
        row, _, prior, detail = claim
        match mark:
            case Mark.ACCEPTED:
                self.settle(((row, LedgerState.ACCEPTED, None),))
            case Mark.HANDED_OVER:
                self.settle(((row, LedgerState.HANDED_OVER, None),))
            case Mark.BEGUN:
                self._db.execute(_BACK, (LedgerState.UNKNOWN.value, doubted(detail), row))
            case Mark.CLAIMED | Mark.NOBODY:
                if prior is None:
                    self._db.execute("DELETE FROM emails WHERE id=?", (row,))
                else:
                    self._db.execute(_BACK, (prior.value, detail, row))
            case _:
                assert_never(mark)

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
