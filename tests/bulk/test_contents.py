"""What each person of a plan reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.bulk import plan_bulk
from vetmail_core.errors import MergeError, MessageError
from vetmail_core.message import Content
from vetmail_core.people import Person, merge_fields

if TYPE_CHECKING:
    from collections.abc import Callable

NOTICE = Content("Class on Monday", "See you there.")
ANN, BOB, CAT = (Person(f"{name}@example.com", key=name.upper()) for name in ("ann", "bob", "cat"))


def test_merge_fields_go_in_by_person() -> None:
    """Names, address and the record's own fields; HTML is escaped, text is not."""
    content = Content(
        "${course} for ${first_name}", "Dear ${name} (${address}), $5", html="<p>${last_name} & ${course}</p>"
    )
    people = [
        Person("ann@example.com", name="Lee, Ann", fields={"course": "Arts & <Crafts>"}),
        Person("bob@example.com", name="Bob O'Neil", fields={"course": "Barista", "first_name": "Bobby"}),
    ]
    ann, bob = plan_bulk(content, people, sender="office@example.com")
    assert ann.content.subject == "Arts & <Crafts> for Ann"
    assert ann.content.text == "Dear Lee, Ann (ann@example.com), $5"
    assert ann.content.html == "<p>Lee & Arts &amp; &lt;Crafts&gt;</p>"
    assert bob.content.subject == "Barista for Bobby"


def test_a_content_without_fields_is_one_value_for_everybody() -> None:
    """It is encoded once, however many people read it."""
    one, two = plan_bulk(NOTICE, [ANN, BOB], sender="office@example.com")
    assert one.content is two.content is NOTICE


def test_an_escaped_field_is_written_as_itself() -> None:
    """``$${`` is no field and still has to become ``${``."""
    (email,) = plan_bulk(Content("A $${name} field"), [ANN], sender="office@example.com")
    assert email.content.subject == "A ${name} field"


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (Content("Hello ${nmae}"), {}, ("nmae", "subject", 'did you mean "name"?')),
        (Content("Hello", "Dear\n${course}"), {}, ("course", "text", "line 2")),
        (Content("Hello", html="<p>${course}</p>"), {}, ("course", "html")),
        (Content("Hello ${course}"), {"course": "A\r\nBcc: eve@example.com"}, ("course", "subject")),
    ],
)
def test_a_field_that_cannot_be_merged_names_itself_its_place_and_the_person(
    content: Content, fields: dict[str, object], words: tuple[str, ...]
) -> None:
    """Unknown fields, and line breaks for the subject; the summary finds them before anything is sent."""
    person = Person("bob@example.com", key="C2", name="Bob Lee", fields=fields)
    with pytest.raises(MergeError) as caught:
        plan_bulk(content, [person], sender="office@example.com").summary()
    for word in words:
        assert word in str(caught.value)
    assert caught.value.field in {"nmae", "course"}
    assert caught.value.place in words


def test_a_person_without_a_name_is_named_by_key_when_merging_fails() -> None:
    """Somebody has to find the record."""
    with pytest.raises(MergeError, match="the e-mail for C2 cannot be made"):
        plan_bulk(
            Content("${x}"),
            [Person("bob@example.com", key="C2", fields={"x": "a\nb"})],
            sender="o@example.com",
        ).summary()


def _by_hand(person: Person) -> Content:
    return Content("Hello ${first_name}").merge({**merge_fields(person), "first_name": "${course}"})


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (lambda _: Content("Hello ${first_name}"), "Hello Ann"),
        (lambda person: Content(f"Hello {person.key}"), "Hello C1"),
        (_by_hand, "Hello ${course}"),
    ],
)
def test_a_function_gives_each_person_their_content(
    content: Callable[[Person], Content], subject: str
) -> None:
    """Fields go in; a content that is merged already is not merged twice, whatever its values hold."""
    person = Person("ann@example.com", key="C1", name="Ann Lee")
    (email,) = plan_bulk(content, [person], sender="office@example.com")
    assert email.content.subject == subject


def test_what_a_function_raises_says_whose_turn_it_was() -> None:
    """The host's own error comes through, with a note: one student of 500 has no certificate."""
    certificates = {"BOB": NOTICE}
    steps = plan_bulk(lambda person: certificates[person.key], [BOB, ANN], sender="me@example.com").steps()
    next(steps)
    with pytest.raises(KeyError) as caught:
        next(steps)
    assert caught.value.__notes__ == ["This happened while the e-mail for ANN was made."]


@pytest.mark.parametrize("given", [None, "Hello"])
def test_a_function_that_gives_no_content_is_named_with_the_person(given: Content) -> None:
    """None is no way of leaving somebody out: that would be an exclusion without a reason."""
    plan = plan_bulk(lambda _: given, attrs.evolve(ANN, name="Ann Lee"), sender="me@example.com")
    with pytest.raises(MessageError, match=rf"Ann Lee \(key ANN\).* got {type(given).__name__}"):
        plan.summary()


def test_a_function_is_not_asked_for_those_who_are_left_out() -> None:
    """A certificate is not drawn up for somebody who cannot get it."""
    asked: list[str] = []

    def content(person: Person) -> Content:
        asked.append(person.key)
        return NOTICE

    people = [ANN, attrs.evolve(BOB, active=False), ANN, CAT]
    plan_bulk(content, people, sender="office@example.com").summary()
    assert asked == ["ANN", "CAT"]
