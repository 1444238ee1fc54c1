"""Logging in with a source of access tokens: when it is asked, told and given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.errors import TokenError, TransportError
from vetmail_core.preferences import AuthenticationType, MailServer
from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, SmtpTransport

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Connect, Make, MakeSome, Serve

    from vetmail_core.receipts import Receipt, Reply
    from vetmail_core.transports.smtp import Pipelining

OAUTH2 = AuthenticationType.OAUTH2
WHO = {"authentication": OAUTH2, "username": "anna@example.com"}


def bearers(*tokens: str) -> tuple[str, ...]:
    """What the server hears for these tokens."""
    return tuple(f"user=anna@example.com\x01auth=Bearer {token}\x01\x01" for token in tokens)


class Source:
    """Gives "token-1" until it is told that this was refused, then "token-2"; notes what it hears."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0
        self.told = 0
        self.mailboxes: list[str] = []
        self.number = 1
        self.advice = ""

    def __call__(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return f"token-{self.number}"

    def refused(self) -> None:
        self.told += 1
        self.number += 1

    def of(self, mailbox: str) -> Source:
        self.mailboxes.append(mailbox)
        return self

    def login_advice(self, reply: Reply) -> str:
        if self.advice == "broken":
            raise KeyError(reply.text)
        return self.advice


def causes(receipts: list[Receipt]) -> set[tuple[Status, Cause | None, Phase | None]]:
    """How the recipients ended."""
    return {(one.status, one.cause, one.phase) for receipt in receipts for one in receipt.outcomes}


NO_TOKEN = {(Status.NOT_ATTEMPTED, Cause.TOKEN, Phase.AUTH)}


def test_a_source_is_asked_for_the_mailbox_that_logs_in_and_once_a_connection(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """The same source for each login."""
    server, source = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), Source()
    transport = connect(server, token=source, limits=Limits(messages_per_connection=2), **WHO)
    assert all(receipt.ok for receipt in transport.deliver(emails(4)))
    assert (source.asked, source.mailboxes, source.told) == (2, ["anna@example.com"], 0)


def test_a_source_of_the_preferences_needs_no_token_argument(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """And one that is given wins over it."""
    server, source, given = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), Source(), Source()
    tab = server.mail_server(authentication=OAUTH2, username="anna@example.com")
    tab = MailServer(host=tab.host, port=tab.port, authentication=OAUTH2, username=tab.username, oauth=source)
    with SmtpTransport(tab, clock=FakeClock()) as transport:
        assert all(receipt.ok for receipt in transport.deliver(emails(1)))
    with SmtpTransport(tab, token=given, clock=FakeClock()) as transport:
        assert all(receipt.ok for receipt in transport.deliver(emails(1)))
    assert (source.asked, given.asked) == (1, 1)
    with pytest.raises(TransportError, match=r"Set mail_server\.oauth.*or give token="):
        SmtpTransport(MailServer(host="smtp.example.com", authentication=OAUTH2, username="anna"))
    del connect


def test_the_user_name_may_be_the_mailbox_of_the_source(serve: Serve, emails: MakeSome) -> None:
    """Where neither a login nor the preferences name one."""
    server, source = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), Source()
    source.mailbox = "anna@example.com"  # type: ignore[attr-defined]
    tab = server.mail_server()
    tab = MailServer(host=tab.host, port=tab.port, authentication=OAUTH2, oauth=source)
    with SmtpTransport(tab, clock=FakeClock()) as transport:
        assert all(receipt.ok for receipt in transport.deliver(emails(1)))


def test_no_token_and_the_mail_server_is_not_dialled(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """One question for the whole run; each receipt says what to do and stays open for a later run."""
    server = serve(mechanisms=("XOAUTH2",))
    source = Source(TokenError("The client secret has ended.", advice="Make a new one (AADSTS7000222)."))
    receipts = list(connect(server, token=source, **WHO).deliver(emails(3)))
    assert causes(receipts) == NO_TOKEN
    assert (server.connections, source.asked) == (0, 1)
    assert {receipt.reason for receipt in receipts} == {
        "The client secret has ended. Make a new one (AADSTS7000222)."
    }
    assert all(outcome.is_open for receipt in receipts for outcome in receipt.outcomes)


def test_another_exception_of_a_source_is_told_by_its_kind(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Its text may hold the token."""
    server, source = serve(mechanisms=("XOAUTH2",)), Source(KeyError("the-token-itself"))
    receipts = list(connect(server, token=source, **WHO).deliver(emails(2)))
    assert causes(receipts) == NO_TOKEN
    assert "could not be fetched (KeyError)" in receipts[0].reason
    assert "the-token-itself" not in str(receipts)


def test_an_endpoint_that_is_down_is_tried_again_like_a_server_that_is_down(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """The same pauses, through the clock."""
    server, clock = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), FakeClock()
    source = Source(*[TokenError("503", transient=True) for _ in range(2)])
    receipts = list(connect(server, token=source, clock=clock, **WHO).deliver(emails(2)))
    assert all(receipt.ok for receipt in receipts)
    first, second = clock.slept
    assert 0.8 <= first <= 1.2
    assert 1.6 <= second <= 2.4


def test_a_time_that_an_endpoint_asks_for_is_waited_for(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Also when it is longer than the longest pause between two tries."""
    for wait in (37.0, 120.0):
        server, clock = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), FakeClock()
        source = Source(TokenError("429", transient=True, retry_after=wait))
        receipts = list(connect(server, token=source, clock=clock, **WHO).deliver(emails(1)))
        assert receipts[0].ok
        assert clock.slept == (wait,)


@pytest.mark.parametrize(("wait", "asked"), [(7_200.0, 1), (None, 9)])
def test_an_endpoint_that_stays_down_ends_the_run_within_its_limit(
    serve: Serve, connect: Connect, emails: MakeSome, wait: float | None, asked: int
) -> None:
    """A wait that does not fit is not begun."""
    server, clock = serve(mechanisms=("XOAUTH2",)), FakeClock()
    source = Source(*[TokenError("Down.", transient=True, retry_after=wait) for _ in range(50)])
    receipts = list(connect(server, token=source, clock=clock, **WHO).deliver(emails(2)))
    assert causes(receipts) == NO_TOKEN
    assert sum(clock.slept) <= Limits().reconnect_seconds
    assert abs(source.asked - asked) <= 2
    assert server.connections == 0


def test_a_refused_token_is_replaced_once_in_the_same_connection(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """The source is told, asked again, and nobody is mailed twice."""
    server, source = serve(mechanisms=("XOAUTH2",), good=bearers("token-2")), Source()
    receipts = list(connect(server, token=source, **WHO).deliver(emails(3)))
    assert all(receipt.ok for receipt in receipts)
    assert (source.asked, source.told, server.connections) == (2, 1, 1)
    assert server.verbs.count("AUTH") == 2
    assert len(server.received) == 3


def test_a_function_that_repeats_itself_is_not_repeated_to_the_server(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Neither in this connection nor in a later run."""
    server, asked = serve(mechanisms=("XOAUTH2",)), list[int]()

    def token() -> str:
        asked.append(1)
        return "same"

    transport = connect(server, token=token, **WHO)
    receipts = list(transport.deliver(emails(2)))
    assert {receipt.outcomes[0].cause for receipt in receipts} == {Cause.AUTHENTICATION}
    assert (len(asked), server.verbs.count("AUTH")) == (2, 1)
    again = list(transport.deliver(emails(2)))
    assert {receipt.outcomes[0].cause for receipt in again} == {Cause.AUTHENTICATION}
    assert "gave the token again that the server has refused" in again[0].reason
    assert (server.verbs.count("AUTH"), server.connections) == (1, 1)


@pytest.mark.parametrize("advice", ["Run New-ServicePrincipal: then wait 30 minutes.", "", "broken"])
def test_a_fresh_token_that_is_refused_ends_the_run_with_advice_of_its_own(
    serve: Serve, connect: Connect, emails: MakeSome, advice: str
) -> None:
    """The source's, or a general one; there is no password to check."""
    server = serve(mechanisms=("XOAUTH2",)).always("AUTH", "535 5.7.3 Authentication unsuccessful")
    source = Source()
    source.advice = advice
    transport = connect(server, token=source, **WHO)
    receipts = list(transport.deliver(emails(2)))
    assert causes(receipts) == {(Status.NOT_ATTEMPTED, Cause.AUTHENTICATION, Phase.AUTH)}
    assert (source.asked, server.verbs.count("AUTH")) == (2, 2)
    expected = advice if advice not in {"", "broken"} else "the mailbox that the access token is for"
    assert expected in receipts[0].reason
    assert expected in receipts[1].outcomes[0].advice
    assert "535 5.7.3" in receipts[0].reason
    assert "password" not in receipts[0].reason.lower()
    with pytest.raises(TransportError) as caught:
        transport.check()
    assert "password" not in str(caught.value).lower()
    assert expected in str(caught.value)


def test_a_login_put_off_is_tried_with_the_same_token(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """454: nothing is wrong with it."""
    server, source = serve(mechanisms=("XOAUTH2",)).always("AUTH", "454 4.7.0 later"), Source()
    receipts = list(connect(server, token=source, **WHO).deliver(emails(1)))
    assert receipts[0].outcomes[0].cause is Cause.AUTHENTICATION
    assert (server.verbs.count("AUTH"), source.told) == (3, 0)
    assert "password" not in receipts[0].reason.lower()


def test_a_token_that_ends_in_the_middle_of_a_session_is_replaced(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The source is told, and the same email goes again, once."""
    server = serve(mechanisms=("XOAUTH2",), good=bearers("token-1", "token-2"))
    server.script("MAIL", None, None, "530 5.7.57 expired")
    source = Source()
    transport = connect(server, token=source, pipelining=mode, limits=Limits(chunking_window=1), **WHO)
    assert all(receipt.ok for receipt in transport.deliver(emails(4)))
    assert len(server.received) == 4
    assert (source.told, source.asked) == (1, 2)


def test_a_source_that_fails_when_it_is_told_ends_the_run(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Without an exception in the middle of it."""

    class Broken(Source):
        def refused(self) -> None:
            raise RuntimeError

    server = serve(mechanisms=("XOAUTH2",), good=bearers("token-1"))
    server.script("MAIL", None, None, "530 5.7.57 expired")
    receipts = list(connect(server, token=Broken(), **WHO).deliver(emails(4)))
    assert [receipt.ok for receipt in receipts[:2]] == [True, True]
    assert causes(receipts[2:]) <= NO_TOKEN | {(Status.DEFERRED, Cause.TOKEN, Phase.AUTH)}
    assert "RuntimeError" in receipts[-1].reason


def test_a_check_says_where_the_token_is_from_and_at_which_step_it_stopped(
    serve: Serve, connect: Connect, email: Make
) -> None:
    """TOKEN with its sentence, the login, the right to the sender."""
    del email
    server, source = serve(mechanisms=("XOAUTH2",), good=bearers("token-1")), Source()
    source.endpoint_host, source.seconds_left = "login.example.com", 3_240.0  # type: ignore[attr-defined]
    found = str(connect(server, token=source, **WHO).check())
    assert "Access token" in found
    assert "from login.example.com, good for 54 minutes" in found
    assert found.index("Access token") < found.index("Login ")
    assert "Stopped at" not in found
    failing = Source(TokenError("No consent.", advice="Choose Grant admin consent."))
    with pytest.raises(TransportError, match=r"stopped at TOKEN: No consent\. Choose Grant admin consent\.$"):
        connect(server, token=failing, **WHO).check()
    plain = connect(server, token=lambda: "token-1", **WHO)
    assert "Access token" not in str(plain.check())
    server.always("MAIL", "554 5.2.252 SendAsDenied")
    refused = str(connect(server, token=Source(), **WHO).check())
    assert "MAIL" in refused.split("Stopped at")[1]
