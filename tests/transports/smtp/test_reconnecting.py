"""A server that is away, silent or slow: how long it is waited for, and what becomes of the run."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import hurry

from vetmail_core.preferences import MailServer
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining, SmtpTransport

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve


# -- connecting again -------------------------------------------------------------------------------------


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_server_that_is_not_there_is_tried_for_five_minutes(emails: MakeSome) -> None:
    """1, 2, 4 ... 60 seconds by the Clock, then everything is NOT_ATTEMPTED; no exception."""
    clock = FakeClock()
    port = closed_port()
    with SmtpTransport(MailServer(host="127.0.0.1", port=port), clock=clock) as transport:
        receipts = list(transport.deliver(emails(3)))
    assert statuses(receipts) == ["not_attempted"] * 3
    assert receipts[0].reason.startswith(f"Connection refused by 127.0.0.1 port {port}: check ")
    assert receipts[0].reason == receipts[2].reason
    outcome = receipts[2].outcomes[0]
    assert (outcome.cause, outcome.phase) == (Cause.CONNECTION, Phase.CONNECT)
    assert "connection refused" in receipts[2].warnings[0]
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
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(60) and [])
    transport = connect(
        serve(), host="slow.example.com", deadlines=hurry(connect=0.4), limits=Limits(reconnect_seconds=0)
    )
    begun = time.monotonic()
    (receipt,) = transport.deliver(emails(1))
    done.set()
    assert time.monotonic() - begun < 30
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


# -- deadlines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stall", "trickle", "flood"])
@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
def test_nothing_hangs_past_its_deadline(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], step: str, kind: str
) -> None:
    """A byte every now and then does not move it; a flood ends it at once."""
    server = serve().always(step, act(kind, b"250-x\r\n" * 500 if kind == "flood" else b"250 " + b"x" * 900))
    deadline = {"connect": "greeting", "DATA": "data", "dot": "dot"}.get(step, "command")
    transport = connect(server, deadlines=hurry(**{deadline: 0.5}), limits=Limits(reconnect_seconds=0))
    begun = time.monotonic()
    (receipt,) = transport.deliver(emails(1))
    taken = time.monotonic() - begun
    outcome = receipt.outcomes[0]
    expected = {"connect": "not_attempted", "EHLO": "not_attempted", "dot": "unknown"}.get(step, "deferred")
    assert outcome.status.value == expected
    assert outcome.cause is (Cause.PROTOCOL if kind == "flood" else Cause.CONNECTION)
    assert taken < 25  # the server waits for 30


def test_a_server_that_stops_reading_does_not_hang_the_run(
    serve: Serve, connect: Connect, email: Make, act: type[Act], mode: Pipelining
) -> None:
    """More than the buffers hold, and nobody takes it: safe to send again, for the last octet never left."""
    server = serve(extensions=("PIPELINING", "CHUNKING")).always("BODY", act("no_reading"))
    transport = connect(
        server, deadlines=hurry(body=0.4), pipelining=mode, limits=Limits(reconnect_seconds=0)
    )
    text = ("x" * 70 + "\n") * 150_000
    begun = time.monotonic()
    (receipt,) = transport.deliver([email(text=text)])
    assert time.monotonic() - begun < 25  # the server waits for 30
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
    transport = connect(server, deadlines=hurry(body=5), limits=Limits(reconnect_seconds=0))
    (receipt,) = transport.deliver([email(text=("x" * 70 + "\n") * 150_000)])
    outcome = receipt.outcomes[0]
    assert outcome.status.value in {"refused", "deferred"}
    assert outcome.cause is not None
    assert outcome.cause.value == cause


def test_a_line_that_breaks_is_told_with_host_and_port(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """The words of a broken line do not say whose it was, and a host may have several servers."""
    server = serve().script("dot", act("drop"))
    (receipt,) = connect(server).deliver(emails(1))
    assert receipt.unknown
    assert receipt.reason.startswith(f"The server closed the connection (127.0.0.1 port {server.port}): ask ")
