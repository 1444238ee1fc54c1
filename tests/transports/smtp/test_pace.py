"""Waits, slowing down, and when a connection is replaced by a fresh one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import statuses

from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining
from vetmail_core.transports.smtp.pace import Backoff, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Connect, Make, MakeSome, Serve

    from vetmail_core.message import Email

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


# -- pace -------------------------------------------------------------------------------------------------


def test_the_wait_between_emails_is_from_one_s_end_to_the_next_one_s_start(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """None before the first, none after the last, nothing pulled ahead; also from run to run."""
    server, clock = serve(), FakeClock()
    transport = connect(server, clock=clock, wait_ms=2000, pipelining=mode)
    pulled: list[int] = []

    def feed() -> Iterator[Email]:
        for number, email in enumerate(emails(3)):
            pulled.append(number)
            yield email

    assert [len(pulled) for _ in transport.deliver(feed())] == [1, 2, 3]
    waits = [[*clock.slept]]
    for later in (1.5, 2):
        clock.advance(later)
        list(transport.deliver(emails(1)))
        waits.append([*clock.slept])
    assert waits == [[2.0, 2.0], [2.0, 2.0, 0.5], [2.0, 2.0, 0.5]]


def test_a_throttling_server_slows_the_run_which_creeps_back(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Double the wait at each such reply; a fifth less after each message that went through."""
    server, clock = serve(), FakeClock()
    server.script("dot", None, "450 4.7.0 too fast", "450 4.7.0 too fast")
    receipts = list(
        connect(server, clock=clock, pipelining=mode, limits=Limits(chunking_window=1)).deliver(emails(30))
    )
    assert statuses(receipts)[:4] == ["accepted", "deferred", "deferred", "accepted"]
    assert receipts[1].outcomes[0].cause is Cause.THROTTLED
    # In AUTO the second one was ahead already when the first was throttled.
    slept = clock.slept if mode is AUTO else clock.slept[1:]
    assert slept[:3] == pytest.approx((2.0, 1.6, 1.28))
    assert slept[-1] < 0.1
    assert len(slept) < 25


def test_a_window_of_throttled_messages_slows_the_run_once(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """What left before the run slowed down says nothing new; what leaves after it does."""
    server, clock = serve(), FakeClock()
    server.script("MAIL", None, *["451 4.7.1 too fast"] * 9)
    receipts = list(connect(server, clock=clock, pipelining=CHUNKING).deliver(emails(11)))
    assert [len(receipt.deferred) for receipt in receipts] == [0, *[1] * 9, 0]
    assert clock.slept == (1.0, 2.0)


class StrictClock(FakeClock):
    """A clock of a host's own that refuses what ``time.sleep`` refuses."""

    def sleep(self, seconds: float, /) -> None:
        """Wait, if there is something to wait for."""
        if seconds <= 0:
            raise ValueError("sleep length must be positive")
        super().sleep(seconds)


def test_a_pause_that_is_over_already_is_not_asked_for(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The caller took longer than the wait between two emails."""
    server, clock = serve(), StrictClock()
    run = connect(server, clock=clock, wait_ms=2000, pipelining=mode).deliver(emails(3))
    for receipt in run:
        assert receipt.ok
        clock.advance(5)
    assert len(server.received) == 3
    assert clock.slept == ()


def test_a_throttling_421_slows_the_run_too(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The message goes again on another connection, after a pause."""
    server, clock = serve(), FakeClock()
    server.script("MAIL", None, "421 4.7.0 slow down")
    assert statuses(list(connect(server, clock=clock).deliver(emails(3)))) == ["accepted"] * 3
    assert clock.slept[0] == 1.0


def test_pauses_have_an_end() -> None:
    """A throttled pause is bounded; so is a back-off, and all of them together."""
    clock = FakeClock()
    pace = Pace(0.0, limit=60.0, clock=clock)
    for _ in range(10):
        pace.slower()
    assert pace.wait == 60.0
    backoff = Backoff(Limits(), clock)
    tries = 1
    while backoff.pause(tries):
        tries += 1
    assert 0.8 <= clock.slept[0] <= 1.2
    assert max(clock.slept) <= 60.0
    assert 200 < sum(clock.slept) <= 300


# -- limits -----------------------------------------------------------------------------------------------


def test_a_connection_carries_so_many_messages(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """And is left politely."""
    server = serve()
    transport = connect(server, limits=Limits(messages_per_connection=2), pipelining=mode)
    assert statuses(list(transport.deliver(emails(5)))) == ["accepted"] * 5
    assert [one.connection for one in server.received] == [1, 1, 2, 2, 3]
    assert server.verbs.count("QUIT") == 2


def test_an_old_connection_is_replaced(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """By the run's clock as well as by real time."""
    server, clock = serve(), FakeClock()

    def feed() -> Iterator[Email]:
        for email in emails(4):
            clock.advance(200)
            yield email

    limits = Limits(idle_seconds=1000, chunking_window=1)
    transport = connect(server, clock=clock, limits=limits, pipelining=mode)
    assert statuses(list(transport.deliver(feed()))) == ["accepted"] * 4
    assert server.connections == 2


def test_an_idle_connection_is_replaced(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A resting one is used again in time, and not after it."""
    server, clock = serve(), FakeClock()
    transport = connect(server, clock=clock)
    list(transport.deliver(emails(1)))
    clock.advance(29)
    list(transport.deliver(emails(1)))
    assert server.connections == 1
    clock.advance(31)
    list(transport.deliver(emails(1)))
    assert server.connections == 2


@pytest.mark.parametrize("before", ["sam@example.com", "jörg@example.com"], ids=["used", "unused"])
@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 idle too long\r\n", b"2"])
def test_a_server_that_hung_up_meanwhile_costs_nothing(
    serve: Serve, connect: Connect, email: Make, emails: MakeSome, farewell: bytes, before: str
) -> None:
    """EOF, 421 or rubbish on a resting line: another connection, in silence, in the same mode."""
    server = serve(extensions=("PIPELINING",))  # so that nothing is asked about Jörg
    transport = connect(server)
    list(transport.deliver([email(before)]))
    line = server.lines[0].sock
    if farewell:
        line.sendall(farewell)
    line.shutdown(socket.SHUT_RDWR)
    (receipt,) = transport.deliver(emails(1))
    assert receipt.ok
    assert receipt.attempts == 1
    assert server.connections == 2
    assert repr(transport).endswith("auto)")


def test_an_answer_nobody_asked_for_ends_a_resting_connection(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """It could be taken for the next answer."""
    server = serve()
    transport = connect(server, pipelining=ENVELOPE)
    list(transport.deliver(emails(1)))
    server.script("dot", None)
    session = transport._host.session
    assert session is not None
    server.lines[0].sock.sendall(b"250 ok\r\n25")
    session.connection.replies(Phase.MAIL, 5)
    assert session.connection.is_stale()
    assert statuses(list(transport.deliver(emails(1)))) == ["accepted"]
    assert server.connections == 2
