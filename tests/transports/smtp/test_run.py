"""A run as its caller sees it: iterables that end or raise, walking away, closing, threads."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Self

import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import Line, an_email, hurry

from vetmail_core.errors import TransportError, TransportValueError
from vetmail_core.preferences import MailServer
from vetmail_core.receipts import Cause
from vetmail_core.transports.smtp import Deadlines, Limits, Pipelining, SmtpTransport
from vetmail_core.transports.smtp.wire.ends import is_loopback, own_literal, peer_of, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transports.smtp.scripted import Act, Connect, MakeSome, Serve

    from vetmail_core.message import Email
    from vetmail_core.receipts import Receipt

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


# -- the caller -------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("odd", ["anna@example.com", None])
def test_what_is_no_email_is_told_after_the_receipts_of_those_that_are(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining, odd: object
) -> None:
    """Misuse, but no reason to keep quiet about what was sent; nor is it the end of the emails."""
    found: list[Receipt] = []
    run = connect(serve(), pipelining=mode).deliver([*emails(2), odd, *emails(1)])  # type: ignore[list-item]
    with pytest.raises(TransportError, match=rf"expected a vetmail_core\.Email, got {type(odd).__name__}"):
        found.extend(run)
    assert statuses(found) == ["accepted"] * 2


def test_what_is_no_email_is_told_after_a_stop_too(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The emails before it are answered although nothing is sent any more."""
    server = serve().script("MAIL", "550 5.7.60 not your address")
    found: list[Receipt] = []
    run = connect(server).deliver([*emails(3), "anna@example.com"])  # type: ignore[list-item]
    with pytest.raises(TransportError, match=r"expected a vetmail_core\.Email, got str"):
        found.extend(run)
    assert statuses(found) == ["refused", "not_attempted", "not_attempted"]


def test_emails_that_need_no_asking_are_not_pulled_ahead(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Emails without end that the server cannot take are answered one by one, in flat memory."""
    server = serve(extensions=("PIPELINING", "CHUNKING"))
    pulled: list[Email] = []

    def feed() -> Iterator[Email]:
        for email in itertools.chain(emails(1), itertools.repeat(an_email("jörg@example.com"))):
            pulled.append(email)
            yield email

    run = connect(server, pipelining=mode).deliver(feed())
    found = [(next(run), len(pulled)) for _ in range(4)]
    assert statuses(receipt for receipt, _ in found) == ["accepted", "refused", "refused", "refused"]
    assert all(count - number <= 2 for number, (_, count) in enumerate(found))


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


def test_walking_away_from_a_server_that_waits_for_a_body_leaves_the_line(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Nobody was to receive it, and it asked for the message all the same: the next run would be its text."""
    server = serve(eager=True).script("RCPT", "550 5.1.1 no")
    transport = connect(server)
    run = transport.deliver(emails(2))
    assert statuses([next(run)]) == ["refused"]
    assert isinstance(run, Generator)
    run.close()
    assert statuses(transport.deliver(emails(1))) == ["accepted"]
    assert (server.connections, len(server.received)) == (2, 1)


def test_walking_away_hears_a_slow_server_out(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """Its answers are waited for, and the line is good for the next run."""
    server = serve()

    class Slow(Line):
        def do_bdat(self, line: str) -> None:
            self.server.closing.wait(0.3)
            super().do_bdat(line)

    server.line = Slow
    limits = Limits(chunking_window=3)
    transport = connect(server, pipelining=CHUNKING, limits=limits, deadlines=hurry(quit=20))
    run = transport.deliver(emails(9))
    assert [next(run).ok for _ in range(2)] == [True] * 2
    assert isinstance(run, Generator)
    run.close()
    assert len(server.received) == 4
    assert statuses(transport.deliver(emails(1))) == ["accepted"]
    assert server.connections == 1


def test_walking_away_from_a_silent_server_takes_a_moment_only(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """The farewell's deadline, once."""
    server = serve().script("dot", None, None, *[act("stall")] * 9)
    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=3), deadlines=hurry())
    run = transport.deliver(emails(9))
    assert next(run).ok
    assert next(run).ok
    begun = time.monotonic()
    assert isinstance(run, Generator)
    run.close()
    assert time.monotonic() - begun < 20  # the server waits for 30


def test_a_run_inside_a_run_has_a_connection_of_its_own(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """A retry in the middle of a run does not disturb it."""
    server = serve()
    transport = connect(server, pipelining=mode)
    inner = [list(transport.deliver(emails(1))) for _ in transport.deliver(emails(3))]
    assert [statuses(receipts) for receipts in inner] == [["accepted"]] * 3
    assert len(server.received) == 6
    assert server.connections == 2
    transport.close()
    assert server.verbs.count("QUIT") == 2


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


def test_walking_away_from_a_closed_transport_ends_its_line(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Nobody would come back to a line that rests there."""
    server = serve()
    transport = connect(server, pipelining=OFF)
    run = transport.deliver(emails(2))
    assert next(run).ok
    transport.close()
    assert isinstance(run, Generator)
    run.close()
    assert server.verbs[-1] == "QUIT"


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


def test_a_second_thread_waits_for_its_turn(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The first run goes on as if nothing had happened, and the second one goes over its connection."""
    server = serve()
    transport = connect(server)
    run = transport.deliver(emails(3))
    assert next(run).ok
    second: list[Receipt] = []
    thread = threading.Thread(target=lambda: second.extend(transport.deliver(emails(1))))
    thread.start()
    while not transport._host.lending.is_wanted():
        thread.join(0.01)
    assert statuses(list(run)) == ["accepted"] * 2
    thread.join()
    assert statuses(second) == ["accepted"]
    assert server.connections == 1


def test_whoever_waits_for_a_turn_is_told_when_the_transport_is_closed(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """At once; the run at hand ends with a receipt for each of its emails."""
    transport = connect(serve())
    run = transport.deliver(emails(3))
    assert next(run).ok
    caught: list[str] = []

    def second() -> None:
        try:
            list(transport.deliver(emails(1)))
        except TransportError as error:
            caught.append(str(error))

    thread = threading.Thread(target=second)
    thread.start()
    while not transport._host.lending.is_wanted():
        thread.join(0.01)
    transport.close()
    thread.join()
    assert caught == ["This SmtpTransport is closed; make a new one for the same server."]
    assert {receipt.outcomes[0].cause for receipt in run} == {Cause.CANCELLED}


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


# -- small facts ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("others", [True, False], ids=["with others", "alone"])
def test_an_address_of_a_kind_this_computer_cannot_speak_is_passed_over(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    few: Limits,
    monkeypatch: pytest.MonkeyPatch,
    others: bool,  # noqa: FBT001 - a row's value
) -> None:
    """IPv6 where it is switched off, for example: the next address, or an answer that says why."""
    server = serve()
    real = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
    odd = (255, socket.SOCK_STREAM, 0, "", ("::1", server.port))
    found = [odd, *real] if others else [odd]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    (receipt,) = connect(server, limits=few).deliver(emails(1))
    assert receipt.ok is others
    assert others or "did not answer (Address family not supported" in receipt.warnings[0]


@pytest.mark.parametrize("name", ["connect", "dot", "quit"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "5", True])
def test_a_deadline_has_an_end(name: str, value: object) -> None:
    """Above zero, and finite."""
    with pytest.raises(TransportValueError, match=f"{name} of Deadlines is .* above 0, got {value!r}"):
        Deadlines(**{name: value})  # type: ignore[arg-type] # the slip itself


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunking_window", 0),
        ("messages_per_connection", 0),
        ("messages_per_connection", 1.5),
        ("recipients_per_message", True),
        ("reconnect_seconds", -1),
        ("reconnect_seconds", float("inf")),
        ("retry_seconds", "60"),
        ("idle_seconds", 0),
    ],
)
def test_a_limit_lets_something_through(name: str, value: object) -> None:
    """A count from 1, seconds from 0 or above it."""
    with pytest.raises(TransportValueError, match=f"{name} of Limits is .* got {value!r}"):
        Limits(**{name: value})  # type: ignore[arg-type] # the slip itself


def test_a_limit_may_be_at_its_edge() -> None:
    """One of each count; no time for trying to connect again, and no pause."""
    edge = Limits(messages_per_connection=1, chunking_window=1, reconnect_seconds=0, retry_seconds=0)
    assert (edge.messages_per_connection, edge.reconnect_seconds) == (1, 0)


def test_a_mode_is_one_of_the_four() -> None:
    """Its name alone is no mode, and is not taken for one in silence."""
    with pytest.raises(TransportValueError, match=r"pipelining= needs a Pipelining.*got 'off'"):
        SmtpTransport(MailServer(host="localhost"), pipelining="off")  # type: ignore[arg-type] # the slip itself
