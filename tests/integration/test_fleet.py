"""A short campaign of each kind: workers are killed, and nobody is mailed twice or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import campaign

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("engine", "ledger"),
    [("work", "sqlite"), ("work", "postgres"), ("redis", "postgres"), ("rabbitmq", "postgres")],
)
def test_killed_workers_cost_a_question_each_and_nothing_else(
    engine: str, ledger: str, tmp_path: Path
) -> None:
    """Nobody twice, nobody forgotten; unknown at most what a killed worker had on its way."""
    result = campaign(tmp_path, engine=engine, ledger=ledger, emails=400, kills=5)
    assert (result.twice, result.forgotten, result.wrong) == (0, 0, 0)
    assert result.unknown <= result.kills * (1 if engine == "work" else 2)  # a Celery worker has two children
