"""The mail server on a real socket, spoken to by smtplib, and by hand."""

from __future__ import annotations

import base64
import contextlib
import gc
import smtplib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    AuthenticationType,
    Cause,
    EmailPreferences,
    Login,
    Mailer,
    MailServer,
    Pipelining,
    PlainSecret,
    SmtpTransport,
    TlsMethod,
)
from vetmail_core.receipts import Phase
from vetmail_core.testing import Faults, LocalSmtpServer, Outbox, content, email

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.wire

LOGIN = Login("kim", PlainSecret("pässword"))


@pytest.mark.parametrize("tls", TlsMethod)
def test_mail_goes_by_every_kind_of_line(tls: TlsMethod) -> None:
    """In the clear, by STARTTLS and with TLS from the first byte; with a login that it checks."""
    with (
        LocalSmtpServer(tls=tls, login=LOGIN) as smtpd,
        SmtpTransport(smtpd.mail_server, ssl_context=smtpd.client_context) as transport,
    ):
        (receipt,) = transport.deliver([email(bcc="audit@example.org", text="Grüße\n")])
        assert receipt.ok
        assert receipt.queue_id == "TEST"
        (received,) = smtpd.emails
        assert received.sender == "office@example.com"
        assert received.recipients == ("sam@example.com", "audit@example.org")
        assert (received.subject, received.text) == ("Your class moved", "Grüße\n")
        assert (received.tls, received.username, received.answered) == (
            tls is not TlsMethod.NONE,
            "kim",
            True,
        )
        assert b"audit@example.org" not in received.data
        assert smtpd.verbs[-3:] == ("MAIL", "RCPT", "RCPT", "DATA")[-3:]
        assert ("STARTTLS" in smtpd.verbs) is (tls is TlsMethod.EXPLICIT)
        assert f"{smtpd.host}:{smtpd.port}" in repr(smtpd)
    assert "not running" in repr(smtpd)


def test_preferences_lead_to_it() -> None:
    """A mailer with the server's preferences needs nothing else, where no TLS is asked for."""
    with LocalSmtpServer() as smtpd, Mailer(smtpd.server_preferences()) as mailer:
        assert isinstance(smtpd.server_preferences(), EmailPreferences)
        assert mailer.send(content(), to="sam@example.com").ok
        assert smtpd.emails[0].sender == "office@example.com"


@pytest.mark.parametrize(
    ("login", "token", "kind"),
    [
        (None, None, AuthenticationType.NONE),
        (LOGIN, None, AuthenticationType.PASSWORD),
        (None, "t0ken", AuthenticationType.OAUTH2),
    ],
)
def test_its_mail_server_asks_for_what_it_checks(
    login: Login | None, token: str | None, kind: AuthenticationType
) -> None:
    """Nothing, a password, or a token."""
    with LocalSmtpServer(login=login, token=token) as smtpd:
        assert smtpd.mail_server.authentication is kind


def test_its_preferences_are_enough_to_log_in_by_token() -> None:
    """OAuth2 needs a user name, so they hold one."""
    with (
        LocalSmtpServer(token="t0ken") as smtpd,
        Mailer(smtpd.server_preferences(), token=lambda: "t0ken") as mailer,
    ):
        assert mailer.send(content(), to="sam@example.com").ok
        assert smtpd.emails[0].username == "office@example.com"


@pytest.mark.parametrize(("given", "ok"), [("t0ken", True), ("stale", False)])
def test_a_token_is_checked(given: str, ok: bool) -> None:  # noqa: FBT001 - a column of the table
    """XOAUTH2, with the token that it knows and with another."""
    with LocalSmtpServer(tls=TlsMethod.EXPLICIT, token="t0ken") as smtpd:
        server = smtpd.mail_server
        login = Login("kim@example.com", PlainSecret("unused"))
        with SmtpTransport(
            server, login=login, token=lambda: given, ssl_context=smtpd.client_context
        ) as transport:
            (receipt,) = transport.deliver([email()])
        assert receipt.ok is ok
        assert [one.username for one in smtpd.emails] == (["kim@example.com"] if ok else [])


def test_a_wrong_password_is_refused_and_told() -> None:
    """The run stops; nothing is sent."""
    wrong = Login("kim", PlainSecret("wrong"))
    with LocalSmtpServer(login=LOGIN) as smtpd, SmtpTransport(smtpd.mail_server, login=wrong) as transport:
        (receipt,) = transport.deliver([email()])
        assert {outcome.cause for outcome in receipt.outcomes} == {Cause.AUTHENTICATION}
        assert smtpd.emails == ()


@pytest.mark.parametrize("tls", [TlsMethod.EXPLICIT, TlsMethod.IMPLICIT])
def test_a_client_that_does_not_trust_it_gets_nowhere(tls: TlsMethod) -> None:
    """The certificate is a real one, of an authority nobody else trusts."""
    with LocalSmtpServer(tls=tls) as smtpd, SmtpTransport(smtpd.mail_server) as transport:
        (receipt,) = transport.deliver([email()])
        assert {outcome.cause for outcome in receipt.outcomes} == {Cause.TLS}


@pytest.mark.parametrize(
    "script",
    [
        lambda faults: faults.drop(Phase.TLS, None),
        lambda faults: faults.drop(Phase.TLS),
        lambda faults: faults.stall(Phase.TLS),
    ],
    ids=["always", "once", "silent"],
)
def test_a_handshake_can_fail_from_the_first_byte(script: Callable[[Faults], Faults]) -> None:
    """TLS from the first byte has its faults too."""
    with LocalSmtpServer(tls=TlsMethod.IMPLICIT, faults=script(Faults())) as smtpd:
        raw = socket.create_connection((smtpd.host, smtpd.port), timeout=0.3)
        with raw, pytest.raises(OSError, match=r"(?i)eof|reset|timed out|closed"):
            smtpd.client_context.wrap_socket(raw, server_hostname=smtpd.host)
        gc.collect()  # a line that nobody holds would be collected, and warn, at any time
        assert smtpd.faults.fired() == 1


def test_whole_messages_by_bdat() -> None:
    """CHUNKING is offered and works, refusals in between included."""
    faults = Faults().refuse("old@example.com").defer(at=Phase.DOT, times=1, code=451, enhanced="4.2.0")
    with (
        LocalSmtpServer(faults=faults) as smtpd,
        SmtpTransport(smtpd.mail_server, pipelining=Pipelining.CHUNKING) as transport,
    ):
        emails = [email("old@example.com"), *(email(f"s{number}@example.com") for number in range(4))]
        receipts = list(transport.deliver(emails))
        assert [bool(receipt.accepted) for receipt in receipts].count(True) == 3
        assert "BDAT" in smtpd.verbs
        assert len(smtpd.emails) == 3


def test_smtplib_gets_the_answers_of_a_submission_server() -> None:
    """Another client's commands, in order and out of it."""
    with LocalSmtpServer(without=["pipelining"], size_limit=2_000) as smtpd:
        client = smtplib.SMTP(smtpd.host, smtpd.port, local_hostname="client.example.com")
        with client:
            assert client.helo()[0] == 250
            client.ehlo()
            assert "pipelining" not in client.esmtp_features
            assert client.docmd("EHLO")[0] == 501
            assert client.docmd("AUTH", "PLAIN AAAA")[0] == 502
            assert client.docmd("DATA")[0] == 503
            assert client.docmd("BDAT", "x")[0] == 501
            client.send("BDAT 3\r\nabc")
            assert client.getreply()[0] == 503
            assert client.mail("a@example.com")[0] == 250
            assert client.docmd("DATA")[0] == 554
            client.send("BDAT 3 LAST\r\nabc")
            assert client.getreply()[0] == 554
            assert client.rset()[0] == 250
            assert client.noop()[0] == 250
            assert smtpd.verbs[-2:] == ("RSET", "NOOP")
            client.mail("a@example.com")
            assert client.rcpt("postmaster")[0] == 250
            client.send("BDAT 3\r\nabc")
            assert client.getreply()[0] == 250
            client.send(b"BDAT 2000 LAST\r\n" + b"x" * 2_000)
            assert client.getreply()[0] == 552
            assert client.sendmail("a@example.com", ["b@example.com"], b"no header at all\r\n") == {}
        assert smtpd.wait_for(1)[0].subject == ""
        assert smtpd.emails[0].text == "no header at all\n" or smtpd.emails[0].text == ""


def test_a_421_is_its_last_word() -> None:
    """It closes the line behind it, as RFC 5321 has it; greeted is the client once."""
    script = Faults().defer(code=421, enhanced="4.3.2", at=Phase.MAIL)
    with (
        LocalSmtpServer(faults=script) as smtpd,
        socket.create_connection((smtpd.host, smtpd.port), timeout=60) as line,
        line.makefile("rb") as said,
    ):
        assert said.readline().startswith(b"220 ")
        line.sendall(b"HELO client.example.com\r\nMAIL FROM:<a@example.com>\r\n")
        assert [answer[:4] for answer in said] == [b"250 ", b"421 "]
        assert smtpd.verbs == ("HELO", "MAIL")


def test_a_login_is_asked_for_before_mail() -> None:
    """530 without, 504 for what it does not know, 501 for nonsense, 535 for a bad token."""
    with (
        LocalSmtpServer(login=LOGIN, token="t0ken") as smtpd,
        smtplib.SMTP(smtpd.host, smtpd.port, local_hostname="client.example.com") as client,
    ):
        client.ehlo()
        assert client.mail("a@example.com")[0] == 530
        client.send("BDAT 1\r\nx")
        assert client.getreply()[0] == 530
        assert client.docmd("AUTH", "CRAM-MD5")[0] == 504
        assert client.docmd("AUTH", "XOAUTH2 !!!")[0] == 501
        assert client.docmd("AUTH", "XOAUTH2")[0] == 334
        assert client.docmd("*")[0] == 501
        bearer = base64.b64encode(b"n,a=kim,\x01auth=Bearer stale\x01\x01").decode()
        assert client.docmd("AUTH", f"OAUTHBEARER {bearer}")[0] == 334
        assert client.docmd("AQ==")[0] == 535
        bearer = base64.b64encode(b"n,a=kim,\x01auth=Bearer t0ken\x01\x01").decode()
        assert client.docmd("AUTH", "OAUTHBEARER")[0] == 334
        assert client.docmd(bearer)[0] == 235


def test_it_waits_for_mail_of_another_thread() -> None:
    """Woken by the mail itself; says so when none comes."""
    with LocalSmtpServer() as smtpd:
        preferences = smtpd.server_preferences(default_from="head@example.com")

        def feature() -> None:
            with Mailer(preferences) as mailer:
                mailer.send(content(), to="sam@example.com")

        sender = threading.Thread(target=feature)
        sender.start()
        assert smtpd.wait_for(1, seconds=60)[0].sender == "head@example.com"
        sender.join()
        with pytest.raises(AssertionError, match=r"expected 2 emails within 0\.01 s, got 1"):
            smtpd.wait_for(2, seconds=0.01)
    with LocalSmtpServer() as idle, pytest.raises(AssertionError, match="expected 1 email within"):
        idle.wait_for(1, seconds=0.01)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"without": ["PIPELINIG"]}, ValueError, r"offers \(8BITMIME, AUTH, .*STARTTLS\), got PIPELINIG"),
        ({"without": "SIZE"}, ValueError, "expected a list of extensions .* got E, I, S, Z"),
        ({"tls": "explicit"}, TypeError, "needs a TlsMethod, got str"),
    ],
)
def test_a_slip_in_how_it_is_made_is_said(
    options: dict[str, object], error: type[Exception], said: str
) -> None:
    """A misspelt extension would be offered all the same, and what should be tested is not."""
    with pytest.raises(error, match=said):
        LocalSmtpServer(**options)  # type: ignore[arg-type] # the slip


def test_it_starts_and_closes_without_a_with() -> None:
    """For setUp and addCleanup; twice is fine; a port before the start is a mistake that is told."""
    smtpd = LocalSmtpServer()
    with pytest.raises(RuntimeError, match="expected a started server"):
        _ = smtpd.port
    smtpd.close()
    assert smtpd.start() is smtpd
    port = smtpd.port
    assert smtpd.start().port == port
    smtpd.close()
    smtpd.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((smtpd.host, port), timeout=1)


def test_it_closes_with_lines_open_and_silent() -> None:
    """A stalled client and one in the middle of a message do not hold it up."""
    smtpd = LocalSmtpServer(faults=Faults().stall(Phase.GREETING)).start()
    with socket.create_connection((smtpd.host, smtpd.port), timeout=60) as line:
        assert line.recv(100).startswith(b"220")
        line.sendall(b"EHLO client.example.com\r\n")
        smtpd.close()
        line.settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(100) == b""


def test_what_was_not_confirmed_is_marked() -> None:
    """After a drop behind the dot the server has the mail, and nobody knows: it is not sent again."""
    with LocalSmtpServer(faults=Faults().drop()) as smtpd, SmtpTransport(smtpd.mail_server) as transport:
        first, second = transport.deliver([email(), email("pat@example.com")])
        assert first.unknown
        assert second.ok
        assert [one.answered for one in smtpd.emails] == [False, True]


def test_helo_is_heard_and_can_be_met_with_silence() -> None:
    """An old client is a client."""
    with LocalSmtpServer(faults=Faults().drop(Phase.GREETING)) as smtpd:
        with socket.create_connection((smtpd.host, smtpd.port), timeout=60) as line:
            line.recv(100)
            line.sendall(b"HELO old.example.com\r\n")
            assert line.recv(100) == b""
        assert smtpd.verbs == ("HELO",)


def test_the_context_checks_names() -> None:
    """It is an ordinary client's context with one authority more."""
    context = LocalSmtpServer(tls=TlsMethod.EXPLICIT).client_context
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_script_moves_from_memory_to_the_wire_unchanged() -> None:
    """The same object, rewound."""
    faults = Faults().refuse("old@example.com")
    outbox = Outbox(faults=faults)
    (in_memory,) = outbox.deliver([email("sam@example.com; old@example.com")])
    with LocalSmtpServer(faults=faults.rewound()) as smtpd:
        server: MailServer = smtpd.mail_server
        with SmtpTransport(server) as transport:
            (on_wire,) = transport.deliver([email("sam@example.com; old@example.com")])
    assert on_wire.outcomes == in_memory.outcomes
