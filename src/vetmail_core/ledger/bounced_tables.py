"""The rows that a ledger keeps of reports that came back, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vetmail_core.ledger.bounced import Known, Weight
from vetmail_core.ledger.policy import LedgerState
from vetmail_core.notices import NeverReached

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vetmail_core.ledger.tables import Row, Statements
    from vetmail_core.notices import Notice

__all__ = ["EMAIL", "FATES", "FATE_OF", "NEVER", "BouncedTables", "email_of", "never_of"]

EMAIL: Final = "id, key, state, at, detail, recipients"
# The names of SES are long; a server's short ones are never looked up, so they are in no index.
_BY_NAME: Final = {
    "key": f"SELECT {EMAIL} FROM @emails WHERE key=?",  # noqa: S608 - our own columns
    "message_id": f"SELECT {EMAIL} FROM @emails WHERE message_id=? ORDER BY id DESC LIMIT 1",  # noqa: S608
    "queue_id": (
        f"SELECT {EMAIL} FROM @emails WHERE queue_id=? AND length(queue_id) > 40"  # noqa: S608
        " ORDER BY id DESC LIMIT 1"
    ),
}
FATES: Final = (
    "CREATE TEMP TABLE fates (address TEXT PRIMARY KEY, reached INTEGER, times INTEGER, last BIGINT,"
    " said TEXT, person TEXT)"
)
FATE_OF: Final = (
    "INSERT INTO fates AS old (address, reached, times, last, said, person) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (address) DO UPDATE SET times=old.times+excluded.times,"
    " reached=old.reached+excluded.reached,"
    " said=CASE WHEN excluded.last >= old.last THEN excluded.said ELSE old.said END,"
    " person=CASE WHEN excluded.last >= old.last THEN excluded.person ELSE old.person END,"
    " last=CASE WHEN excluded.last >= old.last THEN excluded.last ELSE old.last END"
)
"""Takes an `End`."""
NEVER: Final = (
    "SELECT address, times, last, said, person FROM fates WHERE reached=0 AND times > 0"
    " ORDER BY last DESC, address"
)


class BouncedTables:
    """Notices and suppressions in a ledger's database.

    Args:
        statements: a transaction of the ledger's.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def find(self, *, key: str = "", message_id: str = "", queue_id: str = "") -> Known | None:
        """Find the email that has this name; exactly one name is given."""
        names = {"key": key, "message_id": message_id, "queue_id": queue_id}
        [(kind, name)] = [(kind, name) for kind, name in names.items() if name]
        rows = self._statements.rows(_BY_NAME[kind], name)
        return email_of(rows[0]) if rows and rows[0][5] is not None else None

    def note(self, email: int, address: str, notice: Notice, weight: Weight, at: int) -> None:
        """Keep a notice; one that is kept already changes nothing."""
        row = (email, address, notice.action.value, notice.enhanced, notice.said, weight.value, at)
        self._statements.many(
            "INSERT INTO @notices (email, address, action, enhanced, said, weight, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [row],
        )

    def fruitless(self, address: str, since: int) -> int:
        """How many emails to an address have a notice of weight THIRD since then that was not lifted."""
        ((count,),) = self._statements.rows(
            "SELECT count(DISTINCT email) FROM @notices"
            " WHERE address=? AND weight='third' AND at>=? AND lifted=0",
            address,
            since,
        )
        return int(count)

    def suppress(self, address: str, why: str, until: int | None) -> None:
        """Leave an address out until a moment, or None: until it is lifted, which outlasts any moment."""
        self._statements.many(
            "INSERT INTO @suppressed AS old (address, why, until) VALUES (?, ?, ?) ON CONFLICT (address)"
            " DO UPDATE SET why=excluded.why, until=excluded.until"
            " WHERE excluded.until IS NULL OR old.until IS NOT NULL",
            [(address, why, until)],
        )

    def suppressed(self, address: str, now: int) -> str | None:
        """Why an address is left out at this moment; None when it is not."""
        rows = self._statements.rows(
            "SELECT why FROM @suppressed WHERE address=? AND (until IS NULL OR until > ?)", address, now
        )
        return str(rows[0][0]) if rows else None

    def lift(self, address: str, now: int) -> bool:
        """Write to an address again; what came back so far counts no more. False: it was not left out."""
        if self.suppressed(address, now) is None:
            return False
        self._statements.many("DELETE FROM @suppressed WHERE address=?", [(address,)])
        self._statements.many("UPDATE @notices SET lifted=1 WHERE address=?", [(address,)])
        return True


def email_of(row: Row) -> Known:
    """Read a row of `EMAIL`."""
    return Known(row[0], row[1], LedgerState(row[2]), row[3], row[4], tuple(row[5].split("\n")))


def never_of(rows: Iterable[Row]) -> Iterator[NeverReached]:
    """Read the rows of `NEVER`."""
    for address, times, last, said, person in rows:
        yield NeverReached(
            person_key=person,
            address=address,
            said=said,
            times=times,
            last=datetime.fromtimestamp(last, UTC),
        )
