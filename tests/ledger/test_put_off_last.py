"""A later run goes first to those whom nobody has tried, and last to those who were put off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vetmail_core import Email, Ledger, LedgerError, Receipt, SqliteLedger, Status, deliver_once
from vetmail_core.ledger import Delivery, LedgerState, delivery
from vetmail_core.transports import RedirectAll

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

Make = Any  # the conftest's classes and factories; a test folder is no package to import them from
PUT_OFF = {f"p{number}@example.com": Status.DEFERRED for number in (0, 1, 3)}


class Table:
    """A host's own table."""

    def __init__(self) -> None:
        self.rows: dict[str, LedgerState] = {}
        self.asked: list[str] = []

    def state(self, key: str, /) -> LedgerState | None:
        """What is known."""
        self.asked.append(key)
        return self.rows.get(key)

    def attempting(self, keys: Iterable[str], /) -> Collection[str] | None:
        """All of them."""
        return list(keys)

    def settle(self, receipt: Receipt, /) -> None:
        """Write down."""
        if not receipt.not_attempted:
            self.rows[receipt.email.key] = LedgerState(receipt.outcomes[0].status.value)


@pytest.fixture(params=["sqlite", "a host's own"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    """Either kind."""
    if request.param == "sqlite":
        with SqliteLedger(path) as sqlite:
            yield sqlite
    else:
        yield Table()


def _order(postbox: Make) -> list[str]:
    return [to[0].partition("@")[0] for to in postbox.sent]


@pytest.fixture
def people(email: Make) -> list[Email]:
    """Six of them."""
    return [email(f"p{number}@example.com") for number in range(6)]


def test_who_was_put_off_comes_last(ledger: Ledger, postbox: Make, people: list[Email]) -> None:
    """The first run came to four; the second begins with the other two, and each is answered for once."""
    first, second = postbox(PUT_OFF), postbox()
    list(deliver_once(ledger, first, people[:4]))
    receipts = list(deliver_once(ledger, second, people))
    assert _order(second) == ["p4", "p5", "p0", "p1", "p3"]
    assert [receipt.email.key for receipt in receipts] == [to[0] for to in second.sent]
    assert list(deliver_once(ledger, postbox(), people)) == []


def test_of_very_many_the_last_keep_their_place(
    ledger: Ledger, postbox: Make, people: list[Email], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept aside is in memory, so there is an end to it."""
    monkeypatch.setattr(delivery, "_MOST_PUT_OFF", 1)
    list(deliver_once(ledger, postbox(PUT_OFF), people[:4]))
    box = postbox()
    list(deliver_once(ledger, box, people))
    assert _order(box).index("p3") < _order(box).index("p4") < _order(box).index("p0")
    assert sorted(_order(box)) == ["p0", "p1", "p3", "p4", "p5"]


def test_a_copy_that_was_put_off_comes_last_too(path: Path, postbox: Make, email: Make) -> None:
    """Ann has hers; the copy to her employer is tried when everybody else has had a turn."""
    emails = [email("ann@example.com", cc=["work@example.com"]), email("bob@example.com")]
    with SqliteLedger(path) as ledger:
        list(deliver_once(ledger, postbox({"work@example.com": Status.DEFERRED}), emails[:1]))
        box = postbox()
        list(deliver_once(ledger, box, emails))
    assert box.sent == [("bob@example.com",), ("work@example.com",)]


def test_a_run_that_is_stopped_leaves_those_to_its_caller(
    ledger: Ledger, postbox: Make, people: list[Email]
) -> None:
    """They are in no answer, and nothing of the ledger is held for them."""
    list(deliver_once(ledger, postbox(PUT_OFF), people[:4]))
    box = postbox()
    run = Delivery(box, people, ledger=ledger, stop=lambda: len(box.sent) == 1)
    list(run.steps())
    assert _order(box) == ["p4"]
    assert {email.key for email in run.undecided} >= set(PUT_OFF)
    rest = postbox()
    list(deliver_once(ledger, rest, people))
    assert len(rest.sent) == 4


def test_what_the_callers_iterable_raises_is_raised_behind_them(
    ledger: Ledger, postbox: Make, people: list[Email]
) -> None:
    """They came before it."""

    def broken() -> Iterator[Email]:
        yield from people[:4]
        raise OSError("the list broke off")

    list(deliver_once(ledger, postbox(PUT_OFF), people[:4]))
    box = postbox()
    with pytest.raises(OSError, match="broke off"):
        list(deliver_once(ledger, box, broken()))
    assert _order(box) == ["p0", "p1", "p3"]


def test_a_host_is_asked_once_about_each_who_is_new(postbox: Make, people: list[Email]) -> None:
    """A question costs its database time."""
    table = Table()
    list(deliver_once(table, postbox(), people))
    assert table.asked == [email.key for email in people]


def test_a_ledger_that_cannot_be_read_sends_nothing(path: Path, postbox: Make, people: list[Email]) -> None:
    """It says so where it is asked to decide."""
    box = postbox()
    ledger = SqliteLedger(path)
    run = ledger.open_run()
    ledger.close()
    with pytest.raises(LedgerError):
        run.put_off([people[0].key])
    run.close()
    assert box.sent == []


# -- exceptions in the caller's own code ------------------------------------------------------------------


class WindsUp:
    """A transport that can be told to end, and answers then for what it has taken."""

    def __init__(self, box: Make) -> None:
        self.box = box
        self.told = 0

    def deliver(self, emails: Any) -> Iterator[Receipt]:  # noqa: ANN401 - as the class inside
        """As the class inside does."""
        receipts: Iterator[Receipt] = self.box.deliver(emails)
        return receipts

    def wind_up(self) -> None:
        """Count it."""
        self.told += 1

    def close(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: RedirectAll(it, "trial@example.com")])
def test_an_exception_between_two_answers_leaves_nobody_in_doubt(
    path: Path, postbox: Make, people: list[Email], wrap: Callable[[WindsUp], Any]
) -> None:
    """What the transport had taken ahead is answered for, and stands in the ledger."""
    transport = WindsUp(postbox(ahead=2))
    with SqliteLedger(path) as ledger:
        steps = Delivery(wrap(transport), people, ledger=ledger).steps()
        next(steps)
        with pytest.raises(TimeoutError):
            steps.throw(TimeoutError())
        states = [ledger.state(email.key) for email in people]
    assert transport.told == 1
    assert states[:3] == [LedgerState.ACCEPTED] * 3
    assert len(transport.box.sent) == states.count(LedgerState.ACCEPTED)


def test_an_answer_that_was_being_written_down_is_written_down(
    path: Path, postbox: Make, people: list[Email]
) -> None:
    """The interrupt fell between the transport and the disk."""
    with SqliteLedger(path) as ledger:
        run = Delivery(WindsUp(postbox()), people, ledger=Interrupted(ledger))
        with pytest.raises(KeyboardInterrupt):
            list(run.steps())
        states = [ledger.state(email.key) for email in people]
    assert LedgerState.UNKNOWN not in states
    assert states[0] is LedgerState.ACCEPTED
    assert next(step.email.key for step in run.unfinished) == people[0].key


class Interrupted:
    """A ledger whose first answer is not written down, because of a Ctrl-C."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger = ledger
        self.state, self.attempting, self.settle = ledger.state, ledger.attempting, ledger.settle

    def open_run(self) -> Any:  # noqa: ANN401 - the ledger's own run, but for its first answer
        """Its first answer is interrupted."""
        run: Any = self.ledger.open_run()
        settle = run.settle

        def interrupted(_receipt: Receipt) -> None:
            run.settle = settle
            raise KeyboardInterrupt

        run.settle = interrupted
        return run
