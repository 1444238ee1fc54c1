"""Logins and TLS in bad hours: what runs out, is refused, cannot be trusted or was taken away."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from tests.transports.misbehaving.judge import an_email, causes, complaints, deliver
from tests.transports.misbehaving.rogue import Certificates, Rogue

from vetmail_core import Cause, Limits, Phase, Pipelining, Status
from vetmail_core.credentials import PlainSecret
from vetmail_core.preferences import AuthenticationType, TlsMethod

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from vetmail_core import Email

with_login = functools.partial(
    deliver, authentication=AuthenticationType.PASSWORD, username="me", password=PlainSecret("swordfish")
)
MODES = pytest.mark.parametrize("mode", list(Pipelining), ids=lambda mode: mode.value)


@MODES
def test_a_token_that_expires_in_the_middle_is_renewed(mode: Pipelining) -> None:
    """535 at a later connect: a fresh token is asked for once, and the run goes on."""
    good = {"token-1"}
    made: list[str] = []

    def token() -> str:
        made.append("token-1" if len(made) < 2 else "token-2")
        return made[-1]

    def login(words: str) -> str:
        return "235 2.7.0 ok" if any(f"Bearer {word}\x01" in words for word in good) else "535 5.7.8 expired"

    emails = [an_email(number) for number in range(6)]
    with Rogue(login=login) as server:

        def source() -> Iterator[Email]:
            for number, email in enumerate(emails):
                if number == 2:
                    good.clear()
                    good.add("token-2")
                yield email

        trial = deliver(
            server,
            emails,
            source=source(),
            mode=mode,
            token=token,
            authentication=AuthenticationType.OAUTH2,
            username="me@example.com",
            limits=Limits(messages_per_connection=2),
        )
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 6
    assert "token-2" in made


@MODES
@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("535 5.7.8 no", Cause.AUTHENTICATION),
        ("535 5.7.139 SmtpClientAuthentication is disabled for the Tenant", Cause.AUTHENTICATION),
        ("550 5.7.30 Basic authentication is not supported", Cause.BASIC_AUTH_RETIRED),
        ("534 5.7.9 Application-specific password required", Cause.APP_PASSWORD_NEEDED),
        ("454 4.7.0 Temporary authentication failure", Cause.AUTHENTICATION),
    ],
)
def test_a_refused_login_stops_the_run_at_once(mode: Pipelining, reply: str, cause: Cause) -> None:
    """Nobody is attempted, everybody is answered for, and a permanent refusal is not repeated."""
    emails = [an_email(number) for number in range(4)]
    with Rogue(login=lambda _words: reply) as server:
        trial = with_login(
            server,
            emails,
            mode=mode,
        )
    assert complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, cause, Phase.AUTH)}
    assert {o.reply.code for r in trial.receipts for o in r.outcomes if o.reply} == {int(reply[:3])}
    assert len(server.logins) == (3 if reply.startswith("454") else 1)
    assert "swordfish" not in repr(trial.receipts)


@MODES
def test_a_login_refused_at_a_later_connection_stops_what_is_left(mode: Pipelining) -> None:
    """What was accepted stays accepted; the rest is not attempted, with the reason."""
    said = iter(["235 2.7.0 ok"])
    emails = [an_email(number) for number in range(5)]
    with Rogue(login=lambda _words: next(said, "535 5.7.8 no")) as server:
        trial = with_login(
            server,
            emails,
            mode=mode,
            limits=Limits(messages_per_connection=2),
        )
    assert complaints(trial) == []
    assert trial.statuses() == ["accepted"] * 2 + ["not_attempted"] * 3
    assert len(server.logins) == 2


@pytest.mark.parametrize("tls", [TlsMethod.EXPLICIT, TlsMethod.IMPLICIT], ids=lambda tls: tls.value)
@pytest.mark.parametrize("certificate", ["wrong_name", "stranger", "expired"])
def test_a_certificate_that_is_not_to_be_trusted_stops_the_run(
    certificates: Certificates, tls: TlsMethod, certificate: str
) -> None:
    """Nobody is attempted, nothing but EHLO and STARTTLS is said, and it is not tried again."""
    context: ssl.SSLContext = getattr(certificates, certificate)
    client: ssl.SSLContext = certificates.client
    emails = [an_email(number) for number in range(3)]
    with Rogue(tls=tls, context=context, login=lambda _words: "235 2.7.0 ok") as server:
        trial = with_login(
            server,
            emails,
            client_context=client,
        )
    assert complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, Cause.TLS, Phase.TLS)}
    assert server.connections == 1
    assert server.logins == []


def test_a_stripped_starttls_stops_the_run(certificates: Certificates) -> None:
    """EXPLICIT never goes on in the clear: no MAIL, no AUTH, no message."""
    emails = [an_email(number) for number in range(3)]
    with Rogue(tls=TlsMethod.EXPLICIT, context=certificates.good) as server:
        server.offers_tls = False
        trial = deliver(server, emails, client_context=certificates.client)
    assert complaints(trial) == []
    assert causes(trial.receipts) == {(Status.NOT_ATTEMPTED, Cause.TLS, Phase.STARTTLS)}
    assert not any(line.startswith(("MAIL", "AUTH")) for line in server.heard)


@pytest.mark.parametrize(
    "octets",
    [b"250 2.1.0 ok\r\n", b"250-forged\r\n250 AUTH PLAIN\r\n", b"250", b"\r\n", b"\x16\x03", b"garbage\r\n"],
    ids=repr,
)
def test_octets_after_the_answer_to_starttls_cost_that_connection(
    certificates: Certificates, octets: bytes
) -> None:
    """Three fresh connections are tried, then the run ends: a TLS matter, nothing is sent in the clear."""
    emails = [an_email(number) for number in range(3)]
    with Rogue(tls=TlsMethod.EXPLICIT, context=certificates.good) as server:
        server.injected = octets
        trial = deliver(server, emails, client_context=certificates.client)
    assert complaints(trial) == []
    assert {o.cause for r in trial.receipts for o in r.outcomes} == {Cause.TLS}
    assert {o.phase for r in trial.receipts for o in r.outcomes} <= {Phase.STARTTLS, Phase.TLS}
    assert server.connections == 4
    assert {line.split()[0] for line in server.heard} <= {"EHLO", "STARTTLS", "QUIT"}


def test_an_injected_answer_once_costs_nobody_anything(certificates: Certificates) -> None:
    """Somebody between who tries it on one connection does not stop an organisation's mail."""
    emails = [an_email(number) for number in range(3)]
    with Rogue(tls=TlsMethod.EXPLICIT, context=certificates.good) as server:
        server.injected = b"250 2.1.0 ok\r\n"
        server.injections = 3
        trial = deliver(server, emails, client_context=certificates.client)
    assert complaints(trial) == []
    assert [receipt.reason for receipt in trial.receipts if not receipt.ok] == []
    assert server.connections == 4
