"""A run as its caller sees it: waits, limits, deadlines, reconnecting, walking away, and threads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Self

import pytest

from vetmail_core.errors import TransportError
from vetmail_core.preferences import MailServer
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Deadlines, Limits, Pipelining, SmtpTransport
from vetmail_core.transports.smtp.ends import is_loopback, own_literal, peer_of, reason
from vetmail_core.transports.smtp.pace import Backoff, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining
HURRY = Deadlines(
    connect=0.4, greeting=0.4, command=0.4, tls=0.4, auth=0.4, data=0.4, body=0.4, dot=0.4, quit=0.2
)


def statuses(receipts: Iterable[Receipt]) -> list[str]:
    """The status of each email's first recipient."""
    return [receipt.outcomes[0].status.value for receipt in receipts]


# -- pace ----------------------------------------------------------------------------------------------


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
    server.script("dot", None, "450 4.2.1 too fast", "450 4.2.1 too fast")
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


# -- limits --------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 idle too long\r\n", b"2"])
def test_a_server_that_hung_up_meanwhile_costs_nothing(
    serve: Serve, connect: Connect, emails: MakeSome, farewell: bytes
) -> None:
    """EOF, 421 or rubbish on a resting line: another connection, in silence."""
    server = serve()
    transport = connect(server)
    list(transport.deliver(emails(1)))
    line = server.lines[0].sock
    if farewell:
        line.sendall(farewell)
    line.shutdown(socket.SHUT_RDWR)
    (receipt,) = transport.deliver(emails(1))
    assert receipt.ok
    assert receipt.attempts == 1
    assert server.connections == 2


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


# -- connecting again ----------------------------------------------------------------------------------


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_server_that_is_not_there_is_tried_for_five_minutes(emails: MakeSome) -> None:
    """1, 2, 4 ... 60 seconds by the Clock, then everything is NOT_ATTEMPTED; no exception."""
    clock = FakeClock()
    with SmtpTransport(MailServer(host="127.0.0.1", port=closed_port()), clock=clock) as transport:
        receipts = list(transport.deliver(emails(3)))
    assert statuses(receipts) == ["not_attempted"] * 3
    outcome = receipts[2].outcomes[0]
    assert (outcome.cause, outcome.phase) == (Cause.CONNECTION, Phase.CONNECT)
    assert "did not answer" in receipts[2].warnings[0]
    assert 200 < sum(clock.slept) <= 300
    assert 7 <= len(clock.slept) <= 11


def test_an_unknown_host_stops_the_run_at_once(emails: MakeSome) -> None:
    """No try will make it known."""
    clock = FakeClock()
    with SmtpTransport(MailServer(host="no-such-host.invalid"), clock=clock) as transport:
        receipts = list(transport.deliver(emails(2)))
    assert statuses(receipts) == ["not_attempted"] * 2
    assert (receipts[0].outcomes[0].cause, receipts[0].outcomes[0].phase) == (Cause.CONNECTION, Phase.CONNECT)
    assert clock.slept == ()


def test_a_name_server_in_trouble_passes_when_the_host_is_known(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that was reached before is looked for again."""
    server, clock = serve(), FakeClock()
    transport = connect(server, host="localhost", clock=clock, limits=Limits(messages_per_connection=1))
    assert statuses(list(transport.deliver(emails(1)))) == ["accepted"]
    real, failures = socket.getaddrinfo, [socket.gaierror(socket.EAI_AGAIN, "try again")]

    def look_up(host: str, port: int, *, type: socket.SocketKind) -> object:  # noqa: A002 - as `socket` has it
        if failures:
            raise failures.pop()
        return real(host, port, type=type)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert statuses(list(transport.deliver(emails(1)))) == ["accepted"]
    assert len(clock.slept) == 1


def test_a_silent_name_server_does_not_hang_the_run(
    connect: Connect, serve: Serve, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its silence has the deadline of a connect."""
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(10) and [])
    transport = connect(serve(), host="slow.example.com", deadlines=HURRY, limits=Limits(reconnect_seconds=0))
    begun = time.monotonic()
    (receipt,) = transport.deliver(emails(1))
    done.set()
    assert time.monotonic() - begun < 3
    assert receipt.outcomes[0].phase is Phase.CONNECT
    assert "name server" in receipt.warnings[0]


def test_a_greeting_that_says_later_is_tried_again(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """421 and 4xx with a pause; the emails know nothing of it."""
    server, clock = serve(), FakeClock()
    server.script("connect", "421 4.3.2 later", "450 4.3.2 later")
    receipts = list(connect(server, clock=clock).deliver(emails(2)))
    assert statuses(receipts) == ["accepted"] * 2
    assert len(clock.slept) == 2


def test_an_email_that_was_tried_is_deferred_when_no_connection_comes_back(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """Those that never left are NOT_ATTEMPTED."""
    server = serve().script("MAIL", None, act("drop")).script("connect", None, *["554 go away"] * 9)
    receipts = list(connect(server).deliver(emails(4)))
    assert statuses(receipts) == ["accepted", "deferred", "not_attempted", "not_attempted"]
    assert [receipt.attempts for receipt in receipts] == [1, 1, 0, 0]
    assert receipts[1].outcomes[0].phase is Phase.GREETING


# -- deadlines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stall", "trickle", "flood"])
@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
def test_nothing_hangs_past_its_deadline(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], step: str, kind: str
) -> None:
    """A byte every now and then does not move it; a flood ends it at once."""
    server = serve().always(step, act(kind, b"250-x\r\n" * 500 if kind == "flood" else b"250 " + b"x" * 900))
    transport = connect(server, deadlines=HURRY, limits=Limits(reconnect_seconds=0))
    begun = time.monotonic()
    (receipt,) = transport.deliver(emails(1))
    taken = time.monotonic() - begun
    outcome = receipt.outcomes[0]
    expected = {"connect": "not_attempted", "EHLO": "not_attempted", "dot": "unknown"}.get(step, "deferred")
    assert outcome.status.value == expected
    assert outcome.cause is (Cause.PROTOCOL if kind == "flood" else Cause.CONNECTION)
    assert taken < 3 * 0.4 + 2


def test_a_server_that_stops_reading_does_not_hang_the_run(
    serve: Serve, connect: Connect, email: Make, act: type[Act], mode: Pipelining
) -> None:
    """More than the buffers hold, and nobody takes it: safe to send again, for the last octet never left."""
    server = serve(extensions=("PIPELINING", "CHUNKING")).always("BODY", act("no_reading"))
    transport = connect(server, deadlines=HURRY, pipelining=mode, limits=Limits(reconnect_seconds=0))
    text = ("x" * 70 + "\n") * 150_000
    begun = time.monotonic()
    (receipt,) = transport.deliver([email(text=text)])
    assert time.monotonic() - begun < 10
    outcome = receipt.outcomes[0]
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("deferred", Cause.CONNECTION, Phase.BODY)
    assert receipt.attempts == 3


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (b"552 5.3.4 too much, going\r\n", "too_large"),
        (b"250 ok\r\n" * 50, "protocol"),
        (b"what?\r\n", "protocol"),
    ],
)
def test_what_a_server_says_in_the_middle_of_a_body_is_heard(
    serve: Serve, connect: Connect, email: Make, act: type[Act], octets: bytes, cause: str
) -> None:
    """It is read while writing; a flood or nonsense ends the line."""
    server = serve(extensions=("PIPELINING",)).always("BODY", act("raw_and_deaf", octets))
    transport = connect(server, deadlines=HURRY, limits=Limits(reconnect_seconds=0))
    (receipt,) = transport.deliver([email(text=("x" * 70 + "\n") * 150_000)])
    outcome = receipt.outcomes[0]
    assert outcome.status.value in {"refused", "deferred"}
    assert outcome.cause is not None
    assert outcome.cause.value == cause


# -- the caller ----------------------------------------------------------------------------------------


def test_an_iterable_that_raises_gets_its_receipts_first(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """What was on the way is answered, then the caller's own exception comes out."""
    server = serve()

    def feed() -> Iterator[Email]:
        yield from emails(3)
        raise LookupError("the host's own trouble")

    found: list[Receipt] = []
    run = connect(server, pipelining=mode).deliver(feed())
    with pytest.raises(LookupError, match="own trouble"):
        found.extend(run)
    assert statuses(found) == ["accepted"] * 3


def test_a_stop_at_the_last_email_pulls_no_further(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """An iterable that has ended is not asked again."""
    server = serve().script("dot", "550 5.7.60 not your address")
    pulls: list[bool] = []

    class Source:
        def __init__(self) -> None:
            self.emails = iter(emails(1))

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> Email:
            assert False not in pulls
            email = next(self.emails, None)
            pulls.append(email is not None)
            if email is None:
                raise StopIteration
            return email

    assert statuses(connect(server).deliver(Source())) == ["refused"]
    assert pulls == [True, False]


def test_no_emails_make_no_connection(serve: Serve, connect: Connect) -> None:
    """Nor receipts."""
    server = serve()
    assert list(connect(server).deliver([])) == []
    assert server.connections == 0


def test_walking_away_sends_nothing_more(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """What had left is heard out; a body that had not begun is not begun; the transport goes on."""
    server = serve()
    transport = connect(server, pipelining=mode, limits=Limits(chunking_window=2))
    run = transport.deliver(emails(9))
    assert [next(run).ok for _ in range(3)] == [True] * 3
    assert isinstance(run, Generator)
    run.close()
    count = len(server.received)
    assert 3 <= count <= (5 if mode is CHUNKING else 3)
    assert statuses(list(transport.deliver(emails(2)))) == ["accepted"] * 2
    assert len(server.received) == count + 2


def test_walking_away_from_a_silent_server_takes_a_moment_only(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """The farewell's deadline, once."""
    server = serve().script("dot", None, None, *[act("stall")] * 9)
    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=3), deadlines=HURRY)
    run = transport.deliver(emails(9))
    assert next(run).ok
    assert next(run).ok
    begun = time.monotonic()
    assert isinstance(run, Generator)
    run.close()
    assert time.monotonic() - begun < 2


def test_a_run_inside_a_run_has_a_connection_of_its_own(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """A retry in the middle of a run does not disturb it."""
    server = serve()
    transport = connect(server)
    inner = [list(transport.deliver(emails(1))) for _ in transport.deliver(emails(3))]
    assert [statuses(receipts) for receipts in inner] == [["accepted"]] * 3
    assert len(server.received) == 6
    assert server.connections == 2


def test_closing_in_the_middle_cancels_the_rest(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The emails that are left say so."""
    server = serve()
    transport = connect(server, pipelining=mode, limits=Limits(chunking_window=1))
    receipts = []
    for receipt in transport.deliver(emails(4)):
        receipts.append(receipt)
        if len(receipts) == 2:
            transport.close()
    assert statuses(receipts) == ["accepted", "accepted", "not_attempted", "not_attempted"]
    assert receipts[3].outcomes[0].cause is Cause.CANCELLED
    assert len(server.received) == 2


def test_a_closed_transport_says_so(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """Closing twice is fine; delivering or checking afterwards is not."""
    transport = connect(serve())
    list(transport.deliver(emails(1)))
    assert transport.transcript[-1].startswith("S: 250 2.0.0 ok queued")
    transport.close()
    transport.close()
    assert transport.transcript == ()
    for use in (lambda: transport.deliver([]), transport.check):
        with pytest.raises(TransportError, match="closed"):
            use()


def test_two_threads_at_once_are_misuse(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The first run goes on as if nothing had happened."""
    transport = connect(serve())
    run = transport.deliver(emails(3))
    assert next(run).ok
    caught: list[BaseException] = []

    def second() -> None:
        try:
            list(transport.deliver(emails(1)))
        except TransportError as error:
            caught.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert statuses(list(run)) == ["accepted"] * 2


def test_a_source_that_wants_to_know_is_told_before_a_body_leaves(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """What a ledger needs: nothing has left of an email that was not announced."""
    server = serve()
    told: list[object] = []

    class Feed:
        def __init__(self) -> None:
            self.emails = iter(emails(5))

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> Email:
            assert len(server.received) <= len(told)
            return next(self.emails)

        def announce(self) -> Callable[[Email], None]:
            return told.append

    receipts = list(connect(server, pipelining=mode).deliver(Feed()))
    assert told == [receipt.email for receipt in receipts]


# -- small facts ---------------------------------------------------------------------------------------


def test_the_ends_of_a_line_are_named_without_a_name_server() -> None:
    """IPv4, IPv6, and a line that is gone."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
    ):
        assert (own_literal(sock), peer_of(sock)) == ("[127.0.0.1]", "127.0.0.1")
    assert (own_literal(sock), peer_of(sock)) == ("[127.0.0.1]", "")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        assert own_literal(listener) == "[IPv6:::1]"
    assert [is_loopback(address) for address in ("127.0.0.9", "::1", "192.0.2.1", "")] == [
        True,
        True,
        False,
        False,
    ]
    assert reason(ConnectionResetError(104, "Connection reset by peer")) == "Connection reset by peer"
    assert reason(OSError()) == "OSError"


@pytest.mark.parametrize("name", ["connect", "dot", "quit"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_deadline_has_an_end(name: str, value: float) -> None:
    """Above zero, and finite."""
    with pytest.raises(ValueError, match=name):
        Deadlines(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("chunking_window", 0), ("messages_per_connection", 0), ("reconnect_seconds", -1), ("idle_seconds", 0)],
)
def test_a_limit_lets_something_through(name: str, value: int) -> None:
    """A count from 1, seconds from 0 or above it."""
    with pytest.raises(ValueError, match=name):
        Limits(**{name: value})
