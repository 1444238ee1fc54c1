"""The ledger that comes with the library: one SQLite file.

What it is for: remembering what was sent, for one program or several at once, through kills, full disks and
power cuts. What it refuses: to let an email go that it could not write down first. Its law: `attempting` is
on the disk before the email can leave.

The file is in WAL mode with every commit written through (``synchronous=FULL``). A run writes down a group of
emails with one commit, and what became of the previous group goes into the same commit. The marks beside the
file (see `vetmail_core.ledger.marks`) say how far within a group a run had got when it was killed.

The file has to be on a disk of this machine: SQLite's WAL mode does not work on a network drive.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from vetmail_core.clock import Clock, SystemClock
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.marks import SLOTS, Mark, RunMarks
from vetmail_core.ledger.runs import keyless
from vetmail_core.ledger.standing import NEW, LedgerState, Standing, Verdict, remember, stand
from vetmail_core.ledger.store import Claim, Row, Store

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

__all__ = ["SqliteLedger", "SqliteRun"]

_MARKS: Final[Mapping[LedgerState | None, Mark]] = MappingProxyType(
    {
        LedgerState.ACCEPTED: Mark.ACCEPTED,
        LedgerState.HANDED_OVER: Mark.HANDED_OVER,
        LedgerState.REFUSED: Mark.NOBODY,
        LedgerState.DEFERRED: Mark.NOBODY,
        None: Mark.NOBODY,
    }
)
_ENDS_OF_DOUBT: Final = (LedgerState.ACCEPTED, LedgerState.DEFERRED, LedgerState.REFUSED)


class SqliteLedger:
    """A ledger in one SQLite file, made when it is not there.

    Safe to share between threads, and between programs on one machine. A context manager; a program that
    ends without closing it loses nothing.

    Args:
        path: the file, on a disk of this machine; its folder must be there. ``":memory:"``, as SQLite calls
            it, is a ledger for a test: it is gone with this object.
        clock: tells when something was written down.

    Raises:
        LedgerError: the file cannot be opened, or holds something else.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        if path == ":memory:":
            # In a file all the same, which the marks of a run can stand beside.
            folder = Path(tempfile.mkdtemp(prefix="vetmail-ledger-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = folder / "ledger"
        self._store = Store(Path(path).absolute(), SystemClock() if clock is None else clock)
        self._runs: list[SqliteRun] = []
        self._direct: SqliteRun | None = None
        self._closed = False

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

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
            LedgerError: the email is not in doubt, or the state is none of the three.
        """
        if state not in _ENDS_OF_DOUBT:
            raise LedgerError(f"A doubt ends as accepted, deferred or refused, but {state} came. Say which.")
        with self._store.writing():
            if not self._store.resolve(key, LedgerState(state)):  # a command line or a form gives it as text
                raise LedgerError(f"The email {key!r} is not in doubt, so there is nothing to resolve.")

    def in_doubt(self) -> tuple[str, ...]:
        """The keys of all emails in doubt, in the order in which they were first tried.

        Raises:
            LedgerError: the file cannot be read.
        """
        return self._store.in_doubt()

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
                marks = RunMarks(self.path)
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
        """End. A second call does nothing; runs that are going on are ended as they stand."""
        with self._store.lock:
            if not self._closed:
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


class SqliteRun:
    """One run through a `SqliteLedger`: what it has put down, and what it has not yet written.

    Args:
        store: the file.
        marks: how far the run has got.
    """

    def __init__(self, store: Store, marks: RunMarks) -> None:
        self._store = store
        self._marks = marks
        self._free = list(range(SLOTS))
        self._claims: dict[str, Claim] = {}
        self._unwritten: dict[str, tuple[LedgerState | None, str | None]] = {}
        self.closed = False

    def has_settled(self, key: str) -> bool:
        """Whether an email was answered and that is not written yet."""
        return key in self._unwritten

    def claim(self, emails: Sequence[Email], *, retry_unknown: bool) -> list[Standing]:
        """Decide about a group of emails, and put down those to be sent.

        Args:
            emails: each with a key; some thousands at most.
            retry_unknown: those in doubt are sent again.

        Returns:
            One standing for each email, in order.

        Raises:
            LedgerError: the file cannot be written; none of the group may be sent.
        """
        with self._store.lock:
            standings, foreign = self._claim(emails, retry_unknown=retry_unknown)
            dead = self._store.recover(frozenset(foreign.values())) if foreign else frozenset[str]()
            again = [index for index, run in foreign.items() if run in dead]
            if again:
                decided, _ = self._claim([emails[index] for index in again], retry_unknown=retry_unknown)
                for index, standing in zip(again, decided, strict=True):
                    standings[index] = standing
            return standings

    def _claim(
        self, emails: Sequence[Email], *, retry_unknown: bool
    ) -> tuple[list[Standing], dict[int, str]]:
        standings: list[Standing] = []
        foreign: dict[int, str] = {}
        wanted: dict[str, Row | None] = {}
        with self._store.writing():
            self._write()
            rows = self._store.rows([email.key for email in emails])
            for index, email in enumerate(emails):
                row = rows.get(email.key)
                if email.key in wanted:
                    standing = Standing(Verdict.ELSEWHERE, state=LedgerState.ATTEMPTING, at=self._store.now())
                elif row is None:
                    standing = NEW
                elif row.run is not None:
                    standing = Standing(Verdict.ELSEWHERE, state=row.state, at=row.at)
                    foreign[index] = row.run
                else:
                    standing = stand(email, row.state, row.detail, row.at, retry_unknown=retry_unknown)
                if standing.verdict is Verdict.SEND:
                    wanted[email.key] = row
                standings.append(standing)
            claims = self._put_down(wanted)
        self._written()
        self._claims.update(claims)
        return standings, foreign

    def claim_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Put down emails of which only the keys are known, as begun.

        Raises:
            LedgerError: the file cannot be written; none of them may be sent.
        """
        taken = (LedgerState.ACCEPTED, LedgerState.HANDED_OVER)
        with self._store.lock:
            self._store.recover_all()
            with self._store.writing():
                self._write()
                rows = self._store.rows(keys)
                wanted = {
                    key: row
                    for key, row in ((key, rows.get(key)) for key in keys)
                    if row is None or (row.run is None and row.state not in taken)
                }
                claims = self._put_down(wanted)
                for claim in claims.values():
                    self._mark(claim.slot, Mark.BEGUN)
            self._written()
            self._claims.update(claims)
            return frozenset(claims)

    def _put_down(self, wanted: Mapping[str, Row | None]) -> dict[str, Claim]:
        if not wanted:
            return {}
        # A transport that takes thousands before it answers leaves no free slot; that email counts as begun.
        slots = {key: self._free.pop() if self._free else None for key in wanted}
        for slot in slots.values():
            self._mark(slot, Mark.CLAIMED)
        fresh = {key: slots[key] for key, row in wanted.items() if row is None}
        seen = [(row, slots[key]) for key, row in wanted.items() if row is not None]
        return self._store.put_down(self._marks.run, fresh, seen)

    def _mark(self, slot: int | None, mark: Mark) -> None:
        if slot is not None:
            self._marks.set(slot, mark)

    def begin(self, email: Email) -> None:
        """Mark that an email may leave from now on.

        Raises:
            LedgerError: the ledger was closed in the middle of the run.
        """
        if self.closed:
            raise LedgerError(
                f"The ledger {self._store.path} was closed in the middle of a run; close it after."
            )
        self._mark(self._claims[email.key].slot, Mark.BEGUN)

    def _marked(self, slot: int | None) -> Mark:
        return Mark.BEGUN if slot is None else self._marks.get(slot)

    def settle(self, receipt: Receipt) -> None:
        """Take down what became of an email; written with the next group.

        Raises:
            LedgerError: the email has no key, or its recipients ended differently, which is written at once,
                and the file cannot be written.
        """
        key = receipt.email.key
        if not key:
            raise keyless(receipt.email)
        if self.closed:
            raise LedgerError(
                f"The ledger {self._store.path} was closed in the middle of a run; close it after."
            )
        with self._store.lock:
            claim = self._claims.get(key)
            before = self._store.row(key) if claim is None else claim
            state, detail = (
                remember(receipt) if before is None else remember(receipt, before.state, before.detail)
            )
            self._unwritten[key] = (state, detail)
            if claim is None:
                return
            if state is LedgerState.REFUSED or (detail is None and state is not LedgerState.UNKNOWN):
                self._mark(claim.slot, _MARKS[state])
            else:
                self.flush()

    def flush(self) -> None:
        """Write what is taken down.

        Raises:
            LedgerError: the file cannot be written.
        """
        with self._store.lock:
            with self._store.writing():
                self._write()
            self._written()

    def _write(self) -> None:
        settled: list[tuple[int, LedgerState, str | None]] = []
        for key, (state, detail) in self._unwritten.items():
            claim = self._claims.get(key)
            if state is None:
                if claim is not None:
                    self._store.end(claim, Mark.NOBODY)
            elif claim is None:
                self._store.settle_unclaimed(key, state, detail)
            else:
                settled.append((claim.row, state, detail))
        if settled:
            self._store.settle(settled)

    def _written(self) -> None:
        for key in self._unwritten:
            claim = self._claims.pop(key, None)
            if claim is not None and claim.slot is not None:
                self._free.append(claim.slot)
        self._unwritten.clear()

    def close(self) -> None:
        """End the run: write what is taken down, and let go of what was put down and never begun.

        When that cannot be written, the marks stay where they are and the next program that opens the ledger
        writes it.
        """
        with self._store.lock:
            if self.closed:
                return
            self.closed = True
            kept = False
            try:
                with self._store.writing():
                    self._write()
                    self._store.end_run(self._marks.run, self._marked)
            except LedgerError:
                kept = True
            self._marks.close(keep=kept)
            self._store.own.discard(self._marks.run)
