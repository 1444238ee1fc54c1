"""Mailings in the file of a `SqliteLedger`."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.mailings.promises import Box, MailingsPromises, plan

from vetmail_core import SqliteLedger
from vetmail_core.mailings import Mailings

if TYPE_CHECKING:
    from pathlib import Path


class TestOnSqlite(MailingsPromises):
    """Several workers of one machine, with no server."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sent.ledger"

    def make_ledger(self) -> SqliteLedger:
        """Open the test's file."""
        return SqliteLedger(self.path)


def test_a_ledger_that_keeps_no_tables_keeps_no_mailings() -> None:
    """A host's own remembers what was sent, and no more."""
    with pytest.raises(TypeError, match=r"got dict\. Open one with SqliteLedger"):
        Mailings({})  # type: ignore[arg-type] # that is what it is about


def test_a_file_of_version_0_1_0_takes_mailings(tmp_path: Path) -> None:
    """It is brought up to date when it is opened."""
    path = tmp_path / "sent.ledger"
    with sqlite3.connect(path) as database:
        database.executescript(
            "PRAGMA application_id=1987341676; PRAGMA user_version=1;"
            "CREATE TABLE emails (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, state TEXT NOT NULL,"
            " at INTEGER NOT NULL, detail TEXT, run TEXT, slot INTEGER, prior TEXT);"
            "INSERT INTO emails VALUES (1, 'results/C0', 'accepted', 1790000000, NULL, NULL, NULL, NULL);"
        )
    database.close()
    with SqliteLedger(path) as ledger:
        (number,) = Mailings(ledger).enqueue(plan(3)).slices
        assert Mailings(ledger).deliver_slice(number, Box()).counts == {"already_sent": 1, "accepted": 2}
