"""Emails as values."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.address import Mailbox
from vetmail_core.errors import AddressError, MessageError, RecipientsError
from vetmail_core.message import Content, Email, HeaderFields, wire_bytes
from vetmail_core.people import Person
from vetmail_core.recipients import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    Make = Callable[..., Email]
    Read = Callable[[bytes], EmailMessage]

NOON = datetime(2026, 1, 5, 12, 0, 7, tzinfo=timezone(timedelta(hours=11)))


def test_an_email_is_a_value(make_email: Make) -> None:
    """Frozen, hashable, kept by pickle, changed by attrs.evolve."""
    email = make_email(key="1", reply_to=["help@example.com"], headers={"X-A": "1"}, date=NOON)
    assert email == make_email(key="1", reply_to=["help@example.com"], headers={"X-A": "1"}, date=NOON)
    assert len({email, pickle.loads(pickle.dumps(email))}) == 1  # noqa: S301 - our own bytes
    assert attrs.evolve(email, key="1") == email
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        email.key = "2"  # type: ignore[misc]  # the mistake under test


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((), ()),
        ("", ()),
        ("help@example.com", ("help@example.com",)),
        (Mailbox("help@example.com"), ("help@example.com",)),
        (iter(["a@example.com", Mailbox("b@example.com")]), ("a@example.com", "b@example.com")),
    ],
)
def test_mailboxes_may_be_given_as_text(make_email: Make, given: object, kept: tuple[str, ...]) -> None:
    """Any iterable, one mailbox or one string; kept as a tuple of mailboxes."""
    email = make_email(reply_to=given, sender='"The Office" <office@example.com>')
    assert tuple(map(str, email.reply_to)) == kept
    assert email.sender == Mailbox("office@example.com", "The Office")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            {"recipients": Recipients()},
            RecipientsError,
            'the email "Class moved" has no recipient; give it at least one',
        ),
        (
            {"recipients": "a@example.com"},
            RecipientsError,
            r"needs Recipients, got str; write Recipients\(to=",
        ),
        ({"content": "hello"}, MessageError, "an email needs a Content, got str"),
        ({"sender": "nobody"}, AddressError, "nobody|@"),
        ({"sender": None}, MessageError, "needs a mailbox or its text, got NoneType"),
        ({"sender": Person("a@example.com")}, MessageError, "got Person; take the mailbox of a person"),
        ({"reply_to": [5]}, MessageError, "needs a mailbox or its text, got int"),
        ({"reply_to": 5}, MessageError, "needs a mailbox or its text, got int"),
        (
            {"message_id": "abc"},
            MessageError,
            "'abc' is not a Message-ID; expected <left@right> in ASCII",
        ),
        ({"message_id": "<a@b>\r\nBcc: eve@example.com"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<a b@c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<é@c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": f"<{'a' * 897}@c>"}, MessageError, "^'<a{79}' is not .*, 900 characters at most$"),
        # These the standard library's own reader falls over, or calls defective.
        ({"message_id": "<:@c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<a@:>"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<a..b@c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<a@b@c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": "<a@[b]c>"}, MessageError, "is not a Message-ID"),
        ({"message_id": 5}, MessageError, "5 is not a Message-ID"),
        ({"message_id": 0}, MessageError, "0 is not a Message-ID"),
        ({"key": 5}, MessageError, "the key of an email needs text, got int; write a number as text"),
        ({"key": 0}, MessageError, "the key of an email needs text, got int"),
        ({"key": 5, "message_id": "<a@b>"}, MessageError, "the key of an email needs text, got int"),
        ({"date": datetime(2026, 1, 5)}, MessageError, "2026-01-05T00:00:00 has no time zone"),  # noqa: DTZ001 - the mistake under test
        ({"date": datetime(1899, 1, 5, tzinfo=UTC)}, MessageError, "is before the year 1900"),
        ({"date": "2026-01-05"}, MessageError, "the date needs a datetime with a time zone, got str"),
        (
            {"date": datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=9, seconds=1)))},
            MessageError,
            "is before the year 1900",
        ),
        (
            {"date": datetime.max.replace(tzinfo=timezone(-timedelta(seconds=1)))},
            MessageError,
            "is at the end of all time in UTC",
        ),
        ({"headers": [("X-A", "1")]}, MessageError, "headers= needs a mapping .*, got list"),
        ({"headers": {"Bcc": "eve@example.com"}}, MessageError, "the header Bcc is not the caller's to set"),
    ],
)
def test_an_email_that_cannot_stand_is_refused(
    make_email: Make, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    """What is wrong is said where the email is made, not when it is sent."""
    with pytest.raises(error, match=said):
        make_email(**changes)


def test_what_may_be_left_out_may_be_none(make_email: Make) -> None:
    """As a record without one hands it over; it is as good as leaving it out."""
    nothing = dict.fromkeys(("reply_to", "key", "message_id", "date", "headers"))
    assert make_email(**nothing) == make_email()


def test_the_key_makes_the_message_id() -> None:
    """The same key and sender give the same Message-ID in another process; another of either, another."""
    script = (
        "from vetmail_core import *;"
        "print(Email(sender='Office@example.com', recipients=Recipients(to='a@b.example'),"
        "content=Content('s'), key='batch/7').message_id)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    ids = {
        Email(
            sender=sender, recipients=Recipients(to="a@b.example"), content=Content("s"), key=key
        ).message_id
        for sender, key in [
            ("Office@example.com", "batch/7"),
            ('"Named" <Office@example.com>', "batch/7"),
            ("Office@example.com", "batch/8"),
            ("other@example.com", "batch/7"),
        ]
    }
    assert len(ids) == 3
    assert said.stdout.strip() in ids


def test_a_message_id_outlives_the_release_that_made_it(make_email: Make) -> None:
    """A run that is resumed after an update sends nothing under a second Message-ID."""
    email = make_email(sender="Office@Example.com", key="batch/7")
    assert email.message_id == "<d1d89473d901065a27c711c2afd9735e@Example.com>"


def test_a_message_id_is_at_the_senders_domain_in_ascii(make_email: Make) -> None:
    """International domains as A-labels; any key will do."""
    email = make_email(sender="a@bücher.example", key="ключ")
    assert email.message_id.endswith("@xn--bcher-kva.example>")
    for own in ("<own@id.example>", f"<{'a' * 896}@c>"):
        assert make_email(message_id=own, key="k").message_id == own
    assert make_email().message_id == ""
    literal = make_email(sender="office@[192.0.2.1]", key="k").message_id
    assert literal.endswith("@[192.0.2.1]>")
    assert make_email(message_id=literal).message_id == literal


def test_needs_smtputf8_looks_at_every_address_of_the_envelope(make_email: Make) -> None:
    """A blind copy's address is in the envelope too; a domain alone needs nothing."""
    plain = Mailbox("a@bücher.example", "Zoë")
    special = "zoë@example.com"
    assert not make_email(sender=plain, recipients=Recipients(to=plain), reply_to=plain).needs_smtputf8
    assert make_email(sender=special).needs_smtputf8
    assert make_email(reply_to=special).needs_smtputf8
    for boxes in (([plain, special],), ((), [plain, special]), (plain, (), special)):
        assert make_email(recipients=Recipients(*boxes)).needs_smtputf8


def test_stamping_fills_in_date_and_message_id(make_email: Make) -> None:
    """What the email has stays; what it lacks comes from the transport."""
    bare = make_email().stamped(NOON, "<x@y>")
    assert (bare.message_id, bare.date) == ("<x@y>", NOON)
    keyed = make_email(key="1").stamped(NOON, "<x@y>")
    assert (keyed.message_id, keyed.date) == (make_email(key="1").message_id, NOON)
    assert keyed.stamped(NOON + timedelta(days=1), "<other@y>") is keyed


def test_wire_bytes_stamps_without_another_email(make_email: Make) -> None:
    """A transport's way, on the hot path, gives the same bytes as stamping."""
    for email in (make_email(), make_email(key="1"), make_email(date=NOON), make_email(key="1", date=NOON)):
        now = NOON + timedelta(hours=1)
        assert wire_bytes(email, date=now, message_id="<x@y>") == email.stamped(now, "<x@y>").as_bytes()


@pytest.mark.parametrize(
    ("date", "written"),
    [
        (NOON, b"Date: Mon, 05 Jan 2026 12:00:07 +1100\r\n"),
        (datetime(2026, 12, 31, 23, 59, 59, 999, tzinfo=UTC), b"Date: Thu, 31 Dec 2026 23:59:59 +0000\r\n"),
        (
            datetime(1900, 2, 28, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
            b"Date: Wed, 28 Feb 1900 00:00:00 -0330\r\n",
        ),
        # A zone of a time before zones: whole minutes are all that a Date can say.
        (
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=10, minutes=4, seconds=52))),
            b"Date: Wed, 31 Dec 2025 13:55:08 +0000\r\n",
        ),
    ],
)
def test_a_date_is_written_for_every_reader(
    make_email: Make, read: Read, date: datetime, written: bytes
) -> None:
    """RFC 5322: English names, two digits, a zone in whole minutes; the same moment when read."""
    data = make_email(date=date).as_bytes()
    assert written in data
    assert read(data)["Date"].datetime == date.replace(microsecond=0)


def test_as_bytes_is_pure(make_email: Make) -> None:
    """No clock, no chance: the same bytes each time, without Date and Message-ID where nothing gave them."""
    email = make_email(Content("s", "t", html="h"))
    assert email.as_bytes() == make_email(Content("s", "t", html="h")).as_bytes()
    assert b"Date:" not in email.as_bytes()
    assert b"Message-ID:" not in email.as_bytes()


def test_headers_are_checked_once_for_many_emails(make_email: Make) -> None:
    """A HeaderFields is handed on as it is."""
    fields = HeaderFields({"Auto-Submitted": "auto-generated"})
    assert make_email(headers=fields).headers is fields
    assert make_email(headers={"Auto-Submitted": "auto-generated"}).headers == fields


def test_a_key_that_no_file_can_hold_is_refused(make_email: Make) -> None:
    """Half of a surrogate pair would stop the run at this email, and everybody behind it."""
    with pytest.raises(MessageError, match="holds half of a surrogate pair"):
        make_email(key="class/\ud83d")
