"""Laws of a plan, for any people and any copies."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.contexts import STANDARD_CONTEXTS, RecipientType
from vetmail_core.message import Content, Email
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies, EmailPreferences
from vetmail_core.recipients import Exclusion, ExclusionReason, why_excluded

ADDRESSES = [f"{name}@example.com" for name in "abcdef"]
addresses = st.sampled_from([*ADDRESSES, "A@example.com", "a@EXAMPLE.com", "b@", "", None])
typed = st.lists(st.sampled_from(ADDRESSES), max_size=3)
plain_people = st.builds(Person, addresses, key=st.sampled_from(["", "1", "2", "3"]), active=st.booleans())
people = st.lists(
    st.builds(
        Person,
        addresses,
        key=st.sampled_from(["", *"123456789"]),
        name=st.sampled_from(["", "Ann Lee", "Lee, Ann"]),
        active=st.sampled_from([True, True, True, False]),
        marketing=st.booleans(),
        related=st.dictionaries(
            st.sampled_from(["guardian", "employer_contact", "event_staff"]),
            st.lists(plain_people, max_size=2),
        ),
    ),
    max_size=8,
)
choices = st.sampled_from(BulkCopies)
rules = st.dictionaries(
    st.sampled_from(["class_staff", "guardian", "employer_contact"]), st.sampled_from(RecipientType)
)
shared = st.dictionaries(st.sampled_from(["class_staff", "event_staff"]), st.lists(plain_people, max_size=2))


@st.composite
def plans(draw: st.DrawFn) -> BulkPlan:
    """Any plan over a list of people."""
    return plan_bulk(
        Content("Hello ${first_name|}", "Dear ${name|student}"),
        draw(people),
        sender="office@example.com",
        cc=draw(typed),
        bcc=draw(typed),
        copies=draw(choices),
        context="occurrence_class",
        shared=draw(shared),
        preferences=EmailPreferences(contexts={"occurrence_class": draw(rules)}),
        context_copies=draw(st.none() | choices),
        marketing=draw(st.booleans()),
        batch=draw(st.sampled_from(["", "b"])),
    )


@settings(deadline=None)  # a busy machine is not slow code
@given(plan=plans())
def test_every_person_is_in_exactly_one_of_emails_and_exclusions(plan: BulkPlan) -> None:
    """Law: one step for each person, in order: an email To them first, or an exclusion of them."""
    everybody = list(plan.people)
    steps = list(plan.steps())
    assert len(steps) == len(everybody)
    for person, step in zip(everybody, steps, strict=True):
        if isinstance(step, Email):
            assert step.recipients.to[0] == person.mailbox()
            assert person.active
        else:
            assert step.person is person
    emails = [person.key for person, step in zip(everybody, steps, strict=True) if isinstance(step, Email)]
    assert len(emails) == len(set(emails))


@settings(deadline=None)  # a busy machine is not slow code
@given(plan=plans())
def test_to_cc_and_bcc_of_each_email_are_disjoint(plan: BulkPlan) -> None:
    """Law: an address stands once in an email, so nobody is copied on an email that is To them."""
    for email in plan:
        keys = [mailbox.address_key for mailbox in email.recipients.all]
        assert len(keys) == len(set(keys))


@settings(deadline=None)  # a busy machine is not slow code
@given(plan=plans())
def test_copies_come_to_what_the_policy_says(plan: BulkPlan) -> None:
    """Law: typed copies with the first email or all, shared likewise, related with their own; no others."""
    position = 0
    for person, step in zip(plan.people, plan.steps(), strict=True):
        if not isinstance(step, Email):
            continue
        expected: set[str] = set()
        if position == 0 or plan.copies is BulkCopies.EVERY_RECIPIENT:
            expected |= {mailbox.address_key for mailbox in plan.typed.all}
        if position == 0 or plan.context_copies is BulkCopies.EVERY_RECIPIENT:
            expected |= {mailbox.address_key for mailbox in plan.shared.recipients.all}
        expected |= {
            one.mailbox().address_key
            for role, related in person.related.items()
            for one in related
            if plan.roles.get(role, RecipientType.NONE) is not RecipientType.NONE
            and why_excluded(one, marketing=plan.marketing) is None
        }
        copied = {mailbox.address_key for mailbox in step.recipients.all[1:]}
        assert copied == expected - {person.mailbox().address_key}
        position += 1


@settings(deadline=None)  # a busy machine is not slow code
@given(plan=plans())
def test_the_preview_equals_the_run(plan: BulkPlan) -> None:
    """Law: the figures of the summary are those of the emails and exclusions that a run walks."""
    summary = plan.summary()
    steps = list(plan.steps())
    emails = [step for step in steps if isinstance(step, Email)]
    assert emails == list(plan)
    assert summary.emails == len(emails)
    assert summary.first == next(iter(emails), None)
    copies = Counter(mailbox.address_key for email in emails for mailbox in email.recipients.all[1:])
    assert sorted(summary.copies.values()) == sorted(copies.values())
    assert {address.lower() for address in summary.copies} == {key.lower() for key in copies}
    assert summary.exclusions == Counter(step.reason for step in steps if isinstance(step, Exclusion))
    lost = list(plan.copy_exclusions())
    assert summary.copy_exclusions == Counter(exclusion.reason for exclusion in lost)
    assert ExclusionReason.ALREADY_SENT not in summary.exclusions


@settings(deadline=None)  # a busy machine is not slow code
@given(
    people=people,
    held=st.dictionaries(
        st.sampled_from(["client", "staff", "guardian"]), st.lists(plain_people, max_size=2)
    ),
    context=st.sampled_from([key for key, value in STANDARD_CONTEXTS.items() if value.private]),
    copies=choices,
)
def test_a_private_context_copies_nobody(
    people: list[Person], held: dict[str, list[Person]], context: str, copies: BulkCopies
) -> None:
    """Law: passwords and personal results go to the person alone."""
    plan = plan_bulk(
        Content("Your password"),
        people,
        sender="office@example.com",
        context=context,
        shared=held,
        copies=copies,
    )
    for email in plan:
        assert len(email.recipients.all) == len(email.recipients.to) == 1
    assert plan.summary().copies == {}
