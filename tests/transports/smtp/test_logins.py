"""Logins: passwords, staff, tokens, and what becomes of a login that does not do."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.transports.smtp.anna import ANNA, GOOD, SECRET
from tests.transports.smtp.outcomes import first

from vetmail_core.credentials import EnvironmentSecret, Login, PlainSecret
from vetmail_core.errors import PreferencesError, TransportError, TransportValueError
from vetmail_core.mailer import Mailer
from vetmail_core.message import Content
from vetmail_core.preferences import AuthenticationType, EmailPreferences, MailServer, Settings, TlsMethod
from vetmail_core.receipts import Cause, Phase
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, SmtpTransport

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve, Server

    from vetmail_core.transports.smtp import Pipelining

PASSWORD, OAUTH2 = AuthenticationType.PASSWORD, AuthenticationType.OAUTH2
TOKENS = tuple(f"user=anna@example.com\x01auth=Bearer {token}\x01\x01" for token in ("good", "newer"))


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


@pytest.mark.parametrize(
    ("step", "kind", "octets", "few"),
    [
        ("AUTH", "drop", b"", True),
        ("connect", "raw", b"HTTP/1.1 400 Bad Request\r\n", True),
        ("connect", "drop", b"", False),
    ],
)
def test_a_line_that_dies_before_the_first_message_is_tried_as_often_as_that_can_help(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    act: type[Act],
    step: str,
    kind: str,
    octets: bytes,
    few: object,
) -> None:
    """A login may be counted against us and nonsense stays nonsense; a server that hangs up may come back."""
    server = serve(mechanisms=("PLAIN",), good=(GOOD,)).always(step, act(kind, octets))
    receipts = list(connect(server, **ANNA).deliver(emails(2)))
    assert {receipt.outcomes[0].status.value for receipt in receipts} == {"not_attempted"}
    assert server.connections >= 3
    assert (server.connections == 3) is few


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
    tokens = iter(["old", "older"])
    transport = connect(
        server, token=lambda: next(tokens), authentication=OAUTH2, username="anna@example.com"
    )
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


def test_a_token_that_runs_out_between_the_parts_of_an_email_is_renewed_too(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """Recipients the server had no room for follow in another message, which has the same second chance."""
    server = serve(mechanisms=("XOAUTH2",), good=TOKENS)
    server.script("RCPT", None, "452 4.5.3 no more").script("MAIL", None, "530 5.7.57 expired")
    transport = connect(
        server,
        token=lambda: "good",
        authentication=OAUTH2,
        username="anna@example.com",
        pipelining=mode,
    )
    (receipt,) = transport.deliver([email("a@example.com b@example.com")])
    assert receipt.ok
    assert [one.recipients for one in server.received] == [("a@example.com",), ("b@example.com",)]


def test_a_token_function_that_fails_stops_the_run_without_its_words(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Its text may hold a secret; its kind is enough."""
    server = serve(mechanisms=("XOAUTH2",))

    def token() -> str:
        raise RuntimeError(SECRET)

    transport = connect(server, token=token, authentication=OAUTH2, username="anna@example.com")
    receipts = list(transport.deliver(emails(2)))
    assert receipts[0].warnings == ("the access token could not be fetched (RuntimeError)",)
    assert receipts[1].outcomes[0].cause is Cause.TOKEN
    assert server.connections == 0
    with pytest.raises(TransportError, match="RuntimeError") as caught:
        transport.check()
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"authentication": OAUTH2, "token": lambda: "to\x01ken"}, "no OAuth login can carry"),
        ({"authentication": OAUTH2, "token": lambda: ""}, "no OAuth login can carry"),
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
        cause = Cause.TOKEN if "token" in options else Cause.AUTHENTICATION
        assert (outcome.status.value, outcome.cause) == ("not_attempted", cause)
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
    assert hellos(server) == ["EHLO vettrak.example.com", "EHLO [127.0.0.1]"]


def hellos(server: Server) -> list[str]:
    """What the server heard of its clients' names."""
    return [line for line in server.heard if line.startswith("EHLO")]


@pytest.mark.parametrize(
    ("setting", "argument", "said"),
    [
        ("mail.college.example", None, "mail.college.example"),
        ("Møller.example", None, "xn--mller-vua.example"),
        ("[IPv6:2001:DB8::7]", None, "[IPv6:2001:db8::7]"),
        ("mail.college.example", "office.college.example", "office.college.example"),
        ("mail.college.example", "[192.0.2.7]", "[192.0.2.7]"),
        ("mail.college.example", "", "[127.0.0.1]"),
    ],
)
def test_the_ehlo_name_is_a_setting_that_an_argument_overrides(
    serve: Serve, email: Make, setting: str, argument: str | None, said: str
) -> None:
    """The transport that the preferences ask for says it, and so does one with a name of its own."""
    server = serve()
    tab = server.mail_server(ehlo_name=setting)
    with SmtpTransport(tab, ehlo_name=argument) as transport:
        list(transport.deliver([email()]))
    assert hellos(server) == [f"EHLO {said}"]
    if argument is None:
        preferences = EmailPreferences(
            use_built_in_client=True, mail_server=tab, settings=Settings(default_from="o@example.com")
        )
        with Mailer(preferences) as mailer:
            mailer.send(Content(subject="Hello", text="Hello"), to="p@example.com")
        assert hellos(server) == [f"EHLO {said}"] * 2


@pytest.mark.parametrize("name", ["mail college", "192.0.2.7", "[300.1.2.3]", "mail..example", "mail_1"])
def test_an_ehlo_name_that_no_server_takes_is_refused(name: str) -> None:
    """With what to give instead, before anything is sent."""
    with pytest.raises(TransportValueError, match="ehlo_name needs a domain name"):
        SmtpTransport(MailServer(host="m.example.com"), ehlo_name=name)


def test_an_ehlo_name_of_another_type_is_a_type_error() -> None:
    """It says what None means, which may be what was wanted."""
    with pytest.raises(TypeError, match="ehlo_name= needs text, got int"):
        SmtpTransport(MailServer(host="m.example.com"), ehlo_name=7)  # type: ignore[arg-type]  # the slip itself


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("Mail.straße.example.", "mail.xn--strae-oqa.example"),
        ("ｍａｉｌ。example", "mail.example"),
    ],
)
def test_a_host_has_one_name_for_the_name_server_and_for_tls(
    serve: Serve, email: Make, monkeypatch: pytest.MonkeyPatch, typed: str, wire: str
) -> None:
    """However it is typed; a name in another alphabet never becomes another host."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(wire).configure_cert(context)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = serve(tls=TlsMethod.IMPLICIT, context=context)
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *, type: socket.SocketKind) -> object:  # noqa: A002 - as `socket` has it
        asked.append(host)
        return real("127.0.0.1", port, type=type)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with SmtpTransport(server.mail_server(host=typed), ssl_context=client, clock=FakeClock()) as transport:
        assert first(transport.deliver([email()])).status.value == "accepted"
    assert asked == [wire, wire]
