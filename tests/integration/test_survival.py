"""The full-size survival runs: two thousand people, two hundred kills."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="module")
def survival() -> ModuleType:
    """The module beside the ledger's own tests."""
    path = Path(__file__).parents[1] / "ledger" / "survival.py"
    spec = importlib.util.spec_from_file_location("survival", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("mode", "kills", "most"), [("AUTO", 200, 1), ("OFF", 20, 1), ("ENVELOPE", 20, 1), ("CHUNKING", 40, 16)]
)
def test_two_thousand_people_and_two_hundred_kills(
    survival: ModuleType, tmp_path: Path, mode: str, kills: int, most: int
) -> None:
    """Kill -9 at random moments: each person has one email or is in doubt.

    At most one for each kill; with CHUNKING at most what is in flight.
    """
    grew = survival.killed(tmp_path, kills=kills, people=2000, mode=mode)
    assert sum(grew) <= kills * most
    assert max(grew) <= most


def test_a_server_that_is_killed_fifty_times(survival: ModuleType, tmp_path: Path) -> None:
    """The run is started until it is done."""
    assert survival.server_killed(tmp_path, kills=50, people=2000).unknown <= 50


def test_a_network_that_is_cut_two_hundred_times(survival: ModuleType, tmp_path: Path) -> None:
    """Anywhere in the dialogue."""
    assert survival.network_cut(tmp_path, cuts=200, people=2000).unknown <= 200


def test_a_batch_that_is_started_four_times(survival: ModuleType, tmp_path: Path) -> None:
    """Four programs at once send to each person once."""
    reports = survival.started_twice(tmp_path, programs=4, people=2000)
    assert sum(report["counts"]["accepted"] for report in reports) == 2000
