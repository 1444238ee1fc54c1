"""A run that is interrupted, by Ctrl-C or a worker's time limit: nobody in doubt, nobody mailed twice."""

from __future__ import annotations

import gc
import random
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import said, statuses
from tests.transports.smtp.scripted import Line, Server, an_email, hurry

from vetmail_core.errors import LedgerError
from vetmail_core.ledger import LedgerState, SqliteLedger, deliver_once
from vetmail_core.receipts import Cause, Outcome, Receipt, Status
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports import RedirectAll, Retrying, Spaced, Spacing
from vetmail_core.transports.smtp import Pipelining, SmtpTransport
from vetmail_core.transports.smtp.rules.message import Job, Stop, Transaction
from vetmail_core.transports.smtp.rules.pipeline import DataLane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import FrameType

    from _typeshed import TraceFunction
    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve

    from vetmail_core.message import Email
    from vetmail_core.transports import Transport

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining
LONG = ("x" * 70 + "\n") * 130_000
ROUNDS = 13  # in each of four modes
# Where messages are on their way; while a connection is opened there is none.
ROOMS = re.compile(
    r".*/src/vetmail_core/transports/smtp/(run|link|pipeline|chunking|transaction|connection|pace).py"
)


class TimeLimit(Exception):  # noqa: N818 - as workers name theirs
    """What a worker raises in the middle of a task that takes too long."""


class SlowServer(Server):
    """A server that takes ten milliseconds an answer, until it is in a hurry."""

    seconds = 0.01


class SlowLine(Line):
    """One of its connections."""

    def send(self, octets: bytes) -> None:  # noqa: D102 - the one step that differs
        assert isinstance(self.server, SlowServer)
        self.server.closing.wait(self.server.seconds)
        super().send(octets)


def _keyed(count: int) -> list[Email]:
    return [an_email(f"p{number}@example.com", key=f"m:{number}") for number in range(count)]


def _copies(server: Server) -> Counter[str]:
    return Counter(one.recipients[0] for one in server.received)


@pytest.fixture
def swept() -> Iterator[None]:
    """What an interrupt left half open is found in this test, and in no later one."""
    yield
    gc.collect()


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Raises `TimeLimit` in the middle of whatever is going on, so many seconds from now."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeLimit

    def wind(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, ring)
    yield wind
    wind(0)
    signal.signal(signal.SIGALRM, before)


# Python drops an exception that falls into the callback of a weak reference; the run goes on then.
@pytest.mark.usefixtures("swept")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_nobody_in_doubt(
    tmp_path: Path, mode: Pipelining, alarm: Callable[[float], None]
) -> None:
    """The answer that is owed is heard, nothing more is begun, and the next run mails the rest."""
    chance = random.Random(mode.value)  # noqa: S311 - moments, no secrets
    doubts = 0
    for number in range(ROUNDS):
        emails = _keyed(4)
        with SlowServer() as server, SqliteLedger(tmp_path / f"{number}.sqlite") as ledger:
            server.line = SlowLine
            transport = SmtpTransport(
                server.mail_server(), pipelining=mode, clock=FakeClock(), deadlines=hurry(quit=5)
            )
            with transport:
                alarm(chance.uniform(0.002, 0.12))
                try:
                    list(deliver_once(ledger, transport, emails))
                    alarm(0)
                except (TimeLimit, LedgerError):
                    pass  # it may fall while the ledger opens the run, and then nothing was sent
                states = {email.key: ledger.state(email.key) for email in emails}
                assert set(states.values()) <= {LedgerState.ACCEPTED, LedgerState.UNKNOWN, None}
                doubts += LedgerState.UNKNOWN in states.values()
                server.seconds = 0
                list(deliver_once(ledger, transport, emails))
            assert _copies(server) == Counter(f"p{number}@example.com" for number in range(4))
    # Once in some hundred times it falls between two lines that belong together; see below.
    assert doubts <= 1


def _trapped(at: int, run: Callable[[], object]) -> bool:
    """Run, and raise `TimeLimit` in the so many-th line of the SMTP rooms; whether it came to that."""
    left = at

    def trace(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        nonlocal left
        if not ROOMS.fullmatch(frame.f_code.co_filename):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise TimeLimit
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except TimeLimit:
        return True
    finally:
        sys.settrace(before)
    return False


# A socket that is just being opened or closed is left to the garbage collector.
@pytest.mark.usefixtures("swept")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("step", [97])
def test_an_interrupt_between_any_two_lines_mails_nobody_twice(
    tmp_path: Path, mode: Pipelining, step: int
) -> None:
    """Where it falls between two lines of ours that belong together, somebody is in doubt at most."""
    at = 1
    doubts = trials = 0
    more = True
    while more:
        emails = _keyed(3)
        with Server() as server, SqliteLedger(tmp_path / f"{at}.sqlite") as ledger:
            transport = SmtpTransport(
                server.mail_server(), pipelining=mode, clock=FakeClock(), deadlines=hurry(quit=0.2)
            )
            with transport:
                more = _trapped(at, lambda: list(deliver_once(ledger, transport, emails)))  # noqa: B023 - run at once
                states = [ledger.state(email.key) for email in emails]
                in_doubt = states.count(LedgerState.UNKNOWN)
                assert LedgerState.ATTEMPTING not in states
                list(deliver_once(ledger, transport, emails))
            assert max(_copies(server).values()) == 1
            assert len(server.received) >= 3 - in_doubt
            doubts += in_doubt
            trials += 1
        at += step
    assert doubts <= trials


# -- what the caller sees ---------------------------------------------------------------------------------


class Pressing(Line):
    """A server that interrupts its client when it has the second message, and takes it a little later."""

    def finish(self, data: bytes) -> None:  # noqa: D102 - the one step that differs
        if len(self.server.received) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
            self.server.closing.wait(0.1)
        super().finish(data)


def _plain(inner: Transport) -> Transport:
    return inner


def _retrying(inner: Transport) -> Transport:
    return Retrying(inner, delays=[1], clock=FakeClock())


def _redirected(inner: Transport) -> Transport:
    return RedirectAll(inner, "trial@example.com")


def _spaced(inner: Transport) -> Transport:
    return Spaced(inner, Spacing(0, clock=FakeClock()))


@pytest.mark.parametrize("wrap", [_plain, _retrying, _redirected, _spaced])
@pytest.mark.usefixtures("alarm")
def test_the_receipts_come_before_the_exception(
    serve: Serve, connect: Connect, emails: MakeSome, wrap: Callable[[Transport], Transport]
) -> None:
    """The answer that was owed is one of them; through every wrapper."""
    server = serve()
    server.line = Pressing
    found: list[Receipt] = []
    with pytest.raises(TimeLimit):
        found.extend(wrap(connect(server, pipelining=OFF)).deliver(emails(5)))
    assert statuses(found) == ["accepted", "accepted"]
    assert len(server.received) == 2


@pytest.mark.usefixtures("alarm")
def test_what_was_taken_and_has_not_left_is_not_attempted(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """In AUTO the next email was pulled ahead; its envelope is no reason to call it tried."""
    server = serve()
    server.line = Pressing
    found: list[Receipt] = []
    with pytest.raises(TimeLimit):
        found.extend(connect(server, pipelining=AUTO).deliver(emails(5)))
    assert statuses(found) == ["accepted", "accepted", "not_attempted"]
    assert (found[2].outcomes[0].cause, found[2].attempts) == (Cause.CANCELLED, 0)


@pytest.mark.usefixtures("alarm")
def test_an_answer_that_does_not_come_in_a_farewells_time_is_unknown(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """Nobody who wants to leave is kept for ten minutes."""
    server = serve().script("dot", act("accept_and_stall"))

    class Pressing(Line):
        def perform(self, act: Act) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
            super().perform(act)

    server.line = Pressing
    found: list[Receipt] = []
    with pytest.raises(TimeLimit):
        found.extend(connect(server, pipelining=mode, deadlines=hurry(quit=0.2)).deliver(emails(2)))
    assert statuses(found)[0] == "unknown"
    assert found[0].outcomes[0].status is Status.UNKNOWN
    assert "did not answer" in found[0].warnings[0]


def test_whoever_interrupts_twice_does_not_wait(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The second exception goes on at once."""
    run = connect(serve(), pipelining=AUTO).deliver(emails(9))
    assert isinstance(run, Generator)
    assert next(run).ok
    assert isinstance(run.throw(TimeLimit()), Receipt)
    with pytest.raises(TimeLimit):
        run.throw(TimeLimit())


@pytest.mark.usefixtures("alarm")
def test_half_a_message_is_no_message(
    serve: Serve, connect: Connect, email: Make, act: type[Act], mode: Pipelining
) -> None:
    """An interrupt in the middle of a long text: the server has not got it, and nothing is in doubt."""
    server = serve(extensions=("PIPELINING", "CHUNKING")).script("BODY", act("no_reading"))

    class Pressing(Line):
        def perform(self, act: Act) -> None:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            super().perform(act)

    server.line = Pressing
    found: list[Receipt] = []
    with pytest.raises(TimeLimit):
        found.extend(connect(server, pipelining=mode, deadlines=hurry(quit=0.2)).deliver([email(text=LONG)]))
    assert said(found[0]) == [("sam@example.com", "not_attempted", "cancelled")]


def test_a_run_without_end_is_ended_from_outside(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """`wind_up` between two receipts: what was taken is answered for, and nothing more is taken."""
    server = serve()
    transport = connect(server, pipelining=AUTO)
    transport.wind_up()  # nothing at hand, nothing to end
    run = transport.deliver(emails(9))
    found = [next(run)]
    RedirectAll(Spaced(transport, Spacing(0)), "trial@example.com").wind_up()
    found += run
    assert statuses(found)[0] == "accepted"
    assert len(found) < 9
    assert len(server.received) == statuses(found).count("accepted")


@pytest.mark.parametrize(
    ("leaving", "status", "words"),
    [
        (False, Status.NOT_ATTEMPTED, ()),
        (True, Status.UNKNOWN, ("the run was interrupted while an answer came in",)),
    ],
)
def test_whom_an_interrupt_leaves_without_an_answer_has_one_in_the_end(
    leaving: object, status: Status, words: tuple[str, ...]
) -> None:
    """In doubt where the text had begun to leave; those who were answered keep their answers."""
    job = Job(an_email("a@x.com b@x.com c@x.com"))
    first, *_ = job.email.recipients.all
    job.pending = job.parts = 2
    job.settle([Outcome(first, Status.ACCEPTED)], reply=None, attempts=1)
    job.leaving = bool(leaving)
    for _ in range(2):  # the second time there is nothing left to do
        job.end(Stop(cause=Cause.CANCELLED, phase=None))
    receipt = job.receipt("mail.example.com port 25")
    assert [outcome.status for outcome in receipt.outcomes] == [Status.ACCEPTED, status, status]
    assert receipt.warnings == words


def test_an_answer_that_is_there_is_not_taken_back() -> None:
    """The interrupt fell between the answer and what follows from it."""
    email = an_email()
    transaction = Transaction(Job(email), email.recipients.all, b"x")
    transaction.accept(b"250 2.0.0 ok")
    transaction.doubt("an answer was lost", Cause.CONNECTION)
    transaction.interrupted(None)
    assert transaction.again is None
    assert [outcome.status for outcome in transaction.outcomes] == [Status.ACCEPTED]


def test_answers_that_had_come_when_the_interrupt_fell_are_nobodys(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them belongs to what is not known any more: the message that had left is in doubt."""
    receive = DataLane.receive

    def interrupted(lane: DataLane, replies: list[bytes]) -> None:
        if lane.in_doubt:
            monkeypatch.setattr(DataLane, "receive", receive)
            raise TimeLimit
        receive(lane, replies)

    monkeypatch.setattr(DataLane, "receive", interrupted)
    found: list[Receipt] = []
    server = serve()
    with pytest.raises(TimeLimit):
        found.extend(connect(server, pipelining=OFF).deliver(emails(3)))
    assert statuses(found) == ["unknown"]
    assert found[0].warnings == ("an answer was lost in an interrupt",)
    assert len(server.received) == 1


class Interrupted:
    """A transport that puts off at first, and is interrupted behind its second receipt."""

    def __init__(self) -> None:
        self.tries = 0

    def deliver(self, emails: Iterable[Email], /) -> Iterator[Receipt]:
        """One receipt for each."""
        for email in emails:
            self.tries += 1
            (mailbox,) = email.recipients.all
            yield Receipt(email, [Outcome(mailbox, Status.DEFERRED if self.tries == 1 else Status.ACCEPTED)])
            if self.tries == 2:
                raise TimeLimit

    def close(self) -> None:
        """Nothing to end."""


def test_an_interrupt_of_another_try_comes_behind_its_answer() -> None:
    """`Retrying` hands on what it knows, and then the exception."""
    transport = Retrying(Interrupted(), delays=[1, 1], clock=FakeClock())
    transport.wind_up()  # what is inside cannot be told; nothing to do
    found: list[Receipt] = []
    with pytest.raises(TimeLimit):
        found.extend(transport.deliver(_keyed(2)))
    assert statuses(found) == ["accepted"]
