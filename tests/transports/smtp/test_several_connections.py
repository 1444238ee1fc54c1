# ruff: noqa: D102 - the steps of a server and of a source are named by their verbs
"""A run over several connections: what it may do at once, and what stays as with one."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import PATIENCE, Line, an_email, hurry

from vetmail_core.clock import SystemClock
from vetmail_core.errors import TransportValueError
from vetmail_core.preferences import MailServer
from vetmail_core.receipts import Cause
from vetmail_core.testing import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining, SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transports.smtp.scripted import Connect, MakeSome, Received, Serve, Server

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

THREE = Limits(connections=3)
MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)


class Distant(Line):
    """A line to a server that takes its time over every message."""

    seconds = 0.01

    def finish(self, data: bytes) -> None:
        if self.recipients and (wait := self.pause(self.recipients[0])):
            self.server.closing.wait(wait)
        super().finish(data)

    def pause(self, _recipient: str) -> float:
        return self.seconds


def arrived(server: Server) -> list[str]:
    """To whom the server has taken something, sorted."""
    return sorted(received.recipients[0] for received in server.received)


def lines_of(received: list[Received]) -> set[int]:
    """Over which connections it came."""
    return {one.connection for one in received}


def addressees(receipts: list[Receipt]) -> list[str]:
    """Whom receipts are about, in their order."""
    return [receipt.email.recipients.all[0].addr_spec for receipt in receipts]


@pytest.mark.parametrize("value", [0, -1, True, 2.5, 1.0, "3"])
def test_the_number_of_connections_is_a_whole_number_from_one(value: object) -> None:
    """And the error names the field."""
    with pytest.raises(TransportValueError, match="connections of Limits is a whole number from 1"):
        Limits(connections=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "wait", "wanted", "right"),
    [
        ("smtp.office365.com", 0, 10, 3),
        ("smtp.office365.com", 0, 2, 2),
        ("mail.college.example", 0, 10, 10),
        ("mail.college.example", 200, 10, 1),
    ],
)
def test_no_more_connections_than_the_provider_and_the_wait_allow(
    host: str, wait: int, wanted: int, right: int
) -> None:
    """With a wait between emails two connections would wait for each other."""
    transport = SmtpTransport(
        MailServer(host=host, wait_between_emails_ms=wait), limits=Limits(connections=wanted)
    )
    assert transport._limits.connections == right


@MODES
def test_receipts_come_in_order_and_each_email_arrives_once(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Over as many connections as the run may use."""
    server = serve()
    server.line = Distant
    some = emails(60)
    receipts = list(connect(server, pipelining=mode, limits=THREE).deliver(some))
    assert [receipt.email for receipt in receipts] == some
    assert all(receipt.ok for receipt in receipts)
    assert arrived(server) == sorted(addressees(receipts))
    assert server.connections == 3
    assert len(lines_of(server.received)) == 3


def test_one_email_needs_one_connection(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A further one is opened when an email is at hand and no connection has room."""
    server = serve()
    assert all(receipt.ok for receipt in connect(server, limits=Limits(connections=8)).deliver(emails(1)))
    assert server.connections == 1


def test_connections_rest_between_runs_and_are_ended_with_the_transport(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """All of them; the one that was used last is used first."""
    server = serve()
    server.line = Distant
    transport = connect(server, limits=THREE)
    for _ in range(3):
        assert all(receipt.ok for receipt in transport.deliver(emails(20)))
    assert server.connections == 3
    transport.hang_up()
    assert server.verbs.count("QUIT") == 3
    assert transport.transcript == ()


@pytest.mark.parametrize("answer", ["421 4.7.0 too many connections", "554 5.7.1 go away"])
def test_a_connection_that_cannot_be_had_costs_nothing_but_speed(
    serve: Serve, connect: Connect, emails: MakeSome, answer: str
) -> None:
    """Nobody is put off for it, and it is not asked for again in this run."""
    server = serve()
    server.line = Distant
    server.script("connect", None).always("connect", answer)
    receipts = list(connect(server, limits=THREE).deliver(emails(30)))
    assert all(receipt.ok for receipt in receipts)
    assert {receipt.attempts for receipt in receipts} == {1}
    assert len(lines_of(server.received)) == 1
    assert server.connections == 3


class Stalls(Distant):
    """The first email's answer takes long."""

    def pause(self, recipient: str) -> float:
        return 1.0 if recipient.startswith("p0@") else 0.0


class Feed:
    """A source that is asked before emails leave, and told of their answers."""

    def __init__(self, emails: Iterator[Email], refused: str = "") -> None:
        self.emails = emails
        self.refused = refused
        self.threads: set[int] = set()
        self.pulled = 0
        self.told: list[Receipt] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Email:
        self.threads.add(threading.get_ident())
        email = next(self.emails)
        self.pulled += 1
        return email

    def announce(self) -> Callable[[Email], bool]:
        return self.leaves

    def leaves(self, email: Email) -> bool:
        self.threads.add(threading.get_ident())
        return not (self.refused and email.recipients.all[0].addr_spec.startswith(self.refused))

    def answered(self, receipt: Receipt) -> None:
        self.threads.add(threading.get_ident())
        self.told.append(receipt)


def test_an_answer_that_comes_late_holds_up_neither_the_others_nor_the_memory(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """At most 64 emails a connection are pulled behind it, and their answers are told at once."""
    server = serve()
    server.line = Stalls
    feed = Feed(iter(emails(300)))
    run = connect(server, limits=Limits(connections=2)).deliver(feed)
    first = next(run)
    assert 100 < feed.pulled <= 128
    assert len(feed.told) >= 60
    assert first.email not in [receipt.email for receipt in feed.told]
    receipts = [first, *run]
    assert statuses(receipts) == ["accepted"] * 300
    assert addressees(receipts) == [f"p{number}@example.com" for number in range(300)]
    given = {id(receipt) for receipt in receipts}
    assert all(id(receipt) in given for receipt in feed.told)  # the very receipts, once each
    assert len(feed.told) == len({id(receipt) for receipt in feed.told})
    assert feed.threads == {threading.get_ident()}


def test_a_source_that_cannot_write_an_answer_down_ends_the_run(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """As an error of the iterable does: behind the receipts of what was on the way."""
    server = serve()
    server.line = Stalls

    class Full(Feed):
        def answered(self, receipt: Receipt) -> None:
            raise OSError(f"the disk is full, and {receipt.email.key!r} cannot be written down")

    feed = Full(iter(emails(300)))
    receipts: list[Receipt] = []
    with pytest.raises(OSError, match="the disk is full"):
        receipts.extend(connect(server, limits=Limits(connections=2)).deliver(feed))
    assert feed.pulled < 300


@MODES
def test_an_email_that_is_held_back_does_not_leave_over_any_connection(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The others do, and no empty email is delivered."""
    server = serve()
    server.line = Distant
    receipts = list(connect(server, pipelining=mode, limits=THREE).deliver(Feed(iter(emails(12)), "p5@")))
    assert statuses(receipts) == ["accepted"] * 5 + ["not_attempted"] + ["accepted"] * 6
    assert receipts[5].outcomes[0].cause is Cause.HELD_ELSEWHERE
    assert "p5@example.com" not in arrived(server)
    assert len(server.received) == 11
    assert server.lone_dots == 0


class Dies(Distant):
    """A machine that dies after forty messages, with all its connections."""

    def finish(self, data: bytes) -> None:
        if len(self.server.received) >= 40:
            self.server.always("connect", "421 4.3.2 shutting down")
            for line in self.server.lines:
                line.sock.close()
        super().finish(data)


@pytest.mark.parametrize(("mode", "doubts"), [(Pipelining.AUTO, 5), (Pipelining.CHUNKING, 5 * 8)])
def test_of_a_server_that_dies_one_message_a_connection_is_in_doubt(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining, doubts: int
) -> None:
    """In CHUNKING one window; nobody is accepted who did not arrive."""
    server = serve()
    server.line = Dies
    transport = connect(
        server, pipelining=mode, limits=Limits(connections=5, reconnect_seconds=1), deadlines=hurry()
    )
    receipts = list(transport.deliver(emails(120)))
    assert len(receipts) == 120
    assert statuses(receipts).count("unknown") <= doubts
    accepted = [receipt for receipt in receipts if receipt.accepted]
    assert set(addressees(accepted)) <= set(arrived(server))
    assert len(arrived(server)) == len(set(arrived(server)))


class Quota(Distant):
    """A server that takes ten messages of a day."""

    def do_mail(self, line: str) -> None:
        if len(self.server.received) >= 10:
            self.send(b"550 5.4.5 Daily user sending limit exceeded.\r\n")
        else:
            super().do_mail(line)


def test_what_is_said_about_us_ends_the_run_on_all_connections(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """What had left is heard out; everybody else is not attempted, with that cause."""
    server = serve()
    server.line = Quota
    receipts = list(connect(server, limits=THREE).deliver(emails(60)))
    assert len(receipts) == 60
    rest = [receipt.outcomes[0] for receipt in receipts if not receipt.accepted]
    assert {outcome.cause for outcome in rest} == {Cause.DAILY_QUOTA}
    assert 10 <= len(server.received) <= 16
    assert statuses(receipts).count("accepted") == len(server.received)


def test_a_server_that_throttles_gets_its_rest_on_all_connections(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """One pace: the old answers neither lengthen nor shorten it, and one message is under way meanwhile."""
    server = serve()
    server.line = Distant
    clock = FakeClock()
    server.script("MAIL", *[None] * 9, "454 4.7.0 Throttling failure: Maximum sending rate exceeded.")
    receipts = list(connect(server, limits=THREE, clock=clock).deliver(emails(40)))
    assert statuses(receipts).count("accepted") >= 39
    pauses = [round(seconds, 2) for seconds in clock.slept if seconds > 0.05]
    assert pauses[:3] == [1.0, 0.8, 0.64]


def test_a_line_that_is_lost_costs_the_others_nothing(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Its unfinished messages go again, each over one connection at a time."""
    server = serve()
    server.line = Distant
    server.script("MAIL", *[None] * 9, *["421 4.3.2 closing"] * 2)
    receipts = list(connect(server, limits=THREE).deliver(emails(40)))
    assert statuses(receipts) == ["accepted"] * 40
    assert len(arrived(server)) == len(set(arrived(server))) == 40


def test_the_parts_of_one_email_may_go_over_different_connections(serve: Serve, connect: Connect) -> None:
    """Its receipt comes when all are answered, with everybody in order."""
    server = serve()
    server.line = Distant
    people = [f"p{number}@example.com" for number in range(12)]
    transport = connect(server, limits=Limits(connections=3, recipients_per_message=2))
    (receipt,) = transport.deliver([an_email(" ".join(people))])
    assert [outcome.mailbox.addr_spec for outcome in receipt.outcomes] == people
    assert receipt.ok
    assert len(server.received) == 6
    assert len(lines_of(server.received)) > 1


class Silent(Distant):
    """A server that falls silent from the twentieth email on."""

    def pause(self, recipient: str) -> float:
        return 30.0 if int(recipient[1:].partition("@")[0]) >= 20 else 0.0


@pytest.mark.parametrize("ending", ["walked away", "wound up", "closed elsewhere"])
def test_whoever_stops_waits_once_for_all_connections_together(
    serve: Serve, connect: Connect, emails: MakeSome, ending: str
) -> None:
    """No further text begins, and what has left is listened for as long as one farewell may take."""
    server = serve()
    server.line = Silent
    transport = connect(server, limits=Limits(connections=4), deadlines=hurry(quit=0.5))
    run = transport.deliver(emails(100))
    receipts = [next(run) for _ in range(10)]
    begun = time.monotonic()
    if ending == "walked away":
        run.close()  # type: ignore[attr-defined]
    elif ending == "wound up":
        transport.wind_up()
        receipts += run
    else:
        closing = threading.Timer(0.3, transport.close)
        closing.start()
        receipts += run
        closing.join()
        assert len(receipts) == 100
        assert receipts[-1].outcomes[0].cause is Cause.CANCELLED
        doubts = [receipt.reason for receipt in receipts if receipt.outcomes[0].status.value == "unknown"]
        assert len(doubts) <= 4, doubts
    assert time.monotonic() - begun < 10
    assert len(server.received) <= 28
    server.closing.set()


def test_one_connection_is_left_as_soon_when_the_transport_is_closed_elsewhere(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """An answer that may take ten minutes is waited for as long as a farewell may take."""
    server = serve()
    server.line = Silent
    transport = connect(server, deadlines=hurry(quit=0.2))
    closing = threading.Timer(0.5, transport.close)
    closing.start()
    begun = time.monotonic()
    receipts = list(transport.deliver(emails(40)))
    closing.join()
    assert time.monotonic() - begun < 10
    assert len(receipts) == 40
    assert statuses(receipts).count("unknown") <= 1
    assert receipts[-1].outcomes[0].cause is Cause.CANCELLED
    server.closing.set()


def test_what_the_iterable_raises_comes_behind_the_receipts(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """All of those that were on the way."""
    server = serve()
    server.line = Distant

    def some() -> Iterator[Email]:
        yield from emails(30)
        raise KeyError("mine")

    receipts: list[Receipt] = []
    with pytest.raises(KeyError, match="mine"):
        receipts.extend(connect(server, limits=THREE).deliver(some()))
    assert statuses(receipts) == ["accepted"] * 30


def test_a_mode_is_proved_once(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A server that announces CHUNKING and bears it not is found out with one message, not with three."""
    server = serve()
    server.line = Distant
    server.script("dot", "500 5.5.1 no BDAT here")
    receipts = list(connect(server, pipelining=Pipelining.CHUNKING, limits=THREE).deliver(emails(30)))
    assert statuses(receipts).count("accepted") >= 29
    first = server.heard.index(next(line for line in server.heard if line.startswith("BDAT")))
    assert server.heard[: first + 1].count("RSET") == 1


def test_threads_share_the_connections_of_one_transport(serve: Serve, connect: Connect) -> None:
    """Each receipt goes to its own caller, and never more connections are open than the limit says."""
    server = serve()
    server.line = Distant
    transport = connect(server, limits=Limits(connections=2), deadlines=PATIENCE, clock=SystemClock())
    got: dict[int, list[list[str]]] = {}

    def work(number: int) -> None:
        for turn in range(5):
            mine = [f"t{number}-{turn}-{one}@example.com" for one in range(2)]
            receipts = list(transport.deliver([an_email(to) for to in mine]))
            assert statuses(receipts) == ["accepted"] * 2
            got.setdefault(number, []).append([*addressees(receipts), *mine])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(told[:2] == told[2:] for turns in got.values() for told in turns)
    assert len(arrived(server)) == len(set(arrived(server))) == 60
    assert server.connections == 2


def test_a_run_with_several_connections_gives_one_back_to_a_run_that_waits(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """A short run need not wait for the end of a long one."""
    server = serve()
    server.line = Distant
    limits = Limits(connections=3, messages_per_connection=1_000)
    transport = connect(server, limits=limits, clock=SystemClock())
    run = transport.deliver(emails(400))
    for _ in range(40):
        next(run)
    second: list[Receipt] = []
    thread = threading.Thread(target=lambda: second.extend(transport.deliver([an_email("b@example.com")])))
    thread.start()
    receipts = 40
    while thread.is_alive() and next(run, None) is not None:
        receipts += 1
    thread.join()
    assert statuses(second) == ["accepted"]
    assert receipts < 400
    assert statuses(list(run)) == ["accepted"] * (400 - receipts)
    assert server.connections == 3


def test_a_child_counts_none_of_its_parents_connections(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs do not wait for a run of the parent's, and what that had is not given back to them."""
    server = serve()
    server.line = Distant
    transport = connect(server, limits=Limits(connections=2))
    run = transport.deliver(emails(30))
    assert next(run).ok
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert statuses(list(transport.deliver(emails(20)))) == ["accepted"] * 20
    run.close()  # type: ignore[attr-defined]
    assert transport._host.lending._lent == 0
