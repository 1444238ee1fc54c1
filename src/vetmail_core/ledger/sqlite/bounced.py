"""Who is never reached, from a ledger file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from vetmail_core.ledger.bounced import ends
from vetmail_core.ledger.bounced_tables import EMAIL, FATE_OF, FATES, NEVER, email_of, never_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from vetmail_core.notices import NeverReached

__all__ = ["never_reached"]

_SINCE: Final = (
    f"SELECT {EMAIL} FROM emails WHERE recipients IS NOT NULL"  # noqa: S608 - our own columns
    " AND (at >= ? OR id IN (SELECT email FROM notices WHERE at >= ?))"
)


def never_reached(connect: Callable[[], sqlite3.Connection], since: int) -> Iterator[NeverReached]:
    """Stream the addresses that nothing reached.

    Args:
        connect: opens a connection of its own: what is worked out goes into a temporary table there, so that
            neither the memory nor other work on the ledger depends on the number of emails.
        since: seconds since 1970.

    Yields:
        One for each address, the latest failure first.
    """
    with contextlib.closing(connect()) as database:
        database.execute(FATES)
        for row in database.execute(_SINCE, (since, since)):
            failures = database.execute(
                "SELECT address, weight, said, at FROM notices WHERE email=? AND action='failed' AND at >= ?",
                (row[0], since),
            )
            database.executemany(FATE_OF, ends(email_of(row), failures.fetchall(), since))
        yield from never_of(database.execute(NEVER))
