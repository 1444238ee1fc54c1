"""Half of a surrogate pair, which no file, message or database can hold, is refused where a value is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    Attachment,
    Content,
    Email,
    EmailContext,
    Exclusion,
    ExclusionReason,
    MailServer,
    MailtoTransport,
    Person,
    PreferencesError,
    RecipientsError,
    SmtpTransport,
    Staff,
    VetmailError,
    plan_bulk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HALVES = ["k\ud800", "\udbff\udbff", "\udc00"]


def _email(**changes: object) -> Email:
    return Email(sender="o@example.com", recipients="a@example.com", content=Content("s", "t"), **changes)  # type: ignore[arg-type]


VALUES: dict[str, Callable[[str], object]] = {
    "a person's key": lambda text: Person("a@example.com", key=text),
    "staff's key": lambda text: Staff("A", "a@example.com", key=text),
    "staff's name": lambda text: Staff(text, "a@example.com"),
    "an email's key": lambda text: _email(key=text),
    "a header's value": lambda text: _email(headers={"X-Batch": text}),
    "a batch": lambda text: plan_bulk(Content("s", "t"), [], sender="o@example.com", batch=text),
    "the EHLO name": lambda text: SmtpTransport(MailServer(host="h.example"), ehlo_name=text),
    "the EHLO name in the preferences": lambda text: MailServer(host="h.example", ehlo_name=text),
    "a context's key": lambda text: EmailContext(text, "Label", to_roles=("client",)),
    "a context's label": lambda text: EmailContext("key", text, to_roles=("client",)),
    "a context's role to write to": lambda text: EmailContext("key", "Label", to_roles=(text,)),
    "a context's role to copy": lambda text: EmailContext(
        "key", "Label", to_roles=("client",), roles=(text,)
    ),
    "a separator": lambda text: MailtoTransport(separator=text),
    "a file name": lambda text: Attachment(text, b"x"),
    "a role of related people": lambda text: Person("a@example.com", related={text: ()}),
}


@pytest.mark.parametrize("text", HALVES, ids=ascii)
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_half_of_a_pair_is_refused(make: Callable[[str], object], text: str) -> None:
    """By an error whose sentence can be written as UTF-8."""
    with pytest.raises(VetmailError) as caught:
        make(text)
    assert str(caught.value).encode()


def test_each_value_has_its_own_error() -> None:
    """As for whatever else is wrong with it."""
    for make, kind in (
        (VALUES["a person's key"], RecipientsError),
        (VALUES["a batch"], RecipientsError),
        (VALUES["a context's key"], PreferencesError),
    ):
        with pytest.raises(kind, match="half of a surrogate pair"):
            make("k\ud800")


def test_a_key_may_hold_any_whole_character() -> None:
    """Line ends and controls too: a host's numbers are its own."""
    assert Person("a@example.com", key="k\u00e9\u0301\U0001f600\n").key == "k\u00e9\u0301\U0001f600\n"


def test_a_person_with_such_a_name_or_address_is_left_out_with_a_reason() -> None:
    """Building a person never fails for what a record holds."""
    people = [Person("a\ud800@example.com", key="1"), Person("b@example.com", key="2", name="Ann \ud800")]
    plan = plan_bulk(Content("s", "t"), people, sender="o@example.com")
    left_out, email = plan.steps()
    assert isinstance(left_out, Exclusion)
    assert left_out.reason is ExclusionReason.BAD_ADDRESS
    assert left_out.detail.encode()
    assert isinstance(email, Email)
    assert email.as_bytes().isascii()
