"""Trying a connection without sending anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.anna import ANNA, GOOD, SECRET
from tests.transports.smtp.scripted import hurry

from vetmail_core.errors import AddressError, TransportError
from vetmail_core.preferences import AuthenticationType, TlsMethod

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Certificates, Connect, Serve

    from vetmail_core.receipts import Phase


PASSWORD, OAUTH2 = AuthenticationType.PASSWORD, AuthenticationType.OAUTH2
EXPLICIT, IMPLICIT = TlsMethod.EXPLICIT, TlsMethod.IMPLICIT


def test_a_check_finds_out_and_sends_nothing(
    serve: Serve, connect: Connect, certificates: Certificates
) -> None:
    """Everything a help desk asks for, in a plain table."""
    server = serve(tls=EXPLICIT, context=certificates.server, mechanisms=("PLAIN",), good=(GOOD,))
    transport = connect(server, host="localhost", ssl_context=certificates.client, **ANNA)
    found = transport.check("sam@example.com")
    assert found.ok
    assert (found.tls, found.size, found.mechanism, found.login) == (
        "TLSv1.3",
        1_000_000,
        "PLAIN",
        "anna@example.com",
    )
    assert found.sender == "anna@example.com"
    assert found.recipient_accepted is True
    assert found.certificate_expires is not None
    assert found.certificate_expires > datetime.now(UTC)
    assert server.verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "RSET", "QUIT"]
    assert server.received == []
    table = str(found)
    for words in (
        "localhost port",
        "TLSv1.3",
        "localhost, 127.0.0.1",
        "trustme",
        "1,000,000 octets",
        "(PLAIN): accepted",
    ):
        assert words in table
    assert "To sam@example.com" in table
    assert "What to do" not in table
    assert any("AUTH PLAIN ***" in line for line in found.transcript)


def test_a_check_without_login_tls_or_recipient_says_so(serve: Serve, connect: Connect) -> None:
    """The empty sender is asked about."""
    found = connect(serve(extensions=())).check()
    assert found.ok
    assert found.recipient_accepted is None
    for words in (
        "can be read on the way",
        "Login           none",
        "not said",
        "From <>",
        "Extensions      none",
    ):
        assert words in str(found)


@pytest.mark.parametrize(
    ("step", "reply", "sender_accepted", "recipient_accepted", "words"),
    [
        ("MAIL", "550 5.7.60 not allowed", False, None, "not asked, because"),
        ("RCPT", "550 5.1.1 nobody here", True, False, "REFUSED: 550 5.1.1"),
    ],
)
def test_a_check_gives_advice_on_what_is_refused(
    serve: Serve,
    connect: Connect,
    step: str,
    reply: str,
    sender_accepted: bool,  # noqa: FBT001 - a row's value
    recipient_accepted: bool | None,  # noqa: FBT001 - as above
    words: str,
) -> None:
    """A refusal is a result."""
    server = serve().always(step, reply)
    found = connect(server).check("jörg@example.com", sender="office@example.com")
    assert (found.sender_accepted, found.recipient_accepted) == (sender_accepted, recipient_accepted)
    assert not found.ok
    assert words in str(found)
    assert "What to do" in str(found)
    assert found.advice


@pytest.mark.parametrize(
    ("step", "act_kind", "phase"),
    [("connect", "554 no", "GREETING"), ("EHLO", "drop", "GREETING"), ("MAIL", "drop", "MAIL")],
)
def test_a_check_that_comes_to_no_session_explains(
    serve: Serve, connect: Connect, act: type[Act], step: str, act_kind: str, phase: Phase
) -> None:
    """At which step, why, and what to do."""
    server = serve().always(step, act(act_kind) if act_kind == "drop" else act_kind)
    with pytest.raises(TransportError, match=f"stopped at {phase}"):
        connect(server).check("sam@example.com")


@pytest.mark.parametrize(
    ("sender", "recipient", "words"),
    [
        ("büro@example.com", "sam@example.com", "stopped at MAIL (SENDER_NOT_ALLOWED)"),
        ("office@example.com", "jörg@example.com", "stopped at RCPT (BAD_RECIPIENT)"),
    ],
)
def test_a_check_does_not_call_accepted_what_a_run_would_not_send(
    serve: Serve, connect: Connect, sender: str, recipient: str, words: str
) -> None:
    """A server without SMTPUTF8 may say yes to letters beyond ASCII, and lose the mail later."""
    server = serve(extensions=())
    with pytest.raises(TransportError, match="beyond ASCII") as caught:
        connect(server).check(recipient, sender=sender)
    assert words in str(caught.value)
    assert server.verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize(("step", "asked"), [("MAIL", False), ("RCPT", True)])
def test_a_check_that_meets_a_goodbye_shows_it(
    serve: Serve, connect: Connect, step: str, asked: object
) -> None:
    """The server's own words tell more than that it closed the line behind them."""
    server = serve().always(step, "421 4.7.0 not from here, not now")
    found = connect(server).check("sam@example.com", sender="office@example.com")
    assert not found.ok
    assert "REFUSED: 421 4.7.0 not from here, not now" in str(found)
    assert (found.recipient_reply is not None) is asked
    assert "RSET" not in server.verbs


@pytest.mark.parametrize(
    ("step", "deadline", "hinted"), [("connect", "greeting", True), ("EHLO", "command", False)]
)
def test_a_server_that_says_nothing_may_expect_tls_first(
    serve: Serve, connect: Connect, act: type[Act], step: str, deadline: str, hinted: object
) -> None:
    """Port 465 without Implicit: both sides wait for the other. One that has greeted does not."""
    server = serve().always(step, act("stall"))
    with pytest.raises(TransportError, match="did not answer") as caught:
        connect(server, deadlines=hurry(**{deadline: 0.4})).check()
    assert ("expects Implicit says nothing before TLS" in str(caught.value)) is hinted


def test_a_check_of_a_refused_login_names_the_login(serve: Serve, connect: Connect) -> None:
    """But not its password."""
    server = serve(mechanisms=("PLAIN",))
    with pytest.raises(TransportError, match=r"as anna@example\.com: the check stopped at AUTH") as caught:
        connect(server, **ANNA).check()
    assert SECRET not in str(caught.value)


def test_a_login_that_is_no_address_is_no_sender(serve: Serve, connect: Connect) -> None:
    """The empty sender is asked about then; a recipient that is not an address is the caller's mistake."""
    server = serve(mechanisms=("PLAIN",), good=(f"\0apikey\0{SECRET}",))
    transport = connect(server, **(ANNA | {"username": "apikey"}))
    assert transport.check().sender == ""
    with pytest.raises(AddressError):
        transport.check("nobody")


def test_certificates_of_every_shape_are_named() -> None:
    """A certificate without alternative names, an issuer without a common name, or none at all."""
    from vetmail_core.transports.smtp.check import certificate_name, common_name  # noqa: PLC0415 - just here

    assert certificate_name({"subject": ((("commonName", "mail.example.com"),),)}) == "mail.example.com"
    assert common_name(((("organizationName", "An Authority"),),)) == "An Authority"
    assert common_name(((("countryName", "AU"),),)) == ""
    assert common_name(None) == ""
