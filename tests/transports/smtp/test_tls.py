"""TLS on real sockets with real certificates: what is trusted, and what ends the run."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme
import truststore
from tests.transports.smtp.anna import ANNA, GOOD
from tests.transports.smtp.outcomes import first
from tests.transports.smtp.scripted import HungUp, Line

from vetmail_core.errors import TransportError
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Deadlines, Limits, SmtpTransport
from vetmail_core.transports.smtp.rules.login import MANY, Failure
from vetmail_core.transports.smtp.wire.connection import Connection
from vetmail_core.transports.smtp.wire.handshake import failures_named

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Certificates, Connect, Make, MakeSome, Serve, Server

    from vetmail_core.transports.smtp import Pipelining

PASSWORD, OAUTH2 = AuthenticationType.PASSWORD, AuthenticationType.OAUTH2
EXPLICIT, IMPLICIT = TlsMethod.EXPLICIT, TlsMethod.IMPLICIT


@pytest.mark.parametrize("tls", [EXPLICIT, IMPLICIT])
def test_mail_goes_over_verified_tls(
    serve: Serve,
    connect: Connect,
    certificates: Certificates,
    emails: MakeSome,
    tls: TlsMethod,
    mode: Pipelining,
) -> None:
    """Both methods, every mode, certificate and name checked."""
    server = serve(tls=tls, context=certificates.server)
    transport = connect(server, host="localhost", ssl_context=certificates.client, pipelining=mode)
    assert all(receipt.ok for receipt in transport.deliver(emails(4)))
    assert all(line.secure for line in server.lines)


def test_the_operating_systems_own_judge_of_certificates_can_be_asked(
    serve: Serve, connect: Connect, certificates: Certificates, emails: MakeSome, few: Limits
) -> None:
    """With the extra ``truststore``: a stranger's certificate is refused, a known authority's is taken."""
    judge = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server = serve(tls=EXPLICIT, context=certificates.server)
    refused = first(connect(server, host="localhost", ssl_context=judge, limits=few).deliver(emails(1)))
    assert (refused.cause, refused.phase) == (Cause.TLS, Phase.TLS)
    for authority in certificates.client.get_ca_certs(binary_form=True):
        judge.load_verify_locations(cadata=authority)
    assert all(
        receipt.ok for receipt in connect(server, host="localhost", ssl_context=judge).deliver(emails(2))
    )


def test_large_messages_go_over_tls_record_by_record(
    serve: Serve, connect: Connect, certificates: Certificates, email: Make
) -> None:
    """More than one record, and more than the buffers hold."""
    server = serve(tls=IMPLICIT, context=certificates.server, extensions=("PIPELINING",))
    transport = connect(server, host="localhost", ssl_context=certificates.client)
    text = ("x" * 70 + "\n") * 60_000
    (receipt,) = transport.deliver([email(text=text)])
    assert receipt.ok
    assert len(server.received[0].data) > 4_000_000


@pytest.mark.parametrize("tls", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("kind", ["wrong_name", "stranger"])
def test_a_certificate_that_cannot_be_trusted_stops_the_run(
    serve: Serve, connect: Connect, certificates: Certificates, emails: MakeSome, tls: TlsMethod, kind: str
) -> None:
    """No mail, no login, no second try; the cause is TLS."""
    server = serve(tls=tls, context=getattr(certificates, kind), mechanisms=("PLAIN",), good=(GOOD,))
    transport = connect(server, host="localhost", ssl_context=certificates.client, **ANNA)
    receipts = list(transport.deliver(emails(3)))
    for receipt in receipts:
        outcome = receipt.outcomes[0]
        assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)
        assert "not to be trusted" in receipt.warnings[0]
    assert server.connections == 1
    assert server.logins == []


@pytest.mark.parametrize(
    ("options", "script", "phase", "words"),
    [
        ({"offer_tls": False}, {}, Phase.STARTTLS, "does not offer STARTTLS"),
        ({}, {"STARTTLS": "454 4.7.0 not now"}, Phase.STARTTLS, "454 4.7.0"),
        ({}, {"STARTTLS": ("drop", b"")}, Phase.STARTTLS, "closed the connection"),
        ({}, {"STARTTLS": ("raw", b"220 go\r\n250 injected\r\n")}, Phase.STARTTLS, "more behind it"),
        ({}, {"STARTTLS": ("raw", b"220 go\r\n250 inj")}, Phase.STARTTLS, "more behind it"),
        ({}, {"STARTTLS": ("raw", b"220 go\r\n")}, Phase.TLS, "TLS"),
        ({}, {"TLS": ("drop", b"")}, Phase.TLS, "closed the connection during the TLS handshake"),
        ({}, {"TLS": ("stall", b"")}, Phase.TLS, "not over within 1.5 s"),
    ],
)
def test_explicit_tls_never_goes_on_without(
    serve: Serve,
    connect: Connect,
    certificates: Certificates,
    email: Make,
    act: type[Act],
    few: Limits,
    options: dict[str, object],
    script: dict[str, str | tuple[str, bytes] | tuple[str]],
    phase: Phase,
    words: str,
) -> None:
    """Stripped, refused, injected, dropped, stalled: the run stops, and no mail leaves in the clear."""
    server = serve(tls=EXPLICIT, context=certificates.server, **options)
    for step, what in script.items():
        server.always(step, what if isinstance(what, str) else act(*what))
    deadlines = Deadlines(tls=1.5, quit=0.5)
    transport = connect(
        server, host="localhost", ssl_context=certificates.client, limits=few, deadlines=deadlines
    )
    (receipt,) = transport.deliver([email()])
    outcome = receipt.outcomes[0]
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, phase)
    assert words in receipt.warnings[0]
    assert "MAIL" not in server.verbs


def test_a_server_without_tls_on_an_implicit_port_stops_the_run(
    serve: Serve, certificates: Certificates, email: Make
) -> None:
    """It greets in the clear, which is no handshake."""
    server = serve()
    transport = SmtpTransport(
        MailServer(host="127.0.0.1", port=server.port, tls=IMPLICIT), ssl_context=certificates.client
    )
    outcome = first(transport.deliver([email()]))
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)


def test_a_server_that_has_no_certificate_stops_the_run(
    serve: Serve, connect: Connect, certificates: Certificates, email: Make
) -> None:
    """OpenSSL's own reason is told."""
    server = serve(tls=IMPLICIT, context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    (receipt,) = connect(server, ssl_context=certificates.client).deliver([email()])
    assert receipt.outcomes[0].cause is Cause.TLS
    assert "HANDSHAKE_FAILURE" in receipt.warnings[0]


def test_a_context_that_verifies_nothing_is_refused() -> None:
    """There is no switch to turn verification off."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(TransportError, match="does not verify"):
        SmtpTransport(MailServer(host="mail.example.com"), ssl_context=context)


def test_a_context_that_allows_old_tls_is_refused() -> None:
    """TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.raises(TransportError, match=r"before 1\.2"):
        SmtpTransport(MailServer(host="mail.example.com"), ssl_context=context)


@pytest.mark.parametrize("tls", [EXPLICIT, IMPLICIT])
def test_the_computer_s_own_authorities_are_the_default(
    serve: Serve, connect: Connect, certificates: Certificates, email: Make, tls: TlsMethod
) -> None:
    """None of them knows a certificate made here, so nothing is sent."""
    server = serve(tls=tls, context=certificates.server)
    outcome = first(connect(server, host="localhost").deliver([email()]))
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)


def test_starttls_and_the_handshake_have_one_deadline_together(
    serve: Serve, connect: Connect, certificates: Certificates, email: Make, few: Limits
) -> None:
    """A server that takes its time for the answer has less left for the handshake."""
    server = serve(tls=EXPLICIT, context=certificates.server)

    class Slow(Line):
        def do_starttls(self, line: str) -> None:
            self.server.closing.wait(2)
            super().do_starttls(line)

        def start_tls(self) -> None:
            self.server.closing.wait(30)

    server.line = Slow
    transport = connect(
        server,
        host="localhost",
        ssl_context=certificates.client,
        limits=few,
        deadlines=Deadlines(tls=4, quit=0.2),
    )
    begun = time.monotonic()
    outcome = first(transport.deliver([email()]))
    assert time.monotonic() - begun < 5.9  # 6 with a deadline each
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)


def answered(server: Server, transport: SmtpTransport, made: Make) -> str:
    """What the receipt says when there is no TLS; one try, and no pause."""
    (receipt,) = transport.deliver([made()])
    outcome = receipt.outcomes[0]
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)
    assert server.connections == 1
    assert "MAIL" not in server.verbs
    return receipt.warnings[0]


@pytest.mark.parametrize("tls", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_for_a_client_certificate_is_told_so_once(
    serve: Serve,
    connect: Connect,
    email: Make,
    tls: TlsMethod,
    version: ssl.TLSVersion,
) -> None:
    """With TLS 1.3 the refusal comes after the handshake, where the first answer is expected."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server, clock = serve(tls=tls, context=context), FakeClock()
    transport = connect(server, host="localhost", ssl_context=client, clock=clock)
    words = answered(server, transport, email)
    assert clock.slept == ()
    if version is ssl.TLSVersion.TLSv1_3:
        assert "asks for a client certificate: load" in words
    authority.issue_cert("office@example.com").configure_cert(client)
    assert first(connect(server, host="localhost", ssl_context=client).deliver([email()])).status.value == (
        "accepted"
    )


@pytest.mark.parametrize("tls", [EXPLICIT, IMPLICIT])
def test_a_server_that_closes_right_after_the_handshake_is_a_matter_of_tls(
    serve: Serve,
    connect: Connect,
    certificates: Certificates,
    email: Make,
    few: Limits,
    tls: TlsMethod,
) -> None:
    """Without a word it may be a passing trouble; with a run's patience it is tried again."""

    class Leaves(Line):
        def start_tls(self) -> None:
            super().start_tls()
            raise HungUp

    server = serve(tls=tls, context=certificates.server)
    server.line = Leaves
    transport = connect(server, host="localhost", ssl_context=certificates.client, limits=few)
    assert "closed the connection right after the TLS handshake" in answered(server, transport, email)


def test_what_is_written_to_a_server_that_has_left_after_the_handshake(
    certificates: Certificates,
) -> None:
    """Its alert may be read before the failure to write; else the failure is a matter of TLS."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours, host="localhost", deadlines=Deadlines(), context=certificates.client)

    def serve() -> None:
        certificates.server.wrap_socket(theirs, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    connection.start_tls()
    thread.join()
    with pytest.raises(Failure, match="right after the TLS handshake") as caught:
        connection.write(b"EHLO me\r\n" * 20_000, b"", phase=Phase.GREETING)
    assert (caught.value.cause, caught.value.tries) == (Cause.TLS, MANY)
    connection.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ((62, "Hostname mismatch"), "enter the name that the certificate is for"),
        ((20, "unable to get local issuer certificate"), "does not know the authority"),
        ((18, "self-signed certificate"), "does not know the authority"),
        ((10, "certificate has expired"), "renew it, and check the clock"),
        ((66, "EE certificate key too weak"), "issued anew"),
        ((89, "Basic Constraints of CA cert not marked critical"), "issued anew"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "asks for a client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "asks for a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "asks for a client certificate"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "no version of TLS in common"),
        ("UNSUPPORTED_PROTOCOL", "no version of TLS in common"),
        ("TLSV1_UNRECOGNIZED_NAME", "a name that the server knows"),
        ("DH_KEY_TOO_SMALL", "issued anew"),
        ("WRONG_VERSION_NUMBER", "does not speak TLS at this point"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "no TLS came about (SSLV3_ALERT_HANDSHAKE_FAILURE)"),
    ],
)
def test_each_reason_has_its_cure(error: str | tuple[int, str], words: str) -> None:
    """Name, authority, age, form, client certificate, version: one sentence, and one try."""
    raised: ssl.SSLError
    if isinstance(error, str):
        raised = ssl.SSLError(1, error)
        raised.reason = error
    else:
        raised = ssl.SSLCertVerificationError(1, error[1])
        raised.verify_code, raised.verify_message = error
    with pytest.raises(Failure) as caught, failures_named():
        raise raised
    assert words in caught.value.note
    assert "\n" not in caught.value.note
    assert (caught.value.cause, caught.value.phase, caught.value.tries) == (Cause.TLS, Phase.TLS, 1)


def test_a_certificate_that_has_run_out_stops_the_run(serve: Serve, connect: Connect, email: Make) -> None:
    """With the server's administrator as the cure."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    authority.issue_cert("localhost", not_before=past, not_after=past).configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = serve(tls=IMPLICIT, context=context)
    assert "renew it" in answered(server, connect(server, host="localhost", ssl_context=client), email)
