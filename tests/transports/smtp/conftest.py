"""Scripted servers, transports to them, certificates and emails."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.transports.smtp.scripted import PATIENCE, Act, Certificates, Server, an_email, some_emails

from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining, SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vetmail_core.message import Email


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers; they end with the test."""
    with contextlib.ExitStack() as servers:

        def start(**options: object) -> Server:
            return servers.enter_context(Server(**options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def connect() -> Iterator[Callable[..., SmtpTransport]]:
    """Make transports to a server; they are closed with the test. Nothing sleeps unless a clock is given."""
    with contextlib.ExitStack() as transports:

        def start(server: Server, **options: object) -> SmtpTransport:
            more = {
                name: options.pop(name)
                for name in ("host", "authentication", "wait_ms", "username", "password")
                if name in options
            }
            options.setdefault("clock", FakeClock())
            options.setdefault("deadlines", PATIENCE)
            return transports.enter_context(SmtpTransport(server.mail_server(**more), **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Certificates for localhost, for another name, and by an authority nobody knows."""
    authority, stranger = trustme.CA(), trustme.CA()
    contexts: list[ssl.SSLContext] = []
    for issuer, names in (
        (authority, ("localhost", "127.0.0.1")),
        (authority, ("other.example.com",)),
        (stranger, ("localhost", "127.0.0.1")),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(*names).configure_cert(context)
        contexts.append(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server, wrong_name, unknown = contexts
    return Certificates(server, wrong_name, unknown, client)


@pytest.fixture
def email() -> Callable[..., Email]:
    """Make an email."""
    return an_email


@pytest.fixture
def emails() -> Callable[[int], list[Email]]:
    """Make several."""
    return some_emails


@pytest.fixture
def act() -> type[Act]:
    """What a server does instead of answering."""
    return Act


@pytest.fixture(params=list(Pipelining), ids=lambda mode: mode.value)
def mode(request: pytest.FixtureRequest) -> Pipelining:
    """Every mode."""
    mode: Pipelining = request.param
    return mode


@pytest.fixture
def few() -> Limits:
    """Limits that give up on connecting at once."""
    return Limits(reconnect_seconds=0)
