"""One SQLite file remembers, for several programs at once."""

from __future__ import annotations

import gc
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import LedgerError, Outcome, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import LedgerState
from vetmail_core.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from


def answered(email: Make, status: Status) -> Receipt:
    """The receipt in which everybody ended alike."""
    return Receipt(email, [Outcome(mailbox, status) for mailbox in email.recipients.all])


def test_an_email_nobody_has_seen_has_no_state(path: Path) -> None:
    """None, and nothing is made up."""
    with SqliteLedger(path) as ledger:
        assert ledger.state("class-7/ann") is None


def test_attempting_is_on_the_disk_when_the_call_returns(path: Path) -> None:
    """Another connection sees it at once."""
    with SqliteLedger(path) as ledger:
        assert ledger.attempting(["a", "b", "a"]) == {"a", "b"}
        with sqlite3.connect(path) as other:
            assert dict(other.execute("SELECT key, state FROM emails")) == {
                "a": "attempting",
                "b": "attempting",
            }
        other.close()
        assert ledger.state("a") is LedgerState.ATTEMPTING


STATES = [
    (Status.ACCEPTED, LedgerState.ACCEPTED),
    (Status.REFUSED, LedgerState.REFUSED),
    (Status.DEFERRED, LedgerState.DEFERRED),
    (Status.UNKNOWN, LedgerState.UNKNOWN),
    (Status.HANDED_OVER, LedgerState.HANDED_OVER),
    (Status.NOT_ATTEMPTED, None),
]


@pytest.mark.parametrize("claimed", [True, False], ids=["put down first", "settled only"])
@pytest.mark.parametrize(("status", "state"), STATES)
def test_settling_gives_the_state(
    path: Path, email: Make, *, status: Status, state: LedgerState | None, claimed: bool
) -> None:
    """For a host that calls the three methods itself; a fresh connection reads the same."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        if claimed:
            ledger.attempting([one.key])
        ledger.settle(answered(one, status))
        assert ledger.state(one.key) is state
    with SqliteLedger(path) as ledger:
        assert ledger.state(one.key) is state


def test_settling_twice_keeps_the_later_word(path: Path, email: Make) -> None:
    """A host may settle what it never put down, and settle it again."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, Status.DEFERRED))
        ledger.settle(answered(one, Status.ACCEPTED))
        assert ledger.state(one.key) is LedgerState.ACCEPTED


def test_settling_needs_a_key(path: Path, email: Make) -> None:
    """The error says where keys come from."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="has no key"):
        ledger.settle(answered(email("ann@example.com", key=""), Status.ACCEPTED))


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.HANDED_OVER])
def test_what_somebody_has_cannot_be_put_down_again(path: Path, email: Make, status: Status) -> None:
    """`attempting` leaves it out."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, status))
        assert ledger.attempting([one.key, "new"]) == {"new"}


@pytest.mark.parametrize("status", [Status.DEFERRED, Status.UNKNOWN, Status.REFUSED])
def test_what_nobody_surely_has_can_be_put_down_again(path: Path, email: Make, status: Status) -> None:
    """Whether it should be is the host's decision; it can read the state."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, status))
        assert ledger.attempting([one.key]) == {one.key}
        ledger.settle(answered(one, Status.NOT_ATTEMPTED))
        assert ledger.state(one.key) is LedgerState(status.value), "nothing was tried, so it stands as before"


def test_what_another_program_is_sending_cannot_be_put_down(path: Path) -> None:
    """Each email is claimed by one only."""
    with SqliteLedger(path) as one, SqliteLedger(path) as other:
        assert one.attempting(["a"]) == {"a"}
        assert other.attempting(["a", "b"]) == {"b"}
        assert other.state("a") is LedgerState.ATTEMPTING
        assert one.attempting(["b"]) == frozenset()


def test_a_host_that_ends_without_settling_leaves_a_doubt(path: Path) -> None:
    """It said that it was about to send, and nothing more."""
    with SqliteLedger(path) as ledger:
        ledger.attempting(["a"])
    with SqliteLedger(path) as ledger:
        assert ledger.state("a") is LedgerState.UNKNOWN
        assert ledger.in_doubt() == ("a",)


def test_what_was_put_down_by_hand_and_not_settled_is_in_doubt_for_a_run(
    path: Path, postbox: Make, email: Make
) -> None:
    """Of the same ledger too; and settling it later still ends the doubt."""
    one, box = email("ann@example.com"), postbox()
    with SqliteLedger(path) as ledger:
        ledger.attempting([one.key])
        (receipt,) = deliver_once(ledger, box, [one])
        assert receipt.unknown
        ledger.settle(answered(one, Status.ACCEPTED))
        assert ledger.state(one.key) is LedgerState.ACCEPTED
    assert box.sent == []


def test_a_ledger_that_is_dropped_without_closing_holds_nothing(
    path: Path, postbox: Make, email: Make
) -> None:
    """Its run is dead, so its emails are in doubt, as after a kill."""
    ledger = SqliteLedger(path)
    ledger.attempting(["ann@example.com"])
    ledger._store.close()  # Python 3.13 warns of connections that are not
    del ledger
    with SqliteLedger(path) as again:
        (receipt,) = deliver_once(again, postbox(), [email("ann@example.com")])
    assert receipt.unknown


@pytest.mark.parametrize(
    ("state", "again"), [(LedgerState.ACCEPTED, 0), (LedgerState.REFUSED, 0), (LedgerState.DEFERRED, 1)]
)
def test_a_doubt_can_be_resolved(
    path: Path, postbox: Make, email: Make, state: LedgerState, again: int
) -> None:
    """Somebody looked into the server's log; the next run does what follows."""
    one = email("ann@example.com")
    with SqliteLedger(path) as ledger:
        ledger.settle(answered(one, Status.UNKNOWN))
        ledger.resolve(one.key, state)
        assert ledger.in_doubt() == ()
        box = postbox()
        list(deliver_once(ledger, box, [one]))
    assert len(box.sent) == again


ENDS = [
    # how the doubt ended; whom the next run sends to
    (LedgerState.ACCEPTED, [("kim@example.com",)]),
    (LedgerState.DEFERRED, [("ann@example.com", "kim@example.com")]),
    (LedgerState.REFUSED, [("kim@example.com",)]),
]


@pytest.mark.parametrize(("state", "sent"), ENDS)
def test_resolving_is_about_those_in_doubt_and_leaves_the_others(
    path: Path, postbox: Make, email: Make, state: LedgerState, sent: list[tuple[str, ...]]
) -> None:
    """Ann was in doubt, Lee has it, Kim was put off: Lee gets nothing, Kim is tried again."""
    one = email("ann@example.com", cc=["lee@example.com", "kim@example.com"])
    fates = {"ann@example.com": Status.UNKNOWN, "kim@example.com": Status.DEFERRED}
    box = postbox()
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [one]))
        ledger.resolve(one.key, state)
        list(deliver_once(ledger, box, [one]))
        list(deliver_once(ledger, box, [one]))
    assert box.sent == sent


@pytest.mark.parametrize("state", [LedgerState.UNKNOWN, LedgerState.ATTEMPTING, LedgerState.HANDED_OVER])
def test_a_doubt_ends_in_one_of_three_ways(path: Path, state: LedgerState) -> None:
    """The others would be no end, or no answer."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="accepted, deferred or refused"):
        ledger.resolve("a", state)


def test_what_is_not_in_doubt_cannot_be_resolved(path: Path) -> None:
    """A mistyped key is noticed."""
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="'b' is not in doubt"):
        ledger.resolve("b", LedgerState.ACCEPTED)


def test_counts_say_how_many_are_in_each_state(path: Path, postbox: Make, email: Make) -> None:
    """For a screen that shows a mailing."""
    fates = {"p1@example.com": Status.REFUSED, "p2@example.com": Status.DEFERRED}
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox(fates), [email(f"p{n}@example.com") for n in range(5)]))
        assert ledger.counts() == {LedgerState.ACCEPTED: 3, LedgerState.REFUSED: 1, LedgerState.DEFERRED: 1}


def test_state_is_up_to_date_in_the_middle_of_a_run(path: Path, postbox: Make, email: Make) -> None:
    """A progress callback may ask, although answers are written in groups."""
    with SqliteLedger(path) as ledger:
        for receipt in deliver_once(ledger, postbox(), [email(f"p{n}@example.com") for n in range(40)]):
            assert ledger.state(receipt.email.key) is LedgerState.ACCEPTED


def test_the_time_is_the_clocks(path: Path, postbox: Make, email: Make) -> None:
    """A test, or a host with a time of its own, hands in a clock."""
    clock = FakeClock()
    with SqliteLedger(path, clock=clock) as ledger:
        list(deliver_once(ledger, postbox(), [email("ann@example.com")]))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT at FROM emails").fetchone() == (int(clock.now().timestamp()),)
    database.close()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """A mistyped path does not write into the student records."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE students (code TEXT)")
    database.close()
    with pytest.raises(LedgerError, match="another program"):
        SqliteLedger(path)


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
    found: list[int] = []
    with SqliteLedger(path) as ledger:

        def work() -> None:
            found.append(len(list(deliver_once(ledger, postbox(), [email("ann@example.com")]))))

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    assert found == [1]


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
