"""Drafts in the mailbox: what is filed, how it is found and logged in, and what is said when it fails."""

from __future__ import annotations

import imaplib
import ssl
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, ClassVar

import attrs
import pytest
import trustme
from tests.transports.imap_server import DROP, DROP_AFTER, ImapServer

from vetmail_core import (
    Attachment,
    Cause,
    Email,
    EmailPreferences,
    EnvironmentSecret,
    ImapDrafts,
    Login,
    Mailer,
    Phase,
    PlainSecret,
    Receipt,
    Status,
    TlsMethod,
    TransportError,
)
from vetmail_core.errors import TransportValueError, VetmailError
from vetmail_core.sender import UNKNOWN_SENDER
from vetmail_core.testing import FakeClock, Faults, TransportContract, content
from vetmail_core.transports.imap_drafts import decoded_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PASSWORD = "quiet-otter"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    """A server in the clear, which on this machine may be given a password."""
    with ImapServer() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at a Monday morning."""
    return FakeClock(NOW)


def drafts_at(server: ImapServer, **settings: object) -> ImapDrafts:
    """A transport for that server."""
    usual: dict[str, object] = {
        "port": server.port,
        "tls": TlsMethod.NONE,
        "login": Login("kim@example.com", PlainSecret(PASSWORD)),
        "timeout": 20,
    }
    return ImapDrafts("127.0.0.1", **(usual | settings))  # type: ignore[arg-type]


def filed(server: ImapServer, *emails: Email, **settings: object) -> list[Receipt]:
    """Deliver by a transport of its own."""
    with drafts_at(server, **settings) as drafts:
        return list(drafts.deliver(emails))


def why(receipt: Receipt) -> str:
    """The sentence of an email that was not filed; it is the advice of each outcome too."""
    assert {outcome.advice for outcome in receipt.outcomes} == {str(receipt.reply)}
    return str(receipt.reply)


def stopped(receipts: list[Receipt], cause: Cause) -> str:
    """The sentence of a run in which nothing was tried."""
    for receipt in receipts:
        assert {(one.status, one.cause, one.phase) for one in receipt.outcomes} == {
            (Status.NOT_ATTEMPTED, cause, Phase.HAND_OVER)
        }
        assert receipt.attempts == 0
        assert PASSWORD not in repr(receipt)
    [sentence] = {why(receipt) for receipt in receipts}
    return sentence


class TestContract(TransportContract):
    """A mailbox: it refuses nothing by the script. A draft keeps its BCC in that one field, for its owner."""

    secret: ClassVar[str] = PASSWORD
    answers_faults: ClassVar[bool | None] = False
    takes_any_number: ClassVar[bool | None] = True

    @pytest.fixture(autouse=True)
    def _servers(self) -> Iterator[None]:
        with ExitStack() as self.servers:
            yield

    def make_transport(self, faults: Faults) -> ImapDrafts:  # noqa: ARG002 - drafts are not refused by recipient
        """A transport for a server of its own."""
        self.server = self.servers.enter_context(ImapServer())
        return drafts_at(self.server)

    def sent_bytes(self) -> Iterable[bytes]:
        """What was filed, without the field that the program takes off as it sends."""
        return [data.replace(b"\r\nBcc: audit@example.org\r\n", b"\r\n") for _, _, data in self.server.drafts]


def test_a_draft_is_the_email_with_its_blind_copies_and_the_date_of_now(
    server: ImapServer, make_email: Callable[..., Email], clock: FakeClock
) -> None:
    """From as the email has it; no mark that is for files."""
    email = make_email(
        bcc=("audit@example.org",), html="<p>Room 7</p>", attachments=(Attachment("plan.pdf", b"%PDF"),)
    )
    [receipt] = filed(server, email, clock=clock)
    [(folder, flags, data)] = server.drafts
    assert (folder, flags) == ("Drafts", r"\Draft")
    message = message_from_bytes(data, policy=policy.default)
    assert message["From"] == "The Office <office@example.com>"
    assert message["Bcc"] == "audit@example.org"
    assert message["Date"].datetime == NOW
    assert message["X-Unsent"] is None
    assert [part.get_filename() for part in message.iter_attachments()] == ["plan.pdf"]
    assert data.count(b"\n") == data.count(b"\r\n")
    assert receipt.handed_over == email.recipients.all
    assert {outcome.phase for outcome in receipt.outcomes} == {Phase.HAND_OVER}
    assert str(receipt.reply) == "Filed as a draft in Drafts."


def test_an_email_keeps_its_own_date_and_a_sender_nobody_knows_is_left_out(
    server: ImapServer, make_email: Callable[..., Email], clock: FakeClock
) -> None:
    """The program that sends the draft has accounts of its own."""
    date = NOW - timedelta(days=1)
    filed(server, attrs.evolve(make_email(), sender=UNKNOWN_SENDER, date=date), clock=clock)
    data = server.drafts[0][2]
    assert data.startswith(b"From:\r\n")
    assert message_from_bytes(data, policy=policy.default)["Date"].datetime == date


def test_a_mailer_with_the_built_in_client_off_leaves_the_sender_to_the_mailbox(server: ImapServer) -> None:
    """No sender is asked for, and no Reply-To is set."""
    with drafts_at(server) as drafts, Mailer(EmailPreferences(), transport=drafts) as mailer:
        assert mailer.send(content(), to="sam@example.com").handed_over
    assert server.drafts[0][2].startswith(b"From:\r\n")


def test_one_connection_serves_a_run_and_the_next(
    server: ImapServer, make_email: Callable[..., Email], clock: FakeClock
) -> None:
    """Between two runs it is tried by NOOP, and it is ended by LOGOUT."""
    with drafts_at(server, clock=clock) as drafts:
        list(drafts.deliver([make_email(), make_email()]))
        assert "NOOP" not in server.commands
        list(drafts.deliver([make_email()]))
        assert server.commands.count("NOOP") == 1
    assert server.commands.count("LOGIN") == 1
    assert server.commands[-1] == "LOGOUT"
    assert len(server.drafts) == 3


def test_nothing_connects_before_the_first_email(server: ImapServer) -> None:
    """An empty run asks nobody."""
    assert filed(server) == []
    assert server.commands == []


def test_emails_are_pulled_one_by_one(server: ImapServer, make_email: Callable[..., Email]) -> None:
    """A thousand drafts are never in memory at once."""
    pulled: list[int] = []

    def emails() -> Iterator[Email]:
        while True:
            pulled.append(1)
            yield make_email()

    with drafts_at(server) as drafts:
        run = drafts.deliver(emails())
        next(run)
        next(run)
    assert len(pulled) == len(server.drafts) == 2


@pytest.mark.parametrize("pause", ["between runs", "in a run"])
def test_a_connection_that_died_while_it_rested_is_opened_anew(
    server: ImapServer, make_email: Callable[..., Email], clock: FakeClock, pause: str
) -> None:
    """The server was restarted; nobody has to know."""
    emails = [make_email(), make_email()]

    def slow() -> Iterator[Email]:
        yield emails[0]
        server.drop_all()
        clock.advance(31)
        yield emails[1]

    with drafts_at(server, clock=clock) as drafts:
        if pause == "in a run":
            receipts = list(drafts.deliver(slow()))
        else:
            receipts = list(drafts.deliver(emails[:1]))
            server.drop_all()
            receipts += drafts.deliver(emails[1:])
    assert [receipt.ok for receipt in receipts] == [True, True]
    assert server.commands.count("LOGIN") == 2
    assert len(server.drafts) == 2


def test_hanging_up_ends_the_connection_and_the_next_run_connects_again(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """Twice is fine; a server that has gone by then is left."""
    with drafts_at(server) as drafts:
        list(drafts.deliver([make_email()]))
        drafts.hang_up()
        drafts.hang_up()
        list(drafts.deliver([make_email()]))
        server.drop_all()
    assert server.commands.count("LOGIN") == 2
    assert server.commands.count("LOGOUT") == 1
    assert (drafts.trouble, drafts.chooses_sender) == ("", True)


# --- the folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "folder", "into"),
    [
        ([rb'() "/" INBOX', rb'(\Drafts) "." Entw&APw-rfe', rb'() "." Drafts'], "Drafts", "Entw&APw-rfe"),
        ([rb'(\HasNoChildren \drafts) "/" "My Drafts"'], "Drafts", "My Drafts"),
        ([rb'() "/" INBOX', rb'() "/" "Drafts"'], "Drafts", "Drafts"),
        ([rb'() "." INBOX', rb'() "." INBOX.Drafts'], "Drafts", "INBOX.Drafts"),
        ([rb"() NIL Drafts"], "Drafts", "Drafts"),
        ([rb'() "/" Entw&APw-rfe', rb'(\Drafts) "/" Drafts'], "Entwürfe", "Entw&APw-rfe"),
        ([rb'() "/" Entw&APw-rfe'], "Entwu\u0308rfe", "Entw&APw-rfe"),
        ([rb'() "/" "a \"b\" \\c"'], r'a "b" \c', r"a \"b\" \\c"),
        ([rb'() "\\" INBOX'], "inbox", "INBOX"),
        ([b'() "/" {6}\r\nLetter'], "Letter", "Letter"),
    ],
)
def test_a_draft_goes_into_the_folder_that_is_meant(
    server: ImapServer, make_email: Callable[..., Email], listed: list[bytes], folder: str, into: str
) -> None:
    """The one that the server marks (RFC 6154), else the one named Drafts; any other name is that folder."""
    server.folders = listed
    [receipt] = filed(server, make_email(), folder=folder)
    assert receipt.ok
    assert server.drafts[0][0] == into
    assert not any(command.startswith("CREATE") for command in server.commands)


def test_a_server_that_marks_folders_only_when_asked_is_asked(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """As RFC 6154 lets it."""
    server.capabilities = "IMAP4rev1 SPECIAL-USE LIST-EXTENDED"
    server.folders = [rb'() "/" Brouillons', rb'() "/" Drafts']
    server.marked = [rb'(\Drafts) "/" Brouillons', rb'() "/" Drafts']
    filed(server, make_email())
    assert server.drafts[0][0] == "Brouillons"


def test_a_server_that_cannot_be_asked_for_marks_has_the_folder_named_drafts(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """It says so, and that is no failure."""
    server.capabilities = "IMAP4rev1 SPECIAL-USE"
    server.folders = [rb'() "/" Drafts']
    server.script["LIST"].extend(["", "BAD what is RETURN?"])
    [receipt] = filed(server, make_email())
    assert receipt.ok


@pytest.mark.parametrize(
    "listed",
    [[rb'() "/" INBOX'], [rb'(\Noselect) "/" Drafts'], [b"nonsense"]],
    ids=["none", "not for mail", "odd"],
)
def test_drafts_is_made_where_there_is_none(
    server: ImapServer, make_email: Callable[..., Email], listed: list[bytes]
) -> None:
    """And subscribed to, or mail programs would not show it."""
    server.folders = listed
    [receipt] = filed(server, make_email())
    assert receipt.ok
    assert [one for one in server.commands if one.startswith(("CREATE", "SUBSCRIBE"))] == [
        "CREATE Drafts",
        "SUBSCRIBE Drafts",
    ]


def test_a_folder_that_cannot_be_made_stops_the_run(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """With the server's words."""
    server.folders = []
    server.script["CREATE"].append("NO [NOPERM] not here")
    receipts = filed(server, make_email(), make_email())
    assert "The folder Drafts could not be made: [NOPERM] not here" in stopped(receipts, Cause.OTHER)


def test_another_folder_is_not_made_and_the_folders_there_are_named(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """A slip of the name must not make a folder."""
    server.folders = [rb'() "/" INBOX', rb'() "/" Entw&APw-rfe']
    sentence = stopped(filed(server, make_email(), make_email(), folder="Entwurfe"), Cause.OTHER)
    assert 'no folder "Entwurfe"; its folders are: INBOX, Entwürfe' in sentence
    assert not any(command.startswith("CREATE") for command in server.commands)


def test_a_folder_that_was_deleted_meanwhile_is_made_again(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """[TRYCREATE], the usual folder; another one is the owner's to make."""
    server.script["APPEND"].extend(["", "NO [TRYCREATE] no such mailbox"])
    receipts = filed(server, make_email(), make_email())
    assert [receipt.ok for receipt in receipts] == [True, True]
    assert 'CREATE "Drafts"' in server.commands
    server.script["APPEND"].append("NO [TRYCREATE] no such mailbox")
    [receipt] = filed(server, make_email(), folder="INBOX")
    assert "[TRYCREATE] no such mailbox" in why(receipt)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Entw&APw-rfe", "Entwürfe"),
        ("R&AOk-pertoire/Sent &- Drafts", "Répertoire/Sent & Drafts"),
        ("&Jjo-!", "☺!"),
        ("&2D3eAA-", "😀"),
        ("Drafts", "Drafts"),
        ("&A-", "&A-"),
        ("&2D0-", "&2D0-"),
        ("Q&A", "Q&A"),
    ],
)
def test_a_folder_name_is_read_as_people_see_it(written: str, name: str) -> None:
    """Modified UTF-7 (RFC 3501, section 5.1.3); what is not written so stays as it is."""
    assert decoded_name(written) == name


# --- the login ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capabilities", "password", "command"),
    [
        ("IMAP4rev1 AUTH=PLAIN", PASSWORD, "LOGIN"),
        ("IMAP4rev1", r'with "quotes" and \ in it', "LOGIN"),
        ("IMAP4rev1 LOGINDISABLED AUTH=PLAIN", PASSWORD, "AUTHENTICATE"),
        ("IMAP4rev1", "schlüssel", "AUTHENTICATE"),
    ],
)
def test_a_password_goes_by_login_or_where_that_will_not_do_by_plain(
    server: ImapServer, make_email: Callable[..., Email], capabilities: str, password: str, command: str
) -> None:
    """LOGIN is off on some servers, and has no place for letters beyond ASCII."""
    server.capabilities, server.password = capabilities, password
    [receipt] = filed(server, make_email(), login=Login("kim@example.com", PlainSecret(password)))
    assert receipt.ok
    assert command in server.commands


@pytest.mark.parametrize("debug", [0, 5])
def test_a_wrong_password_stops_the_run_and_is_shown_nowhere(
    server: ImapServer,
    make_email: Callable[..., Email],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    debug: int,
) -> None:
    """Not even where a server repeats it, or somebody debugs imaplib."""
    monkeypatch.setattr(imaplib, "Debug", debug)
    server.password = "another"
    server.script["LOGIN"].append(f"NO [AUTHENTICATIONFAILED] {PASSWORD} is wrong")
    sentence = stopped(filed(server, make_email(), make_email()), Cause.AUTHENTICATION)
    assert "did not accept the login: [AUTHENTICATIONFAILED] ******** is wrong" in sentence
    assert "Check the user name and the password" in sentence
    assert server.commands.count("LOGIN") == 1
    assert PASSWORD not in "".join(capfd.readouterr())


def test_a_login_that_is_put_off_is_no_wrong_password(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """[UNAVAILABLE] (RFC 9051, section 7.1): the server cannot tell at this moment."""
    server.script["LOGIN"].append("NO [UNAVAILABLE] try later")
    assert "try later" in stopped(filed(server, make_email()), Cause.CONNECTION)


def test_a_password_that_cannot_be_fetched_stops_the_run(
    server: ImapServer, make_email: Callable[..., Email], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the variable."""
    monkeypatch.delenv("NO_SUCH", raising=False)
    login = Login("kim@example.com", EnvironmentSecret("NO_SUCH"))
    sentence = stopped(filed(server, make_email(), login=login), Cause.AUTHENTICATION)
    assert "The password could not be fetched" in sentence
    assert "NO_SUCH" in sentence


class Tokens:
    """Gives a new token each time it was told that the last was refused."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refusals = 0

    def __call__(self) -> str:
        """The token at hand."""
        return self._tokens[0]

    def refused(self) -> None:
        """Go on to the next."""
        self.refusals += 1
        self._tokens.pop(0)


def test_a_refused_token_is_fetched_anew_once(server: ImapServer, make_email: Callable[..., Email]) -> None:
    """The source is told; the second try has a connection of its own."""
    tokens = Tokens("token-1", "token-2")
    [receipt] = filed(server, make_email(), login=None, username="kim@example.com", token=tokens)
    assert receipt.ok
    assert tokens.refusals == 1
    assert server.commands.count("AUTHENTICATE") == 2


def test_a_token_that_is_refused_twice_stops_the_run(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """A plain function is asked twice too, and need not know `refused`."""
    given: list[str] = []

    def token() -> str:
        given.append(f"token-0{len(given)}")
        return given[-1]

    receipts = filed(server, make_email(), make_email(), token=token)
    assert "AUTHENTICATE failed" in stopped(receipts, Cause.AUTHENTICATION)
    assert len(given) == 2
    assert server.commands.count("AUTHENTICATE") == 2
    assert "token-0" not in repr(receipts)


def test_a_function_that_repeats_a_refused_token_is_not_repeated_to_the_server(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """It is asked twice, and the server hears the token once."""
    given: list[str] = []

    def token() -> str:
        given.append("token-0")
        return "token-0"

    receipts = filed(server, make_email(), make_email(), token=token)
    assert "AUTHENTICATE failed" in stopped(receipts, Cause.AUTHENTICATION)
    assert len(given) == 2
    assert server.commands.count("AUTHENTICATE") == 1
    assert server.commands[-1] == "LOGOUT"
    assert "token-0" not in repr(receipts)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (
            lambda: (_ for _ in ()).throw(VetmailError("sign in again")),
            "could not be fetched (sign in again)",
        ),
        (lambda: 1 / 0, "could not be fetched (ZeroDivisionError)"),
        (lambda: "", "is empty"),
        (lambda: "token-2\n", "a control character"),
        (lambda: None, "is not text"),
    ],
    ids=["its own error", "an error", "empty", "line end", "none"],
)
def test_no_token_is_a_cause_of_its_own(
    server: ImapServer, make_email: Callable[..., Email], token: Callable[[], str], said: str
) -> None:
    """The server was not asked."""
    sentence = stopped(filed(server, make_email(), token=token), Cause.TOKEN)
    assert said in sentence
    assert "AUTHENTICATE" not in server.commands


def test_a_source_for_many_mailboxes_is_asked_for_the_one(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """As a service account gives the token of each staff member."""

    class Service:
        def __call__(self) -> str:
            raise AssertionError("not this one")

        def of(self, mailbox: str) -> Callable[[], str]:
            assert mailbox == "kim@example.com"
            return lambda: "token-2"

    [receipt] = filed(server, make_email(), login=None, username="kim@example.com", token=Service())
    assert receipt.ok


# --- the line -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A context that trusts it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def secured(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """The context of a server with these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.parametrize("tls", [TlsMethod.IMPLICIT, TlsMethod.EXPLICIT])
def test_a_draft_goes_over_tls(
    authority: trustme.CA, trusting: ssl.SSLContext, make_email: Callable[..., Email], tls: TlsMethod
) -> None:
    """From the first byte, or by STARTTLS before the login."""
    implicit = tls is TlsMethod.IMPLICIT
    with ImapServer(secured(authority, "127.0.0.1"), implicit=implicit) as server:
        server.capabilities = "IMAP4rev1 STARTTLS"
        [receipt] = filed(server, make_email(), tls=tls, ssl_context=trusting)
    assert receipt.ok
    assert ("STARTTLS" in server.commands) != implicit
    if not implicit:
        assert server.commands.index("STARTTLS") < server.commands.index("LOGIN")


@pytest.mark.parametrize("tls", [TlsMethod.IMPLICIT, TlsMethod.EXPLICIT])
@pytest.mark.parametrize("trusted", [True, False], ids=["another name", "nobody trusts it"])
def test_a_bad_certificate_stops_the_run_before_the_password(
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    make_email: Callable[..., Email],
    tls: TlsMethod,
    *,
    trusted: bool,
) -> None:
    """With what is wrong with it."""
    names = ("other.example",) if trusted else ("127.0.0.1",)
    with ImapServer(secured(authority, *names), implicit=tls is TlsMethod.IMPLICIT) as server:
        server.capabilities = "IMAP4rev1 STARTTLS"
        context = trusting if trusted else None
        receipts = filed(server, make_email(), make_email(), tls=tls, ssl_context=context)
    sentence = stopped(receipts, Cause.TLS)
    assert "No secure connection to 127.0.0.1 port" in sentence
    assert "LOGIN" not in server.commands


@pytest.mark.parametrize(
    ("capabilities", "script"),
    [("IMAP4rev1", ""), ("IMAP4rev1 STARTTLS", "NO not today")],
    ids=["none", "no"],
)
def test_starttls_never_falls_back(
    server: ImapServer, make_email: Callable[..., Email], capabilities: str, script: str
) -> None:
    """The password does not go in the clear."""
    server.capabilities = capabilities
    server.script["STARTTLS"].append(script)
    stopped(filed(server, make_email(), tls=TlsMethod.EXPLICIT), Cause.TLS)
    assert "LOGIN" not in server.commands


def test_a_password_is_not_sent_in_the_clear_beyond_this_machine(
    server: ImapServer, make_email: Callable[..., Email], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the other end decides, not its name."""
    monkeypatch.setattr("vetmail_core.transports.imap_drafts._is_loopback", lambda _: False)
    sentence = stopped(filed(server, make_email()), Cause.TLS)
    assert "is not encrypted" in sentence
    assert "LOGIN" not in server.commands


def test_no_server_is_told_apart_from_a_wrong_login(make_email: Callable[..., Email]) -> None:
    """Nobody listens at the port; or the name leads nowhere."""
    with ImapServer() as server:
        pass
    assert "No connection to 127.0.0.1 port" in stopped(
        filed(server, make_email(), make_email()), Cause.CONNECTION
    )
    drafts = ImapDrafts(
        "no-such-host.invalid", login=Login("kim@example.com", PlainSecret(PASSWORD)), timeout=5
    )
    assert "no-such-host.invalid port 993" in stopped(list(drafts.deliver([make_email()])), Cause.CONNECTION)


@pytest.mark.parametrize("greeting", ["* BYE too many connections", "what?"])
def test_a_server_that_turns_us_away_is_quoted(
    server: ImapServer, make_email: Callable[..., Email], greeting: str
) -> None:
    """Whatever it says instead of hello."""
    server.greeting = greeting
    sentence = stopped(filed(server, make_email()), Cause.CONNECTION)
    assert greeting.removeprefix("* ") in sentence


@pytest.mark.parametrize("step", ["CAPABILITY", "LOGIN", "AUTHENTICATE", "LIST", "CREATE"])
def test_a_connection_lost_before_the_first_draft_stops_the_run(
    server: ImapServer, make_email: Callable[..., Email], step: str
) -> None:
    """At each step: nothing was filed, and nobody is in doubt."""
    server.folders = []
    server.script[step].append(DROP)
    settings = {"token": lambda: "token-2"} if step == "AUTHENTICATE" else {}
    stopped(filed(server, make_email(), make_email(), **settings), Cause.CONNECTION)


# --- the answers to a draft ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("NO [OVERQUOTA] Quota exceeded", Cause.MAILBOX_FULL),
        ("NO [TOOBIG] at most 10 MB", Cause.TOO_LARGE),
        ("NO [LIMIT] at most 10 MB, literal refused", Cause.TOO_LARGE),
        ("NO [CANNOT] no", Cause.OTHER),
        ("NO no", Cause.OTHER),
        ("BAD literal what?", Cause.OTHER),
    ],
)
def test_a_draft_that_is_refused_does_not_stop_the_others(
    server: ImapServer, make_email: Callable[..., Email], answer: str, cause: Cause
) -> None:
    """Before it was sent or after; its reply has the server's words and says what to do."""
    server.script["APPEND"].extend(["", answer])
    receipts = filed(server, make_email(), make_email(), make_email())
    assert [receipt.ok for receipt in receipts] == [True, False, True]
    assert answer.partition(" ")[2] in stopped([receipts[1]], cause)
    assert len(server.drafts) == 2


def test_what_a_server_says_is_told_without_its_control_characters(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """They would move about in the terminal that shows it."""
    server.script["APPEND"].append("NO \x1b[2Jgone\x07")
    [receipt] = filed(server, make_email())
    assert " [2Jgone" in stopped([receipt], Cause.OTHER)
    assert "\x1b" not in str(receipt)


@pytest.mark.parametrize("farewell", [b"", b"* BYE restarting\r\n"])
def test_a_connection_lost_after_the_draft_was_sent_leaves_it_in_doubt(
    server: ImapServer, make_email: Callable[..., Email], farewell: bytes
) -> None:
    """A second draft is a nuisance, a lost one a question; the rest is not tried."""
    server.script["APPEND"].extend(["", DROP_AFTER])
    server.untagged = farewell
    with drafts_at(server) as drafts:
        receipts = list(drafts.deliver([make_email() for _ in range(4)]))
        assert [{outcome.status for outcome in receipt.outcomes} for receipt in receipts] == [
            {Status.HANDED_OVER},
            {Status.UNKNOWN},
            {Status.NOT_ATTEMPTED},
            {Status.NOT_ATTEMPTED},
        ]
        assert receipts[1].outcomes[0].cause is Cause.CONNECTION
        assert "may have been filed: look into Drafts" in why(receipts[1])
        assert ("the server said: restarting" in why(receipts[1])) == bool(farewell)
        assert "The connection to 127.0.0.1 broke" in why(receipts[3])
        [later] = drafts.deliver([make_email()])
    assert later.ok


def test_a_connection_lost_before_a_draft_began_to_leave_leaves_no_doubt(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """The server never asked for it, so it has none of it."""
    server.script["APPEND"].extend(["", DROP])
    receipts = filed(server, make_email(), make_email(), make_email())
    assert [receipt.ok for receipt in receipts] == [True, False, False]
    stopped(receipts[1:], Cause.CONNECTION)


def test_what_a_server_says_unasked_is_no_answer(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """Numbers of messages come with every draft."""
    server.untagged = b"* 5 EXISTS\r\n* 1 RECENT\r\n"
    [receipt] = filed(server, make_email())
    assert receipt.ok


def test_a_control_character_in_a_text_is_told_and_the_others_go_on(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """The program that opens the draft would cut it there."""
    receipts = filed(server, make_email(text="a\0b"), make_email())
    assert [receipt.ok for receipt in receipts] == [False, True]
    assert "U+0000 at character 2" in stopped(receipts[:1], Cause.OTHER)


def test_an_address_beyond_ascii_is_filed_where_the_server_takes_it(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """UTF8=ACCEPT (RFC 6855); folder names are UTF-8 from then on."""
    server.capabilities = "IMAP4rev1 ENABLE UTF8=ACCEPT"
    server.folders = [rb'(\Drafts) "/" Entw&APw-rfe']
    receipts = filed(
        server,
        make_email(),
        make_email(to=("jörg@example.com",)),
        make_email(bcc=("zoë@example.com",)),
        make_email(),
    )
    assert all(receipt.ok for receipt in receipts)
    assert [folder for folder, _, _ in server.drafts] == ["Entw&APw-rfe", "Entwürfe", "Entwürfe", "Entwürfe"]
    assert "To: jörg@example.com".encode() in server.drafts[1][2]
    assert server.commands.count("ENABLE UTF8=ACCEPT") == 1


def test_an_address_beyond_ascii_is_refused_where_the_server_does_not_take_it(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """And the others go on."""
    receipts = filed(server, make_email(to=("jörg@example.com",)), make_email())
    assert [receipt.ok for receipt in receipts] == [False, True]
    assert "UTF8=ACCEPT" in stopped(receipts[:1], Cause.OTHER)
    server.capabilities = "IMAP4rev1 ENABLE UTF8=ACCEPT"
    server.script["ENABLE"].append("NO not for you")
    assert "UTF8=ACCEPT" in stopped(filed(server, make_email(to=("jörg@example.com",))), Cause.OTHER)
    server.script["ENABLE"].append(DROP)
    stopped(filed(server, make_email(to=("jörg@example.com",))), Cause.CONNECTION)


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": ""}, "got an empty host"),
        ({"port": 0}, "port of 1 to 65535"),
        ({"port": 65_536}, "port of 1 to 65535"),
        ({"timeout": 0}, "a timeout above 0 seconds"),
        ({"login": None}, "needs somebody to log in as"),
        ({"login": None, "username": "kim@example.com"}, "needs somebody to log in as"),
        ({"login": None, "token": lambda: "x"}, "needs somebody to log in as"),
        ({"folder": ""}, "folder name that is empty"),
        ({"folder": "a\r\nb"}, "folder name that is empty or holds a control character"),
    ],
)
def test_settings_that_are_not_valid_are_refused_at_once(settings: dict[str, object], said: str) -> None:
    """When the transport is made, not when somebody sends."""
    usual: dict[str, object] = {
        "host": "imap.example.com",
        "login": Login("kim@example.com", PlainSecret(PASSWORD)),
    }
    with pytest.raises(TransportValueError, match=said):
        ImapDrafts(**(usual | settings))  # type: ignore[arg-type]


def test_tls_is_a_tls_method() -> None:
    """A text would be taken for none."""
    with pytest.raises(TypeError, match="needs a TlsMethod, got str"):
        ImapDrafts("imap.example.com", tls="implicit", login=Login("kim", PlainSecret("x")))  # type: ignore[arg-type]


def test_a_context_that_verifies_nothing_is_refused() -> None:
    """Anybody on the way could read the password."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    old = ssl.create_default_context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    for context, said in ((blind, "must verify"), (old, r"before 1\.2")):
        with pytest.raises(TransportError, match=said):
            ImapDrafts("imap.example.com", login=Login("kim", PlainSecret("x")), ssl_context=context)


def test_a_closed_transport_and_two_threads_are_misuse(
    server: ImapServer, make_email: Callable[..., Email]
) -> None:
    """As of every transport."""
    drafts = drafts_at(server)
    run = drafts.deliver([make_email(), make_email()])
    next(run)
    errors: list[Exception] = []

    def elsewhere() -> None:
        try:
            list(drafts.deliver([make_email()]))
        except TransportError as error:
            errors.append(error)

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    assert "another thread" in str(errors[0])
    list(run)
    drafts.close()
    drafts.close()
    with pytest.raises(TransportError, match="is closed; make a new one"):
        drafts.deliver([make_email()])
    assert repr(drafts) == "ImapDrafts('127.0.0.1', username='kim@example.com', folder='Drafts')"
