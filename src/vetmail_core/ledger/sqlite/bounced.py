"""The rows that a ledger file keeps of reports that came back."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vetmail_core.ledger.bounced import Fate, Known, Weight, fate, person_of
from vetmail_core.ledger.policy import LedgerState
from vetmail_core.notices import Action, NeverReached

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from vetmail_core.notices import Notice

__all__ = ["SqliteBounced", "never_reached"]

_EMAIL: Final = "SELECT id, key, state, at, detail, recipients FROM emails WHERE"
# The names of SES are long; a server's short ones are never looked up, so they are in no index.
_BY_NAME: Final = {
    "key": f"{_EMAIL} key=?",
    "message_id": f"{_EMAIL} message_id=? ORDER BY id DESC",
    "queue_id": f"{_EMAIL} queue_id=? AND length(queue_id) > 40 ORDER BY id DESC",
}
_SINCE: Final = (  # no value of a caller's is in it
    f"{_EMAIL} recipients IS NOT NULL AND (at >= ? OR id IN (SELECT email FROM notices WHERE at >= ?))"  # noqa: S608
)
_FATES: Final = """
CREATE TEMP TABLE fates (
    address TEXT PRIMARY KEY, reached INTEGER, times INTEGER, last INTEGER, said TEXT, person TEXT
) WITHOUT ROWID
"""
_REACHED: Final = (
    "INSERT INTO fates VALUES (?, 1, 0, 0, '', '') ON CONFLICT (address) DO UPDATE SET reached=1"
)
_FAILED: Final = """
INSERT INTO fates VALUES (?, 0, 1, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET times=times+1,
    said=CASE WHEN excluded.last >= last THEN excluded.said ELSE said END,
    person=CASE WHEN excluded.last >= last THEN excluded.person ELSE person END,
    last=max(last, excluded.last)
"""


class SqliteBounced:
    """Notices and suppressions in a ledger file; used within a transaction of the ledger's.

    Args:
        database: the ledger's connection.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def find(self, *, key: str = "", message_id: str = "", queue_id: str = "") -> Known | None:
        """Find the email that has this name; exactly one name is given."""
        names = {"key": key, "message_id": message_id, "queue_id": queue_id}
        [(kind, name)] = [(kind, name) for kind, name in names.items() if name]
        row = self._db.execute(_BY_NAME[kind], (name,)).fetchone()
        return None if row is None or row[5] is None else _known(row)

    def note(self, email: int, address: str, notice: Notice, weight: Weight, at: int) -> None:
        """Keep a notice; one that is kept already changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO notices (email, address, action, enhanced, said, weight, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (email, address, notice.action.value, notice.enhanced, notice.said, weight.value, at),
        )

    def fruitless(self, address: str, since: int) -> int:
        """How many emails to an address have a notice of weight THIRD since then that was not lifted."""
        (count,) = self._db.execute(
            "SELECT count(DISTINCT email) FROM notices"
            " WHERE address=? AND weight='third' AND at>=? AND NOT lifted",
            (address, since),
        ).fetchone()
        assert isinstance(count, int)  # noqa: S101 - what COUNT gives
        return count

    def suppress(self, address: str, why: str, until: int | None) -> None:
        """Leave an address out until a moment, or None: until it is lifted, which outlasts any moment."""
        self._db.execute(
            "INSERT INTO suppressed (address, why, until) VALUES (?, ?, ?) ON CONFLICT (address)"
            " DO UPDATE SET why=excluded.why, until=excluded.until"
            " WHERE excluded.until IS NULL OR until IS NOT NULL",
            (address, why, until),
        )

    def suppressed(self, address: str, now: int) -> str | None:
        """Why an address is left out at this moment; None when it is not."""
        found = self._db.execute(
            "SELECT why FROM suppressed WHERE address=? AND (until IS NULL OR until > ?)", (address, now)
        ).fetchone()
        return None if found is None else str(found[0])

    def lift(self, address: str) -> None:
        """Write to an address again; what came back so far counts no more."""
        self._db.execute("DELETE FROM suppressed WHERE address=?", (address,))
        self._db.execute("UPDATE notices SET lifted=1 WHERE address=?", (address,))


def _known(row: tuple[int, str, str, int, str | None, str | None]) -> Known:
    recipients = (row[5] or "").split("\n")
    return Known(row[0], row[1], LedgerState(row[2]), row[3], row[4], tuple(recipients))


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
        database.execute(_FATES)
        for row in database.execute(_SINCE, (since, since)):
            email = _known(row)
            notices = database.execute(
                "SELECT address, weight, said, at FROM notices WHERE email=? AND action=? AND at >= ?",
                (email.row, Action.FAILED.value, since),
            ).fetchall()
            came_back = {address: Weight(weight) for address, weight, _said, _at in notices}
            told = {address: (said, at) for address, _weight, said, at in notices}
            for address in email.recipients:
                ended, said_at_once = fate(email, address, came_back)
                if ended is Fate.REACHED and email.at >= since:
                    database.execute(_REACHED, (address,))
                elif ended is Fate.FAILED and (address in told or email.at >= since):
                    said, at = told.get(address, (said_at_once, email.at))
                    person = person_of(email.key, is_first=address == email.recipients[0])
                    database.execute(_FAILED, (address, at, said, person))
        for address, times, last, said, person in database.execute(
            "SELECT address, times, last, said, person FROM fates WHERE NOT reached AND times > 0"
            " ORDER BY last DESC, address"
        ):
            yield NeverReached(
                person_key=person,
                address=address,
                said=said,
                times=times,
                last=datetime.fromtimestamp(last, UTC),
            )
