"""The ledger for a fleet needs a driver that the library does not bring; what holds without it."""

from __future__ import annotations

import sys

import pytest

from vetmail_core import LedgerError
from vetmail_core.ledger import PostgresLedger
from vetmail_core.ledger.postgres.schema import spelled


def test_without_the_driver_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence; the name itself can be imported."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for module in ("store", "run"):
        monkeypatch.delitem(sys.modules, f"vetmail_core.ledger.postgres.{module}", raising=False)
    with pytest.raises(LedgerError, match=r"pip install \"vetmail_core\[postgres\]\""):
        PostgresLedger("dbname=mail")


def test_a_lease_is_a_time() -> None:
    """None would make every run dead."""
    with pytest.raises(ValueError, match="a number of seconds above 0"):
        PostgresLedger("dbname=mail", lease_seconds=0)


def test_a_schema_may_have_any_name() -> None:
    """It is quoted."""
    assert spelled("FROM @emails", 'of "B" 1') == 'FROM "of ""B"" 1".vetmail_emails'


def test_its_tables_can_be_made_by_a_migration() -> None:
    """As text, without a connection; each statement may be run again."""
    statements = [statement for statement in PostgresLedger.SQL.split(";\n") if statement]
    assert len(statements) > 5
    assert all(" IF NOT EXISTS vetmail_" in statement for statement in statements)
