"""The ledger in a PostgreSQL database, for the workers of several machines.

The clocks of two machines are never compared, and marks that a crash of the server may have lost are not
believed. A run's number is never used twice, and an email leaves only while its row holds that number.

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
