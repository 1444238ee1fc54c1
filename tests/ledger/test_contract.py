"""The contract of a ledger: ours and the page's keep it, and wrong ones are told what a user suffers."""

from __future__ import annotations

import inspect
import re
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import SqliteLedger
from vetmail_core.ledger import LedgerState
from vetmail_core.testing import LedgerContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vetmail_core import Receipt

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "ledger.md"


def example_of_the_page() -> Any:  # noqa: ANN401 - a class that a page defines
    """The ledger that the page shows."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "class HostLedger" in block]
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - the page's own words
    return names["HostLedger"]


HostLedger: Any = example_of_the_page()


class TestSqliteLedger(LedgerContract):
    """The ledger in a file."""

    takes_over = False

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sent.ledger"

    def make_ledger(self) -> SqliteLedger:
        """Open the file."""
        return SqliteLedger(self.path)


class TestLedgerOfThePage(LedgerContract):
    """The example of the reference page; its leases end when the test says so."""

    takes_over = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "host.db"

    def make_ledger(self) -> Any:  # noqa: ANN401 - a class of the page
        """Open the table."""
        return HostLedger(self.path, lease_seconds=1000.0)

    def wait_a_moment(self) -> None:
        """Nothing was heard of any run for longer than the lease."""
        ledger = self.make_ledger()
        ledger.db.execute("UPDATE run SET until=until-2000")
        ledger.db.close()


class TestAsATestCase(unittest.TestCase):
    """Without pytest too."""

    def test_it_works_as_a_mixin(self) -> None:
        """Each promise is a test."""

        class Host(LedgerContract, unittest.TestCase):
            def make_ledger(self) -> SqliteLedger:
                return SqliteLedger(":memory:")

        suite = unittest.defaultTestLoader.loadTestsFromTestCase(Host)
        assert suite.countTestCases() == len(promises())


class Memory:
    """A dictionary for a ledger, as right as three methods and one state for an email can be."""

    def __init__(self, rows: dict[str, LedgerState]) -> None:
        self.rows = rows

    def state(self, key: str, /) -> LedgerState | None:
        """What is known."""
        state = self.rows.get(key)
        return None if state is LedgerState.ATTEMPTING else state

    def attempting(self, keys: Iterable[str], /) -> list[str]:
        """Take those that nobody has."""
        mine = [key for key in keys if self.rows.get(key) is not LedgerState.ATTEMPTING]
        self.rows |= dict.fromkeys(mine, LedgerState.ATTEMPTING)
        return mine

    def settle(self, receipt: Receipt, /) -> None:
        """Keep the one state."""
        state = self.meaning(receipt)
        if state is None:
            del self.rows[receipt.email.key]
        else:
            self.rows[receipt.email.key] = state

    def meaning(self, receipt: Receipt) -> LedgerState | None:
        """One state for all recipients."""
        if receipt.unknown:
            return LedgerState.UNKNOWN
        if any(outcome.is_open for outcome in receipt.outcomes):
            return None
        return LedgerState(receipt.outcomes[0].status.value)


class ForgetsTheAllowance(Memory):
    """Takes a refusal for a refusal."""

    def meaning(self, receipt: Receipt) -> LedgerState | None:
        """As the status says."""
        return None if receipt.not_attempted else LedgerState(receipt.outcomes[0].status.value)


class CountsTheUntried(Memory):
    """Whatever was handed to a transport was sent."""

    def meaning(self, receipt: Receipt) -> LedgerState | None:
        """As if it had been tried."""
        return LedgerState.ACCEPTED if receipt.not_attempted else super().meaning(receipt)


class ForgetsRefusals(Memory):
    """Only what went well is kept."""

    def meaning(self, receipt: Receipt) -> LedgerState | None:
        """Nothing of the others."""
        return None if receipt.refused else super().meaning(receipt)


class ForgetsDoubts(Memory):
    """What is not known is not kept."""

    def meaning(self, receipt: Receipt) -> LedgerState | None:
        """Nothing of a doubt."""
        return None if receipt.unknown else super().meaning(receipt)


class TakesTheLivingForDead(Memory):
    """Whatever somebody is at counts as in doubt."""

    def state(self, key: str, /) -> LedgerState | None:
        """What is in the row."""
        return self.rows.get(key)


class TakesAll(Memory):
    """Two workers have the same email."""

    def attempting(self, keys: Iterable[str], /) -> list[str]:
        """Take them, whoever has them."""
        self.rows |= dict.fromkeys(keys, LedgerState.ATTEMPTING)
        return list(keys)


class RemembersNothing(Memory):
    """Every run is the first."""

    def meaning(self, _receipt: Receipt) -> None:
        """Nothing is known."""


class SaysAlwaysYes(HostLedger):  # type: ignore[misc] # a class of the page
    """Lets a worker send what another has taken over."""

    def open_run(self) -> Any:  # noqa: ANN401 - a run
        """A run without a fence."""
        run = super().open_run()
        begin = run.begin
        run.begin = lambda email: begin(email) or True
        return run


class LosesTheLate(HostLedger):  # type: ignore[misc] # a class of the page
    """Takes an answer from the holder alone."""

    def open_run(self) -> Any:  # noqa: ANN401 - a run
        """A run that hears nothing after its lease."""
        run = super().open_run()
        settle = run.settle
        run.settle = lambda receipt: settle(receipt) if run.row(receipt.email.key)[2] == run.id else None
        return run


class NobodyDies(HostLedger):  # type: ignore[misc] # a class of the page
    """What a dead worker held is held for ever."""

    def __init__(self, path: Path, **_lease: float) -> None:
        super().__init__(path, lease_seconds=10**9)


class TheDeadSentNothing(HostLedger):  # type: ignore[misc] # a class of the page
    """Whatever a dead worker held is sent again."""

    def open_run(self) -> Any:  # noqa: ANN401 - a run
        """A run that does not mark what has begun."""
        run = super().open_run()
        run.begin = lambda email: run.row(email.key)[2] == run.id
        return run


class TheDeadSentAll(HostLedger):  # type: ignore[misc] # a class of the page
    """Whatever a dead worker held is in doubt."""

    def open_run(self) -> Any:  # noqa: ANN401 - a run
        """A run that marks everything as begun when it is put down."""
        run = super().open_run()
        claim = run.claim

        def marked(emails: Any, *, retry_unknown: bool) -> Any:  # noqa: ANN401 - as claim
            standings = claim(emails, retry_unknown=retry_unknown)
            run.db.execute("UPDATE sent SET begun=1 WHERE holder=?", (run.id,))
            return standings

        run.claim = marked
        return run


class CannotKeepAKey(Memory):
    """Sends what it could not put down."""

    def settle(self, receipt: Receipt, /) -> None:
        """Skip what the database would not take."""
        if not receipt.email.key.isascii():
            del self.rows[receipt.email.key]
        else:
            super().settle(receipt)


class NoLedger:
    """Has none of the methods."""


SUFFERS: dict[str, tuple[Callable[..., Any], str]] = {
    "test_a_refusal_about_us_is_tried_again": (ForgetsTheAllowance, "is never written to again"),
    "test_a_copy_that_was_put_off_is_sent_alone": (Memory, "gets a second copy when somebody else's"),
    "test_who_was_not_tried_is_tried_again": (CountsTheUntried, "server was down never gets the email"),
    "test_an_address_that_is_no_more_is_not_written_to_again": (ForgetsRefusals, "written to in every run"),
    "test_in_doubt_stays_until_somebody_decides": (ForgetsDoubts, "gets a second copy from the next run"),
    "test_two_workers_send_each_email_once": (TakesTheLivingForDead, "what the first is just sending"),
    "test_who_has_it_gets_no_second_copy": (RemembersNothing, "has the email gets a second copy"),
    "test_what_was_taken_over_does_not_leave_any_more": (SaysAlwaysYes, "frozen sends a second copy"),
    "test_an_answer_that_comes_late_ends_the_doubt": (LosesTheLate, "stays in doubt for ever"),
    "test_who_had_not_begun_when_a_worker_died_is_left_to_the_next": (TheDeadSentAll, "only put down"),
    "test_who_was_on_the_way_when_a_worker_died_is_in_doubt": (TheDeadSentNothing, "gets a second copy"),
    "test_what_cannot_be_put_down_is_not_sent": (CannotKeepAKey, "could not put down"),
    "test_who_was_put_off_is_tried_again": (ForgetsRefusals, ""),
    "test_it_is_a_ledger": (NoLedger, "needs state, attempting and settle"),
}


def promises() -> list[str]:
    """The tests of the contract."""
    return [name for name, _ in inspect.getmembers(LedgerContract) if name.startswith("test_")]


def contract_of(kind: Callable[..., Any], path: Path) -> LedgerContract:
    """The contract, held against one kind of ledger."""
    rows: dict[str, LedgerState] = {}

    class Held(LedgerContract):
        death_seconds = 0.3

        def make_ledger(self) -> Any:  # noqa: ANN401 - a ledger
            if isinstance(kind, type) and issubclass(kind, HostLedger):
                return kind(path, lease_seconds=1000.0)
            return kind(rows) if isinstance(kind, type) and issubclass(kind, Memory) else kind()

        def wait_a_moment(self) -> None:
            if isinstance(kind, type) and issubclass(kind, HostLedger) and kind is not NobodyDies:
                HostLedger(path).db.execute("UPDATE run SET until=until-2000")

    return Held()


@pytest.mark.parametrize("promise", [name for name, (_, says) in SUFFERS.items() if says])
def test_a_wrong_ledger_is_told_what_its_user_would_suffer(promise: str, tmp_path: Path) -> None:
    """In a sentence, not in a state or a table."""
    kind, says = SUFFERS[promise]
    with pytest.raises(AssertionError, match=says):
        getattr(contract_of(kind, tmp_path / "host.db"), promise)()


@pytest.mark.parametrize(
    ("promise", "says"),
    [
        ("test_who_had_not_begun_when_a_worker_died_is_left_to_the_next", "never gets the email"),
        ("test_who_was_on_the_way_when_a_worker_died_is_in_doubt", "is in no report as in doubt"),
    ],
)
def test_a_ledger_in_which_nobody_dies_forgets_people(promise: str, says: str, tmp_path: Path) -> None:
    """Whatever a dead worker held."""
    with pytest.raises(AssertionError, match=says):
        getattr(contract_of(NobodyDies, tmp_path / "host.db"), promise)()


def test_a_ledger_that_lets_two_have_an_email_is_told(tmp_path: Path) -> None:
    """Each worker sends it."""
    with pytest.raises(AssertionError, match="send somebody two copies"):
        contract_of(TakesAll, tmp_path).test_two_workers_send_each_email_once()


@pytest.mark.parametrize(
    ("kind", "promise", "why"),
    [
        (Memory, "test_who_was_on_the_way_when_a_worker_died_is_in_doubt", "it has no runs"),
        (Memory, "test_a_doubt_that_somebody_ended_is_over", "has no resolve"),
        (NobodyDies, "test_what_was_taken_over_does_not_leave_any_more", "nothing was taken"),
        (lambda: SqliteLedger(":memory:"), "test_who_had_not_begun_when_a_worker_died_is_left_to_the_next",
         "one process's memory"),
    ],
)  # fmt: skip
def test_a_promise_that_a_ledger_has_no_means_for_is_skipped(
    kind: Callable[..., Any], promise: str, why: str, tmp_path: Path
) -> None:
    """With the reason."""
    with pytest.raises(unittest.SkipTest, match=why):
        getattr(contract_of(kind, tmp_path / "host.db"), promise)()


def test_without_a_fork_no_worker_can_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr("os.fork", raising=False)
    with pytest.raises(unittest.SkipTest, match="no fork"):
        contract_of(HostLedger, tmp_path / "h").test_who_was_on_the_way_when_a_worker_died_is_in_doubt()


def test_whoever_forgets_to_say_which_ledger_is_told() -> None:
    """By name."""
    with pytest.raises(NotImplementedError, match=r"LedgerContract needs make_ledger\(self\)"):
        LedgerContract().test_a_new_email_is_sent_and_known()


@pytest.mark.parametrize(
    ("promise", "begun"),
    [
        ("test_who_was_on_the_way_when_a_worker_died_is_in_doubt", 1),
        ("test_who_had_not_begun_when_a_worker_died_is_left_to_the_next", 0),
    ],
)
def test_a_worker_dies_without_a_word(
    promise: str, begun: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from within the child: nothing is settled, given back or closed, whatever happens there."""

    class Ended(BaseException):
        pass

    def end(_status: int) -> None:
        raise Ended

    monkeypatch.setattr("os.fork", lambda: 0)
    monkeypatch.setattr("os._exit", end)
    path = tmp_path / "host.db"
    with pytest.raises(Ended):
        getattr(contract_of(HostLedger, path), promise)()
    ledger = HostLedger(path)
    rows = ledger.db.execute("SELECT key, state, begun FROM sent ORDER BY key").fetchall()
    assert rows == [("class/ann", None, begun), ("class/seen", "accepted", 1)]


def test_by_itself_it_waits_for_a_lease_to_run_out(tmp_path: Path) -> None:
    """In real time, as a database's clock cannot be moved."""

    class Waits(LedgerContract):
        death_seconds = 0.2

        def make_ledger(self) -> SqliteLedger:
            return SqliteLedger(tmp_path / "sent.ledger")

    with pytest.raises(unittest.SkipTest, match=r"within 0\.2 s nothing was taken"):
        Waits().test_what_was_taken_over_does_not_leave_any_more()
