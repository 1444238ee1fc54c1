"""What a server has said about a recipient stands, whatever it does next; the others get the email once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.transports.smtp.outcomes import said, statuses
from tests.transports.smtp.scripted import HungUp, Line, an_email

from vetmail_core import Content, Email, Mailbox, MailServer, Recipients
from vetmail_core.receipts import Cause, Status
from vetmail_core.testing.clock import FakeClock
from vetmail_core.transports.smtp import Limits, Pipelining, SmtpTransport, session
from vetmail_core.transports.smtp.settings import MOST_RECIPIENTS
from vetmail_core.transports.smtp.wire.connecting import connecting

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Connect, Make, MakeSome, Serve, Server

    from vetmail_core.transports.smtp.wire.connection import Connection
    from vetmail_core.transports.smtp.wire.waiting import Steps

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


class TooManyErrors(Line):
    """Postfix: `421` instead of the answer, once twenty commands were refused (smtpd_hard_error_limit)."""

    errors = 0

    def do_rcpt(self, line: str) -> None:  # noqa: D102 - the one step that differs
        if "unknown" not in line:
            super().do_rcpt(line)
            return
        self.errors += 1
        if self.errors > 20:
            self.leave()
        self.send(b"550 5.1.1 user unknown\r\n")

    def leave(self) -> None:
        """Say goodbye and go."""
        self.send(b"421 4.7.0 Error: too many errors\r\n")
        self.farewell()


class UnaskedGoodbye(TooManyErrors):
    """The goodbye comes right behind the last refusal, before anything more is asked."""

    def do_rcpt(self, line: str) -> None:  # noqa: D102 - the one step that differs
        super().do_rcpt(line)
        if self.errors == 6:
            self.leave()


class FewRecipients(Line):
    """Four recipients a connection."""

    taken = 0

    def do_rcpt(self, line: str) -> None:  # noqa: D102 - the one step that differs
        self.taken += 1
        if self.taken > 4:
            self.part()
        super().do_rcpt(line)

    def part(self) -> None:
        """Say goodbye and go."""
        self.send(b"421 4.4.2 enough\r\n")
        self.farewell()


class JustCloses(FewRecipients):
    """The same without a word."""

    def part(self) -> None:  # noqa: D102 - the one step that differs
        raise HungUp


class FewCommands(Line):
    """Five commands a connection."""

    count = 0

    def obey(self, line: str) -> None:  # noqa: D102 - the one step that differs
        self.count += 1
        if self.count > 5:
            self.send(b"421 4.4.2 enough\r\n")
            self.farewell()
        super().obey(line)


def _copies(server: Server) -> Counter[str]:
    return Counter(address for one in server.received for address in one.recipients)


@pytest.mark.parametrize("line", [TooManyErrors, UnaskedGoodbye])
def test_unknown_addresses_cost_the_good_ones_nothing(
    serve: Serve, connect: Connect, mode: Pipelining, line: type[Line]
) -> None:
    """One email, 75 good addresses and 25 unknown: 75 get it once, 25 are named."""
    server = serve()
    server.line = line
    people = [f"{'unknown' if number % 4 == 0 else 'p'}{number}@x.com" for number in range(100)]
    (receipt,) = connect(server, pipelining=mode).deliver([an_email(" ".join(people))])
    assert [outcome.mailbox.addr_spec for outcome in receipt.outcomes] == people
    assert len(receipt.accepted) == 75
    assert {one.local_part[:7] for one in receipt.refused} == {"unknown"}
    assert len(receipt.refused) == 25
    assert _copies(server) == Counter(one for one in people if one.startswith("p"))
    assert receipt.reply is not None
    assert receipt.reply.code == 250


@pytest.mark.parametrize(
    ("line", "modes"),
    [
        (FewRecipients, list(Pipelining)),
        (FewCommands, list(Pipelining)),
        # In CHUNKING the whole message has left, and only an answer ends the doubt.
        (JustCloses, [OFF, ENVELOPE, AUTO]),
    ],
)
def test_a_server_that_takes_little_on_a_connection_gets_it_in_parts(
    serve: Serve, connect: Connect, line: type[Line], modes: list[Pipelining]
) -> None:
    """Where nobody was decided, half of the list goes at a time, down to one."""
    people = [f"p{number}@x.com" for number in range(8)]
    for mode in modes:
        server = serve()
        server.line = line
        (receipt,) = connect(server, pipelining=mode).deliver([an_email(" ".join(people))])
        assert receipt.ok
        assert _copies(server) == Counter(people)


def test_a_recipient_alone_who_meets_three_goodbyes_is_put_off(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Ann's colleague, and everybody else, get theirs."""
    server = serve()
    server.always("RCPT poison@x.com", "421 4.4.2 bye")
    receipts = list(
        connect(server, pipelining=mode).deliver([an_email("a@x.com poison@x.com b@x.com"), *emails(1)])
    )
    assert [status for _, status, _ in said(receipts[0])] == ["accepted", "deferred", "accepted"]
    assert receipts[1].ok
    assert receipts[0].attempts >= 3
    assert max(_copies(server).values()) == 1


def test_an_email_that_the_server_never_listens_to_is_given_up(
    serve: Serve, connect: Connect, emails: MakeSome
) -> None:
    """To a hundred: halves down to one, and two of them in vain stand for all."""
    server = serve()
    server.always("RCPT", "421 4.4.2 bye")
    for number in range(3):
        server.script(f"RCPT p{number}@example.com", *[None] * 9)
    people = " ".join(f"q{number}@x.com" for number in range(100))
    many, *others = connect(server).deliver([an_email(people), *emails(3)])
    assert len(many.deferred) == 100
    assert statuses(others) == ["accepted"] * 3
    assert server.connections <= 20


def test_a_goodbye_about_us_ends_the_run_and_keeps_what_was_said_before(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """Another connection would hear it again."""
    server = serve().script("RCPT", None, "550 5.1.1 user unknown", "421 4.7.66 TLS 1.2 is needed")
    receipts = list(
        connect(server, pipelining=mode).deliver([an_email("a@x.com b@x.com c@x.com"), *emails(2)])
    )
    assert said(receipts[0]) == [
        ("a@x.com", "deferred", "tls"),
        ("b@x.com", "refused", "bad_recipient"),
        ("c@x.com", "deferred", "tls"),
    ]
    assert statuses(receipts[1:]) == ["not_attempted"] * 2
    assert receipts[2].outcomes[0].cause is Cause.TLS
    assert server.connections == 1


def test_a_refused_sender_behind_which_the_line_is_lost_stays_refused(
    serve: Serve, connect: Connect, email: Make, act: type[Act]
) -> None:
    """The answer to MAIL was an answer."""
    server = serve(extensions=("PIPELINING",)).script(
        "MAIL", act("raw_and_drop", b"550 5.7.60 not as this sender\r\n")
    )
    (receipt,) = connect(server, pipelining=ENVELOPE).deliver([email("a@x.com b@x.com")])
    assert said(receipt) == [(f"{one}@x.com", "refused", "sender_not_allowed") for one in "ab"]


def test_a_session_error_at_mail_behind_which_the_line_is_lost_gets_another_line(
    serve: Serve, connect: Connect, email: Make, act: type[Act]
) -> None:
    """A word about the session says nothing about anybody."""
    server = serve(extensions=("PIPELINING",)).script("MAIL", act("raw_and_drop", b"503 5.5.1 not now\r\n"))
    (receipt,) = connect(server, pipelining=ENVELOPE).deliver([email("a@x.com b@x.com")])
    assert receipt.ok


# -- how many, and how large ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("dot", "554 Transaction failed: Recipient count exceeds 10"),
        ("RCPT", "550 5.5.3 Too many recipients"),
        ("RCPT", "554 5.7.1 Too many recipients"),
    ],
)
def test_a_refusal_for_the_number_of_recipients_splits_the_list(
    serve: Serve, connect: Connect, mode: Pipelining, step: str, reply: str
) -> None:
    """Thirty blind copies at a server that takes ten: all thirty once, and none of them shows."""

    class Ten(Line):
        def do_rcpt(self, line: str) -> None:
            if step == "RCPT" and len(self.recipients) >= 10:
                self.send(f"{reply}\r\n".encode())
            else:
                super().do_rcpt(line)

        def finish(self, data: bytes) -> None:
            if step == "dot" and len(self.recipients) > 10:
                self.server.script("dot", reply)
            super().finish(data)

    server = serve()
    server.line = Ten
    people = [f"hidden{number}@x.com" for number in range(30)]
    email = Email(
        sender=Mailbox("office@example.com"), recipients=Recipients(bcc=people), content=Content("s", "t")
    )
    (receipt,) = connect(server, pipelining=mode).deliver([email])
    assert receipt.ok
    assert _copies(server) == Counter(people)
    assert not any(b"hidden" in one.data for one in server.received)


def test_one_recipient_who_is_too_many_stays_open(serve: Serve, connect: Connect, email: Make) -> None:
    """There is nothing to split; a later run may ask again."""
    server = serve().script("dot", "554 Transaction failed: Recipient count exceeds 0")
    (receipt,) = connect(server).deliver([email()])
    assert said(receipt) == [("sam@example.com", "refused", "too_many_recipients")]
    assert receipt.outcomes[0].is_open


@pytest.mark.parametrize(
    ("host", "limits", "parts"),
    [
        ("email-smtp.ap-southeast-2.amazonaws.com", None, [50, 10]),
        ("email-smtp.ap-southeast-2.amazonaws.com", Limits(reconnect_seconds=1), [50, 10]),
        ("email-smtp.ap-southeast-2.amazonaws.com", Limits(recipients_per_message=40), [40, 20]),
        ("mail.college.example", None, [60]),
    ],
)
def test_as_many_recipients_as_the_provider_takes_are_in_a_message(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, host: str, limits: Limits | None, parts: list[int]
) -> None:
    """What a provider states is the default; what is given wins."""
    server = serve()

    def at_home(_server: MailServer, **options: object) -> Steps[Connection]:
        return connecting(server.mail_server(), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "connecting", at_home)
    with SmtpTransport(
        attrs.evolve(server.mail_server(), host=host), limits=limits, clock=FakeClock()
    ) as transport:
        (receipt,) = transport.deliver([an_email(" ".join(f"p{number}@x.com" for number in range(60)))])
    assert receipt.ok
    assert [len(one.recipients) for one in server.received] == parts


def test_a_message_larger_than_the_limit_is_not_sent(serve: Serve, connect: Connect, email: Make) -> None:
    """As where the server says how much it takes."""
    server = serve()
    transport = connect(server, limits=Limits(message_bytes=2_000))
    large, small = transport.deliver([email(text="x" * 70 + "\n" + "y " * 2_000), email()])
    assert said(large) == [("sam@example.com", "refused", "too_large")]
    assert "the server takes 2000" in large.warnings[0]
    assert small.ok


def test_what_a_provider_states_fills_in_what_is_not_set() -> None:
    """And nothing else; without a provider everything stays."""
    assert Limits().known(None) == Limits()
    assert Limits().recipients_per_message is None
    assert MOST_RECIPIENTS == 100


# -- addresses that a server cannot take ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "cc", "bcc", "expected"),
    [
        ("ada", "", "jørgen grace", "accepted refused accepted"),
        ("ada", "", "jørgen", "accepted refused"),
        ("ada", "jørgen", "", "refused refused"),
        ("jørgen", "", "ada", "refused refused"),
        ("", "", "jørgen", "refused"),
    ],
)
def test_an_address_that_the_server_cannot_take_is_its_own_outcome(
    serve: Serve, connect: Connect, mode: Pipelining, to: str, cc: str, bcc: str, expected: str
) -> None:
    """Where it stands in the envelope alone; one that stands in a header refuses the email."""
    server = serve(extensions=("PIPELINING", "CHUNKING"))
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(*([f"{name}@x.com" for name in names.split()] for names in (to, cc, bcc))),
        content=Content("s", "t"),
    )
    (receipt,) = connect(server, pipelining=mode).deliver([email])
    assert " ".join(status for _, status, _ in said(receipt)) == expected
    assert {one.cause for one in receipt.outcomes if one.status is Status.REFUSED} == {Cause.BAD_RECIPIENT}
    assert len(_copies(server)) == expected.count("accepted")


def test_each_part_of_an_email_to_many_is_looked_at_for_itself(serve: Serve, connect: Connect) -> None:
    """A blind copy that the server cannot take is in one of them."""
    server = serve(extensions=("PIPELINING",))
    email = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to="ada@x.com", bcc=["grace@x.com", "alan@x.com", "jørgen@x.com"]),
        content=Content("s", "t"),
    )
    (receipt,) = connect(server, limits=Limits(recipients_per_message=2)).deliver([email])
    assert [status for _, status, _ in said(receipt)] == ["accepted"] * 3 + ["refused"]
