"""Who can read a ledger: its owner, and whoever the owner has let."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from vetmail_core import SqliteLedger
from vetmail_core.ledger.sqlite.marks import RunMarks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits of this kind")


def mode(path: Path) -> int:
    """Its permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_ledger_and_all_files_beside_it_are_for_its_owner_alone(path: Path) -> None:
    """Keys and addresses are nobody else's, however wide the folder is open."""
    before = os.umask(0)
    try:
        with SqliteLedger(path) as ledger, contextlib.closing(ledger.open_run()):
            modes = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert len(modes) >= 3, "the file, SQLite's own beside it, and the marks of the run"
    assert set(modes.values()) == {0o600}, modes


def test_a_ledger_that_is_there_keeps_its_mode_and_gives_it_to_its_marks(path: Path) -> None:
    """Where two accounts share a ledger, one can finish what the other's killed run has begun."""
    SqliteLedger(path).close()
    path.chmod(0o640)
    with SqliteLedger(path) as ledger, contextlib.closing(ledger.open_run()):
        modes = {mode(file) for file in path.parent.iterdir() if file.name.startswith(f"{path.name}-run-")}
    assert mode(path) == 0o640
    assert modes == {0o640}


def test_marks_without_a_ledger_are_for_their_owner_alone(path: Path) -> None:
    """Nothing says who else may read them."""
    marks = RunMarks(path)
    (file,) = path.parent.iterdir()
    assert mode(file) == 0o600
    marks.close(keep=False)
