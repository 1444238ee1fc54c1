"""The file of a ledger: whose it is, who may share it, and what a full disk or an early end does to it."""

from __future__ import annotations

import gc
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import LedgerState

if TYPE_CHECKING:
    from pathlib import Path


Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """A mistyped path does not write into the student records."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE students (code TEXT)")
    database.close()
    with pytest.raises(LedgerError, match="another program"):
        SqliteLedger(path)


def test_the_file_says_whose_it_is_and_which_version_wrote_it(path: Path) -> None:
    """What later versions, and other programs, know it by."""
    SqliteLedger(path).close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"vtml"),)
        assert database.execute("PRAGMA user_version").fetchone() == (4,)
    database.close()


def test_a_later_versions_file_is_left_alone(path: Path) -> None:
    """What cannot be understood is not written to."""
    SqliteLedger(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(LedgerError, match="later version"):
        SqliteLedger(path)


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    """The sentence says which file and what to do."""
    path.write_text("Dear class, " * 200, encoding="utf-8")
    with pytest.raises(
        LedgerError, match=r"sent\.ledger cannot be opened: .*give the ledger a file of its own"
    ):
        SqliteLedger(path)


def test_a_damaged_ledger_sends_nothing(path: Path, postbox: Make, email: Make) -> None:
    """Who has been sent to cannot be known any more; the sentence says what to do."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(), [email(f"p{n}@example.com") for n in range(500)]))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged: restore it from a copy"):
        SqliteLedger(path)


@pytest.mark.parametrize("name", ["missing/sent.ledger", "."])
def test_a_path_that_can_hold_no_file_is_an_error(tmp_path: Path, name: str) -> None:
    """A folder that is not there, or is where the file should be; before anything is tried."""
    with pytest.raises(LedgerError, match=r"cannot be opened: .*Name a file, in a folder that is there"):
        SqliteLedger(tmp_path / name)


def test_a_ledger_in_memory_is_gone_with_the_object(postbox: Make, email: Make) -> None:
    """For a test, as SQLite calls it; it remembers like any other meanwhile."""
    ledger = SqliteLedger(":memory:")
    folder = ledger.path.parent
    box = postbox()
    for _ in range(2):
        list(deliver_once(ledger, box, [email("ann@example.com")]))
    assert box.to("ann@example.com") == 1
    ledger.close()
    del ledger
    gc.collect()
    assert not folder.exists()


def test_a_closed_ledger_starts_no_run(path: Path, postbox: Make, email: Make) -> None:
    """Closing twice is fine, using it afterwards is not."""
    ledger = SqliteLedger(path)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="has been closed"):
        list(deliver_once(ledger, postbox(), [email("ann@example.com")]))
    with pytest.raises(LedgerError, match="has been closed; open it again"):
        ledger.state("ann")


def test_closing_in_the_middle_of_a_run_loses_nothing(path: Path, postbox: Make, email: Make) -> None:
    """The run ends as it stands."""
    ledger = SqliteLedger(path)
    receipts = deliver_once(ledger, postbox(), [email(f"p{n}@example.com") for n in range(99)])
    for _ in range(5):
        next(receipts)
    ledger.close()
    with SqliteLedger(path) as again:
        assert again.counts()[LedgerState.ACCEPTED] >= 4
        assert sum(again.counts().values()) <= 6
    receipts.close()


@pytest.mark.parametrize("ahead", [0, 1])
def test_going_on_with_a_closed_ledger_sends_nothing(
    path: Path, postbox: Make, email: Make, ahead: int
) -> None:
    """What cannot be written down is not sent; what had been taken is in doubt."""
    box = postbox(ahead=ahead)
    ledger = SqliteLedger(path)
    receipts = deliver_once(ledger, box, [email(f"p{n}@example.com") for n in range(99)])
    next(receipts)
    next(receipts)
    sent = len(box.sent)
    ledger.close()
    rest = list(receipts)
    assert len(rest) == 97
    assert rest[-1].not_attempted
    assert "closed" in str(rest[-1].outcomes[0].reply)
    assert len(box.sent) <= sent + ahead
    with SqliteLedger(path) as again:
        assert again.counts().get(LedgerState.ACCEPTED, 0) + len(again.in_doubt()) >= sent


def test_a_ledger_can_be_used_from_another_thread(path: Path, postbox: Make, email: Make) -> None:
    """Made in one thread, used by a worker."""
    found: list[bool] = []
    with SqliteLedger(path) as ledger:

        def work() -> None:
            found.extend(
                receipt.ok for receipt in deliver_once(ledger, postbox(), [email("ann@example.com")])
            )

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    assert found == [True]


def test_two_programs_may_make_the_file_at_the_same_moment(path: Path) -> None:
    """SQLite tells one of them at once that the file is busy; that one waits until it is its turn."""
    opened: list[object] = []

    def work() -> None:
        with SqliteLedger(path) as ledger:
            opened.append(ledger.counts())

    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    second = threading.Thread(target=work)
    second.start()
    second.join(0.3)
    assert second.is_alive()
    other.execute("ROLLBACK")
    other.close()
    second.join()
    assert opened == [{}]


def test_a_file_that_stays_busy_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a minute of trying, of which this test takes the last moment only."""
    monkeypatch.setattr("vetmail_core.ledger.sqlite.store._BUSY_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"sent\.ledger cannot be opened: .*held it for half a minute"):
        SqliteLedger(path)
    other.close()
    SqliteLedger(path).close()


def test_two_runs_in_two_threads_share_the_people_between_them(
    path: Path, postbox: Make, email: Make
) -> None:
    """Started twice by mistake: together they send to each person once."""
    emails = [email(f"p{n}@example.com") for n in range(400)]
    box = postbox()
    start = threading.Barrier(2)

    def work() -> None:
        with SqliteLedger(path) as ledger:
            start.wait()
            list(deliver_once(ledger, box, emails))

    SqliteLedger(path).close()
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(box.sent) == sorted((f"p{n}@example.com",) for n in range(400))


def test_nothing_is_left_beside_the_file_after_a_run(path: Path, postbox: Make, email: Make) -> None:
    """The marks go with the run, SQLite's own files with the last connection."""
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(), [email("ann@example.com")]))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_repr_names_the_file(path: Path) -> None:
    """For a log."""
    with SqliteLedger(path) as ledger:
        assert repr(ledger) == f"SqliteLedger({str(path)!r})"
        assert ledger.path == path


def test_a_full_disk_stops_the_run_and_says_so(path: Path, postbox: Make, email: Make) -> None:
    """What cannot be written down is not sent; what was sent before stands, also in the next run."""
    emails = [email(f"p{n}@example.com", key=f"{n:0>100}") for n in range(3000)]
    box = postbox()
    with SqliteLedger(path) as ledger:
        ledger._store._db.execute("PRAGMA max_page_count=20")
        receipts = list(deliver_once(ledger, box, emails))
    assert len(receipts) == 3000
    sent = sum(receipt.ok for receipt in receipts)
    assert 0 < sent < 3000
    late = receipts[-1]
    assert late.not_attempted
    assert "cannot be written: database or disk is full" in str(late.outcomes[0].reply)
    assert "make room" in str(late.outcomes[0].reply)
    with SqliteLedger(path) as ledger:
        receipts = list(deliver_once(ledger, box, emails))
        assert ledger.counts() == {LedgerState.ACCEPTED: 3000}
    assert len(receipts) == 3000 - sent
    assert len(set(box.sent)) == len(box.sent) == 3000


def test_once_there_is_room_again_the_same_ledger_goes_on(path: Path) -> None:
    """Nothing of what failed stands, and nobody else is kept out."""
    with SqliteLedger(path) as ledger, SqliteLedger(path) as other:
        ledger._store._db.execute("PRAGMA query_only=1")
        with pytest.raises(LedgerError, match="cannot be written"):
            ledger.attempting(["a", "b"])
        ledger._store._db.execute("PRAGMA query_only=0")
        assert ledger.state("a") is None
        assert ledger.attempting(["a"]) == {"a"}
        assert other.attempting(["a", "b"]) == {"b"}


def test_answers_that_cannot_be_written_at_the_end_are_found_by_the_next_run(
    path: Path, postbox: Make, email: Make
) -> None:
    """The marks keep them while the disk is full."""
    emails = [email(f"p{n}@example.com", cc=["c@example.com"] if n == 2 else []) for n in range(4)]
    box = postbox(
        {
            "p1@example.com": Status.REFUSED,
            "c@example.com": Status.REFUSED,
            "p3@example.com": Status.HANDED_OVER,
        }
    )
    with SqliteLedger(path) as ledger:
        run = ledger.open_run()
        run.claim(emails, retry_unknown=False)
        for one in emails:
            run.begin(one)
        ledger._store._db.execute("PRAGMA query_only=1")
        for one in (emails[0], emails[1], emails[3]):
            run.settle(box.receipt(one))
        with pytest.raises(LedgerError):
            run.settle(box.receipt(emails[2]))  # ended in two ways, so it is written at once, or not at all
        run.close()
        run.close()
    with SqliteLedger(path) as ledger:
        assert ledger.state(emails[0].key) is LedgerState.ACCEPTED
        assert ledger.state(emails[1].key) is None, "nobody has it, so it is tried again"
        assert ledger.state(emails[2].key) is LedgerState.UNKNOWN
        assert ledger.state(emails[3].key) is LedgerState.HANDED_OVER


def test_no_room_for_the_marks_means_no_run(tmp_path: Path, postbox: Make, email: Make) -> None:
    """Said before anything is tried."""
    folder = tmp_path / "folder"
    folder.mkdir()
    ledger = SqliteLedger(folder / "sent.ledger")
    folder.rename(tmp_path / "elsewhere")
    box = postbox()
    with pytest.raises(LedgerError, match="cannot be written"):
        list(deliver_once(ledger, box, [email("ann@example.com")]))
    assert box.calls == 0
    (tmp_path / "elsewhere").rename(folder)
    ledger.close()


def test_a_transport_that_takes_thousands_before_it_answers_is_served(
    path: Path, postbox: Make, email: Make
) -> None:
    """There are more emails under way than marks; they are remembered all the same."""
    emails = [email(f"p{n}@example.com") for n in range(4500)]
    with SqliteLedger(path) as ledger:
        assert len(list(deliver_once(ledger, postbox(ahead=5000), emails))) == 4500
        assert ledger.counts() == {LedgerState.ACCEPTED: 4500}
