"""TLS, logins and the check, on real sockets with real certificates."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import truststore
from tests.transports.smtp.scripted import Line

from vetmail_core.credentials import EnvironmentSecret, Login, PlainSecret
from vetmail_core.errors import AddressError, PreferencesError, TransportError
from vetmail_core.preferences import AuthenticationType, MailServer, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp import Deadlines, Limits, SmtpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Act, Certificates, Connect, Make, MakeSome, Serve

    from vetmail_core.receipts import Outcome, Receipt
    from vetmail_core.transports.smtp import Pipelining

PASSWORD, OAUTH2 = AuthenticationType.PASSWORD, AuthenticationType.OAUTH2
EXPLICIT, IMPLICIT = TlsMethod.EXPLICIT, TlsMethod.IMPLICIT
SECRET = "pa\u00dfwort-Zeppelin"
GOOD = f"\0anna@example.com\0{SECRET}"
ANNA = {"authentication": PASSWORD, "username": "anna@example.com", "password": PlainSecret(SECRET)}
TOKENS = tuple(f"user=anna@example.com\x01auth=Bearer {token}\x01\x01" for token in ("good", "newer"))


def first(receipts: Iterator[Receipt]) -> Outcome:
    """The only receipt's only outcome."""
    (receipt,) = receipts
    return receipt.outcomes[0]


# -- TLS -----------------------------------------------------------------------------------------------


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
        ({}, {"STARTTLS": ("raw", b"220 go\r\n250 injected\r\n")}, Phase.STARTTLS, "more behind it"),
        ({}, {"STARTTLS": ("raw", b"220 go\r\n250 inj")}, Phase.STARTTLS, "more behind it"),
        ({}, {"STARTTLS": ("raw", b"220 go\r\n")}, Phase.TLS, "TLS"),
        ({}, {"TLS": ("drop", b"")}, Phase.TLS, "closed the connection during the TLS handshake"),
        ({}, {"TLS": ("stall", b"")}, Phase.TLS, "not over within 0.5 s"),
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
    deadlines = Deadlines(tls=0.5, command=0.5, quit=0.5)
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
            self.server.closing.wait(1)
            super().do_starttls(line)

        def start_tls(self) -> None:
            self.server.closing.wait(30)

    server.line = Slow
    transport = connect(
        server,
        host="localhost",
        ssl_context=certificates.client,
        limits=few,
        deadlines=Deadlines(tls=2, quit=0.2),
    )
    begun = time.monotonic()
    outcome = first(transport.deliver([email()]))
    assert time.monotonic() - begun < 2.9  # 3 with a deadline each
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.TLS)


# -- logins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_password_beyond_ascii_logs_in(serve: Serve, connect: Connect, email: Make, mechanism: str) -> None:
    """On this machine without TLS too."""
    server = serve(mechanisms=("CRAM-MD5", mechanism), good=(GOOD,))
    assert first(connect(server, **ANNA).deliver([email()])).status.value == "accepted"


def test_a_staff_member_s_login_is_used_instead_of_the_shared_one(
    serve: Serve, connect: Connect, email: Make
) -> None:
    """Individual staff logins."""
    server = serve(mechanisms=("PLAIN",), good=("\0ben@example.com\0ben's own",))
    login = Login("ben@example.com", PlainSecret("ben's own"))
    assert first(connect(server, login=login, **ANNA).deliver([email()])).status.value == "accepted"


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("535 5.7.139 no", Cause.AUTHENTICATION),
        ("534 5.7.9 Application-specific password required", Cause.APP_PASSWORD_NEEDED),
        ("550 5.7.30 Basic authentication is not supported", Cause.BASIC_AUTH_RETIRED),
    ],
)
def test_a_refused_login_stops_the_run_at_once(
    serve: Serve, connect: Connect, emails: MakeSome, reply: str, cause: Cause
) -> None:
    """One try, and every email is NOT_ATTEMPTED with the server's words."""
    server = serve(mechanisms=("PLAIN", "LOGIN")).always("AUTH", reply)
    receipts = list(connect(server, **ANNA).deliver(emails(3)))
    assert {receipt.outcomes[0].cause for receipt in receipts} == {cause}
    assert {receipt.outcomes[0].phase for receipt in receipts} == {Phase.AUTH}
    assert {str(receipt.reply) for receipt in receipts} == {reply}
    assert server.verbs.count("AUTH") == 1


def test_a_login_refused_in_passing_is_tried_three_times(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """454 4.7.0: with pauses, and then the run stops."""
    server = serve(mechanisms=("PLAIN",)).always("AUTH", "454 4.7.0 later")
    receipts = list(connect(server, **ANNA).deliver(emails(2)))
    assert {receipt.outcomes[0].status.value for receipt in receipts} == {"not_attempted"}
    assert server.verbs.count("AUTH") == 3


def test_no_password_is_sent_in_the_clear_beyond_this_machine(
    serve: Serve, connect: Connect, email: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the caller says so."""
    server = serve(mechanisms=("PLAIN",), good=(GOOD,))
    monkeypatch.setattr("vetmail_core.transports.smtp.session.is_loopback", lambda _address: False)
    outcome = first(connect(server, **ANNA).deliver([email()]))
    assert (outcome.status.value, outcome.cause, outcome.phase) == ("not_attempted", Cause.TLS, Phase.AUTH)
    assert server.logins == []
    transport = connect(server, allow_cleartext_auth=True, **ANNA)
    assert first(transport.deliver([email()])).status.value == "accepted"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_is_asked_for_at_each_connect(
    serve: Serve, connect: Connect, emails: MakeSome, mechanism: str
) -> None:
    """Never kept beyond it."""
    server = serve(mechanisms=(mechanism,))
    bearer = f"n,a=anna@example.com,\x01host=127.0.0.1\x01port={server.port}\x01auth=Bearer good\x01\x01"
    server.good = (*TOKENS, bearer)
    asked: list[int] = []

    def token() -> str:
        asked.append(1)
        return "good"

    transport = connect(
        server,
        token=token,
        authentication=OAUTH2,
        username="anna@example.com",
        limits=Limits(messages_per_connection=2),
    )
    assert all(receipt.ok for receipt in transport.deliver(emails(4)))
    assert len(asked) == server.connections == 2


def test_a_token_that_ran_out_is_renewed_once_at_login(serve: Serve, connect: Connect, email: Make) -> None:
    """After a 535 the function is asked again; the reason's challenge is answered with an empty line."""
    server = serve(mechanisms=("XOAUTH2",), good=TOKENS)
    tokens = ["old", "newer"]
    transport = connect(
        server, token=lambda: tokens.pop(0), authentication=OAUTH2, username="anna@example.com"
    )
    assert first(transport.deliver([email()])).status.value == "accepted"
    assert tokens == []
    assert "" in server.heard


def test_a_token_refused_twice_stops_the_run(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """The status the server gave is shown."""
    server = serve(mechanisms=("XOAUTH2",), good=TOKENS)
    transport = connect(server, token=lambda: "old", authentication=OAUTH2, username="anna@example.com")
    receipts = list(transport.deliver(emails(2)))
    assert {receipt.outcomes[0].cause for receipt in receipts} == {Cause.AUTHENTICATION}
    assert "the token's status: 401" in receipts[0].warnings[0]
    assert server.verbs.count("AUTH") == 2


def test_a_token_that_runs_out_in_the_middle_costs_a_connection_not_the_mail(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """530 in the middle of a session: a new token, and the message goes again, once."""
    server = serve(mechanisms=("XOAUTH2",), good=TOKENS).script("MAIL", None, None, "530 5.7.57 expired")
    transport = connect(
        server,
        token=lambda: "good",
        authentication=OAUTH2,
        username="anna@example.com",
        pipelining=mode,
        limits=Limits(chunking_window=1),
    )
    receipts = list(transport.deliver(emails(4)))
    assert all(receipt.ok for receipt in receipts)
    assert len(server.received) == 4
    assert server.verbs.count("AUTH") == 2


def test_a_token_function_that_fails_stops_the_run_without_its_words(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Its text may hold a secret; its kind is enough."""
    server = serve(mechanisms=("XOAUTH2",))

    def token() -> str:
        raise RuntimeError(SECRET)

    transport = connect(server, token=token, authentication=OAUTH2, username="anna@example.com")
    receipts = list(transport.deliver(emails(2)))
    assert receipts[0].warnings == ("the password or token could not be fetched (RuntimeError)",)
    assert receipts[1].outcomes[0].cause is Cause.AUTHENTICATION


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"authentication": OAUTH2, "token": lambda: "to\x01ken"}, "no OAuth login can carry"),
        ({"authentication": OAUTH2, "token": lambda: None}, "TypeError"),
        ({"authentication": OAUTH2, "token": lambda: b"token"}, "TypeError"),
    ],
)
def test_a_login_that_cannot_be_written_stops_the_run(
    serve: Serve, connect: Connect, emails: MakeSome, options: dict[str, object], words: str
) -> None:
    """An answer for every email, and no exception in the middle of a run."""
    server = serve(mechanisms=("PLAIN", "XOAUTH2"))
    receipts = list(connect(server, username="anna@example.com", **options).deliver(emails(2)))
    for receipt in receipts:
        outcome = receipt.outcomes[0]
        assert (outcome.status.value, outcome.cause) == ("not_attempted", Cause.AUTHENTICATION)
        assert outcome.phase is Phase.AUTH
        assert words in receipt.warnings[0]
    assert "AUTH" not in server.verbs


def test_a_missing_password_is_told_before_any_email_is_pulled(
    serve: Serve, connect: Connect, emails: MakeSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller can mend it; nothing is lost."""
    monkeypatch.delenv("VETMAIL_TEST_PASSWORD", raising=False)
    server = serve(mechanisms=("PLAIN",))
    options = ANNA | {"password": EnvironmentSecret("VETMAIL_TEST_PASSWORD")}
    feed = iter(emails(2))
    with pytest.raises(PreferencesError, match="VETMAIL_TEST_PASSWORD"):
        next(connect(server, **options).deliver(feed))
    assert len(list(feed)) == 2


@pytest.mark.parametrize(
    ("server", "setting"),
    [
        (MailServer(), "mail_server.host"),
        (MailServer(host="m.example.com", authentication=PASSWORD), "mail_server.username"),
        (MailServer(host="m.example.com", authentication=PASSWORD, username="anna"), "mail_server.password"),
    ],
)
def test_a_transport_without_what_it_needs_is_not_made(server: MailServer, setting: str) -> None:
    """The setting is named."""
    with pytest.raises(PreferencesError) as caught:
        SmtpTransport(server)
    assert [problem.setting for problem in caught.value.problems] == [setting]


def test_an_ehlo_name_with_a_line_end_is_refused() -> None:
    """The command writer looks at it when the transport is made."""
    with pytest.raises(TransportError, match="control character"):
        SmtpTransport(MailServer(host="m.example.com"), ehlo_name="me\r\nRSET")


def test_the_ehlo_name_is_the_given_one_or_the_socket_s_address(
    serve: Serve, connect: Connect, email: Make
) -> None:
    """Never a name server's answer."""
    server = serve()
    list(connect(server, ehlo_name="vettrak.example.com").deliver([email()]))
    list(connect(server).deliver([email()]))
    assert [line for line in server.heard if line.startswith("EHLO")] == [
        "EHLO vettrak.example.com",
        "EHLO [127.0.0.1]",
    ]


# -- the check -----------------------------------------------------------------------------------------


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


def test_a_check_of_a_refused_login_names_the_login(serve: Serve, connect: Connect) -> None:
    """But not its password."""
    server = serve(mechanisms=("PLAIN",))
    with pytest.raises(TransportError, match=r"as anna@example\.com: the check stopped at AUTH") as caught:
        connect(server, **ANNA).check()
    assert SECRET not in str(caught.value)


def test_a_login_that_is_no_address_is_no_sender(serve: Serve, connect: Connect) -> None:
    """The empty sender is asked about then; a recipient that is no address is the caller's mistake."""
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
