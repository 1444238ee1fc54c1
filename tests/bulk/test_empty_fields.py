"""Merge fields that are empty for somebody or for everybody, shared addresses, and the plan's warnings."""

from __future__ import annotations

import copy
import pickle

import pytest

from vetmail_core.bulk import BulkPlan, plan_bulk
from vetmail_core.errors import MergeError
from vetmail_core.message import Content
from vetmail_core.people import Person
from vetmail_core.preferences import BulkCopies

ANN = Person("ann@example.com", key="1", name="Ann Lee", fields={"room": "4"})
BOB = Person("bob@example.com", key="2", fields={"room": ""})
CAT = Person("cat@example.com", key="3", fields={"room": " "})
GONE = Person("gone@example.com", key="4", name="Gone", active=False)


def _plan(content: Content, *people: Person) -> BulkPlan:
    return plan_bulk(content, list(people), sender="office@example.com")


@pytest.mark.parametrize(
    ("text", "people", "said"),
    [
        ("Dear ${first_name}", (BOB, CAT), ['"first_name"', "in line 1, character 6", "${first_name|}"]),
        ("Dear ${name}", (BOB, GONE), ['"name"']),
        ("${room}", (BOB, CAT), ['"room"']),
        ("${frist_name}", (ANN, BOB), ['"frist_name"', 'did you mean "first_name"?', "room"]),
        ("${First Name}", (ANN,), ['did you mean "first_name"?']),
    ],
)
def test_a_field_that_is_empty_for_everybody_stops_before_the_first_email(
    text: str, people: tuple[Person, ...], said: list[str]
) -> None:
    """Nobody gets "Dear ,": the summary and every walk say so at once, with the field that was meant."""
    plan = _plan(Content("s", text), *people)
    for walk in (plan.summary, lambda: next(iter(plan)), lambda: list(plan.copy_exclusions())):
        with pytest.raises(MergeError) as caught:
            walk()
        assert all(words in str(caught.value) for words in said)
        assert caught.value.place == "text"


def test_a_field_that_some_have_is_blank_for_the_others_and_counted() -> None:
    """Never an error; the summary says for how many and for whom first."""
    plan = _plan(Content("s", "${first_name}|${room}|${room|?}"), BOB, ANN, CAT, GONE)
    assert [email.content.text for email in plan] == ["||?", "Ann|4|4", "| |?"]
    summary = plan.summary()
    assert summary.empty_fields == {"first_name": 2, "room": 2}
    assert summary.empty_for == {"first_name": ("2", "3"), "room": ("2", "3")}
    assert "first_name is empty for 2 people" in str(summary)


def test_only_the_first_few_for_whom_a_field_is_empty_are_named() -> None:
    """A list of a million keeps five names."""
    people = [Person(f"p{n}@example.com", key=f"{n}") for n in range(10, 18)]
    summary = _plan(Content("${first_name}"), ANN, *people).summary()
    assert summary.empty_fields == {"first_name": 8}
    assert summary.empty_for == {"first_name": ("10", "11", "12", "13", "14")}


def test_a_list_without_anybody_to_write_to_is_no_error_of_the_text() -> None:
    """There is no email in which the field would be empty."""
    summary = _plan(Content("${x}"), GONE).summary()
    assert (summary.emails, summary.empty_fields) == (0, {})


def test_people_who_can_be_read_once_are_looked_at_as_they_come() -> None:
    """A name that somebody lacks is blank; the summary still refuses what nobody has."""
    plan = plan_bulk(Content("Dear ${first_name}"), iter([BOB, ANN]), sender="o@example.com")
    assert [email.content.subject for email in plan] == ["Dear ", "Dear Ann"]
    with pytest.raises(MergeError, match="which nobody who gets an email has"):
        plan_bulk(Content("Dear ${first_name}"), iter([BOB]), sender="o@example.com").summary()
    with pytest.raises(MergeError, match=r"e-mail for 2 cannot be made: .* which was not given"):
        list(plan_bulk(Content("${course}"), iter([BOB]), sender="o@example.com"))


def test_a_function_s_content_is_counted_as_well() -> None:
    """Each person may be asked for other fields."""
    plan = plan_bulk(lambda _: Content("${first_name}${x|}"), [ANN, BOB], sender="o@example.com")
    summary = plan.summary()
    assert summary.empty_fields == {"first_name": 1}
    assert any('"x"' in warning for warning in summary.warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${frist_name|there}", ['"frist_name"', 'did you mean "first_name"?']),
        ("Dear [name]", ["[name]", "${name}"]),
        ("{Room} %room%", ["{Room}", "%room%"]),
        ("${room|-}", []),
        ("[course]", []),
        ("plain", []),
    ],
)
def test_the_summary_warns_of_what_may_be_a_slip_in_the_text(text: str, said: list[str]) -> None:
    """A default that everybody reads, a mark that may be ordinary text."""
    warnings = _plan(Content("s", text), ANN, BOB).summary().warnings
    assert len(warnings) == (0 if not said else 2 if "%" in text else 1)
    assert all(any(words in warning for warning in warnings) for words in said)


def test_another_program_s_mark_stops_the_plan_though_only_the_last_person_has_the_field() -> None:
    """Before the first email, not in the middle of the class."""
    late = Person("late@example.com", key="9", fields={"Course": "x"})
    plan = _plan(Content("s", "Dear {{course}}"), ANN, late)
    with pytest.raises(MergeError, match="write \\$\\{Course\\}"):
        next(iter(plan))
    assert len(list(_plan(Content("s", "Dear {{course}}"), ANN))) == 1


def test_shared_addresses_are_counted_whatever_their_case() -> None:
    """Families share addresses, so nobody is dropped; whoever gets two should know."""
    people = [
        Person("Zoe.Bar@Example.com", key="1"),
        Person("zoe.bar@example.com", key="2"),
        Person("bo@example.com", key="3"),
        Person("family@example.com", key="4"),
        Person("FAMILY@example.com", key="5"),
        Person("Family@example.com", key="6"),
    ]
    summary = _plan(Content("s"), *people).summary()
    assert summary.emails == 6
    assert summary.same_address == {"Zoe.Bar@Example.com": 2, "family@example.com": 3}
    assert "3 emails go to family@example.com" in str(summary)


def test_a_copy_to_another_spelling_of_the_person_s_own_address_counts() -> None:
    """They would read the same email twice."""
    plan = plan_bulk(
        Content("s"),
        [ANN, BOB],
        sender="o@example.com",
        cc="ANN@example.com",
        copies=BulkCopies.EVERY_RECIPIENT,
    )
    assert plan.summary().same_address == {"ann@example.com": 2}


def test_warnings_of_people_sender_and_copies_are_in_the_summary() -> None:
    """Each says whose it is; a person who is left out has a reason instead."""
    people = [Person("a@example.com (old)", key="1", name="Ann"), Person("n/a (x)", key="2", name="\u200bB")]
    plan = plan_bulk(
        Content("s"), people, sender="Ryan (RTO 1) <o@example.com>", cc="Kim (desk) <kim@example.com>"
    )
    summary = plan.summary()
    assert [warning.partition(":")[0] for warning in summary.warnings] == [
        "the sender o@example.com",
        "the copy to kim@example.com",
        "Ann",
    ]
    assert '"(old)"' in str(summary)
    assert pickle.loads(pickle.dumps(summary)) == summary  # noqa: S301 - our own bytes
    assert copy.deepcopy(summary).empty_for == summary.empty_for


def test_of_very_many_warnings_the_rest_is_counted() -> None:
    """A list in which everybody has a note does not fill the memory."""
    people = (Person(f"p{n}@example.com (x)", key=f"{n}") for n in range(10_003))
    summary = plan_bulk(Content("s"), people, sender="o@example.com").summary()
    assert len(summary.warnings) == 10_001
    assert summary.warnings[-1].startswith("and 3 more warnings")


def test_two_bad_addresses_are_no_duplicates() -> None:
    """A key is taken from an address only if it is one."""
    people = [Person("n/a", name="Zoe"), Person("n/a", name="Bo"), Person("ed@example.com")]
    summary = _plan(Content("s"), *people).summary()
    assert {reason.name: number for reason, number in summary.exclusions.items()} == {"BAD_ADDRESS": 2}
