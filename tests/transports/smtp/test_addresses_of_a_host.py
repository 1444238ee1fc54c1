"""A host with several internet addresses, of which some do not answer."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import statuses
from tests.transports.smtp.scripted import hurry

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp import Limits, SmtpTransport
from vetmail_core.transports.smtp.wire import connecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Connect, MakeSome, Serve

V4, V6 = socket.AF_INET, socket.AF_INET6


def place(address: str, port: int) -> tuple[int, int, int, str, tuple[str, int]]:
    """As a name server's answer comes."""
    return (V6 if ":" in address else V4, socket.SOCK_STREAM, 0, "", (address, port))


@pytest.fixture
def dead() -> Iterator[tuple[str, int]]:
    """An address that keeps silent: a door with a queue in front of it that does not move."""
    with contextlib.ExitStack() as sockets:
        door = sockets.enter_context(socket.socket())
        door.bind(("127.0.0.2", 0))
        door.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(door.getsockname())
        yield door.getsockname()


def refused() -> tuple[str, int]:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.3", 0)) as door:
        address: tuple[str, int] = door.getsockname()
        return address


linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")


@linux
def test_a_dead_address_costs_a_quarter_of_a_second_and_only_once(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    monkeypatch: pytest.MonkeyPatch,
    dead: tuple[str, int],
) -> None:
    """The next one is tried meanwhile, and the one that answered is the first for the next connection."""
    server = serve()
    tried: list[str] = []

    class Watched(socket.socket):
        def connect_ex(self, address: tuple[str, int], /) -> int:  # type: ignore[override]  # of one kind here
            tried.append(address[0])
            return super().connect_ex(address)

    monkeypatch.setattr(socket, "socket", Watched)
    found = [place(*dead), place("127.0.0.1", server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    transport = connect(server, host="mail.example.com", limits=Limits(messages_per_connection=1))
    begun_at = time.monotonic()
    assert statuses(transport.deliver(emails(4))) == ["accepted"] * 4
    assert time.monotonic() - begun_at < 10  # a quarter of a second on an idle machine
    assert server.connections == 4
    assert tried == ["127.0.0.2", *["127.0.0.1"] * 4]


@linux
def test_an_address_that_refuses_is_followed_at_once(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to wait for."""
    server = serve()
    monkeypatch.setattr(connecting, "_ATTEMPT_SECONDS", 60)
    found = [place(*refused()), place("127.0.0.1", server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    begun = time.monotonic()
    assert statuses(connect(server, host="mail.example.com").deliver(emails(1))) == ["accepted"]
    assert time.monotonic() - begun < 30


@linux
def test_an_address_that_cannot_even_be_tried_is_passed_over(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses a connection to everybody at once, or has no way there."""
    server = serve()
    found = [place("255.255.255.255", 25), place("127.0.0.1", server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert statuses(connect(server, host="mail.example.com").deliver(emails(1))) == ["accepted"]


@linux
@pytest.mark.parametrize("others", [True, False], ids=["one refuses", "alone"])
def test_addresses_that_all_keep_silent_have_one_deadline(
    serve: Serve,
    emails: MakeSome,
    monkeypatch: pytest.MonkeyPatch,
    dead: tuple[str, int],
    few: Limits,
    *,
    others: bool,
) -> None:
    """The receipt says so, and nothing is left open."""
    found = [place(*dead), place(*(refused() if others else dead))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    tab = serve().mail_server(host="mail.example.com")
    with SmtpTransport(tab, deadlines=hurry(connect=0.6), limits=few) as transport:
        (receipt,) = transport.deliver(emails(1))
    outcome = receipt.outcomes[0]
    assert (outcome.status.value, outcome.cause, outcome.phase) == (
        "not_attempted",
        Cause.CONNECTION,
        Phase.CONNECT,
    )
    assert "did not answer (it kept silent)" in receipt.warnings[0]


def test_families_alternate_and_what_answered_goes_first() -> None:
    """RFC 8305, 4: a computer whose IPv6 leads nowhere tries IPv4 second."""
    addresses: list[tuple[int, tuple[str | int | bytes, ...]]] = [
        (family, address)
        for family, _, _, _, address in (
            place("2001:db8::1", 25),
            place("2001:db8::2", 25),
            place("192.0.2.1", 25),
            place("192.0.2.2", 25),
            place("192.0.2.3", 25),
        )
    ]
    in_turn = connecting._in_turn
    names = [str(address[0]) for _, address in in_turn(addresses, "")]
    assert names == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"]
    names = [str(address[0]) for _, address in in_turn(addresses, "192.0.2.2")]
    assert names == ["192.0.2.2", "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.3"]
    names = [str(address[0]) for _, address in in_turn([(V6, ("fe80::1%eth0", 25))], "192.0.2.9")]
    assert names == ["fe80::1%eth0"]
