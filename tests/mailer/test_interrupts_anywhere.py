"""An interrupt at any line of a bulk run: whoever was taken is in the report, once."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
import pytest

import vetmail_core
from vetmail_core import (
    Content,
    Email,
    Mailbox,
    Mailer,
    Outcome,
    Person,
    Receipt,
    Recipients,
    RunInterrupted,
    SqliteLedger,
    Status,
)
from vetmail_core.receipts import Tally, report
from vetmail_core.testing import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from vetmail_core import EmailPreferences

Trace = Any  # what sys.settrace takes, which is typed by its own name only

ROOT = Path(vetmail_core.__file__).parent
NUMBER = 4


class Interrupt:
    """Presses Ctrl-C in the so many-th executed line of some files of the library.

    Args:
        at: which line.
        counts: whether a file's lines count.
    """

    def __init__(self, at: int, counts: Callable[[Path], bool]) -> None:
        self.at = at
        self.lines = 0
        self._counts = counts
        self._before: Trace = None
        self._known: dict[str, bool] = {}

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Trace:
        name = frame.f_code.co_filename
        counts = self._known.get(name)
        if counts is None:
            path = Path(name)
            counts = self._known[name] = path.is_relative_to(ROOT) and self._counts(path)
        return self._line if counts else None

    def _line(self, _frame: FrameType, event: str, _argument: object) -> Trace:
        if event == "line" and self.lines <= self.at:
            self.lines += 1
            if self.lines > self.at:
                sys.settrace(self._before)
                raise KeyboardInterrupt
        return self._line


class People:
    """Four people, and whom a plan has taken of them."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def __iter__(self) -> Iterator[Person]:
        for number in range(NUMBER):
            self.taken.add(f"p{number}@example.com")
            yield Person(f"p{number}@example.com", key=f"k{number}")


def _run(interrupt: Interrupt, ledger: SqliteLedger | None) -> None:
    """Run, and look at what the report says."""
    outbox = Outbox()
    mailer = outbox.mailer()
    people = People()
    plan = mailer.plan_bulk(Content("Hello", "Text"), people, batch="b")
    before = 0 if ledger is None else sum(ledger.counts().values())
    result = None
    try:
        with interrupt:
            mailer.send_bulk(plan, ledger=ledger)
    except RunInterrupted as error:
        result = error.report
    except KeyboardInterrupt:
        assert not _sent(outbox), "whoever got an email is in no report"
    if result is None:
        return
    named = Counter(outcome.mailbox.addr_spec for receipt in result.failures for outcome in receipt.outcomes)
    assert set(named.values()) <= {1}
    assert result.already_sent == len(result.exclusions) <= before
    assert len(people.taken) == result.emails + result.already_sent
    assert result.emails == len(named) + result.accepted
    assert _sent(outbox) <= people.taken - set(named) | {
        receipt.email.recipients.all[0].addr_spec for receipt in result.failures if receipt.unknown
    }


def _sent(outbox: Outbox) -> set[str]:
    receipts = [record.peek().receipt for record in outbox.records]
    return {r.email.recipients.all[0].addr_spec for r in receipts if not r.not_attempted}


def _anywhere(path: Path) -> bool:
    return "testing" not in path.parts


def _delivery(path: Path) -> bool:
    return path.parts[-2:] == ("ledger", "delivery.py")


@pytest.fixture(params=["no ledger", "a ledger", "a ledger that knows two of them"])
def make_ledger(request: pytest.FixtureRequest) -> Callable[[], SqliteLedger | None]:
    """A new one for each run."""

    def make() -> SqliteLedger | None:
        if request.param == "no ledger":
            return None
        ledger = SqliteLedger(":memory:")
        if request.param != "a ledger":
            mailer = Outbox().mailer()
            people = [Person(f"p{number}@example.com", key=f"k{number}") for number in (0, 2)]
            mailer.send_bulk(mailer.plan_bulk(Content("Hello", "Text"), people, batch="b"), ledger=ledger)
        return ledger

    return make


# What is just being made or let go of is left to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("counts", "step"), [(_anywhere, 71), (_delivery, 2)], ids=["anywhere", "delivery"])
def test_whoever_was_taken_is_in_the_report_once(
    make_ledger: Callable[[], SqliteLedger | None], counts: Callable[[Path], bool], step: int
) -> None:
    """Sent, in doubt or not tried, with a ledger and without."""
    lines = Interrupt(sys.maxsize, counts)
    _run(lines, make_ledger())
    assert lines.lines > step
    for at in range(0, lines.lines, step):
        ledger = make_ledger()
        _run(Interrupt(at, counts), ledger)
        if ledger is not None:
            ledger.close()
    gc.collect()  # what an interrupt left half open is found here, and in no later test


class InterruptsOnce(Receipt):
    """A receipt over which somebody presses Ctrl-C when it is first looked at."""

    __slots__ = ("_pressed",)

    def __getattribute__(self, name: str) -> object:
        if name == "outcomes" and not hasattr(self, "_pressed"):
            object.__setattr__(self, "_pressed", True)
            raise KeyboardInterrupt
        return object.__getattribute__(self, name)


class HostsTransport:
    """A host's own transport, which accepts everything.

    Args:
        hangs_up: what it does when it is told to hang up.
    """

    def __init__(self, hangs_up: Callable[[], None] = lambda: None) -> None:
        self.sent: list[Email] = []
        self._hangs_up = hangs_up

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """Accept each; the first answer comes with an interrupt."""
        for email in emails:
            self.sent.append(email)
            receipt = Receipt(email, [Outcome(email.recipients.all[0], Status.ACCEPTED)])
            if len(self.sent) == 1:
                pressed = object.__new__(InterruptsOnce)
                for field in attrs.fields(Receipt):
                    object.__setattr__(pressed, field.name, getattr(receipt, field.name))
                yield pressed
            else:
                yield receipt

    def hang_up(self) -> None:
        """Let go of the connection."""
        self._hangs_up()

    def close(self) -> None:
        """Nothing is open."""


def _emails() -> list[Email]:
    return [
        Email(
            sender=Mailbox("office@example.com"),
            recipients=Recipients(f"p{number}@example.com"),
            content=Content("Hello", "Text"),
        )
        for number in range(NUMBER)
    ]


def test_an_answer_that_was_given_and_not_counted_is_counted(preferences: EmailPreferences) -> None:
    """The first was accepted; the others were not tried."""
    transport = HostsTransport()
    with pytest.raises(RunInterrupted) as caught:
        Mailer(preferences, transport=transport).send_bulk(_emails())
    counts = caught.value.report
    assert (counts.emails, counts.accepted, counts.not_attempted) == (NUMBER, 1, NUMBER - 1)


def test_an_email_that_nobody_has_written_down_yet_is_not_tried(preferences: EmailPreferences) -> None:
    """Pulled from the caller, and interrupted before anything was done with it."""
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        if len(asked) > 1:  # the first time nothing has been pulled
            raise KeyboardInterrupt
        return False

    with pytest.raises(RunInterrupted) as caught:
        Mailer(preferences, transport=HostsTransport()).send_bulk(iter(_emails()), cancel=cancel)
    assert asked == [1, 1]
    assert (caught.value.report.emails, caught.value.report.not_attempted) == (1, 1)


def test_an_interrupt_after_the_last_answer_comes_with_the_report(preferences: EmailPreferences) -> None:
    """While the connection is let go of."""

    def press() -> None:
        raise KeyboardInterrupt

    transport = HostsTransport(press)
    transport.sent.append(_emails()[0])  # so that no answer comes with an interrupt
    mailer = Mailer(preferences, transport=transport)
    with pytest.raises(RunInterrupted) as caught:
        mailer.send_bulk(_emails(), cancel=lambda: len(transport.sent) > 2)
    assert caught.value.report.accepted == len(transport.sent) - 1
    assert mailer.last_report == caught.value.report


def test_an_interrupt_before_anything_is_a_plain_one(preferences: EmailPreferences) -> None:
    """There is nothing to report."""

    class Pressed:
        def __iter__(self) -> Iterator[Email]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        Mailer(preferences, transport=HostsTransport()).send_bulk(Pressed())
    assert not isinstance(caught.value, RunInterrupted)


@pytest.mark.parametrize("most", [0, 10])
def test_a_failure_that_is_kept_twice_in_a_row_is_one(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The count is the last thing that changes, so an interrupt may fall between."""
    monkeypatch.setattr(report, "_MOST_FAILURES", most)
    (email, *_) = _emails()
    refused = Receipt(email, [Outcome(email.recipients.all[0], Status.DEFERRED)])
    tally = Tally()

    def press(_tally: Tally, _statuses: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tally, "_plus", press)
    with pytest.raises(KeyboardInterrupt):
        tally.add(refused)
    monkeypatch.undo()
    monkeypatch.setattr(report, "_MOST_FAILURES", most)
    assert tally.answered == 0
    tally.add(refused)
    assert tally.answered == 1
    assert len(tally.report().named) == 1
