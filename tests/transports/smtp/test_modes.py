"""Emails over the wire in every mode: how much goes ahead, and in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.outcomes import said

from vetmail_core.address import Mailbox
from vetmail_core.message import Content, Email
from vetmail_core.receipts import Cause, Phase
from vetmail_core.recipients import Recipients
from vetmail_core.transports.smtp import Limits, Pipelining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transports.smtp.scripted import Connect, Make, MakeSome, Serve

OFF, ENVELOPE, AUTO, CHUNKING = Pipelining


def test_every_mode_delivers_each_email_once_and_in_order(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """The receipts are for the very emails that were handed over, and hold the server's queue id."""
    server = serve()
    sent = emails(12)
    receipts = list(connect(server, pipelining=mode).deliver(sent))
    assert [receipt.email for receipt in receipts] == sent
    assert all(receipt.ok and receipt.attempts == 1 and receipt.warnings == () for receipt in receipts)
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
    """The first message of an unknown server goes alone; a run that follows knows the server."""
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
    pulled.clear()
    assert next(len(pulled) for _ in transport.deliver(feed())) == 4


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
    odd_keys = ("k" * 101, "+" * 40, "schlüssel", "two\nlines", "")
    sent = [email("o'brien+1@example.com", key="batch=7"), *(email(key=key) for key in odd_keys)]
    assert all(receipt.ok for receipt in connect(server).deliver(sent))
    mails = [line for line in server.heard if line.startswith("MAIL")]
    size = len(server.received[0].data)
    assert mails[0] == f"MAIL FROM:<office@example.com> SIZE={size} ENVID=batch+3D7"
    assert all(" SIZE=" in line for line in mails)
    # A key that does not fit as it is written, or none: the Message-ID, which stands in the bounce too.
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
    blind = Email(
        sender=Mailbox("office@example.com"),
        recipients=Recipients(to="sam@example.com", bcc="jörg@example.com"),
        content=Content("s", "t"),
    )
    receipts = connect(server).deliver([email("jörg@müller.example"), blind])
    assert all(receipt.ok for receipt in receipts)
    first, second = (line for line in server.heard if line.startswith("MAIL"))
    assert " BODY=8BITMIME SMTPUTF8 " in first
    assert " SMTPUTF8 " in second
    assert "8BITMIME" not in second  # a blind copy stands in no header
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
    transport = connect(server, pipelining=mode, limits=Limits(recipients_per_message=1))
    two = "sam@example.com pat@example.com"
    refused, fine = transport.deliver([email(two, text="x" * 2000), email()])
    assert said(refused) == [(address, "refused", "too_large") for address in two.split()]
    assert len(refused.warnings) == 1
    assert refused.outcomes[0].phase is Phase.MAIL
    assert "the server takes 1000" in refused.warnings[0]
    assert fine.ok
    assert len(server.received) == 1
