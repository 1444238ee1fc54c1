"""Further headers of a plan, and the link by which a person leaves a mailing."""

from __future__ import annotations

import pickle
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core import Content, Email, MergeError, MessageError, Person, plan_bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vetmail_core import BulkPlan

ZOE = Person(
    "zoe+x@example.com",
    key="C7",
    name="Zo\u00eb Lee",
    fields={"course": "B\u00e4ckerei", "empty": None, "cut": "a\r\nBcc: b@example.com", "half": "\ud800"},
)
LINK = "https://rto.example/u?a=${address}"


def planned(
    headers: Mapping[str, str] | Callable[[Person], Mapping[str, str]] | None = None,
    unsubscribe: str | Callable[[Person], str] = "",
) -> BulkPlan:
    """A plan for Zoe alone."""
    return plan_bulk(
        Content("s", "t"), ZOE, sender="office@example.com", headers=headers or {}, unsubscribe=unsubscribe
    )


def written(plan: BulkPlan) -> dict[str, str]:
    """The headers as a mail program decodes them, after checking that the email says the same."""
    (email,) = plan
    message = message_from_bytes(email.as_bytes(), policy=policy.default)
    own = {name: message[name] for name in email.headers}
    assert own == dict(email.headers)
    assert pickle.loads(pickle.dumps(email)) == email  # noqa: S301 - our own
    return own


@pytest.mark.parametrize(
    ("headers", "unsubscribe", "expected"),
    [
        ({"Precedence": "bulk"}, "", {"Precedence": "bulk"}),
        ({"X-Course": "${course}"}, "", {"X-Course": "B\u00e4ckerei"}),
        ({"X-A": "", "X-B": " ", "X-C": "=?x"}, "", {"X-A": "", "X-B": " ", "X-C": "=?x"}),
        ({"X-Cost": "$${x} $5"}, "", {"X-Cost": "${x} $5"}),
        (
            lambda person: {"X-Client": person.key, "X-N": "${name}"},
            "",
            {"X-Client": "C7", "X-N": "Zo\u00eb Lee"},
        ),
        (lambda _: {}, "", {}),
        (
            {},
            LINK,
            {
                "List-Unsubscribe": "<https://rto.example/u?a=zoe%2Bx%40example.com>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        ),
        (
            {},
            "mailto:leave@rto.example?subject=${first_name}",
            {"List-Unsubscribe": "<mailto:leave@rto.example?subject=Zo%C3%AB>"},
        ),
        ({}, "MAILTO:leave@rto.example", {"List-Unsubscribe": "<MAILTO:leave@rto.example>"}),
        (
            {"X-A": "1"},
            lambda person: f"https://rto.example/{person.key}",
            {
                "X-A": "1",
                "List-Unsubscribe": "<https://rto.example/C7>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        ),
        ({}, lambda _: "", {}),
        (
            {},
            "mailto:a@rto.example?subject=${nobody|a b}${empty}${empty|c}${key|}",
            {"List-Unsubscribe": "<mailto:a@rto.example?subject=a%20bc>"},
        ),
    ],
)
def test_every_email_carries_the_headers_that_the_plan_gives_it(
    headers: dict[str, str] | Callable[[Person], Mapping[str, str]],
    unsubscribe: str | Callable[[Person], str],
    expected: dict[str, str],
) -> None:
    """The same for all, merged, or by a function of the person; on the wire as in the email."""
    assert written(planned(headers, unsubscribe)) == expected


def test_headers_that_are_the_same_for_all_are_written_once() -> None:
    """A million emails share one value."""
    people = [Person(f"p{n}@example.com") for n in range(2)]
    first, second = plan_bulk(
        Content("s"), people, sender="o@example.com", headers={"X-A": "1"}, unsubscribe="mailto:a@example.com"
    )
    assert first.headers is second.headers


@given(value=st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40))
def test_a_value_cannot_change_where_the_link_leads(value: str) -> None:
    """Whatever a record holds stays within its place, and the line is never folded or encoded."""
    person = Person("a@example.com", fields={"token": value})
    plan = plan_bulk(
        Content("s"), person, sender="o@example.com", unsubscribe="https://rto.example/${token}/leave"
    )
    (email,) = plan
    (line,) = [one for one in email.as_bytes().split(b"\r\n") if one.startswith(b"List-Unsubscribe:")]
    start, end = "List-Unsubscribe: <https://rto.example/", "/leave>"
    encoded = line.decode("ascii").removeprefix(start).removesuffix(end)
    assert len(encoded) == len(line) - len(start) - len(end)
    assert not set(encoded) & set("/?#&=<>@: ")
    assert unquote(encoded) == value


@pytest.mark.parametrize(
    ("headers", "unsubscribe", "words"),
    [
        ({}, "http://rto.example/u", "List-Unsubscribe needs an https or mailto URI, got 'http://"),
        ({}, "ftp://rto.example/u", "needs an https or mailto URI"),
        ({}, "rto.example/u", "needs an https or mailto URI"),
        ({}, "${link}", "needs an https or mailto URI"),
        ({}, "https:///u", "needs an https or mailto URI"),
        ({}, "mailto:", "needs an https or mailto URI"),
        ({}, "https://rto.example/a b", 'write "%20" instead'),
        ({}, "https://rto.example/\u00fc", 'write "%C3%BC" instead'),
        ({}, "https://rto.example/>", 'write "%3E" instead'),
        ({}, "https://rto.example/${", "List-Unsubscribe needs a URI"),
        ({}, "https://rto.example/\r\nBcc: x@example.com", "List-Unsubscribe holds a line break"),
        (
            {"list-unsubscribe": "<mailto:a@b.example>"},
            LINK,
            "list-unsubscribe is given twice, by headers= and",
        ),
        ({"LIST-UNSUBSCRIBE-POST": "x"}, LINK, "LIST-UNSUBSCRIBE-POST is given twice"),
        ({"X-a": "1", "x-A": "2"}, "", "x-A is given twice, by two spellings of its name"),
        *(
            ({name: "x"}, "", f"the header {name} is not the caller's to set")
            for name in (
                "From",
                "TO",
                "cc",
                "Bcc",
                "subject",
                "Date",
                "message-id",
                "Reply-To",
                "MIME-Version",
            )
        ),
        ({"MIME-Version": "1.0"}, "", "the header MIME-Version is not the caller's"),
        ({"Content-Type": "x"}, "", "the header Content-Type is not the caller's"),
        ({"X-A": "a\nb"}, "", "the header X-A holds a line break"),
        ({"X A": "a"}, "", "not a header name"),
    ],
)
def test_a_header_that_no_email_may_carry_is_refused_when_the_plan_is_made(
    headers: dict[str, str], unsubscribe: str, words: str
) -> None:
    """And for one person alone it is refused in the walk, with the person's name."""
    with pytest.raises(MessageError) as made:
        planned(headers, unsubscribe)
    assert words in str(made.value)
    with pytest.raises(MessageError) as walked:
        list(planned(lambda _: headers, (lambda _: unsubscribe) if unsubscribe else ""))
    assert words in str(walked.value)
    assert str(walked.value).startswith("the email for Zo\u00eb Lee (key C7) cannot be made: ")


@pytest.mark.parametrize(
    ("headers", "unsubscribe", "words"),
    [
        ({"X-A": "${cut}"}, "", "the header X-A"),
        ({"X-A": "${half}"}, "", "the header X-A cannot be written"),
        ({"Precedence": "${course}"}, "", "the header Precedence is read by programs"),
        ({}, "https://rto.example/${cut}", "the field cut in the header List-Unsubscribe holds a line break"),
        ({}, "https://rto.example/${course}" + "x" * 900, "URI of 933 octets and may have 900"),
    ],
)
def test_a_value_that_no_header_can_carry_names_header_and_person(
    headers: dict[str, str], unsubscribe: str, words: str
) -> None:
    """Found in the walk, which a preview takes too."""
    with pytest.raises(MessageError) as caught:
        planned(headers, unsubscribe).summary()
    assert words in str(caught.value)
    assert "Zo\u00eb Lee (key C7)" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "unsubscribe", "place"),
    [
        ({"X-Course": "${corse}"}, "", "header X-Course"),
        ({}, "https://rto.example/${corse}", "header List-Unsubscribe"),
    ],
)
def test_a_field_that_a_person_does_not_have_is_a_merge_error(
    headers: dict[str, str], unsubscribe: str, place: str
) -> None:
    """With field, place and person."""
    with pytest.raises(MergeError, match="Zo\u00eb Lee") as caught:
        list(planned(headers, unsubscribe))
    assert (caught.value.field, caught.value.place) == ("corse", place)


def test_a_field_without_its_end_is_found_when_the_plan_is_made() -> None:
    """Before anybody is walked."""
    with pytest.raises(MergeError, match="header X-A"):
        planned({"X-A": "${course"})


@pytest.mark.parametrize(
    ("headers", "unsubscribe", "words"),
    [
        ("X-A: 1", "", r"headers= needs a mapping of names to values, got str"),
        ({}, None, r"unsubscribe= needs a URI as text, got NoneType"),
        (lambda _: None, "", r"The function headers= must return a mapping of names to values, got NoneType"),
        ({}, lambda _: None, r'must return a URI as text, got NoneType\. Return ""'),
    ],
)
def test_something_else_than_headers_is_a_type_error_that_says_what_to_write(
    headers: object, unsubscribe: object, words: str
) -> None:
    """A function's mistake names the person in a note."""
    with pytest.raises(TypeError, match=words) as caught:
        list(planned(cast("dict[str, str]", headers), cast("str", unsubscribe)))
    notes = getattr(caught.value, "__notes__", [])
    assert notes == (
        ["This happened while the email for Zo\u00eb Lee (key C7) was made."]
        if "The function" in str(caught.value)
        else []
    )


@pytest.mark.parametrize(
    ("marketing", "unsubscribe", "cc", "words"),
    [
        (False, "", "boss@example.com", []),
        (True, "", "", ["This is marketing, and nobody can leave it"]),
        (True, LINK, "", []),
        (False, LINK, "boss@example.com", ["can unsubscribe the person it is about"]),
    ],
)
def test_the_summary_warns_of_no_way_out_and_of_a_copied_link(
    words: list[str], unsubscribe: str, cc: str, *, marketing: bool
) -> None:
    """Whoever looks before sending sees it."""
    plan = plan_bulk(
        Content("s"), ZOE, sender="o@example.com", cc=cc, marketing=marketing, unsubscribe=unsubscribe
    )
    summary = plan.summary()
    assert len(summary.warnings) == len(words)
    for word, warning in zip(words, summary.warnings, strict=True):
        assert word in warning
        assert warning in str(summary)
    assert pickle.loads(pickle.dumps(summary)).warnings == summary.warnings  # noqa: S301 - our own
    assert summary.first is not None
    assert ("List-Unsubscribe" in summary.first.headers) is bool(unsubscribe)


def test_an_email_whose_headers_are_changed_is_checked_again() -> None:
    """What a plan made is a value like any other."""
    (email,) = planned({"X-A": "1"}, LINK)
    assert isinstance(email, Email)
    assert attrs.evolve(email, headers=dict(email.headers)) == email
