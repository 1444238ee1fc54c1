"""A run survives whatever cuts it short. The full-size versions stand with the integration tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def survival() -> ModuleType:
    """The module beside this one; a test folder is no package to import it from."""
    spec = importlib.util.spec_from_file_location("survival", Path(__file__).with_name("survival.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("mode", "most"), [("AUTO", 1), ("OFF", 1)])
def test_a_killed_run_is_resumed_without_a_second_copy(
    survival: ModuleType, tmp_path: Path, mode: str, most: int
) -> None:
    """Kill -9 at random moments: each person has one email or is in doubt, at most one for each kill."""
    grew = survival.killed(tmp_path, kills=5, people=300, mode=mode)
    assert max(grew) <= most


def test_a_killed_server_costs_doubts_and_nothing_else(survival: ModuleType, tmp_path: Path) -> None:
    """The server dies and comes back; the run is started until it is done."""
    report = survival.server_killed(tmp_path, kills=3, people=300)
    assert report.unknown <= 3


def test_a_cut_network_costs_doubts_and_nothing_else(survival: ModuleType, tmp_path: Path) -> None:
    """Anywhere in the dialogue, in a group of commands or in the middle of a text."""
    report = survival.network_cut(tmp_path, cuts=8, people=300)
    assert report.unknown <= 8


def test_a_full_disk_stops_the_program_and_loses_nobody(survival: ModuleType, tmp_path: Path) -> None:
    """The first run says that the ledger cannot be written; the second, with room, sends the rest."""
    first, second = survival.disk_full(tmp_path, people=1500)
    assert 0 < first["counts"]["not_attempted"] < 1500
    assert "cannot be written" in first["failures"][-1]["recipients"][0]["reply"]["text"]
    assert second["ok"]


def test_a_batch_that_is_started_twice_goes_once(survival: ModuleType, tmp_path: Path) -> None:
    """Two programs at once share the people; whoever one has, the other says so and does not send."""
    reports = survival.started_twice(tmp_path, programs=2, people=400)
    assert sum(report["counts"]["accepted"] for report in reports) == 400
    left = [outcome for report in reports for one in report["failures"] for outcome in one["recipients"]]
    assert {outcome["cause"] for outcome in left} <= {"held_elsewhere"}
