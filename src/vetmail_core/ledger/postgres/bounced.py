"""Who is never reached, from a ledger in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vetmail_core.ledger.bounced import ends
from vetmail_core.ledger.bounced_tables import EMAIL, FATE_OF, FATES, NEVER, email_of, never_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core.ledger.postgres.store import Store
    from vetmail_core.notices import NeverReached

__all__ = ["never_reached"]

_AT_ONCE: Final = 1_000
_SINCE: Final = (
    f"SELECT {EMAIL}, (SELECT coalesce(json_agg(json_build_array(n.address, n.weight, n.said, n.at)), '[]')"  # noqa: S608 - our own columns
    " FROM @notices n WHERE n.email=e.id AND n.action='failed' AND n.at >= ?) FROM @emails e"
    " WHERE recipients IS NOT NULL AND (at >= ? OR id IN (SELECT email FROM @notices WHERE at >= ?))"
)


def never_reached(store: Store, since: int) -> Iterator[NeverReached]:
    """Stream the addresses that nothing reached; what is worked out is in a temporary table of the server's.

    Args:
        store: the database.
        since: seconds since 1970.

    Yields:
        One for each address, the latest failure first.

    Raises:
        LedgerError: the database cannot be read.
    """
    with store.streaming() as connection:
        connection.execute(f"{FATES} ON COMMIT DROP".encode())
        with connection.cursor("emails") as emails:
            emails.execute(store.spelled(_SINCE), (since, since, since))
            while rows := emails.fetchmany(_AT_ONCE):
                found = [end for row in rows for end in ends(email_of(row), row[6], since)]
                with connection.cursor() as fates:
                    fates.executemany(store.spelled(FATE_OF), found)
        with connection.cursor("never") as never:
            never.execute(NEVER.encode())
            yield from never_of(never)
