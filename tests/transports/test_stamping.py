"""What an email gets as it leaves."""

from __future__ import annotations

from datetime import UTC, datetime

from vetmail_core.message import Content, Email
from vetmail_core.recipients import Recipients
from vetmail_core.transports.stamping import message_id_of, stamp

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _email(key: str = "") -> Email:
    return Email(
        sender="office@bücher.example",
        recipients=Recipients(to="a@example.com"),
        content=Content("x"),
        key=key,
    )


def test_a_message_id_by_chance_never_comes_twice() -> None:
    """It stands at the sender's domain, as an A-label."""
    bare = _email()
    first, second = message_id_of(bare), message_id_of(bare)
    assert first != second
    assert first.endswith("@xn--bcher-kva.example>")


def test_an_email_keeps_the_message_id_that_its_key_gave() -> None:
    """So a second run sends the same one."""
    keyed = _email(key="2026-T1/C1001")
    assert message_id_of(keyed) == keyed.message_id != ""


def test_a_stamped_email_has_a_date_and_a_message_id() -> None:
    """The email itself stays as it is."""
    bare = _email()
    stamped = stamp(bare, NOON)
    assert stamped.date == NOON
    assert stamped.message_id
    assert (bare.date, bare.message_id) == (None, "")
