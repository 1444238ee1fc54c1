"""An answer that a server leaves out moves the later ones up; none is taken for the yes to a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.receipts import Cause, Phase, Status
from vetmail_core.transports.smtp import Pipelining
from vetmail_core.transports.smtp.rules.drift import Drift

if TYPE_CHECKING:
    from tests.transports.smtp.scripted import Act, Connect, MakeSome, Serve


@pytest.mark.parametrize("sender_words", ["250 2.1.0 ok", "250 sender is fine"])
def test_the_yes_to_the_next_sender_is_not_the_yes_to_a_text(
    serve: Serve, connect: Connect, emails: MakeSome, act: type[Act], sender_words: str
) -> None:
    """The message is in doubt, the connection is left, and what was behind it goes over a fresh one."""
    server = serve()
    server.always("MAIL", sender_words)
    server.script("dot", None, act("raw", b""))
    receipts = list(connect(server, pipelining=Pipelining.AUTO).deliver(emails(4)))
    assert [receipt.outcomes[0].status for receipt in receipts] == [
        Status.ACCEPTED,
        Status.UNKNOWN,
        Status.ACCEPTED,
        Status.ACCEPTED,
    ]
    doubt = receipts[1].outcomes[0]
    assert (doubt.cause, doubt.phase) == (Cause.PROTOCOL, Phase.DOT)
    assert server.connections == 2
    assert [one.recipients for one in server.received][-2:] == [("p2@example.com",), ("p3@example.com",)]


@pytest.mark.parametrize("mode", [Pipelining.OFF, Pipelining.ENVELOPE])
def test_one_thing_at_a_time_cannot_be_taken_for_another(
    serve: Serve, connect: Connect, emails: MakeSome, mode: Pipelining
) -> None:
    """A server that says 2.1.0 to everything is heard as it speaks."""
    server = serve()
    server.always("dot", "250 2.1.0 ok")
    assert all(receipt.ok for receipt in connect(server, pipelining=mode).deliver(emails(3)))


def test_a_server_that_says_the_same_to_everything_cannot_be_told() -> None:
    """Its words to a text are no sign of an envelope."""
    drift = Drift()
    drift.learn([b"250 Ok", b"250 Ok", b"354 go"], b"250 Ok")
    assert not drift.seen_in(b"250 Ok")
    drift.learn([b"250 sender", b"250 rcpt", b"354 go"], b"250 kept as 1")
    assert [drift.seen_in(raw) for raw in (b"250 sender", b"250 rcpt", b"250 kept as 2", b"250 2.1.5 x")] == [
        True,
        True,
        False,
        True,
    ]
