"""What a server refuses: a recipient, a message, or us, which stops the run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import said, statuses
from tests.transports.smtp.scripted import Line

from vetmail_core.receipts import Cause, Phase
from vetmail_core.transports.smtp import Limits, Pipelining

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Connect, Make, MakeSome, Serve

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


# -- refusals ---------------------------------------------------------------------------------------------


def test_one_bad_recipient_spoils_nothing(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """Each recipient has an outcome of their own, in the order of the email."""
    server = serve()
    server.always("RCPT old@example.com", "550 5.1.1 no such user")
    server.always("RCPT full@example.com", "452 4.2.2 over quota")
    receipt, after = connect(server, pipelining=mode).deliver(
        [email("old@example.com sam@example.com full@example.com"), email()]
    )
    assert said(receipt) == [
        ("old@example.com", "refused", "bad_recipient"),
        ("sam@example.com", "accepted", ""),
        ("full@example.com", "deferred", "mailbox_full"),
    ]
    assert receipt.outcomes[0].phase is Phase.RCPT
    assert receipt.reply is not None
    assert receipt.reply.code == 250
    assert after.ok
    assert server.received[0].recipients == ("sam@example.com",)


@pytest.mark.parametrize("eager", [False, True], ids=["refuses DATA", "says 354 all the same"])
def test_all_recipients_refused_leaves_nothing_open(
    serve: Serve,
    connect: Connect,
    email: Make,
    mode: Pipelining,
    eager: bool,  # noqa: FBT001 - a row's value
) -> None:
    """A lone dot where the server waits for a body; RSET before the next message."""
    server = serve(eager=eager)
    server.always("RCPT old@example.com", "550 5.1.1 no such user")
    transport = connect(server, pipelining=mode)
    first, second, third = transport.deliver([email("old@example.com"), email(), email("old@example.com")])
    assert said(first) == said(third) == [("old@example.com", "refused", "bad_recipient")]
    assert second.ok
    assert server.connections == 1
    assert "RSET" in server.verbs
    assert server.lone_dots == (2 if eager and mode in {ENVELOPE, AUTO} else 0)
    assert [one.recipients for one in server.received] == [("sam@example.com",)]


def test_a_refused_sender_ends_the_run(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Everybody else would hear the same about our sender; a later run, with another one, reaches them."""
    server = serve().script("MAIL", "553 5.1.7 bad sender")
    refused, untried = connect(server, pipelining=mode).deliver(emails(2))
    assert said(refused) == [("p0@example.com", "refused", "sender_not_allowed")]
    assert refused.outcomes[0].phase is Phase.MAIL
    assert said(untried)[0][1:] in {("not_attempted", "sender_not_allowed"), ("accepted", None)}
    assert refused.outcomes[0].is_open


def test_a_refused_sender_with_taken_recipients_and_a_go_ahead_sends_no_body(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """A lone dot would be a message to those recipients, so the line is closed."""
    server = serve(extensions=("PIPELINING",), lax=True).script("MAIL", "553 not today")
    refused, fine = connect(server).deliver(emails(2))
    assert said(refused) == [("p0@example.com", "refused", "other")]
    assert fine.ok
    assert server.connections == 2
    assert server.lone_dots == 0


@pytest.mark.parametrize(
    ("step", "reply", "status", "cause", "phase"),
    [
        ("DATA", "451 4.5.0 later", "deferred", "other", "data"),
        ("DATA", "554 5.7.1 no spam", "refused", "content_refused", "data"),
        ("dot", "451 4.5.0 later", "deferred", "other", "dot"),
        ("dot", "554 5.7.1 no", "refused", "other", "dot"),
        ("dot", "554 5.6.0 spam", "refused", "content_refused", "dot"),
        ("dot", "552 5.3.4 too big", "refused", "too_large", "dot"),
        ("MAIL", "451 4.5.0 later", "deferred", "other", "mail"),
        ("RCPT", "450 4.2.0 busy", "deferred", "other", "rcpt"),
    ],
)
@pytest.mark.parametrize("mode", [OFF, AUTO])
def test_a_refused_message_does_not_disturb_the_next(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    mode: Pipelining,
    step: str,
    reply: str,
    status: str,
    cause: str,
    phase: Phase,
) -> None:
    """4xx is for now, 5xx for good; both name cause, phase and the server's words."""
    server = serve().script(step, reply)
    refused, fine = connect(server, pipelining=mode).deliver(emails(2))
    outcome = refused.outcomes[0]
    assert said(refused) == [("p0@example.com", status, cause)]
    assert outcome.phase is Phase(phase)
    assert outcome.reply is not None
    assert str(outcome.reply) == str(refused.reply) == reply
    assert outcome.advice
    assert fine.ok
    assert server.connections == 1


@pytest.mark.parametrize("reply", ["452 4.5.3 no more", "452 too many recipients", "552 5.5.3 no more"])
def test_recipients_beyond_what_the_server_takes_follow_in_another_message(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining, reply: str
) -> None:
    """Those taken are served first, the rest right after; 552 passes as 452 does (RFC 5321, 4.5.3.1.10)."""
    server = serve().script("RCPT", None, reply, None, reply)
    (receipt,) = connect(server, pipelining=mode).deliver([email("a@x.com b@x.com c@x.com d@x.com")])
    assert receipt.ok
    assert [outcome.mailbox.addr_spec for outcome in receipt.outcomes] == [
        "a@x.com",
        "b@x.com",
        "c@x.com",
        "d@x.com",
    ]
    assert [one.recipients for one in server.received] == [("a@x.com", "c@x.com"), ("b@x.com", "d@x.com")]


def test_recipients_turned_away_as_too_many_are_deferred_when_the_message_is(
    serve: Serve, connect: Connect, email: Make
) -> None:
    """Nothing is split off a message nobody got."""
    server = serve().script("RCPT", None, "452 4.5.3 too many").script("dot", "451 4.5.0 later")
    (receipt,) = connect(server).deliver([email("a@x.com b@x.com")])
    assert [status for _, status, _ in said(receipt)] == ["deferred", "deferred"]


def test_an_email_to_many_is_sent_in_parts_and_answered_once(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """The parts share one receipt, in the email's order."""
    server = serve()
    server.always("RCPT p3@x.com", "550 5.1.1 no")
    addresses = [f"p{number}@x.com" for number in range(7)]
    transport = connect(server, pipelining=mode, limits=Limits(recipients_per_message=3))
    (receipt,) = transport.deliver([email(" ".join(addresses))])
    assert [outcome.mailbox.addr_spec for outcome in receipt.outcomes] == addresses
    assert [mailbox.addr_spec for mailbox in receipt.refused] == ["p3@x.com"]
    assert sorted(len(one.recipients) for one in server.received) == [1, 2, 3]
    assert len({one.data for one in server.received}) == 1


# -- about us: the run stops ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "reply", "cause", "status"),
    [
        ("MAIL", "530 5.7.57 not authenticated", Cause.AUTHENTICATION, "refused"),
        ("MAIL", "550 5.4.5 daily sending quota exceeded", Cause.DAILY_QUOTA, "refused"),
        ("RCPT", "550 5.7.708 not from here", Cause.BLOCKED, "refused"),
        ("dot", "550 5.7.60 not allowed to send as this sender", Cause.SENDER_NOT_ALLOWED, "refused"),
        ("dot", "454 Throttling failure: Daily message quota exceeded", Cause.DAILY_QUOTA, "deferred"),
    ],
)
def test_a_reply_about_us_stops_the_run(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    mode: Pipelining,
    step: str,
    reply: str,
    cause: Cause,
    status: str,
) -> None:
    """Every remaining email is NOT_ATTEMPTED for the same cause, and nothing is repeated."""
    server = serve().script(step, None, *[reply] * 20)
    transport = connect(server, pipelining=mode, limits=Limits(chunking_window=1))
    receipts = list(transport.deliver(emails(5)))
    assert statuses(receipts) == ["accepted", status, "not_attempted", "not_attempted", "not_attempted"]
    assert {receipt.outcomes[0].cause for receipt in receipts[1:]} == {cause}
    assert [receipt.attempts for receipt in receipts] == [1, 1, 0, 0, 0]
    assert len(server.received) == 1


def test_a_stop_in_a_window_still_hears_what_is_on_the_way(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Messages that have left get their own answers, also those that come when the run has stopped."""
    server = serve().script("dot", None, "550 5.7.60 no", None)
    stopped = threading.Event()

    class Slow(Line):
        def do_bdat(self, line: str) -> None:
            if self.server.verbs.count("BDAT") > 2:
                stopped.wait(20)
            super().do_bdat(line)

    server.line = Slow
    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=3))
    receipts = []
    for receipt in transport.deliver(emails(8)):
        receipts.append(receipt)
        if receipt.refused:
            stopped.set()
    assert statuses(receipts)[:4] == ["accepted", "refused", "accepted", "accepted"]
    assert set(statuses(receipts)[4:]) == {"not_attempted"}
    assert len(server.received) == 3


def test_the_next_run_tries_again_after_a_stop(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A stop is for a run, which leaves politely; the quota may be new tomorrow."""
    server = serve().script("MAIL", "550 5.4.5 daily quota")
    transport = connect(server)
    assert statuses(list(transport.deliver(emails(2)))) == ["refused", "not_attempted"]
    assert server.verbs[-1] == "QUIT"
    assert statuses(list(transport.deliver(emails(2)))) == ["accepted", "accepted"]
