"""How far a run got outlives its process, and nothing else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, SqliteLedger, deliver_once
from vetmail_core._file_lock import try_lock
from vetmail_core.ledger import LedgerState
from vetmail_core.ledger.sqlite.marks import SLOTS, DeadRun, Mark, RunMarks, boot_identity, stray_runs

if TYPE_CHECKING:
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_a_run_that_lives_is_seen_to_live(path: Path) -> None:
    """Its lock cannot be taken."""
    marks = RunMarks(path)
    with DeadRun(path, marks.run) as found:
        assert found.alive
    marks.close(keep=False)


def test_the_marks_of_a_dead_run_are_read(path: Path) -> None:
    """Byte by byte, as they were set."""
    marks = RunMarks(path)
    marks.set(0, Mark.ACCEPTED)
    marks.set(SLOTS - 1, Mark.BEGUN)
    assert marks.get(0) is Mark.ACCEPTED
    marks.close(keep=True)
    with DeadRun(path, marks.run) as found:
        assert not found.alive
        assert (found.mark(0), found.mark(1), found.mark(SLOTS - 1)) == (
            Mark.ACCEPTED,
            Mark.CLAIMED,
            Mark.BEGUN,
        )
        assert found.mark(None) is Mark.BEGUN
        found.forget()
    assert stray_runs(path) == ()


@pytest.mark.parametrize("damage", ["missing", "short", "another-boot", "@1000000.0"])
def test_marks_that_cannot_be_trusted_put_everything_in_doubt(path: Path, damage: str) -> None:
    """BEGUN is the careful answer: the person is asked about, not mailed twice."""
    marks = RunMarks(path)
    marks.set(0, Mark.ACCEPTED)
    marks.close(keep=True)
    (file,) = path.parent.glob("*-run-*")
    match damage:
        case "missing":
            file.unlink()
        case "short":
            file.write_bytes(file.read_bytes()[:100])
        case _:
            boot = f"{damage}\n".encode()
            file.write_bytes(boot + file.read_bytes()[len(boot) :])
    with DeadRun(path, marks.run) as found:
        assert not found.alive
        assert found.mark(0) is Mark.BEGUN


def test_the_boot_is_told_from_the_clocks_where_the_system_does_not_tell(tmp_path: Path) -> None:
    """On systems without Linux's boot id; the same twice within one boot, to the second."""
    one, other = boot_identity(tmp_path / "none"), boot_identity(tmp_path / "none")
    assert one.startswith("@")
    assert abs(float(one[1:]) - float(other[1:])) < 1


@pytest.mark.parametrize(("shift", "trusted"), [(0.0, Mark.ACCEPTED), (-90_000.0, Mark.BEGUN)])
def test_a_boot_told_from_the_clocks_is_compared_with_some_slack(
    path: Path, monkeypatch: pytest.MonkeyPatch, shift: float, trusted: Mark
) -> None:
    """Clocks are set a little now and then; a day's difference is another boot."""
    monkeypatch.setattr("vetmail_core.ledger.sqlite.marks.boot_identity", lambda: f"@{1_000_000 + shift}")
    marks = RunMarks(path)
    marks.set(0, Mark.ACCEPTED)
    marks.close(keep=True)
    monkeypatch.setattr("vetmail_core.ledger.sqlite.marks.boot_identity", lambda: "@1000001.5")
    with DeadRun(path, marks.run) as found:
        assert found.mark(0) is trusted


def test_a_stray_file_of_marks_is_cleared_up(path: Path) -> None:
    """Left by a program that was killed before it put anything down."""
    RunMarks(path).close(keep=True)
    SqliteLedger(path).close()
    assert stray_runs(path) == ()


@pytest.mark.parametrize("name", ["run-2", "run-0123456789abcdef0", "run-0123456789ABCDEF", "run-"])
def test_another_ledger_that_is_named_after_this_one_is_left_alone(path: Path, name: str) -> None:
    """It looks like the marks of a run, and would be cleared up with them."""
    other = path.with_name(f"{path.name}-{name}")
    with SqliteLedger(other) as ledger:
        ledger.attempting(["a"])
    SqliteLedger(path).close()
    with SqliteLedger(other) as ledger:
        assert ledger.in_doubt() == ("a",)


def test_marks_that_cannot_be_read_are_an_error_of_the_ledger(path: Path) -> None:
    """In its words, whoever meets them: who opens the file, and a run that asks about another's email."""
    with SqliteLedger(path) as living:
        with sqlite3.connect(path) as dead:
            dead.execute(
                "INSERT INTO emails (key, state, at, run, slot) VALUES ('a', 'attempting', 0, ?, 0)",
                ("0" * 16,),
            )
        dead.close()
        path.with_name(f"{path.name}-run-{'0' * 16}").mkdir()
        with pytest.raises(LedgerError, match=r"cannot be read: .*Is a directory"):
            living.state("a")
    with pytest.raises(LedgerError, match=r"cannot be read: .*Is a directory"):
        SqliteLedger(path)


def test_a_file_of_marks_that_somebody_clears_up_too_early_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making and locking it; the run would not be known to live."""
    cleared: list[str] = []

    def clear_up_first(descriptor: int, *, byte: int) -> bool:
        if not cleared:
            for file in path.parent.glob("*-run-*"):
                cleared.append(file.name)
                file.unlink()
        return try_lock(descriptor, byte=byte)

    monkeypatch.setattr("vetmail_core.ledger.sqlite.marks.try_lock", clear_up_first)
    made = RunMarks(path)
    assert len(cleared) == 1
    assert stray_runs(path) == (made.run,)
    made.close(keep=False)


def test_no_room_leaves_no_file_behind(path: Path, no_file_above: Make) -> None:
    """A full disk shows when the file is made, not as a crash at a mark."""
    with no_file_above(1000), pytest.raises(OSError, match="No space left"):
        RunMarks(path)
    assert list(path.parent.iterdir()) == []


def test_the_marks_of_those_that_are_answered_are_used_again(path: Path, postbox: Make, email: Make) -> None:
    """However long a run is: whoever was put down and had not begun when it died is free to go."""
    box = postbox()
    emails = [email(f"p{n}@example.com") for n in range(SLOTS + 300)]
    ledger = SqliteLedger(path)
    run = ledger.open_run()
    for first in range(0, len(emails), 300):
        group = emails[first : first + 300]
        run.claim(group, retry_unknown=False)
        if group[-1] is emails[-1]:
            break
        for one in group:
            run.begin(one)
            run.settle(box.receipt(one))
    run._marks.close(keep=True)
    ledger._store.close()
    with SqliteLedger(path) as again:
        assert again.in_doubt() == ()
        assert again.counts() == {LedgerState.ACCEPTED: len(emails) - len(group)}


def test_more_than_there_are_marks_for_count_as_begun(path: Path, email: Make) -> None:
    """Put down and never handed over: of those with a mark it is known, the others are in doubt."""
    with SqliteLedger(path) as ledger:
        run = ledger.open_run()
        run.claim([email(f"p{n}@example.com") for n in range(SLOTS + 4)], retry_unknown=False)
        run.close()
        assert ledger.counts() == {LedgerState.UNKNOWN: 4}


def test_a_program_that_dies_while_another_runs_is_found_out_by_it(
    path: Path, postbox: Make, email: Make
) -> None:
    """What the dead one had put down and not begun is sent by the living one, in its own run."""
    emails = [email(f"p{n}@example.com") for n in range(4)]
    with SqliteLedger(path) as living:
        # Another program's run, as a kill would leave it: rows that name it, marks, and no lock.
        marks = RunMarks(path)
        marks.set(1, Mark.BEGUN)
        marks.set(2, Mark.ACCEPTED)
        marks.close(keep=True)
        with sqlite3.connect(path) as dead:
            dead.executemany(
                "INSERT INTO emails (key, state, at, run, slot) VALUES (?, 'attempting', 0, ?, ?)",
                [(emails[slot].key, marks.run, slot) for slot in range(3)],
            )
        dead.close()
        box = postbox()
        receipts = list(deliver_once(living, box, emails))
        assert box.sent == [("p0@example.com",), ("p3@example.com",)]
        assert [receipt.outcomes[0].status.value for receipt in receipts] == [
            "accepted",
            "unknown",
            "accepted",
        ]
        assert living.state(emails[2].key) is LedgerState.ACCEPTED


def test_state_of_a_dead_programs_email_is_worked_out_when_asked(path: Path) -> None:
    """Not "attempting" for ever."""
    with SqliteLedger(path) as living:
        marks = RunMarks(path)
        marks.set(0, Mark.BEGUN)
        marks.close(keep=True)
        with sqlite3.connect(path) as dead:
            dead.execute(
                "INSERT INTO emails (key, state, at, run, slot) VALUES ('a', 'attempting', 0, ?, 0)",
                (marks.run,),
            )
        dead.close()
        assert living.state("a") is LedgerState.UNKNOWN
