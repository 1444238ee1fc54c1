"""People whom it is no use writing to are left out, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core import (
    Content,
    EmailPreferences,
    Exclusion,
    ExclusionReason,
    Mailer,
    Person,
    RecipientType,
    Settings,
    plan_bulk,
)
from vetmail_core.testing import Outbox

if TYPE_CHECKING:
    from vetmail_core import Mailbox

NOTICE = Content("Your class moved", "It is in room 7 now.")
WHY = "mail to pia@example.com came back on 2026-11-30: 550 5.1.1 no such user. Correct the address."
PREFERENCES = EmailPreferences(
    settings=Settings(default_from="office@example.com"),
    contexts={"occurrence_class": {"guardian": RecipientType.CC, "class_staff": RecipientType.CC}},
)
PIA = Person("pia@example.com", key="C1", name="Pia")
SAM = Person("sam@example.com", key="C2", name="Sam", related={"guardian": (Person("PIA@example.com"), PIA)})


def comes_back(mailbox: Mailbox) -> str | None:
    """What a ledger knows."""
    return WHY if mailbox.addr_spec.startswith("pia@") else ""


def test_a_person_to_whom_mail_comes_back_is_left_out_with_the_servers_words() -> None:
    """And shown in the summary like everybody who is left out."""
    plan = plan_bulk(NOTICE, [PIA, SAM], sender="office@example.com", suppressed=comes_back)
    (exclusion, _email) = plan.steps()
    assert exclusion == Exclusion(PIA, ExclusionReason.SUPPRESSED, WHY)
    assert plan.summary().exclusions[ExclusionReason.SUPPRESSED] == 1
    assert "1 person left out" in str(plan.summary())


def test_people_of_related_and_shared_roles_are_asked_about_and_typed_copies_are_not() -> None:
    """Who typed a copy wants it."""
    plan = plan_bulk(
        NOTICE,
        [SAM],
        sender="office@example.com",
        cc="pia@example.com",
        context="occurrence_class",
        shared={"class_staff": [PIA, Person("kim@example.com")]},
        preferences=PREFERENCES,
        suppressed=comes_back,
    )
    (email,) = plan
    assert [mailbox.addr_spec for mailbox in email.recipients.cc] == [
        "PIA@example.com",
        "pia@example.com",
        "kim@example.com",
    ]
    assert sorted((one.reason.value, one.detail) for one in plan.copy_exclusions()) == [
        ("suppressed", f"Class Staff: {WHY}"),
        ("suppressed", f"Parent/Guardian: {WHY}"),
    ]


def test_nobody_is_asked_about_who_is_left_out_anyway_and_a_failure_is_the_callers() -> None:
    """The other reasons come first; an error of the function goes through."""
    asked: list[str] = []

    def failing(mailbox: Mailbox) -> str | None:
        asked.append(mailbox.addr_spec)
        raise ConnectionError

    people = [Person(None, key="A"), Person("old@example.com", key="B", active=False), SAM]
    plan = plan_bulk(NOTICE, people, sender="office@example.com", suppressed=failing)
    with pytest.raises(ConnectionError):
        list(plan.steps())
    assert asked == ["sam@example.com"]


def test_a_mailer_passes_it_on() -> None:
    """The run leaves them out and reports them."""
    with Mailer(PREFERENCES, transport=Outbox()) as mailer:
        plan = mailer.plan_bulk(NOTICE, [PIA, SAM], suppressed=comes_back)
        report = mailer.send_bulk(plan)
    assert (report.emails, [one.detail for one in report.exclusions]) == (1, [WHY])
