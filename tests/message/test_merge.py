"""Merge fields."""

from __future__ import annotations

import datetime as dt
import html as html_module
import re
import string
from collections import UserDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.errors import MergeError
from vetmail_core.message import Attachment, Content


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("Dear ${name},", "Dear Sam,"),
        ("${name}${name}", "SamSam"),
        ("${ name }", "Sam"),
        ("${Course name}", "Cookery"),
        ("$5 and $x and $ and $$ and {name}", "$5 and $x and $ and $$ and {name}"),
        ("$${name}", "${name}"),
        ("$$${name}", "$${name}"),
        ("$${", "${"),
        ("costs $${amount} and ${amount}", "costs ${amount} and 5"),
        ("${none}.", "."),
        ("${day}", "2026-01-05"),
        ("${sneaky}", "${name} $${name}"),
        ("", ""),
        ("line\n${name}\r\n", "line\nSam\r\n"),
    ],
)
def test_only_a_name_in_dollar_braces_is_a_field(text: str, merged: str) -> None:
    """A field takes its value; everything else stays, and ``$${`` writes a literal ``${``."""
    fields = {
        "name": "Sam",
        "Course name": "Cookery",
        "amount": 5,
        "none": None,
        "day": dt.date(2026, 1, 5),
        "sneaky": "${name} $${name}",
    }
    assert Content("s", text).merge(fields).text == merged
    assert Content("s", html=text).merge(fields).html == merged


def test_subject_text_and_html_are_all_merged() -> None:
    """All three places take fields; the attachments are the same objects."""
    paper = Attachment("a.pdf", b"%PDF")
    content = Content("${name}", "${name}", html="${name}", attachments=[paper])
    merged = content.merge({"name": "Sam"})
    assert (merged.subject, merged.text, merged.html) == ("Sam", "Sam", "Sam")
    assert merged.attachments[0] is paper


def test_values_are_escaped_in_html_only() -> None:
    """A value cannot become markup, and is not disfigured in the text."""
    value = """<b> & "x" 'y'"""
    merged = Content("${v}", "${v}", html='<a title="${v}">').merge({"v": value})
    assert merged.subject == merged.text == value
    assert merged.html == '<a title="&lt;b&gt; &amp; &quot;x&quot; &#x27;y&#x27;">'


def test_a_merged_content_is_never_merged_again() -> None:
    """What a value holds is text for good: a second merge gives the very same content."""
    merged = Content("Hi ${name}", "${name}").merge({"name": "${secret}"})
    assert merged.merge({"secret": "x"}) is merged
    assert merged.text == "${secret}"


def test_a_content_without_fields_is_shared_by_all() -> None:
    """Nothing to merge, nothing made: everybody gets the very same content."""
    content = Content("Class moved", "It costs $5.", html="<p>$x</p>")
    assert content.merge({"name": "Sam"}) is content


@pytest.mark.parametrize(
    ("content", "place", "where"),
    [
        (Content("Hi ${nmae}"), "subject", "line 1, character 4"),
        (Content("s", "Dear\n\n  ${nmae} and ${nmae}"), "text", "line 3, character 3"),
        (Content("s", "$${nmae} ${nmae}"), "text", "line 1, character 10"),
        (Content("s", "${name}\n${course} ${nmae}"), "text", "line 2, character 11"),
        (Content("s", html="<p>${nmae}</p>"), "html", "line 1, character 4"),
    ],
)
def test_an_unknown_field_is_named_with_its_place(content: Content, place: str, where: str) -> None:
    """The error says which field, where it stands, what there is, and what was probably meant."""
    with pytest.raises(MergeError) as caught:
        content.merge({"name": "Sam", "course": "Cookery"})
    assert (caught.value.field, caught.value.place) == ("nmae", place)
    assert str(caught.value) == (
        f'the {place} asks for the field "nmae" in {where}, which was not given; '
        'did you mean "name"? The fields are: course, name'
    )


def test_an_unknown_field_without_a_likely_name_lists_what_there_is() -> None:
    """No guess is made where none is near, and no fields at all is said plainly."""
    many = {f"field {number:03}": "" for number in range(100)}
    with pytest.raises(MergeError, match=r"the fields are: field 000, .*, field 029 and 70 more$"):
        Content("${x}").merge(many)
    few = {f"field {number:03}": "" for number in range(30)}
    with pytest.raises(MergeError, match=r"the fields are: field 000, .*, field 028, field 029$"):
        Content("${x}").merge(few)
    with pytest.raises(MergeError, match=r"which was not given; the fields are: none$"):
        Content("${x}").merge({})
    with pytest.raises(MergeError, match='asks for the field "" in line 1, character 1'):
        Content("${}").merge({"name": "Sam"})


@pytest.mark.parametrize("text", ["${name", "${", "${name\n", "${a{b}", "${a${name}"])
def test_a_field_that_is_never_closed_is_an_error(text: str) -> None:
    """A forgotten brace is said before anybody reads it in a letter."""
    with pytest.raises(
        MergeError, match='without the "}" that ends a field name; close it, or write'
    ) as caught:
        Content("s", f"first line\n{text}").merge({"name": "Sam"})
    assert "in line 2, character 1" in str(caught.value)
    assert caught.value.place == "text"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Sam\nBcc: eve@example.com", "a line break"),
        ("Sam\r", "a line break (carriage return)"),
        ("Sam\0", "a NUL character"),
        ("Sam\x85", "the control character U+0085"),
        ("Sam\u2028", "the control character U+2028"),
        ("\ud800", "half of a surrogate pair U+D800"),
    ],
)
def test_a_value_that_would_break_the_subject_is_refused(value: str, said: str) -> None:
    """No value can open a second header line; the error names the field, not its value."""
    with pytest.raises(MergeError) as caught:
        Content("Hi ${name}", "${name}").merge({"name": value})
    assert f"the value of the field name holds {said}, which the subject cannot carry" in str(caught.value)
    assert "(in line 1, character 4)" in str(caught.value)
    assert "eve@example.com" not in str(caught.value)
    assert (caught.value.field, caught.value.place) == ("name", "subject")


@pytest.mark.parametrize("fields", [None, [("name", "Sam")], "Sam", 5, object()])
def test_fields_are_a_mapping(fields: dict[str, object]) -> None:
    """A person, a list of pairs or nothing at all is told what was expected, and what came."""
    with pytest.raises(MergeError, match=r'mapping of names to values, such as .*"Ann".*, got') as caught:
        Content("s", "Dear ${name}").merge(fields)
    assert str(caught.value).endswith(f"got {type(fields).__name__}")
    assert (caught.value.field, caught.value.place) == ("name", "text")


def test_a_fault_of_the_hosts_own_mapping_is_not_hidden() -> None:
    """What a lookup raises comes out as it is."""

    class Record(UserDict[str, str]):
        def __getitem__(self, key: str) -> str:
            raise TypeError(f"the record cannot say {key}")

    with pytest.raises(TypeError, match=r"^the record cannot say name$"):
        Content("Dear ${name}").merge(Record())


def test_line_breaks_are_fine_in_text_and_html() -> None:
    """An address block has lines."""
    merged = Content("s", "${block}", html="<pre>${block}</pre>").merge({"block": "1 High St\nTown"})
    assert merged.text == "1 High St\nTown"
    assert merged.html == "<pre>1 High St\nTown</pre>"


@pytest.mark.parametrize("place", ["text", "html"])
def test_a_lone_surrogate_in_a_value_is_refused_everywhere(place: str) -> None:
    """No charset can write one, so the field that holds it is named."""
    content = Content("s", "${v}") if place == "text" else Content("s", html="${v}")
    with pytest.raises(MergeError, match=f"the field v holds half of a surrogate pair.*the {place} cannot"):
        content.merge({"v": "\udc80"})


_NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="$\r\n\x85", exclude_categories=("C", "Zl", "Zp"))),
            _NAMES,
        )
    ),
    st.dictionaries(_NAMES, st.text(st.characters(exclude_categories=("C", "Zl", "Zp")))),
)
def test_merging_is_replacing_each_field_once(pieces: list[tuple[str, str]], values: dict[str, str]) -> None:
    """For any text and any values, the result is the pieces with the values between them."""
    values |= {name: "v" for _, name in pieces if name not in values}
    template = "".join(f"{constant}${{{name}}}" for constant, name in pieces)
    merged = Content(template, template, html=template).merge(values)
    plain = "".join(constant + values[name] for constant, name in pieces)
    assert merged.subject == merged.text == plain
    assert merged.html == "".join(constant + html_module.escape(values[name]) for constant, name in pieces)
    assert Content(merged.subject, merged.text, html=merged.html) == merged


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_whose_marks_are_all_escaped_comes_back(text: str) -> None:
    """Writing ``$${`` for every ``${`` makes any text safe to merge."""
    escaped = re.sub(r"\$\{", "$${", text)
    assert Content("s", escaped).merge({}).text == text
