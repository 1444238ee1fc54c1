"""What a sender sees before pressing the button."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from vetmail_core.bulk import PlanSummary, plan_bulk
from vetmail_core.contexts import RecipientType
from vetmail_core.message import Content
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies, EmailPreferences
from vetmail_core.recipients import Exclusion, ExclusionReason

NOTICE = Content("Class for ${first_name}", "Dear ${name}")
TRAINER = "trainer@example.com"
CLASS = [Person(f"s{n}@example.com", key=f"C{n}", name=f"Student {n}") for n in range(10)]


def test_every_recipient_floods_the_trainer_and_the_summary_says_so() -> None:
    """Ten students, ten copies: seen before it is sent."""
    plan = plan_bulk(
        NOTICE, CLASS, sender="office@example.com", cc=TRAINER, copies=BulkCopies.EVERY_RECIPIENT
    )
    summary = plan.summary()
    assert summary.emails == 10
    assert summary.copies == {TRAINER: 10}
    assert summary.exclusions == {}
    assert str(summary) == "10 emails\ntrainer@example.com gets 10 copies"


def test_the_first_email_is_there_in_full() -> None:
    """The very email that a run would send first."""
    plan = plan_bulk(
        NOTICE, [attrs.evolve(CLASS[0], active=False), *CLASS], sender="office@example.com", cc=TRAINER
    )
    summary = plan.summary()
    assert summary.first == next(iter(plan))
    assert summary.first is not None
    assert summary.first.content.text == "Dear Student 1"
    assert summary.first.recipients.cc[0].addr_spec == TRAINER


def test_a_plan_for_nobody_has_no_first_email() -> None:
    """Nobody is a figure too."""
    summary = plan_bulk(NOTICE, [], sender="office@example.com").summary()
    assert (summary.emails, summary.first, summary.copies, summary.exclusions) == (0, None, {}, {})
    assert str(summary) == "0 emails"


def test_copies_are_counted_by_address_with_the_most_first() -> None:
    """To, CC and BCC alike, in whatever spelling; an email To the person is no copy."""
    mum = Person("mum@example.com")
    people = [
        attrs.evolve(CLASS[0], related={"guardian": (mum,)}),
        attrs.evolve(CLASS[1], related={"guardian": (Person("mum@EXAMPLE.com"),)}),
        CLASS[2],
    ]
    plan = plan_bulk(
        NOTICE,
        people,
        sender="office@example.com",
        bcc=["log@example.com", "s0@example.com"],
        copies=BulkCopies.EVERY_RECIPIENT,
        context="client",
        preferences=EmailPreferences(contexts={"client": {"guardian": RecipientType.TO}}),
    )
    copies = plan.summary().copies
    assert list(copies.items()) == [("log@example.com", 3), ("mum@example.com", 2), ("s0@example.com", 2)]


def test_exclusions_are_counted_by_reason() -> None:
    """Every reason a plan knows, in words too."""
    people = [
        CLASS[0],
        CLASS[0],
        CLASS[0],
        attrs.evolve(CLASS[1], active=False),
        attrs.evolve(CLASS[2], marketing=False),
        attrs.evolve(CLASS[3], address=None),
        attrs.evolve(CLASS[4], address="s4@"),
    ]
    summary = plan_bulk(NOTICE, people, sender="office@example.com", marketing=True).summary()
    assert summary.exclusions == {
        ExclusionReason.DUPLICATE_PERSON: 2,
        ExclusionReason.INACTIVE: 1,
        ExclusionReason.MARKETING_OPT_OUT: 1,
        ExclusionReason.NO_ADDRESS: 1,
        ExclusionReason.BAD_ADDRESS: 1,
    }
    assert summary.exclusions[ExclusionReason.ALREADY_SENT] == 0
    assert str(summary).splitlines() == [
        "1 email",
        "2 people left out: duplicate person",
        "1 person left out: inactive",
        "1 person left out: marketing opt out",
        "1 person left out: no address",
        "1 person left out: bad address",
        *summary.warnings,
    ]


def test_copies_that_cannot_be_made_are_counted_and_named() -> None:
    """A guardian without an address takes nothing from the student's email, and is not passed over."""
    no_address = Person(None, key="G1", name="Mum")
    bad_address = Person("dad@", key="G2")
    archived = Person("jo@example.com", name="Jo", active=False)
    people = [
        attrs.evolve(CLASS[0], related={"guardian": (no_address, bad_address)}),
        attrs.evolve(CLASS[1], related={"guardian": (no_address,)}),
        attrs.evolve(CLASS[2], related={"guardian": (no_address,)}, active=False),
        attrs.evolve(CLASS[3], related={"event_staff": (no_address,)}),
    ]
    plan = plan_bulk(
        NOTICE,
        people,
        sender="office@example.com",
        context="occurrence_class",
        shared={"class_staff": [archived]},
        preferences=EmailPreferences(
            contexts={
                "occurrence_class": {
                    "guardian": RecipientType.CC,
                    "employer_contact": RecipientType.BCC,
                    "occurrence_staff": RecipientType.NONE,
                }
            }
        ),
    )
    lost = list(plan.copy_exclusions())
    assert [exclusion.person for exclusion in lost] == [archived, no_address, bad_address, no_address]
    assert [exclusion.detail.partition(":")[0] for exclusion in lost] == ["Class Staff"] + 3 * [
        "Parent/Guardian"
    ]
    summary = plan.summary()
    assert summary.emails == 3
    assert summary.exclusions == {ExclusionReason.INACTIVE: 1}
    assert summary.copy_exclusions == {
        ExclusionReason.INACTIVE: 1,
        ExclusionReason.NO_ADDRESS: 2,
        ExclusionReason.BAD_ADDRESS: 1,
    }
    assert summary.empty_roles == ("class_staff", "guardian", "employer_contact")
    assert str(summary).splitlines() == [
        "3 emails",
        "1 person left out: inactive",
        "1 copy not possible: inactive",
        "2 copies not possible: no address",
        "1 copy not possible: bad address",
        "nobody gets a copy as Class Staff",
        "nobody gets a copy as Parent/Guardian",
        "nobody gets a copy as Employer Contact",
    ]
    assert [step.person for step in plan.steps() if isinstance(step, Exclusion)] == [people[2]]


def test_a_role_that_one_person_fills_is_not_empty() -> None:
    """Not everybody has a guardian."""
    people = [CLASS[0], attrs.evolve(CLASS[1], related={"guardian": (Person("mum@example.com"),)})]
    plan = plan_bulk(
        NOTICE,
        people,
        sender="office@example.com",
        context="client",
        preferences=EmailPreferences(
            contexts={"client": {"guardian": RecipientType.CC, "dean": RecipientType.CC}}
        ),
    )
    assert plan.summary().empty_roles == ("dean",)
    assert "nobody gets a copy as dean" in str(plan.summary())
    for_all = plan_bulk(
        NOTICE,
        people,
        sender="office@example.com",
        context="occurrence_class",
        shared={"class_staff": Person(TRAINER)},
    )
    assert for_all.summary().empty_roles == ()


def test_a_role_in_to_is_not_missed() -> None:
    """In a context of the product's own, "client: To" is about the people of the plan."""
    plan = plan_bulk(
        NOTICE,
        CLASS,
        sender="office@example.com",
        context="excursion",
        preferences=EmailPreferences(
            contexts={"excursion": {"client": RecipientType.TO, "driver": RecipientType.CC}}
        ),
    )
    assert plan.summary().empty_roles == ("driver",)


def test_a_summary_cannot_be_changed() -> None:
    """Figures that were shown stay as they were shown."""
    summary = plan_bulk(NOTICE, CLASS, sender="office@example.com", cc=TRAINER).summary()
    with pytest.raises(TypeError):
        summary.copies[TRAINER] = 0  # type: ignore[index]
    assert isinstance(summary, PlanSummary)


def test_a_summary_can_be_copied_and_sent_to_another_process() -> None:
    """A screen in another process shows the very same figures, and they stay read-only."""
    summary = plan_bulk(
        NOTICE, [*CLASS, Person("", key="C99")], sender="office@example.com", cc=TRAINER
    ).summary()
    for copied in (pickle.loads(pickle.dumps(summary)), copy.deepcopy(summary)):  # noqa: S301 - our own bytes
        assert copied == summary
        assert hash(copied) == hash(summary)
        with pytest.raises(TypeError):
            copied.copies["x@example.com"] = 1  # type: ignore[index]  # the law under test
