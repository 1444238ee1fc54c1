"""The tables of the ledger in PostgreSQL.

`create_tables` may be run again, and by several programs at once.
"""

from __future__ import annotations

import re
from typing import Final

from vetmail_core.ledger.tables import table_statements

__all__ = ["SQL", "STATEMENTS", "quoted", "spelled"]

_LEDGER: Final = """
CREATE TABLE @runs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, boot TIMESTAMPTZ NOT NULL, until TIMESTAMPTZ NOT NULL
);
CREATE TABLE @emails (
    id BIGINT GENERATED ALWAYS AS IDENTITY, key TEXT PRIMARY KEY, state TEXT NOT NULL, at BIGINT NOT NULL,
    detail TEXT, run BIGINT, begun BOOLEAN NOT NULL DEFAULT false, prior TEXT, lost_by BIGINT,
    message_id TEXT, queue_id TEXT, recipients TEXT
);
CREATE INDEX vetmail_emails_of_run ON @emails (run) WHERE run IS NOT NULL;
CREATE INDEX vetmail_emails_by_message_id ON @emails (message_id);
CREATE INDEX vetmail_emails_by_queue_id ON @emails (queue_id) WHERE length(queue_id) > 40;
CREATE TABLE @notices (
    email BIGINT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, enhanced TEXT NOT NULL,
    said TEXT NOT NULL, weight TEXT NOT NULL, at BIGINT NOT NULL, lifted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (email, address, action)
);
CREATE INDEX vetmail_notices_by_address ON @notices (address);
CREATE TABLE @suppressed (address TEXT PRIMARY KEY, why TEXT NOT NULL, until BIGINT)
"""
_TABLE: Final = re.compile(r"@(\w+)", re.ASCII)

STATEMENTS: Final = tuple(
    statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS").replace(
        "CREATE INDEX", "CREATE INDEX IF NOT EXISTS"
    )
    for statement in (
        *(" ".join(statement.split()) for statement in _LEDGER.split(";")),
        *table_statements(
            prefix="vetmail_",
            identity="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            real="DOUBLE PRECISION",
            octets="BYTEA",
        ),
    )
)


def quoted(schema: str) -> str:
    """A name as it stands in a statement."""
    return '"{}"'.format(schema.replace('"', '""'))


def spelled(statement: str, schema: str) -> str:
    """A statement with the tables' names as they are in a schema; "" for whichever the search path says."""
    where = f"{quoted(schema)}." if schema else ""
    return _TABLE.sub(lambda found: f"{where}vetmail_{found[1]}", statement)


SQL: Final = "".join(f"{spelled(statement, '')};\n" for statement in STATEMENTS)
