"""What has already been sent, so that a run can stop, crash and come back.

What it is for: remembering each email by its key, on disk, before it can leave and after it was answered.
What it refuses: to guess. An email that was on its way when a program died is in doubt, and stays so until
a person decides. Its law: nobody is mailed twice by a run that came back, and nobody is forgotten.

A host that keeps its own database implements the three methods of `Ledger`; `SqliteLedger` is the one that
comes with the library; `deliver_once` puts either between emails and a transport.

::

    standing.py    what is known of an email, recipient by recipient, and what follows
    entries.py     one email on its way through a run: to hand over, or answered already
    delivery.py    the loop: ask, hand over, write down
    runs.py        what a run asks of a ledger, of one that can do less, and of none
    sqlite.py      the ledger in a file
    sqlite_run.py  one run through it
    store.py       the rows of that file
    marks.py       how far a run got, for whoever comes after a kill
"""

from __future__ import annotations

from vetmail_core.ledger.delivery import Delivery, deliver_once
from vetmail_core.ledger.entries import AlreadySent
from vetmail_core.ledger.sqlite import SqliteLedger
from vetmail_core.ledger.standing import Ledger, LedgerState

__all__ = ["AlreadySent", "Delivery", "Ledger", "LedgerState", "SqliteLedger", "deliver_once"]
