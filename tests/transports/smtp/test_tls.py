"""TLS on real sockets with real certificates: what is trusted, and what ends the run."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest
import truststore
from tests.transports.smtp.anna import ANNA, GOOD
from tests.transports.smtp.outcomes import first
from tests.transports.smtp.scripted import Line

from vetmail_core.errors import TransportError
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp import Deadlines, Limits, SmtpTransport

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Certificates, Connect, Make, MakeSome, Serve

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
