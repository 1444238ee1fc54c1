"""The connection's trouble is not the message's: another line, another mode, or a doubt that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import said, statuses
from tests.transports.smtp.scripted import Line, hurry

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.recipients import Recipients
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


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


@pytest.mark.parametrize("mode", [OFF, ENVELOPE, AUTO])
def test_421_to_the_very_first_message_is_no_word_about_mode_or_speed(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The next connection goes on as this one would have."""
    server, clock = serve().script("MAIL", "421 4.3.2 closing"), FakeClock()
    transport = connect(server, pipelining=mode, clock=clock)
    assert statuses(list(transport.deliver(emails(3)))) == ["accepted"] * 3
    assert repr(transport).endswith(f"{mode.value})")
    assert clock.slept == ()


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
    """503 or its kin once is the session's fault; twice it is final."""
    server = serve().script(
        "MAIL", None, "503 5.5.1 bad sequence", None, "503 5.5.1 bad sequence", "500 5.5.1 no"
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


@pytest.mark.parametrize(
    ("step", "parameter", "reply"),
    [
        ("RCPT", "ORCPT=", "553 no such syntax in an address"),
        ("RCPT", "ORCPT=", "550 5.1.3 bad ORCPT of p0@example.com"),
        ("RCPT", "ORCPT=", "550 5.5.4 what is this"),
        ("MAIL", "ENVID=", "501 Syntax error"),
        ("MAIL", "ENVID=", "554 5.7.1 not like this"),
        ("MAIL", "SIZE=", "555 5.5.4 options are not taken"),
        ("MAIL", "BODY=", "501 5.5.4 what is this"),
    ],
)
def test_a_refused_parameter_is_left_out_and_remembered(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining, step: str, parameter: str, reply: str
) -> None:
    """Whatever the words are, one try without them tells; and it is not the recipient's fault."""

    class Picky(Line):
        def obey(self, line: str) -> None:
            refused = line.startswith(step) and parameter in line
            if refused:
                self.server.heard.append(line)
                self.send(f"{reply}\r\n".encode())
            else:
                super().obey(line)

    server = serve(extensions=("PIPELINING", "SIZE 9000000", "8BITMIME", "DSN", "CHUNKING"))
    server.line = Picky
    everybody = [email(f"p{number}@example.com", key=f"k{number}", text="gr\u00fcn") for number in range(4)]
    receipts = list(connect(server, pipelining=mode).deliver(everybody))
    assert statuses(receipts) == ["accepted"] * 4
    assert [one.recipients for one in server.received] == [(f"p{number}@example.com",) for number in range(4)]
    said_with = [line for line in server.heard if line.startswith(step) and parameter in line]
    assert len(said_with) <= 2  # one more may have been under way


def test_a_parameter_of_one_recipient_is_left_out_for_that_one(
    serve: Serve, connect: Connect, email: Make, mode: Pipelining
) -> None:
    """The others have their copy already, and get no second one."""
    server = serve(extensions=("PIPELINING", "DSN", "CHUNKING"))
    server.script("RCPT b@example.com", "553 ORCPT address syntax error")
    (receipt,) = connect(server, pipelining=mode).deliver([email("a@example.com b@example.com")])
    assert [outcome.status.value for outcome in receipt.outcomes] == ["accepted", "accepted"]
    assert [one.recipients for one in server.received] == [("a@example.com",), ("b@example.com",)]


@pytest.mark.parametrize(
    ("step", "reply", "tries"),
    [
        ("RCPT", "550 5.1.1 User unknown", 1),
        ("RCPT", "550 5.2.1 mailbox disabled", 1),
        ("RCPT", "554 5.7.1 not ever", 2),
        ("MAIL", "552 5.3.4 message size exceeds the limit", 1),
        ("MAIL", "550 5.7.1 sender address rejected", 1),
    ],
)
def test_a_clear_refusal_is_believed_at_once_and_an_unclear_one_the_second_time(
    serve: Serve, connect: Connect, emails: MakeSome, step: str, reply: str, tries: int
) -> None:
    """Parameters that were not the reason are said again to the next one."""
    server = serve().script(step, *[reply] * tries)
    first, *_ = connect(server, pipelining=Pipelining.OFF).deliver(emails(2))
    assert first.outcomes[0].status.value == "refused"
    assert str(first.reply) == reply
    assert first.attempts == tries
    later = [line for line in server.heard if line.startswith("MAIL")][tries:]
    assert all("SIZE=" in line for line in later)


def test_a_try_without_parameters_that_is_put_off_says_nothing(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """Neither a yes nor a no; they stay left out until one of the two comes."""
    server = serve().script("RCPT", "554 5.7.1 not ever", "450 4.2.0 later")
    receipts = list(connect(server, pipelining=Pipelining.OFF).deliver(emails(2)))
    assert statuses(receipts) == ["deferred", "accepted"]
    assert ["SIZE=" in line for line in server.heard if line.startswith("MAIL")] == [True, False, False]


def test_an_explicit_word_about_a_parameter_counts_after_an_unclear_one_too(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """What the first answer meant says nothing about a later one that names it."""
    server = serve().script("RCPT", *["554 5.7.1 not ever"] * 2, None, "553 bad ORCPT")
    receipts = list(connect(server, pipelining=Pipelining.OFF).deliver(emails(3)))
    assert statuses(receipts) == ["refused", "accepted", "accepted"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_empty_lines_between_replies_are_borne(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining, where: str
) -> None:
    """In every mode, at every step, and without a message in doubt."""

    class Chatty(Line):
        def send(self, octets: bytes) -> None:
            super().send(b"\r\n" + octets if where == "before" else octets + b"\r\n\r\n")

    server = serve()
    server.line = Chatty
    receipts = list(connect(server, pipelining=mode).deliver(emails(5)))
    assert statuses(receipts) == ["accepted"] * 5
    assert [one.recipients[0] for one in server.received] == [f"p{number}@example.com" for number in range(5)]


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


def test_a_connection_that_rested_is_no_fresh_one(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """452 4.5.3 to the first MAIL of a second run may be the first run's doing."""
    server = serve().script("MAIL", None, "452 4.5.3 one a connection")
    transport = connect(server, pipelining=mode)
    assert statuses([*transport.deliver(emails(1)), *transport.deliver(emails(1))]) == ["accepted"] * 2
    assert server.connections == 2


def test_a_window_at_a_server_that_takes_few_messages_a_connection_gets_there(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """452 4.5.3 to all that stand behind the second: no blame, and one step slower.

    Each arrives once; in which order the window goes again depends on how many answers came in time.
    """
    many, clock = "452 4.5.3 two a connection", FakeClock()
    server = serve().script("MAIL", None, None, *[many] * 5, None, None, many, None, None, many)
    receipts = list(connect(server, pipelining=CHUNKING, clock=clock).deliver(emails(7)))
    assert statuses(receipts) == ["accepted"] * 7
    assert sorted(one.recipients[0] for one in server.received) == [
        f"p{number}@example.com" for number in range(7)
    ]
    assert clock.slept[0] == 1.0


def test_a_goodbye_in_the_same_breath_as_the_last_answer_is_no_answer_too_many(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """250 and 421 together: the message was taken, and the next one gets another connection, and so on."""
    server = serve().script("dot", *["250 2.0.0 ok\r\n421 4.4.2 that was it"] * 18)
    receipts = list(connect(server, pipelining=mode).deliver(emails(18)))
    assert statuses(receipts) == ["accepted"] * 18
    assert [one.connection for one in server.received] == list(range(1, 19))


@pytest.mark.parametrize(("reply", "pauses"), [("421 4.3.2 bye", ()), ("421 4.7.0 too fast", (1.0,))])
def test_a_recipient_who_meets_a_goodbye_gets_a_message_of_their_own(
    serve: Serve, connect: Connect, act: type[Act], reply: str, pauses: tuple[float, ...]
) -> None:
    """The message behind 421 was taken for the other one, and must not reach them twice."""
    server, clock = serve(), FakeClock()
    server.script("RCPT b@example.com", act("raw", reply.encode() + b"\r\n"))
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients("a@example.com; b@example.com"),
        content=Content("s", "t"),
    )
    (receipt,) = connect(server, pipelining=CHUNKING, clock=clock).deliver([email])
    assert receipt.ok
    assert [(one.connection, one.recipients) for one in server.received] == [
        (1, ("a@example.com",)),
        (2, ("b@example.com",)),
    ]
    assert clock.slept == pauses


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


def test_what_left_for_another_message_does_not_count_for_this_one(
    serve: Serve, connect: Connect, email: Make, act: type[Act]
) -> None:
    """A line that rested has carried more than the message that did not leave entirely."""
    server = serve(extensions=("PIPELINING",)).script("BODY", act("raw"), act("drop"))
    transport = connect(server)
    text = ("x" * 70 + "\n") * 64_000
    receipts = [receipt for _ in range(2) for receipt in transport.deliver([email(text=text)])]
    assert [(receipt.ok, receipt.attempts) for receipt in receipts] == [(True, 1), (True, 2)]
    assert len(server.received) == 2


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


def test_a_window_is_left_in_doubt_once(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """A server that closes after so many messages without a word would do it to every window."""
    server = serve().script("BODY", act("raw"), act("raw"), act("drop"))
    transport = connect(server, pipelining=CHUNKING, limits=Limits(chunking_window=4))
    found = statuses(list(transport.deliver(emails(20))))
    assert found == [*["accepted"] * 2, *["unknown"] * 4, *["accepted"] * 14]
    assert repr(transport).endswith("auto)")


@pytest.mark.parametrize("mode", [ENVELOPE, AUTO])
def test_a_group_that_ends_in_a_close_on_a_fresh_connection_steps_down(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """And it is remembered for the host."""
    server = serve().script("MAIL", act("drop"))
    transport = connect(server, pipelining=mode)
    assert statuses(list(transport.deliver(emails(2)))) == ["accepted", "accepted"]
    assert repr(transport).endswith("off)")


@pytest.mark.parametrize("mode", [ENVELOPE, AUTO])
def test_a_group_that_ends_in_a_close_on_a_connection_that_bore_others_does_not(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], mode: Pipelining
) -> None:
    """The server had had enough of the connection, which rested between two runs; the mode was fine."""
    server = serve().script("MAIL", None, act("drop"))
    transport = connect(server, pipelining=mode)
    assert statuses([*transport.deliver(emails(1)), *transport.deliver(emails(1))]) == ["accepted"] * 2
    assert server.connections == 2
    assert repr(transport).endswith(f"{mode.value})")


def test_the_next_envelope_behind_a_body_steps_down_to_envelopes(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """A server that throws away what stands behind the dot; the second email had no body yet."""
    server = serve().script("MAIL", None, act("stall"))
    transport = connect(server, deadlines=hurry(command=2))
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
        # How much of the second message has left when the answer too many comes is a matter of chance.
        (CHUNKING, "RCPT", b"503 no\r\n", "unknown"),
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
    assert statuses(receipts)[: len(expected.split())] == expected.split()
    assert {outcome.cause for outcome in receipts[0].outcomes} <= {None, Cause.PROTOCOL}


def test_a_refused_rset_ends_the_session(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """After it nobody knows what state the server is in."""
    server = serve().script("RSET", "500 what").script("RCPT", "550 5.1.1 no")
    receipts = list(connect(server, pipelining=mode).deliver(emails(3)))
    assert statuses(receipts) == ["refused", "accepted", "accepted"]
    assert server.connections == 2


def test_a_message_that_was_tried_is_deferred_where_no_other_connection_comes_about(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act]
) -> None:
    """It was on the wire once, and says so; those behind it were not."""
    server = serve().script("MAIL", None, act("drop")).script("connect", None, "554 5.7.1 not you")
    receipts = list(connect(server, pipelining=ENVELOPE).deliver(emails(4)))
    assert statuses(receipts) == ["accepted", "deferred", "not_attempted", "not_attempted"]
    assert [receipt.attempts for receipt in receipts] == [1, 1, 0, 0]
    for receipt in receipts[1:]:
        assert (receipt.outcomes[0].cause, receipt.outcomes[0].phase) == (Cause.BLOCKED, Phase.GREETING)
        assert str(receipt.reply) == "554 5.7.1 not you"


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
