"""Emails over the wire: modes, refusals, second chances and stops; the server answers by script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.receipts import Cause, Phase, Receipt, Status
from vetmail_core.recipients import Recipients
from vetmail_core.transports.smtp import Deadlines, Limits, Pipelining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


def said(receipt: Receipt) -> list[tuple[str, str, str]]:
    """Address, status and cause of each outcome."""
    return [
        (
            outcome.mailbox.addr_spec,
            outcome.status.value,
            "" if outcome.cause is None else outcome.cause.value,
        )
        for outcome in receipt.outcomes
    ]


def statuses(receipts: list[Receipt]) -> list[str]:
    """The status of each email's first recipient."""
    return [receipt.outcomes[0].status.value for receipt in receipts]


# -- modes ---------------------------------------------------------------------------------------------


def test_every_mode_delivers_each_email_once_and_in_order(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The receipts are for the very emails that were handed over, and hold the server's queue id."""
    server = serve()
    sent = emails(12)
    receipts = list(connect(server, pipelining=mode).deliver(sent))
    assert [receipt.email for receipt in receipts] == sent
    assert all(receipt.ok and receipt.attempts == 1 for receipt in receipts)
    assert [receipt.queue_id for receipt in receipts] == [f"Q{number}" for number in range(1, 13)]
    assert [one.recipients for one in server.received] == [
        (f"p{number}@example.com",) for number in range(12)
    ]
    assert server.connections == 1


def test_every_mode_carries_the_same_bytes(serve: Serve, connect: Connect, mode: Pipelining) -> None:
    """Dots at the beginning of lines arrive as they were, and BCC stands in the envelope alone."""
    server = serve()
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to="sam@example.com", bcc="audit@example.org"),
        content=Content("dots", ".\n..\n.a\nQUIT\n."),
        message_id="<one@example.com>",
    )
    (receipt,) = connect(server, pipelining=mode).deliver([email])
    assert receipt.ok
    (got,) = server.received
    assert b"\r\n\r\n.\r\n..\r\n.a\r\nQUIT\r\n.\r\n" in got.data
    assert got.recipients == ("sam@example.com", "audit@example.org")
    assert b"audit" not in got.data
    assert b"Date: Mon, 02 Mar 2026" in got.data


@pytest.mark.parametrize(
    ("mode", "extensions", "verbs"),
    [
        (OFF, ("PIPELINING",), "MAIL RCPT DATA MAIL RCPT DATA"),
        (AUTO, (), "MAIL RCPT DATA MAIL RCPT DATA"),
        (CHUNKING, ("PIPELINING",), "MAIL RCPT DATA MAIL RCPT DATA"),
        (CHUNKING, ("CHUNKING",), "MAIL RCPT DATA MAIL RCPT DATA"),
        (CHUNKING, ("PIPELINING", "CHUNKING"), "RSET MAIL RCPT BDAT RSET MAIL RCPT BDAT"),
    ],
)
def test_a_mode_asks_for_no_more_than_the_server_announces(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    mode: Pipelining,
    extensions: tuple[str, ...],
    verbs: str,
) -> None:
    """What is missing means the next lower mode."""
    server = serve(extensions=extensions)
    assert all(receipt.ok for receipt in connect(server, pipelining=mode).deliver(emails(2)))
    assert server.verbs[1:] == verbs.split()


def test_auto_pulls_one_email_ahead_and_never_more(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """One body in doubt at most, and nothing is sent before its pull returned."""
    server = serve()
    pulled: list[int] = []

    def feed() -> Iterator[Email]:
        for number, email in enumerate(emails(5)):
            pulled.append(number)
            yield email

    seen = [(len(pulled), len(server.received)) for _ in connect(server).deliver(feed())]
    assert seen == [(2, 1), (3, 2), (4, 3), (5, 4), (5, 5)]


def test_chunking_pulls_its_window_ahead_once_the_first_has_arrived(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """The first message of an unknown server goes alone."""
    server = serve()
    pulled: list[int] = []

    def feed() -> Iterator[Email]:
        for number, email in enumerate(emails(9)):
            pulled.append(number)
            yield email

    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=4))
    seen = [len(pulled) for _ in transport.deliver(feed())]
    assert seen[0] == 1
    assert max(count - number for number, count in enumerate(seen)) <= 4
    assert len(server.received) == 9


def test_large_messages_make_the_window_smaller(serve: Serve, connect: Connect) -> None:
    """A window counts octets too, so that memory stays flat."""
    server = serve(extensions=("PIPELINING", "CHUNKING"))
    pulled: list[int] = []

    def feed() -> Iterator[Email]:
        for number in range(4):
            pulled.append(number)
            yield Email(
                sender=Mailbox("office@example.com"),
                recipients=Recipients(to=f"p{number}@example.com"),
                content=Content("large", "x" * 70 + "\n" + ("y" * 70 + "\n") * 20_000),
            )

    seen = [len(pulled) for _ in connect(server, pipelining=CHUNKING).deliver(feed())]
    assert seen == [1, 2, 3, 4]


def test_bounces_can_be_matched_by_key_and_address(serve: Serve, connect: Connect, email: Make) -> None:
    """ENVID and ORCPT as xtext, and SIZE, where the server announced them."""
    server = serve()
    long_key, odd_key = "k" * 101, "schlüssel"
    sent = [email("o'brien+1@example.com", key="batch=7"), email(key=long_key), email(key=odd_key), email()]
    assert all(receipt.ok for receipt in connect(server).deliver(sent))
    mails = [line for line in server.heard if line.startswith("MAIL")]
    assert all(" SIZE=" in line for line in mails)
    assert " ENVID=batch+3D7" in mails[0]
    # A key that does not fit, or none: the Message-ID, which stands in the bounce as well.
    for mail, received in zip(mails[1:], server.received[1:], strict=True):
        message_id = received.data.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
        assert mail.endswith(f" ENVID={message_id}")
    assert "RCPT TO:<o'brien+1@example.com> ORCPT=rfc822;o'brien+2B1@example.com" in server.heard


def test_what_bounces_are_matched_by_may_be_too_long_to_announce(serve: Serve, connect: Connect) -> None:
    """An ENVID has a hundred characters at most (RFC 3461, 5.4)."""
    server = serve()
    long = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to="sam@example.com"),
        content=Content("s", "t"),
        message_id=f"<{'x' * 100}@example.com>",
    )
    assert all(receipt.ok for receipt in connect(server).deliver([long]))
    assert not any("ENVID" in line for line in server.heard)


def test_an_international_address_goes_by_smtputf8(serve: Serve, connect: Connect, email: Make) -> None:
    """Where the server has it; the domain in ASCII."""
    server = serve()
    (receipt,) = connect(server).deliver([email("jörg@müller.example")])
    assert receipt.ok
    (mail,) = (line for line in server.heard if line.startswith("MAIL"))
    assert " SMTPUTF8 " in mail
    assert "RCPT TO:<jörg@xn--mller-kva.example>" in server.heard


@pytest.mark.parametrize(
    ("sender", "cause"),
    [("office@example.com", Cause.BAD_RECIPIENT), ("büro@example.com", Cause.SENDER_NOT_ALLOWED)],
)
def test_an_international_address_without_smtputf8_is_refused_here(
    serve: Serve, connect: Connect, email: Make, sender: str, cause: Cause
) -> None:
    """No need to ask; the others go on."""
    server = serve(extensions=("PIPELINING",))
    odd = Email(
        sender=Mailbox(sender), recipients=Recipients(to="jörg@example.com"), content=Content("s", "t")
    )
    refused, fine = connect(server).deliver([odd, email()])
    assert said(refused) == [("jörg@example.com", "refused", cause.value)]
    assert "beyond ASCII" in refused.warnings[0]
    assert fine.ok


def test_an_email_beyond_the_announced_size_is_refused_here(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """SIZE is honoured before sending."""
    server = serve(extensions=("PIPELINING", "CHUNKING", "SIZE 1000"))
    refused, fine = connect(server, pipelining=mode).deliver([email(text="x" * 2000), email()])
    assert said(refused) == [("sam@example.com", "refused", "too_large")]
    assert refused.outcomes[0].phase is Phase.MAIL
    assert "the server takes 1000" in refused.warnings[0]
    assert fine.ok
    assert len(server.received) == 1


# -- refusals ------------------------------------------------------------------------------------------


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


def test_a_refused_sender_is_a_refusal_of_the_message(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The run goes on when the reply is not about us."""
    server = serve().script("MAIL", "553 5.1.7 bad sender")
    refused, fine = connect(server, pipelining=mode).deliver(emails(2))
    assert said(refused) == [("p0@example.com", "refused", "sender_not_allowed")]
    assert refused.outcomes[0].phase is Phase.MAIL
    assert fine.ok


def test_a_refused_sender_with_taken_recipients_and_a_go_ahead_sends_no_body(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """A lone dot would be a message to those recipients, so the line is closed."""
    server = serve(extensions=("PIPELINING",), lax=True).script("MAIL", "553 5.1.7 bad")
    refused, fine = connect(server).deliver(emails(2))
    assert said(refused) == [("p0@example.com", "refused", "sender_not_allowed")]
    assert fine.ok
    assert server.connections == 2
    assert server.lone_dots == 0


@pytest.mark.parametrize(
    ("step", "reply", "status", "cause", "phase"),
    [
        ("DATA", "451 4.3.5 later", "deferred", "other", "data"),
        ("DATA", "554 5.7.1 no", "refused", "content_refused", "data"),
        ("dot", "451 4.3.5 later", "deferred", "other", "dot"),
        ("dot", "554 5.6.0 spam", "refused", "content_refused", "dot"),
        ("dot", "552 5.3.4 too big", "refused", "too_large", "dot"),
        ("MAIL", "451 4.3.5 later", "deferred", "other", "mail"),
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
    assert str(outcome.reply) == reply
    assert outcome.advice
    assert fine.ok
    assert server.connections == 1


def test_recipients_beyond_what_the_server_takes_follow_in_another_message(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """452 4.5.3 on RCPT: the accepted ones are served first, the rest right after (RFC 5321, 4.5.3.1.10)."""
    server = serve().script("RCPT", None, None, "452 4.5.3 too many", "452 4.5.3 too many")
    (receipt,) = connect(server, pipelining=mode).deliver([email("a@x.com b@x.com c@x.com d@x.com")])
    assert receipt.ok
    assert [outcome.mailbox.addr_spec for outcome in receipt.outcomes] == [
        "a@x.com",
        "b@x.com",
        "c@x.com",
        "d@x.com",
    ]
    assert [one.recipients for one in server.received] == [("a@x.com", "b@x.com"), ("c@x.com", "d@x.com")]


def test_recipients_turned_away_as_too_many_are_deferred_when_the_message_is(
    serve: Serve, connect: Connect, email: Make
) -> None:
    """Nothing is split off a message nobody got."""
    server = serve().script("RCPT", None, "452 4.5.3 too many").script("dot", "451 4.3.5 later")
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


# -- about us: the run stops ---------------------------------------------------------------------------


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
    """Messages that have left get their own answers."""
    server = serve().script("dot", None, "550 5.7.60 no", None)
    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=3))
    receipts = list(transport.deliver(emails(8)))
    assert statuses(receipts)[:4] == ["accepted", "refused", "accepted", "accepted"]
    assert set(statuses(receipts)[4:]) == {"not_attempted"}
    assert len(server.received) == 3


def test_the_next_run_tries_again_after_a_stop(serve: Serve, connect: Connect, emails: MakeSome) -> None:
    """A stop is for a run; the quota may be new tomorrow."""
    server = serve().script("MAIL", "550 5.4.5 daily quota")
    transport = connect(server)
    assert statuses(list(transport.deliver(emails(2)))) == ["refused", "not_attempted"]
    assert statuses(list(transport.deliver(emails(2)))) == ["accepted", "accepted"]


# -- the connection's trouble is not the message's -----------------------------------------------------


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
def test_421_means_another_connection_and_no_blame(
    serve: Serve, connect: Connect, emails: MakeSome, step: str, mode: Pipelining
) -> None:
    """Wherever it comes, the message goes again, and once."""
    if step == "DATA" and mode is CHUNKING:
        step = "RSET"
    server = serve().script(step, None, "421 4.3.2 closing")
    receipts = list(connect(server, pipelining=mode).deliver(emails(5)))
    assert statuses(receipts) == ["accepted"] * 5
    assert sorted(one.recipients[0] for one in server.received) == [
        f"p{number}@example.com" for number in range(5)
    ]
    assert server.connections == 2


def test_421_for_the_third_time_defers_the_message(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """And the run goes on with the next one."""
    server = serve()
    server.always("RCPT p0@example.com", "421 4.3.2 closing")
    receipts = list(connect(server, pipelining=mode).deliver(emails(2)))
    assert statuses(receipts) == ["deferred", "accepted"]
    assert said(receipts[0]) == [("p0@example.com", "deferred", "connection")]
    assert receipts[0].outcomes[0].phase is Phase.RCPT
    assert receipts[0].attempts == 3


def test_a_server_that_takes_few_messages_a_connection_gets_them_all(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """421 after two messages, again and again, even in the middle of a window."""
    server = serve().script("MAIL", *[None, None, "421 4.7.0 enough for now"] * 10)
    receipts = list(connect(server, pipelining=mode).deliver(emails(7)))
    assert statuses(receipts) == ["accepted"] * 7
    assert sorted(one.recipients[0] for one in server.received) == [
        f"p{number}@example.com" for number in range(7)
    ]


def test_a_message_out_of_step_gets_one_more_connection(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """503 once is the session's fault; twice it is final."""
    server = serve().script(
        "MAIL", None, "503 5.5.1 bad sequence", None, "503 5.5.1 bad sequence", "503 5.5.1 no"
    )
    receipts = list(connect(server, pipelining=mode, limits=Limits(chunking_window=1)).deliver(emails(3)))
    assert statuses(receipts) == ["accepted", "accepted", "refused"]
    assert said(receipts[2])[0][2] == "protocol"


@pytest.mark.parametrize("reply", ["555 5.5.4 no ORCPT", "504 5.5.4 no ORCPT", "501 5.5.4 bad arguments"])
def test_parameters_a_server_announced_and_refuses_are_left_out_from_then_on(
    serve: Serve, connect: Connect, emails: MakeSome, reply: str
) -> None:
    """A refused ENVID or ORCPT costs one connection, not the mail."""
    server = serve().script("RCPT", reply)
    receipts = list(connect(server).deliver(emails(3)))
    assert statuses(receipts) == ["accepted"] * 3
    assert ["ORCPT" in line for line in server.heard if line.startswith("RCPT")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("first", [False, True], ids=["on a used connection", "on a fresh one"])
def test_too_many_on_mail_gets_a_fresh_connection_first(
    serve: Serve, connect: Connect, emails: MakeSome, first: object
) -> None:
    """452 4.5.3 on MAIL; on a fresh connection it is DEFERRED at once."""
    reply = "452 4.5.3 too many messages"
    server = serve().script("MAIL", *([reply] if first else [None, reply]))
    receipts = list(connect(server, pipelining=ENVELOPE).deliver(emails(2)))
    assert statuses(receipts) == (["deferred", "accepted"] if first else ["accepted", "accepted"])
    assert server.connections == (1 if first else 2)


def test_the_line_lost_before_the_last_octet_means_send_again(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """Nothing can have been delivered."""
    server = serve().script("MAIL", None, act("drop"))
    limits = Limits(chunking_window=1)
    receipts = list(connect(server, pipelining=mode, limits=limits).deliver(emails(3)))
    expected = ["accepted", "accepted" if mode is not CHUNKING else "unknown", "accepted"]
    assert statuses(receipts) == expected
    assert len(server.received) == expected.count("accepted")


def test_the_line_lost_after_the_last_octet_is_unknown_and_never_sent_again(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """A second copy is worse than a question; the next email goes on."""
    server = serve().script("dot", None, act("accept_and_drop"))
    limits = Limits(chunking_window=1)
    receipts = list(connect(server, pipelining=mode, limits=limits).deliver(emails(4)))
    assert statuses(receipts) == ["accepted", "unknown", "accepted", "accepted"]
    outcome = receipts[1].outcomes[0]
    assert (outcome.cause, outcome.phase, outcome.reply) == (Cause.CONNECTION, Phase.DOT, None)
    assert receipts[1].warnings == ("the server closed the connection",)
    assert len(server.received) == 4


def test_in_a_window_all_that_left_unanswered_is_unknown(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """What the server had refused before stays refused."""
    server = serve().script("dot", None, act("drop"))
    server.always("RCPT bad@example.com", "550 5.1.1 no")
    two = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to=["bad@example.com", "ok@example.com"]),
        content=Content("s", "t"),
    )
    sent = [*emails(1), two, *emails(2)]
    receipts = list(connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=3)).deliver(sent))
    assert statuses(receipts)[0] == "accepted"
    assert [status for _, status, _ in said(receipts[1])] == ["refused", "unknown"]
    assert statuses(receipts)[2:] == ["unknown", "unknown"]


@pytest.mark.parametrize("mode", [ENVELOPE, AUTO])
def test_a_group_that_ends_in_a_close_on_a_fresh_connection_steps_down(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """And it is remembered for the host."""
    server = serve().script("MAIL", act("drop"))
    transport = connect(server, pipelining=mode)
    assert statuses(list(transport.deliver(emails(2)))) == ["accepted", "accepted"]
    assert repr(transport).endswith("off)")


def test_the_next_envelope_behind_a_body_steps_down_to_envelopes(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """A server that throws away what stands behind the dot; the second email had no body yet."""
    server = serve().script("MAIL", None, act("stall"))
    deadlines = Deadlines(command=0.2, quit=0.2)
    transport = connect(server, deadlines=deadlines)
    assert statuses(list(transport.deliver(emails(3)))) == ["accepted"] * 3
    assert repr(transport).endswith("envelope)")


def test_chunking_that_fails_at_first_steps_down_to_auto(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """One message in doubt is the price; that is why the first one goes alone."""
    server = serve().script("BODY", act("drop"))
    transport = connect(server, pipelining=CHUNKING)
    assert statuses(list(transport.deliver(emails(4)))) == ["unknown", "accepted", "accepted", "accepted"]
    assert repr(transport).endswith("auto)")


@pytest.mark.parametrize(
    ("mode", "step", "octets", "expected"),
    [
        (ENVELOPE, "MAIL", b"354 what\r\n", "accepted accepted"),
        (ENVELOPE, "RCPT", b"354 what\r\n", "accepted accepted"),
        (OFF, "MAIL", b"250 ok\r\n250 once more\r\n", "accepted accepted"),
        (OFF, "DATA", b"250 ok\r\n", "accepted accepted"),
        (ENVELOPE, "dot", b"354 more\r\n", "unknown accepted"),
        (CHUNKING, "dot", b"354 more\r\n", "unknown accepted"),
        (CHUNKING, "dot", b"nonsense\r\n", "unknown accepted"),
        (CHUNKING, "RCPT", b"503 no\r\n", "unknown accepted"),
    ],
)
def test_an_answer_that_cannot_be_the_answer_ends_the_session(
    serve: Serve,
    connect: Connect,
    emails: MakeSome,
    act: type[Act],
    mode: Pipelining,
    step: str,
    octets: bytes,
    expected: str,
) -> None:
    """Before the last octet the message goes again; after it, it is UNKNOWN."""
    server = serve().script(step, act("raw", octets))
    server.script("dot", *([] if step == "dot" else [None, None]))
    if step == "RCPT" and mode is CHUNKING:
        server.script("BODY", act("raw", b"250 2.0.0 ok anyway\r\n"))
    receipts = list(connect(server, pipelining=mode).deliver(emails(2)))
    assert statuses(receipts) == expected.split()
    assert {outcome.cause for outcome in receipts[0].outcomes} <= {None, Cause.PROTOCOL}


def test_a_refused_rset_ends_the_session(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """After it nobody knows what state the server is in."""
    server = serve().script("RSET", "500 what").script("RCPT", "550 5.1.1 no")
    receipts = list(connect(server, pipelining=mode).deliver(emails(3)))
    assert statuses(receipts) == ["refused", "accepted", "accepted"]
    assert server.connections == 2


def test_a_server_that_never_gets_anything_done_stops_the_run(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """Three tries an email, five emails, and the rest is not attempted."""
    server = serve().always("MAIL", act("drop"))
    receipts = list(connect(server).deliver(emails(8)))
    assert statuses(receipts) == ["deferred"] * 5 + ["not_attempted"] * 3
    assert {receipt.outcomes[0].cause for receipt in receipts} == {Cause.CONNECTION}
    assert {receipt.outcomes[0].phase for receipt in receipts} == {Phase.MAIL}
    assert server.connections == 15
    assert receipts[-1].outcomes[0].status is Status.NOT_ATTEMPTED
