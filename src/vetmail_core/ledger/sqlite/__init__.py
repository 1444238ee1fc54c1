"""The ledger in one SQLite file.

It serves the programs of one machine; a network drive is refused. What is written down survives a kill, a
full disk and a power cut.

::

    ledger.py  what a host opens
    run.py     one run through it
    store.py   the rows of the file
    marks.py   how far a run got, for whoever comes after a kill
    bounced.py who is never reached
"""

from __future__ import annotations

from vetmail_core.ledger.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
