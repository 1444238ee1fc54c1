"""What has already been sent, so that a run can stop, crash and come back.

Each email is remembered by its key, on disk, before it can leave and after it was answered. An email that
was on its way when a program died is in doubt, and stays so until a person decides.

A host that keeps its own database implements the three methods of `Ledger`; `SqliteLedger` is the one that
comes with the library; `deliver_once` puts either between emails and a transport.

::

    policy.py      the one set of decisions: what is known of an email, and what follows
    entries.py     one email on its way through a run: to hand over, or answered already
    keys.py        the keys that a run has met, and two emails under one
    delivery.py    the loop: ask, hand over, write down
    adapters.py    what a run asks of a ledger, of one that can do less, and of none
    settling.py    who is not done, for the command line, and how that is settled
    bounced.py     what follows from a report that came back
    bounced_tables.py the rows about reports, of either database
    tables.py      what mailings and spacing ask of a ledger's database
    owners_lock.py a ledger that was opened before a fork is not the child's
    sqlite         the ledger in a file
    postgres       the ledger in a PostgreSQL database
"""

from __future__ import annotations

from vetmail_core.ledger.adapters import LedgerRun, OpensRuns
from vetmail_core.ledger.delivery import Delivery, deliver_once
from vetmail_core.ledger.entries import AlreadySent
from vetmail_core.ledger.policy import (
    Ledger,
    LedgerState,
    Remembered,
    Standing,
    Verdict,
    doubted,
    remember,
    resolved,
    stand,
)
from vetmail_core.ledger.postgres import PostgresLedger
from vetmail_core.ledger.sqlite import SqliteLedger

__all__ = [
    "AlreadySent",
    "Delivery",
    "Ledger",
    "LedgerRun",
    "LedgerState",
    "OpensRuns",
    "PostgresLedger",
    "Remembered",
    "SqliteLedger",
    "Standing",
    "Verdict",
    "deliver_once",
    "doubted",
    "remember",
    "resolved",
    "stand",
]
