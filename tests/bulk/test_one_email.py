"""One email to everybody of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core import (
    BulkCopies,
    Content,
    EmailPreferences,
    MergeError,
    Person,
    RecipientsError,
    RecipientType,
    Sender,
    plan_bulk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vetmail_core import BulkPlan, Email

NOTICE = Content("Your class moved", "It is in room 7 now.")
GUARDIAN = Person("gale@example.net", name="Gale")
ANN = Person("ann@example.com", key="C1", name="Ann", related={"guardian": (GUARDIAN,)})
BOB = Person("bob@example.com", key="C2", name="Bob", related={"guardian": (GUARDIAN,)})
LEFT_OUT = (
    Person(None, key="C3", name="Cat"),
    Person("dan@example.com", key="C4", active=False),
    Person("eve@example.com", key="C5", marketing=False),
    ANN,
)
PREFERENCES = EmailPreferences(
    contexts={"occurrence_class": {"guardian": RecipientType.CC, "class_staff": RecipientType.BCC}}
)


def plan(**changes: object) -> BulkPlan:
    """A class with a guardian, a trainer, typed copies, and four people who are left out."""
    usual: dict[str, object] = {
        "sender": Sender("office@example.com", reply_to=("desk@example.com",)),
        "cc": "head@example.com",
        "bcc": "audit@example.org",
        "context": "occurrence_class",
        "shared": {"class_staff": [Person("kim@example.com")]},
        "preferences": PREFERENCES,
        "marketing": True,
        "batch": "moved",
    }
    return plan_bulk(NOTICE, (ANN, BOB, *LEFT_OUT), **(usual | changes))  # type: ignore[arg-type]


def boxes(email: Email) -> tuple[list[str], list[str], list[str]]:
    """To, CC and BCC as addresses."""
    recipients = email.recipients
    to, cc, bcc = ([one.addr_spec for one in box] for box in (recipients.to, recipients.cc, recipients.bcc))
    return to, cc, bcc


@pytest.mark.parametrize("copies", BulkCopies)
def test_everybody_is_hidden_unless_they_were_typed(copies: BulkCopies) -> None:
    """The people of roles too; whoever is left out of the plan is left out here, and nobody stands twice."""
    email = plan(copies=copies).as_one_email()
    assert boxes(email) == (
        [],
        ["head@example.com"],
        ["ann@example.com", "bob@example.com", "gale@example.net", "kim@example.com", "audit@example.org"],
    )
    assert email.content == NOTICE
    assert email.sender.addr_spec == "office@example.com"
    assert [mailbox.addr_spec for mailbox in email.reply_to] == ["desk@example.com"]


def test_shown_people_stand_in_to_and_roles_where_the_preferences_put_them() -> None:
    """For people who know each other."""
    email = plan().as_one_email(hidden=False)
    assert boxes(email) == (
        ["ann@example.com", "bob@example.com"],
        ["gale@example.net", "head@example.com"],
        ["kim@example.com", "audit@example.org"],
    )


def test_an_address_that_two_people_share_stands_once() -> None:
    """A family, or an employer."""
    people = [Person("home@example.com", key="C1"), Person("HOME@example.com", key="C2")]
    email = plan_bulk(NOTICE, people, sender="office@example.com").as_one_email()
    assert len(email.recipients.all) == 1 + (
        people[0].mailbox().address_key != people[1].mailbox().address_key
    )
    same = [Person("home@example.com", key="C1"), Person("home@example.com", key="C2")]
    assert boxes(plan_bulk(NOTICE, same, sender="office@example.com").as_one_email())[2] == [
        "home@example.com"
    ]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (Content("Hello ${first_name}", "x"), "first_name"),
        (Content("Hello", "Dear ${name|student}"), "name"),
        (Content("Hello", html="<p>${ course }</p>"), "course"),
    ],
)
def test_a_merge_field_is_refused_and_named(content: Content, field: str) -> None:
    """Everybody would be greeted by one name; a default is no reason to leave the names out."""
    with pytest.raises(MergeError, match="without merge fields, got the field") as caught:
        plan_bulk(content, [ANN], sender="office@example.com").as_one_email()
    assert field in str(caught.value)
    assert str(caught.value.field).partition("|")[0] == field


def test_an_escaped_field_is_no_field() -> None:
    """It is written as itself."""
    email = plan_bulk(Content("A $${name} field"), [ANN], sender="office@example.com").as_one_email()
    assert email.content.subject == "A ${name} field"


def test_a_content_that_was_merged_already_is_the_same_for_all() -> None:
    """What its values hold is not looked at again."""
    content = Content("Hello ${who}").merge({"who": "all of ${class}"})
    email = plan_bulk(content, [ANN], sender="office@example.com").as_one_email()
    assert email.content.subject == "Hello all of ${class}"


def test_a_function_as_content_is_refused() -> None:
    """Its emails may differ from person to person."""
    with pytest.raises(MergeError, match="may differ from person to person"):
        plan_bulk(lambda _: NOTICE, [ANN], sender="office@example.com").as_one_email()


def test_a_plan_that_leaves_nobody_is_refused() -> None:
    """Typed copies alone are no reason to write."""
    nobody = plan_bulk(NOTICE, [Person(None, key="C3")], sender="office@example.com", cc="head@example.com")
    with pytest.raises(RecipientsError, match="everybody of this plan is left out"):
        nobody.as_one_email()


@pytest.mark.parametrize("context", ["account", "portal_notification"])
@pytest.mark.parametrize("people", [(ANN, BOB), (ANN,)], ids=["two people", "one person"])
def test_a_private_context_is_refused(context: str, people: tuple[Person, ...]) -> None:
    """It carries passwords or personal results."""
    private = plan_bulk(NOTICE, people, sender="office@example.com", context=context)
    with pytest.raises(RecipientsError, match="context is private"):
        private.as_one_email()


def test_without_a_batch_there_is_no_key() -> None:
    """There is no telling this email from the next."""
    assert plan(batch="").as_one_email().key == ""
    assert plan(batch="").as_one_email().message_id == ""


def test_with_a_batch_the_key_is_the_same_each_time() -> None:
    """So a ledger knows the email again."""
    assert plan().as_one_email() == plan().as_one_email()
    assert plan().as_one_email().message_id


NAMES = st.text("ab/%2F5everybody", min_size=1, max_size=8)


@given(NAMES, NAMES, NAMES)
def test_no_person_of_any_batch_has_the_key_of_one_email(batch: str, other: str, person: str) -> None:
    """Law: a ledger cannot take the one for the other; two batches have two keys."""

    def of(name: str) -> BulkPlan:
        return plan_bulk(
            NOTICE, [Person("ann@example.com", key=person)], sender="office@example.com", batch=name
        )

    one = of(batch).as_one_email().key
    assert one not in {email.key for name in (batch, other) for email in of(name)}
    assert (one == of(other).as_one_email().key) == (batch == other)


def test_people_who_can_be_read_once_are_read_once() -> None:
    """A generator is enough."""

    def people() -> Iterator[Person]:
        yield ANN
        yield BOB

    assert len(plan_bulk(NOTICE, people(), sender="office@example.com").as_one_email().recipients.bcc) == 2


def test_headers_that_are_the_same_for_all_go_along() -> None:
    """And the way out of a mailing, in one click."""
    plan = plan_bulk(
        NOTICE,
        [ANN, BOB],
        sender="office@example.com",
        headers={"X-Course": "Baking"},
        unsubscribe="https://example.com/leave",
    )
    assert plan.as_one_email().headers == {
        "X-Course": "Baking",
        "List-Unsubscribe": "<https://example.com/leave>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"X-Name": "${name}"}},
        {"headers": lambda _: {}},
        {"unsubscribe": "https://example.com/leave?who=${address}"},
        {"unsubscribe": lambda _: ""},
    ],
)
def test_headers_that_differ_are_refused(given: dict[str, Any]) -> None:
    """One person's link would unsubscribe them for everybody."""
    plan = plan_bulk(NOTICE, [ANN, BOB], sender="office@example.com", **given)
    with pytest.raises(MergeError, match=r"differ from person to person\. Leave them out"):
        plan.as_one_email()
