"""Where servers report what could not be delivered."""

from __future__ import annotations

import pytest

from vetmail_core import Cause, Content, Email, Recipients, SmtpTransport
from vetmail_core.testing import LocalSmtpServer


def email(bounce_to: str) -> Email:
    """An email whose bounces go elsewhere."""
    return Email(
        sender="Office <office@example.com>",
        recipients=Recipients("ann@example.com"),
        content=Content("Moved"),
        bounce_to=bounce_to,
    )


def test_mail_from_says_where_bounces_go_and_from_stays() -> None:
    """Neither Return-Path nor Sender is written: the first is the last server's, the second nobody's."""
    with LocalSmtpServer() as server, SmtpTransport(server.mail_server) as transport:
        (receipt,) = transport.deliver([email("bounces@rto.example")])
    assert receipt.ok
    (received,) = server.emails
    assert received.sender == "bounces@rto.example"
    message = received.message
    assert message["From"] == "Office <office@example.com>"
    assert message["Return-Path"] is message["Sender"] is None


@pytest.mark.parametrize("smtputf8", [True, False])
def test_a_bounce_address_beyond_ascii_needs_smtputf8(*, smtputf8: bool) -> None:
    """As any other address of the envelope."""
    with (
        LocalSmtpServer(without=() if smtputf8 else ("SMTPUTF8",)) as server,
        SmtpTransport(server.mail_server) as transport,
    ):
        (receipt,) = transport.deliver([email("b\u00fc@rto.example")])
    assert receipt.ok is smtputf8
    if not smtputf8:
        assert receipt.outcomes[0].cause is Cause.SENDER_NOT_ALLOWED
