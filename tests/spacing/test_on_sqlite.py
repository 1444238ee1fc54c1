"""Limits in the file of a `SqliteLedger`, for the workers of one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.spacing.promises import (
    SpacingPromises,
    test_a_forecast_says_how_long_and_how_many_go_later,
    test_a_limit_is_above_zero,
    test_limits_need_a_ledger_with_tables,
)

from vetmail_core import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "test_a_forecast_says_how_long_and_how_many_go_later",
    "test_a_limit_is_above_zero",
    "test_limits_need_a_ledger_with_tables",
]


class TestOnSqlite(SpacingPromises):
    """With no server."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sent.ledger"

    def make_ledger(self) -> SqliteLedger:
        """Open the test's file."""
        return SqliteLedger(self.path)
