"""A ledger of every older version opens, keeps all it knows, and from then on keeps more."""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, SqliteLedger, deliver_once
from vetmail_core.ledger import LedgerState

if TYPE_CHECKING:
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from

# As version 0.1.0 wrote it: three that ended, one in doubt for a copy, one whose run died, one put off.
VERSION_0_1_0 = """
PRAGMA application_id=1987341676;
PRAGMA user_version=1;
CREATE TABLE emails (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    detail TEXT,
    run TEXT,
    slot INTEGER,
    prior TEXT
);
INSERT INTO emails VALUES
    (1, 'p0@example.com', 'accepted', 1790000000, NULL, NULL, NULL, NULL),
    (2, 'p1@example.com', 'refused', 1790000000,
     '{"p1@example.com":["refused","bad_recipient",550,"5.1.1","No such user"]}', NULL, NULL, NULL),
    (3, 'p2@example.com', 'handed_over', 1790000000, NULL, NULL, NULL, NULL),
    (4, 'p3@example.com', 'unknown', 1790000000,
     '{"p3@example.com":["accepted",null],"boss@example.com":["unknown","connection"]}', NULL, NULL, NULL),
    (5, 'p4@example.com', 'attempting', 1790000000, NULL, '0123456789abcdef', 0, 'deferred'),
    (6, 'p5@example.com', 'deferred', 1790000000, NULL, NULL, NULL, NULL);
"""
COLUMNS = "SELECT message_id, queue_id, recipients FROM emails WHERE key=?"


def old_file(path: Path) -> None:
    """Write the file as it was."""
    with sqlite3.connect(path) as database:
        database.executescript(VERSION_0_1_0)
    database.close()


def row_of(path: Path, key: str) -> tuple[str | None, str | None, str | None]:
    """What the file keeps of an email beside its state."""
    with sqlite3.connect(path) as database:
        found: tuple[str | None, str | None, str | None] = database.execute(COLUMNS, (key,)).fetchone()
    database.close()
    return found


def test_an_older_ledger_opens_and_keeps_what_it_knows(path: Path, postbox: Make, email: Make) -> None:
    """Nobody who has the email gets it again; what had no marks left is in doubt."""
    old_file(path)
    box = postbox()
    emails = [email(f"p{n}@example.com", cc=["boss@example.com"] if n == 3 else ()) for n in range(7)]
    with SqliteLedger(path) as ledger:
        assert ledger.in_doubt() == ("p3@example.com", "p4@example.com")
        receipts = list(deliver_once(ledger, box, emails))
        assert ledger.state("p1@example.com") is LedgerState.REFUSED
    assert box.sent == [("p5@example.com",), ("p6@example.com",)]
    assert [len(receipt.unknown) for receipt in receipts] == [1, 1, 0, 0]
    with SqliteLedger(path) as ledger:
        assert ledger.in_doubt() == ("p3@example.com", "p4@example.com")


def test_a_ledger_keeps_the_message_id_and_the_recipients_of_an_email(
    path: Path, postbox: Make, email: Make
) -> None:
    """Of new emails and of those that an older version knew; in order, once."""
    old_file(path)
    emails = [email("p5@example.com"), email("Zoe@Example.COM", cc=["a@x.com"], bcc=["b@x.com"])]
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(), emails))
    assert row_of(path, "p5@example.com") == (emails[0].message_id, None, "p5@example.com")
    assert row_of(path, "Zoe@Example.COM") == (
        emails[1].message_id,
        None,
        "Zoe@example.com\na@x.com\nb@x.com",
    )
    assert row_of(path, "p0@example.com") == (None, None, None), "who was not written to stays as it was"


def test_a_ledger_used_by_hand_keeps_them_too(path: Path, postbox: Make, email: Make) -> None:
    """Put down by its key alone, or never put down: the receipt tells the rest."""
    with SqliteLedger(path) as ledger:
        ledger.attempting(["ann@example.com"])
        ledger.settle(postbox().receipt(email("ann@example.com")))
        ledger.settle(postbox().receipt(email("bob@example.com")))
    for address in ("ann@example.com", "bob@example.com"):
        assert row_of(path, address) == (email(address).message_id, None, address)


def test_the_server_s_own_name_for_a_message_is_kept(path: Path, postbox: Make, email: Make) -> None:
    """As its last reply gives it: to find the message in the server's log."""
    import attrs  # noqa: PLC0415 - used here alone

    from vetmail_core import Reply  # noqa: PLC0415 - used here alone

    class Postfix(postbox):  # type: ignore[misc] # a class of the conftest
        def receipt(self, one: Any) -> Any:  # noqa: ANN401 - emails and receipts
            return attrs.evolve(super().receipt(one), reply=Reply(250, "2.0.0", "Ok: queued as 4XyZ12"))

    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, Postfix(), [email("ann@example.com")]))
    assert row_of(path, "ann@example.com")[1] == "4XyZ12"


def test_a_key_that_no_database_can_keep_is_named(path: Path) -> None:
    """Half of a surrogate pair, from a file that was read in the wrong charset."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match=r"half of a surrogate pair"):
        ledger.attempting(["class/\ud83d"])
    with SqliteLedger(path) as ledger:
        assert ledger.counts() == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_of_a_fork_must_open_its_own(path: Path, postbox: Make, email: Make) -> None:
    """It can neither use nor close its parent's, and does not keep the parent's run alive."""
    read, write = os.pipe()
    gone = SqliteLedger(":memory:")
    with SqliteLedger(path) as ledger:
        run = ledger.open_run()
        child = os.fork()
        if child == 0:
            said = ""
            try:
                ledger.close()
                run.close()
                ledger.state("ann@example.com")
            except LedgerError as error:
                said = str(error)
            os.write(write, said.encode())
            sys.stdout.flush()
            gone._store.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert b"before this process was forked off" in os.read(read, 1000)
        os.close(read)
        os.close(write)
        run.close()
        assert len(list(deliver_once(ledger, postbox(), [email("ann@example.com")]))) == 1
    assert gone.path.exists()
    gone.close()
