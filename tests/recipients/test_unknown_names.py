"""Contexts and roles that nothing knows, and mailings by a context that writes to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from vetmail_core import (
    BulkPlan,
    Content,
    EmailContext,
    EmailPreferences,
    Person,
    RecipientsError,
    RecipientType,
    expand_context,
    plan_bulk,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NONE, TO, CC, BCC = RecipientType.NONE, RecipientType.TO, RecipientType.CC, RecipientType.BCC
ANN = Person("ann@example.com", key="C1", name="Ann Lee")
OWN = EmailContext("open_day", "Open Day", to_roles="visitor", roles="guide")
RULES = EmailPreferences(contexts={"tour": {"bus_driver": CC}})


def planned(
    context: EmailContext | str = "occurrence_class",
    *,
    people: Iterable[Person] = (ANN,),
    shared: Mapping[str, Person] | None = None,
    preferences: EmailPreferences = RULES,
) -> BulkPlan:
    """A plan by a context."""
    return plan_bulk(
        Content("s"),
        people,
        sender="office@example.com",
        context=context,
        shared=shared or {},
        preferences=preferences,
    )


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("occurence_class", 'no email context "occurence_class". Did you mean "occurrence_class"?'),
        ("Occurrence Class", 'Did you mean "occurrence_class"?'),
        ("paymentplan", 'Did you mean "payment_plan"?'),
        ("tours", 'Did you mean "tour"?'),
        ("", "Known are: account, attendance"),
        ("zzzzzzzz", "Known are: account, attendance"),
    ],
)
def test_a_context_that_nothing_knows_is_refused_with_the_nearest(context: str, words: str) -> None:
    """Else its copies would be dropped in silence."""
    with pytest.raises(RecipientsError) as one:
        expand_context(context, {"client": ANN}, RULES)
    with pytest.raises(RecipientsError) as many:
        planned(context)
    assert words in str(one.value)
    assert str(many.value) == str(one.value)


@pytest.mark.parametrize("context", [7, None, ["client"]])
def test_something_else_than_a_context_is_a_type_error(context: object) -> None:
    """With what to write."""
    with pytest.raises(TypeError, match='Write context="occurrence_class"'):
        expand_context(cast("str", context), {}, RULES)


@pytest.mark.parametrize(
    ("role", "near"),
    [("class_staf", "class_staff"), ("Class-Staff", "class_staff"), ("busdriver", "bus_driver")],
)
def test_a_role_that_nothing_knows_is_refused_with_the_nearest(role: str, near: str) -> None:
    """Among the people of one email, the shared people of a plan, and whoever is related to a person."""
    words = f'in a role "{role}", which is not known. Did you mean "{near}"?'
    with pytest.raises(RecipientsError) as one:
        expand_context("occurrence_class", {role: ANN}, RULES)
    assert str(one.value) == f"people= has people {words}"
    with pytest.raises(RecipientsError) as shared:
        planned(shared={role: ANN})
    assert str(shared.value) == f"shared= has people {words}"
    with pytest.raises(RecipientsError) as related:
        planned(people=[ANN, Person("bob@example.com", name="Bob Ray", key="C2", related={role: ANN})])
    assert str(related.value) == f"Person(related=...) of Bob Ray (key C2) has people {words}"


def test_related_people_who_are_read_as_they_come_are_looked_at_when_their_turn_comes() -> None:
    """Nobody reads a stream twice; those before are planned."""

    def people() -> Iterator[Person]:
        yield ANN
        yield Person("bob@example.com", key="C2", related={"gardian": ANN})

    steps = planned(people=people()).steps()
    next(steps)
    with pytest.raises(RecipientsError, match='of C2 has people in a role "gardian"'):
        next(steps)


def test_whatever_catalogue_call_or_any_rule_knows_is_known() -> None:
    """A role without a type adds nobody, and is no error; without a context nobody related is asked for."""
    assert expand_context("tour", {"bus_driver": ANN}, RULES).recipients.cc
    assert not expand_context("client", {"bus_driver": ANN, "sender": ANN}, RULES).recipients
    assert expand_context(OWN, {"visitor": ANN, "guide": ANN}, EmailPreferences()).recipients.to
    related = Person("bob@example.com", related={"guide": ANN, "guardian": ANN})
    assert len(list(planned(OWN, people=[related]))) == 1
    assert list(plan_bulk(Content("s"), Person("a@example.com", related={"x": ANN}), sender="o@example.com"))


@pytest.mark.parametrize(
    ("context", "rules", "names"),
    [
        (
            "occurrence_class",
            {"client": NONE, "class_staff": TO},
            ['contexts.occurrence_class.client to "none"'],
        ),
        (
            "enrolment",
            {"client": CC},
            ['contexts.enrolment.client to "cc"', "Set contexts.enrolment.client to To"],
        ),
        (
            "event",
            {"client": NONE, "employer": BCC},
            ['contexts.event.client to "none" and contexts.event.employer to "bcc"'],
        ),
        ("account", {"client": NONE, "staff": NONE}, ["contexts.account.client"]),
    ],
)
def test_a_mailing_whose_own_people_are_not_written_to_is_refused(
    context: str, rules: dict[str, RecipientType], names: list[str]
) -> None:
    """With the setting's name and what to change, as the preferences would be passed over otherwise."""
    with pytest.raises(RecipientsError) as caught:
        planned(context, preferences=EmailPreferences(contexts={context: rules}))
    assert all(name in str(caught.value) for name in names)


def test_one_role_in_to_is_enough_for_a_mailing() -> None:
    """An event's mail goes to the client or the employer; a product's own context has no roles to ask for."""
    rules = {"event": {"client": NONE}, "tour": {"client": NONE}}
    for context in rules:
        assert len(list(planned(context, preferences=EmailPreferences(contexts=rules)))) == 1
