"""The ledger in a PostgreSQL database, for the workers of several machines.

What it is for: one memory for a fleet. What it refuses: to compare the clocks of two machines, and to believe
marks that a crash of the server may have lost. Its law: a run's number is never used twice, and an email
leaves only while its row says that number.

::

    ledger.py  what a host opens; the one file that is read without psycopg
    run.py     one run through it
    store.py   the connection, the rows, and what dead runs left behind
    schema.py  the tables
    bounced.py who is never reached
"""

from __future__ import annotations

from vetmail_core.ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
