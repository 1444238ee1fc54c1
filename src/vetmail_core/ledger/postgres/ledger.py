"""`PostgresLedger`: what a host opens.

It has the calls of `SqliteLedger`, on a database that several machines share. A password in the connection
string is never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self

from vetmail_core.address.lists import as_mailbox
from vetmail_core.errors import LedgerError
from vetmail_core.ledger.bounced import as_seconds, take
from vetmail_core.ledger.bounced_tables import BouncedTables
from vetmail_core.ledger.policy import LedgerState
from vetmail_core.ledger.postgres.schema import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vetmail_core.address import Mailbox
    from vetmail_core.ledger.postgres.run import PostgresRun
    from vetmail_core.ledger.postgres.store import Store
    from vetmail_core.ledger.tables import Statements, Tables
    from vetmail_core.notices import Bounce, BounceTaken, NeverReached
    from vetmail_core.receipts import Receipt

__all__ = ["PostgresLedger"]

_ENDS_OF_DOUBT: Final = (LedgerState.ACCEPTED, LedgerState.DEFERRED, LedgerState.REFUSED)


def _take(statements: Statements, bounce: Bounce) -> tuple[BounceTaken, ...]:
    statements.lock("bounces")  # the third of three that two workers take at once is still the third
    return take(BouncedTables(statements), bounce, int(statements.now))


class PostgresLedger:
    """A ledger in a PostgreSQL database (extra ``postgres``), for the workers of several machines.

    A worker that is not heard of for `lease_seconds`, by the database's clock alone, counts as dead: what it
    had begun is in doubt, what it had only put down is left to the next. Safe to share between threads. Open
    it in the process that uses it, after a fork and not before. A context manager.

    Args:
        conninfo: as libpq takes it, ``postgresql://user@host/database`` or ``host=... dbname=...``. The
            password may come from PGPASSWORD, a password file or a service file; it never shows.
        lease_seconds: longer than anything that may keep a living worker from its next email: a pause of the
            server, a long attachment.
        schema: where its tables are; any name.

    Raises:
        LedgerError: psycopg is not installed, or the database does not answer.
        ValueError: a lease of no time.
    """

    SQL: ClassVar[str] = SQL
    """What `create_tables` does, for a host's own migrations; the search path says in which schema."""

    def __init__(self, conninfo: str, *, lease_seconds: float = 60.0, schema: str = "public") -> None:
        if lease_seconds <= 0:
            raise ValueError(f"lease_seconds= needs a number of seconds above 0, got {lease_seconds!r}.")
        try:
            from vetmail_core.ledger.postgres.store import Store  # noqa: PLC0415 - psycopg is an extra
        except ImportError as error:
            raise LedgerError(
                "PostgresLedger needs psycopg 3, which is not installed; install it with the extra:"
                ' pip install "vetmail_core[postgres]".'
            ) from error
        self._store: Final[Store] = Store(conninfo, lease_seconds=lease_seconds, schema=schema)
        self._runs: list[PostgresRun] = []
        self._direct: PostgresRun | None = None
        self._closed = False

    def create_tables(self) -> None:
        """Make the schema and its tables, as far as they are not there. Several may call it at once.

        Raises:
            LedgerError: the database cannot be written.
        """
        self._store.create_tables()

    @property
    def tables(self) -> Tables:
        """The database's statements, for what a `Mailings` and a `SharedSpacing` keep in it."""
        return self._store

    def state(self, key: str, /) -> LedgerState | None:
        """What is known of an email; None when it was never seen or nothing was tried.

        Raises:
            LedgerError: the database cannot be read.
        """
        with self._store.lock:
            for run in self._runs:
                if run.has_settled(key):
                    run.flush()
            return self._store.state(key)

    def attempting(self, keys: Iterable[str], /) -> frozenset[str]:
        """Write down that these are about to be sent; on the disk when it returns.

        Returns:
            Those that are the caller's to send, without those that have been accepted or handed over, and
            those that a run holds at this moment.

        Raises:
            LedgerError: the database cannot be written; then nothing may be sent.
        """
        with self._store.lock:
            return self._own_run().claim_keys(tuple(dict.fromkeys(keys)))

    def settle(self, receipt: Receipt, /) -> None:
        """Write down what became of one email.

        Raises:
            LedgerError: the database cannot be written, or the email has no key.
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
        if not self._store.resolve(key, LedgerState(state)):
            raise LedgerError(f"The email {key!r} is not in doubt, so there is nothing to resolve.")

    def take_bounce(self, bounce: Bounce) -> tuple[BounceTaken, ...]:
        """Take a report that came back, as `vetmail_core.read_bounce` read it.

        It counts for an email that this ledger holds as accepted or in doubt, for 14 days after it was
        settled, and for an address that this email went to. The same report a second time counts once. A
        bounced email stays accepted: the next run does not send it again.

        Returns:
            What it took, in order; () where the report is about nothing of this ledger's.

        Raises:
            LedgerError: the database cannot be read or written.
        """
        with self._store.lock:
            for run in self._runs:
                run.flush()
            return self._store.again(lambda statements: _take(statements, bounce))

    def suppressed(self, mailbox: Mailbox | str, /) -> str | None:
        """Why it is no use writing to an address, in a sentence with what to do; None when it is.

        Hand it to ``plan_bulk(..., suppressed=ledger.suppressed)``.

        Raises:
            AddressError: the text is not an address.
            LedgerError: the database cannot be read.
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
            LedgerError: the database cannot be written.
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
            LedgerError: `since` has no time zone, or the database cannot be read.
            TypeError: `since` is not a datetime.
        """
        seconds = as_seconds(since)
        from vetmail_core.ledger.postgres.bounced import never_reached  # noqa: PLC0415 - psycopg is an extra

        with self._store.lock:
            for run in self._runs:
                run.flush()
        return never_reached(self._store, seconds)

    def in_doubt(self) -> tuple[str, ...]:
        """The keys of all emails in doubt, in the order in which they were first tried.

        Raises:
            LedgerError: the database cannot be read.
        """
        return self._store.in_doubt()

    def counts(self) -> dict[LedgerState, int]:
        """How many emails are in each state.

        Raises:
            LedgerError: the database cannot be read.
        """
        return self._store.counts()

    def open_run(self) -> PostgresRun:
        """Begin a run; `deliver_once` calls this.

        Raises:
            LedgerError: the ledger is closed, or the database does not answer.
        """
        from vetmail_core.ledger.postgres.run import PostgresRun  # noqa: PLC0415 - psycopg is there by now

        with self._store.lock:
            if self._closed:
                raise LedgerError("This PostgresLedger has been closed; open it again.")
            if self._direct is not None:
                # What a caller put down by hand and never settled is in doubt for every run that follows.
                self._direct.close()
                self._direct = None
            self._runs = [run for run in self._runs if not run.closed]
            self._runs.append(PostgresRun(self._store))
            return self._runs[-1]

    def _own_run(self) -> PostgresRun:
        if self._direct is None:
            self._direct = self.open_run()
        return self._direct

    def close(self) -> None:
        """End. A second call does nothing; runs that are going on are ended as they stand.

        In a child of a fork it does nothing: the ledger is the parent's.
        """
        if self._store.lock.foreign:
            return
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
        return f"PostgresLedger({self._store.name})"
