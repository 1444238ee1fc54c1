"""The ledger that comes with the library: one SQLite file.

`attempting` is on the disk before an email can leave; an email that could not be written down first does
not leave.

The file is in WAL mode with every commit written through (``synchronous=FULL``). A run writes down a group of
emails with one commit, and what became of the previous group goes into the same commit. The marks beside the
file (see `vetmail_core.ledger.sqlite.marks`) say how far within a group a run had got when it was killed.

The file has to be on a disk of this machine: SQLite's WAL mode does not work on a network drive.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.address.lists import as_mailbox
from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.bounced import as_seconds, take
from vetmail_core.ledger.bounced_tables import BouncedTables
from vetmail_core.ledger.policy import LedgerState
from vetmail_core.ledger.sqlite.bounced import never_reached
from vetmail_core.ledger.sqlite.marks import Ending, RunMarks
from vetmail_core.ledger.sqlite.run import SqliteRun
from vetmail_core.ledger.sqlite.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vetmail_core.address import Mailbox
    from vetmail_core.ledger.tables import Tables
    from vetmail_core.notices import Bounce, BounceTaken, NeverReached
    from vetmail_core.receipts import Receipt

__all__ = ["SqliteLedger"]

_ENDS_OF_DOUBT: Final = (LedgerState.ACCEPTED, LedgerState.DEFERRED, LedgerState.REFUSED)


def _clear_away(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a child of a fork ends too, and the folder is not its own
        shutil.rmtree(folder, ignore_errors=True)


class SqliteLedger:
    """A ledger in one SQLite file, made when it is not there.

    Safe to share between threads, and between programs on one machine. A context manager; a program that
    ends without closing it loses nothing. Open it in the process that uses it, after a fork and not before.

    Args:
        path: the file, on a disk of this machine; its folder must be there. ``":memory:"``, as SQLite calls
            it, is a ledger for a test: it is gone with this object.
        clock: tells when something was written down.

    Each process opens a ledger of its own: one that was opened before a fork is a LedgerError in the child.

    Raises:
        LedgerError: the file cannot be opened, or holds something else.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        if path == ":memory:":
            # In a file all the same, which the marks of a run can stand beside.
            folder = Path(tempfile.mkdtemp(prefix="vetmail-ledger-"))
            weakref.finalize(self, _clear_away, folder, os.getpid())
            path = folder / "ledger"
        self._store = Store(Path(path).absolute(), SystemClock() if clock is None else clock)
        self._runs: list[SqliteRun] = []
        self._direct: SqliteRun | None = None
        self._closed = False
        self._ending = Ending(self._store.lock)

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def tables(self) -> Tables:
        """The file's statements, for what a `Mailings` and a `SharedSpacing` keep in it."""
        return self._store

    def state(self, key: str, /) -> LedgerState | None:
        """What is known of an email; None when it was never seen or nothing was tried.

        Raises:
            LedgerError: the file cannot be read.
        """
        with self._store.lock:
            for run in self._runs:
                if run.has_settled(key):
                    run.flush()
            row = self._store.row(key)
            return None if row is None else row.state

    def attempting(self, keys: Iterable[str], /) -> frozenset[str]:
        """Write down that these are about to be sent; on the disk when it returns.

        Returns:
            Those that are the caller's to send, without those that have been accepted or handed over, and
            those that a run holds at this moment.

        Raises:
            LedgerError: the file cannot be written; then nothing may be sent.
        """
        with self._store.lock:
            return self._own_run().claim_keys(tuple(dict.fromkeys(keys)))

    def settle(self, receipt: Receipt, /) -> None:
        """Write down what became of one email; on the disk when it returns.

        Raises:
            LedgerError: the file cannot be written, or the email has no key.
        """
        with self._store.lock:
            run = self._own_run()
            run.settle(receipt)
            run.flush()

    def resolve(self, key: str, state: LedgerState) -> None:
        """Put an end to a doubt: somebody looked into the server's log, or asked.

        Args:
            key: of an email in doubt.
            state: ACCEPTED when it arrived, DEFERRED when it did not and is to be sent by the next run,
                REFUSED when it did not and is not to be sent.

        Raises:
            LedgerError: the email is not in doubt, or the state is not one of the three.
        """
        if state not in _ENDS_OF_DOUBT:
            raise LedgerError(f"resolve() needs the state accepted, deferred or refused, got {state}.")
        with self._store.writing():
            if not self._store.resolve(key, LedgerState(state)):  # a command line or a form gives it as text
                raise LedgerError(f"The email {key!r} is not in doubt, so there is nothing to resolve.")

    def take_bounce(self, bounce: Bounce) -> tuple[BounceTaken, ...]:
        """Take a report that came back, as `vetmail_core.read_bounce` read it.

        It counts for an email that this ledger holds as accepted or in doubt, for 14 days after it was
        settled, and for an address that this email went to. The same report a second time counts once. A
        bounced email stays accepted: the next run does not send it again.

        Returns:
            What it took, in order; () where the report is about nothing of this ledger's.

        Raises:
            LedgerError: the file cannot be read or written.
        """
        with self._store.lock:
            for run in self._runs:
                run.flush()
            with self._store.writing() as statements:
                return take(BouncedTables(statements), bounce, int(statements.now))

    def suppressed(self, mailbox: Mailbox | str, /) -> str | None:
        """Why it is no use writing to an address, in a sentence with what to do; None when it is.

        Hand it to ``plan_bulk(..., suppressed=ledger.suppressed)``.

        Raises:
            AddressError: the text is not an address.
            LedgerError: the file cannot be read.
        """
        address = as_mailbox(mailbox).address_key
        with self._store.reading() as statements:
            return BouncedTables(statements).suppressed(address, int(statements.now))

    def lift(self, mailbox: Mailbox | str, /) -> bool:
        """Write to an address again; what came back before counts no more.

        Returns:
            False when it was not left out.

        Raises:
            AddressError: the text is not an address.
            LedgerError: the file cannot be written.
        """
        address = as_mailbox(mailbox).address_key
        with self._store.writing() as statements:
            return BouncedTables(statements).lift(address, int(statements.now))

    def never_reached(self, *, since: datetime) -> Iterator[NeverReached]:
        """Who never gets our mail: addresses with an email that failed, and none that arrived.

        An email failed when it came back for a reason that is not about us, or when it was refused at once as
        undeliverable. An email that is only delayed or in doubt says nothing.

        Args:
            since: from when on, with a time zone.

        Returns:
            A stream, the latest failure first; its memory does not grow with the ledger.

        Raises:
            LedgerError: `since` has no time zone, or the file cannot be read.
            TypeError: `since` is not a datetime.
        """
        seconds = as_seconds(since)
        with self._store.guard("cannot be read"):
            for run in self._runs:
                run.flush()
        return never_reached(self._store.connect_again, seconds)

    def in_doubt(self) -> tuple[str, ...]:
        """The keys of all emails in doubt, in the order in which they were first tried.

        Raises:
            LedgerError: the file cannot be read.
        """
        return self._store.in_doubt()

    def first_recipients(self, prefix: str, /) -> tuple[tuple[str, str], ...]:
        """The email keys that begin with a prefix, each with the address key of its first recipient.

        Emails of which no address is known, as a file of an earlier version has them, are left out.

        Args:
            prefix: such as "2026-03-02 class/", which the keys of a plan's emails begin with.

        Raises:
            LedgerError: the file cannot be read.
        """
        return self._store.first_recipients(prefix)

    def counts(self) -> dict[LedgerState, int]:
        """How many emails are in each state.

        Raises:
            LedgerError: the file cannot be read.
        """
        return self._store.counts()

    def open_run(self) -> SqliteRun:
        """Begin a run; `deliver_once` calls this.

        Raises:
            LedgerError: the ledger is closed, or there is no room beside the file.
        """
        with self._store.lock:
            if self._closed:
                raise LedgerError(f"The ledger {self.path} has been closed; open it again.")
            if self._direct is not None:
                # What a caller put down by hand and never settled is in doubt for every run that follows.
                self._direct.close()
                self._direct = None
            try:
                marks = RunMarks(self.path, self._ending)
            except OSError as error:
                raise self._store.error("cannot be written", error) from error
            self._store.own.add(marks.run)
            self._runs = [run for run in self._runs if not run.closed]
            self._runs.append(SqliteRun(self._store, marks))
            return self._runs[-1]

    def _own_run(self) -> SqliteRun:
        if self._direct is None:
            self._direct = self.open_run()
        return self._direct

    def close(self) -> None:
        """End; runs that are going on are ended as they stand. A further call does what an interrupt left.

        In a child of a fork it does nothing: the ledger is the parent's.
        """
        self._ending.begun = True
        if self._store.lock.foreign:
            return
        with self._store.lock:
            self._closed = True
            for run in self._runs:
                run.close()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self.path)!r})"
