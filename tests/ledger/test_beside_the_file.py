"""What stands beside a ledger, or in its place, by accident or by somebody's will."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, SqliteLedger, deliver_once
from vetmail_core.ledger import LedgerState
from vetmail_core.ledger.sqlite.marks import SLOTS, Mark, RunMarks
from vetmail_core.ledger.sqlite.store import keep_all

if TYPE_CHECKING:
    from collections.abc import Callable

Make = Any  # the conftest's classes and factories

HEADER = 4096


@pytest.fixture
def killed(path: Path) -> Path:
    """The marks of a killed run: it put three emails down, began the second, and had the third answered."""
    ledger = SqliteLedger(path)
    marks = RunMarks(path)
    marks.set(1, Mark.BEGUN)
    marks.set(2, Mark.ACCEPTED)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executemany(
            "INSERT INTO emails (key, state, at, run, slot) VALUES (?, 'attempting', 0, ?, ?)",
            [(str(slot), marks.run, slot) for slot in range(3)],
        )
        database.commit()
    marks.close(keep=True)
    del ledger
    return path.with_name(f"{path.name}-run-{marks.run}")


def states(path: Path) -> list[LedgerState | None]:
    """What a later ledger makes of the three."""
    with SqliteLedger(path) as ledger:
        return [ledger.state(str(slot)) for slot in range(3)]


def _change(marks: Path, at: int, octets: bytes) -> None:
    with marks.open("r+b") as file:
        file.seek(at)
        file.write(octets)


def _a_stranger(marks: Path) -> None:
    _change(marks, HEADER, b"\x09")


def _foreign(marks: Path) -> None:
    marks.write_bytes(b"@no boot\n" + b"x" * (HEADER + SLOTS))


def _a_link(marks: Path) -> None:
    real = marks.rename(marks.with_name("marks of another ledger"))
    marks.symlink_to(real)


def _a_pipe(marks: Path) -> None:
    marks.unlink()
    os.mkfifo(marks)


def _a_folder(marks: Path) -> None:
    marks.unlink()
    marks.mkdir()


IN_DOUBT = [LedgerState.UNKNOWN] * 3


@pytest.mark.parametrize(
    ("damage", "right"),
    [
        (_a_stranger, [LedgerState.UNKNOWN, LedgerState.UNKNOWN, LedgerState.ACCEPTED]),
        (_foreign, IN_DOUBT),
        (_a_link, IN_DOUBT),
        (_a_pipe, IN_DOUBT),
        (_a_folder, IN_DOUBT),
    ],
)
def test_damaged_marks_put_an_email_in_doubt(
    path: Path, killed: Path, damage: Callable[[Path], None], right: list[LedgerState]
) -> None:
    """An octet that is no mark, a foreign file, a link, a pipe, a folder; only a file is removed."""
    damage(killed)
    assert states(path) == right
    assert os.path.lexists(killed) is (damage not in {_a_stranger, _foreign})


def test_a_boot_that_is_no_number_is_another_boot(
    path: Path, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a system that tells its boot by the clocks."""
    monkeypatch.setattr("vetmail_core.ledger.sqlite.marks.boot_identity", lambda: "@12.5")
    _foreign(killed)
    assert states(path) == IN_DOUBT


@pytest.mark.parametrize("slot", [SLOTS, -1, 10**12])
def test_a_slot_beyond_the_marks_is_in_doubt(path: Path, killed: Path, slot: int) -> None:
    """Whatever is said of it."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE emails SET slot=? WHERE key='2'", (slot,))
        database.commit()
    assert killed.exists()
    assert states(path) == [None, LedgerState.UNKNOWN, LedgerState.UNKNOWN]


def test_a_pipe_of_our_name_is_passed_by(path: Path) -> None:
    """A ledger opens at once, and leaves it."""
    pipe = path.with_name(f"{path.name}-run-0123456789abcdef")
    os.mkfifo(pipe)
    with SqliteLedger(path) as ledger:
        assert ledger.counts() == {}
    assert pipe.exists()


@pytest.mark.parametrize("table", ["emails", "notices", "suppressed"])
def test_a_ledger_that_lost_a_table_is_not_new(path: Path, table: str) -> None:
    """The file says that it was a ledger; nothing is sent by it."""
    with SqliteLedger(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"DROP TABLE {table}")
    with pytest.raises(LedgerError, match="has lost what it knew") as caught:
        SqliteLedger(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("beside", ["-wal", "-run-0123456789abcdef"])
def test_an_emptied_ledger_is_not_new(path: Path, beside: str) -> None:
    """What stands beside it tells that it was one."""
    path.touch()
    path.with_name(f"{path.name}{beside}").write_bytes(b"x")
    with pytest.raises(LedgerError, match="has lost what it knew"):
        SqliteLedger(path)


def test_an_empty_file_with_nothing_beside_it_is_new(path: Path, postbox: Make, email: Make) -> None:
    """It cannot be told from one; so is an empty log of SQLite's beside it."""
    path.touch()
    path.with_name(f"{path.name}-wal").touch()
    with SqliteLedger(path) as ledger:
        (receipt,) = deliver_once(ledger, postbox(), [email("ann@example.com")])
        assert receipt.accepted


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_ledger(path: Path, make: Callable[[Path], None]) -> None:
    """Said at once; SQLite would wait for a pipe."""
    make(path)
    with pytest.raises(LedgerError, match="it is not a file"):
        SqliteLedger(path)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_ledger(tmp_path: Path, name: str) -> None:
    """And its sentence can be printed."""
    with pytest.raises(LedgerError, match="its name holds") as caught:
        SqliteLedger(f"{tmp_path}/{name}")
    assert str(caught.value).isprintable()


def test_a_link_that_leads_nowhere_is_no_new_ledger(path: Path) -> None:
    """Nothing is made at its end."""
    path.symlink_to(path.with_name("nowhere"))
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqliteLedger(path)
    assert not path.with_name("nowhere").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell what is open")
def test_a_connection_that_a_fork_copied_is_never_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing it in the child could take away what the parent still needs."""
    carried: list[sqlite3.Connection] = []
    monkeypatch.setattr("vetmail_core.ledger.sqlite.store._CARRIED", carried)
    ledger = SqliteLedger(path)
    keep_all()
    del ledger
    gc.collect()
    opened = [os.path.realpath(name) for name in Path("/proc/self/fd").iterdir()]
    assert str(path) in opened
    for connection in carried:
        connection.close()
