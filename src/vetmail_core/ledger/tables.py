"""What mailings and spacing ask of a ledger's database: statements, in one transaction, by its clock.

Each statement is written once: tables are named ``@name`` and values ``?``, and each database puts its own
spelling in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

__all__ = ["Statements", "Tables", "table_statements"]

Row = tuple[Any, ...]

# The columns of every database. {id} is a number that the database gives, {real} one of seconds since 1970.
_TABLES = """
CREATE TABLE @mailings (
    id {id}, batch TEXT NOT NULL UNIQUE, at {real} NOT NULL, schema INTEGER NOT NULL, digest TEXT,
    emails INTEGER, base TEXT, stopped INTEGER NOT NULL DEFAULT 0, since {real} NOT NULL, forgotten {real}
);
CREATE TABLE @slices (
    id {id}, mailing BIGINT NOT NULL, place INTEGER NOT NULL, woken {real}, until {real} NOT NULL DEFAULT 0,
    factor INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX {prefix}slices_of_mailing ON @slices (mailing);
CREATE TABLE @planned (
    slice BIGINT NOT NULL, place INTEGER NOT NULL, key TEXT NOT NULL, recipients INTEGER NOT NULL, email TEXT,
    PRIMARY KEY (slice, place)
);
CREATE TABLE @left_out (
    mailing BIGINT NOT NULL, place INTEGER NOT NULL, person TEXT NOT NULL, PRIMARY KEY (mailing, place)
);
CREATE TABLE @files (
    mailing BIGINT NOT NULL, digest TEXT NOT NULL, data {bytes} NOT NULL, PRIMARY KEY (mailing, digest)
);
CREATE TABLE @turns (
    name TEXT PRIMARY KEY, next {real} NOT NULL DEFAULT 0, penalty {real} NOT NULL DEFAULT 0,
    closed {real} NOT NULL DEFAULT 0
);
CREATE TABLE @places (id {id}, name TEXT NOT NULL, until {real} NOT NULL);
CREATE TABLE @uses (
    name TEXT NOT NULL, hour BIGINT NOT NULL, recipients BIGINT NOT NULL, PRIMARY KEY (name, hour)
)
"""


class Statements(Protocol):
    """A transaction.

    Attributes:
        now: seconds since 1970, by the database's clock.
    """

    now: float

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Run one statement; its rows."""
        ...

    def many(self, statement: str, values: Iterable[Row]) -> None:
        """Run one statement for each row of values."""
        ...

    def lock(self, what: str) -> None:
        """Keep others who lock the same out, until the transaction ends."""
        ...

    def add(self, table: str, **values: object) -> int:
        """Put a row in; the number that the database gave it."""
        ...


class Tables(Protocol):
    """A ledger's database."""

    def reading(self) -> AbstractContextManager[Statements]:
        """Read.

        Raises:
            LedgerError: the database cannot be read.
        """
        ...

    def writing(self) -> AbstractContextManager[Statements]:
        """Write; on the disk when it ends without an exception, and nothing of it stands after one.

        Raises:
            LedgerError: the database cannot be written.
        """
        ...

    def recover_all(self) -> None:
        """Work out what became of the emails of every run that is dead.

        Raises:
            LedgerError: the database cannot be read or written.
        """
        ...


def table_statements(*, prefix: str, identity: str, real: str, octets: str) -> tuple[str, ...]:
    """The statements that make the tables of mailings and spacing.

    Args:
        prefix: of the names of indexes.
        identity: the type of a number that the database gives.
        real: the type of a number of seconds.
        octets: the type of octets.
    """
    text = _TABLES.format(prefix=prefix, id=identity, real=real, bytes=octets)
    return tuple(" ".join(statement.split()) for statement in text.split(";"))
