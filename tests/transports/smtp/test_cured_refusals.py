"""Whoever was refused for a reason of ours gets the email when that reason is gone, and nobody twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transports.smtp.play import Row, play

if TYPE_CHECKING:
    from pathlib import Path

SENDER, LOGIN = ("SENDER_NOT_ALLOWED",), ("AUTHENTICATION",)
QUOTA = ("DAILY_QUOTA", "THROTTLED")


def everybody(phase: str, reply: str, *cause: str, about: str = "us") -> Row:
    """About us: everybody is answered so, and the run ends at the first."""
    return Row(phase=phase, reply=reply, about=about, cause=cause, open=True, stops=True)


ROWS = [
    everybody("RCPT", "553 5.7.1 <{sender}>: Sender address refused: this user does not own it", *SENDER),
    everybody("RCPT", "550 5.1.0 <{sender}>: Sender address refused: no such user", *SENDER),
    everybody("RCPT", "450 4.1.8 <{sender}>: Sender address refused: no such domain", *SENDER),
    everybody("MAIL", "553 {sender} may not relay", *SENDER),
    everybody("DOT", "554 5.7.60 No permission to send as this sender", *SENDER),
    everybody("DOT", "550 5.7.1 The DMARC policy of {sender_domain} asks for this", *SENDER),
    everybody("MAIL", "550 5.7.57 Not authenticated", *LOGIN),
    everybody("RCPT", "550 5.7.1 {login} must not do this", *LOGIN),
    everybody("AUTH", "535 5.7.8 wrong", *LOGIN),
    everybody("RCPT", "554 5.7.1 <{recipient}>: Relaying is not for you", *SENDER),
    everybody("RCPT", "550 {sender_domain} is over its 100 emails an hour", *QUOTA),
    everybody("DOT", "554 5.2.0 the submission quota of this sender was exceeded", "DAILY_QUOTA"),
    everybody("MAIL", "550 5.7.1 Too many messages", *QUOTA),
    everybody("RCPT", "550 5.3.2 Service not available", "BLOCKED"),
    everybody("RCPT", "554 5.7.1 Client host [203.0.113.7] blocked using a list", "BLOCKED"),
    everybody("DOT", "554 Sending was suspended", "BLOCKED"),
    everybody("GREETING", "554 5.7.1 on our blocklist", "BLOCKED"),
    everybody("RCPT", "450 4.7.25 Client host refused: it has no name", "BLOCKED"),
    everybody("RCPT", "504 5.5.2 <{ehlo}>: Helo command refused", "EHLO_NAME"),
    everybody("MAIL", "421 4.7.1 The EHLO name {ehlo} is not yours", "EHLO_NAME"),
    everybody("EHLO", "501 5.5.4 What name is that", "EHLO_NAME"),
    everybody("EHLO", "421 4.7.0 Some other time (EHLO)", "EHLO_NAME"),
    everybody("MAIL", "451 5.7.3 STARTTLS first", "TLS"),
    everybody("RCPT", "554 5.7.1 No", "OTHER"),
    everybody("MAIL", "550 5.7.1 No", "OTHER"),
    everybody("DOT", "554 No", "OTHER"),
    Row(phase="DOT", reply="554 5.7.1 Looks like spam", about="text", cause=("CONTENT_REFUSED",), open=True),
    Row(phase="DOT", reply="552 5.3.4 Message size exceeded", about="size", cause=("TOO_LARGE",), open=True),
    Row(phase="RCPT", reply="450 4.3.2 Not now", about="server", cause=("OTHER",), open=True),
    Row(phase="MAIL", reply="451 4.3.0 Lookup failed", about="server", cause=("OTHER",), open=True),
    Row(phase="RCPT", reply="550 5.1.1 <{recipient}>: unknown user", about="recipient",
        cause=("BAD_RECIPIENT",), open=False, stops=False),
    Row(phase="RCPT", reply="550 5.1.1 <{recipient}>: unknown user", about="recipient", open=False,
        stops=False, cause=("BAD_RECIPIENT",), person="daily-relay.blocked@students.example"),
    Row(phase="RCPT", reply="550 5.1.1 <{recipient}>: unknown at {sender_domain}", about="recipient",
        open=False, stops=False, cause=("BAD_RECIPIENT",), person="former@{sender_domain}"),
    Row(phase="DOT", reply="550 5.1.10 {recipient} not found", about="recipient", open=False, stops=False),
    Row(phase="RCPT", reply="550 5.7.133 authentication required for this group", about="recipient",
        cause=("OTHER",), stops=False),
    Row(phase="RCPT", reply="450 4.2.1 too popular", about="recipient", cause=("RECIPIENT_THROTTLED",),
        open=True, stops=False),
    Row(phase="RCPT", reply="450 4.2.0 <{recipient}>: Greylisted", about="greylist", cause=("GREYLISTED",),
        open=True, stops=False),
    Row(phase="DOT", reply="451 4.7.1 Come back", about="greylist", open=True, stops=False),
    Row(phase="DOT", reply="454 Throttled: sending rate exceeded", about="throttle", cause=("THROTTLED",),
        open=True),
    Row(phase="RCPT", reply="451 4.7.1 The hour is full", about="quota", cause=QUOTA, open=True),
    Row(phase="DOT", reply="554 Recipient count over 10", about="count", limit=10),
    Row(phase="RCPT", reply="550 5.5.3 Too many recipients", about="count", limit=10),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.phase} {row.reply[:40]}")
def test_a_refusal_costs_nobody_their_email_once_it_is_cured(row: Row, tmp_path: Path) -> None:
    """Twelve people, one refusal, two runs: the right cause, the right end, everybody once."""
    assert play(row, tmp_path) == []
