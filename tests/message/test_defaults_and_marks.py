"""Defaults of merge fields, and what looks like a merge field and is not one."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.errors import MergeError
from vetmail_core.message import Content, Email, HeaderFields
from vetmail_core.message.marks import visible
from vetmail_core.recipients import Recipients


@pytest.mark.parametrize(
    ("template", "fields", "merged"),
    [
        ("Dear ${first_name|student},", {}, "Dear student,"),
        ("Dear ${first_name|student},", {"first_name": "Mia"}, "Dear Mia,"),
        ("Dear ${first_name|student},", {"first_name": ""}, "Dear student,"),
        ("Dear ${first_name|student},", {"first_name": "  "}, "Dear student,"),
        ("Dear ${first_name|student},", {"first_name": None}, "Dear student,"),
        ("Level ${level|?}", {"level": 0}, "Level 0"),
        ("${ room |  ask at the desk  }.", {}, "ask at the desk."),
        ("Hello${title|}!", {}, "Hello!"),
        ("${a|b|c}", {}, "b|c"),
        ("$${a|b}", {}, "${a|b}"),
    ],
)
def test_a_default_is_used_where_there_is_no_value(
    template: str, fields: dict[str, object], merged: str
) -> None:
    """Unknown, None, empty and blank are no value; a nought is one."""
    assert Content("s", template).merge(fields).text == merged


def test_a_default_goes_into_html_as_it_is_written() -> None:
    """It is the template's own text, not a value: its markup stays markup."""
    content = Content("s", html="<p>${room|<b>any &amp; all</b>}</p>")
    assert content.merge({}).html == "<p><b>any &amp; all</b></p>"
    assert content.merge({"room": "<4>"}).html == "<p>&lt;4&gt;</p>"


def test_a_content_says_which_fields_it_asks_for() -> None:
    """With and without a default; once it is merged it asks for none."""
    content = Content("${a}", "${b|x} ${a|y}", html="${c}")
    assert content.asked == {"a", "c"}
    assert content.defaulted == {"a", "b"}
    assert content.place_of("c") == "the html in line 1, character 1"
    merged = content.merge({"a": "${d}", "c": ""})
    assert merged.asked == merged.defaulted == frozenset()


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ("${Start\n   date}", "Start date"),
        ("${Start\r\n date}", "Start date"),
        ("${Start&nbsp;date}", "Start date"),
        ("${&nbsp;Start date\n}", "Start date"),
        ("${Room &amp; block}", "Room & block"),
        ("${Zo&euml;}", "Zoë"),
    ],
)
def test_in_html_a_name_is_read_as_a_reader_reads_it(html: str, name: str) -> None:
    """An editor breaks long lines and writes entities; the column of the list has neither."""
    assert Content("s", html=f"<p>{html}</p>").merge({name: "4"}).html == "<p>4</p>"


def test_in_a_text_a_line_end_within_a_name_is_one_space() -> None:
    """A mail program wrapped the line there; an ``&amp;`` is just text."""
    assert (
        Content("s", "${Start \n date}${A &amp; B}").merge({"Start date": "3", "A &amp; B": "4"}).text == "34"
    )


FIELDS = {"first_name": "Mia", "Room": "4"}


@pytest.mark.parametrize(
    ("text", "html", "spelling", "where"),
    [
        ("", "<p>Hi $<b>{first_name}</b></p>", "${first_name}", "html shows .* in line 1, character 7"),
        ("", "<p>\n&#36;{First Name}</p>", "${First Name}", "line 2, character 1"),
        ("", "&dollar;{first_name|you}", "${first_name|you}", "character 1"),
        ("", "$<!-- x -->{room}", "${room}", "character 1"),
        ("", "$&#8203;{room}", "${room}", "character 1"),
        ("", "${<i>x</i>|}$&shy;{last-name}", "${last-name}", "shows"),
        ("Dear $\u200b{first_name}", "", "${first_name}", "text shows .* in line 1, character 6"),
        ("Hi {{first_name}}", "", "{{first_name}}", "line 1, character 4"),
        ("\nHi {{ FirstName }}", "", "{{ FirstName }}", "line 2, character 4"),
        ("\u00abFirst-Name\u00bb", "", "\u00abFirst-Name\u00bb", "shows"),
        ("<<room>>", "", "<<room>>", "shows"),
        ("*|ROOM|*", "", "*|ROOM|*", "shows"),
        ("", "<p>&lt;&lt;room&gt;&gt;</p>", "<<room>>", "shows"),
        ("", "<p><<room>></p>", "<<room>>", "shows"),
        ("", "{{<b>room</b>}}", "{{room}}", "shows"),
        ("", '<a href="https://x.example/{{room}}">x</a>', "{{room}}", "shows"),
        ("", "<p>{{&nbsp;name&nbsp;}}</p>", "{{\xa0name\xa0}}", "shows"),
    ],
)
def test_a_field_that_would_be_read_unfilled_is_an_error(
    text: str, html: str, spelling: str, where: str
) -> None:
    """Half a field in bold, an entity for the dollar, another program's mark: found before it leaves."""
    with pytest.raises(MergeError, match=where) as caught:
        Content("s", text, html=html).merge(FIELDS)
    assert f'"{spelling}"' in str(caught.value)
    assert f"write ${{{caught.value.field}}}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "der \u00abKurs\u00bb beginnt",
        "{{course}} is written by the desk",
        "\u00ab room \u00bb and << room >>",
        "1 << 2 >> 1",
        "{{}} {{ }} {{-}}",
        "$5, $ {room",
        "[room] {room} %room%",
        "$${first_name} shows the field itself",
    ],
)
def test_what_names_no_field_is_text(text: str) -> None:
    """A mark is a mistake only when there is such a field; a space inside quotes is typography."""
    assert Content("s", text).merge(FIELDS).text == text.replace("$${", "${")


def test_what_is_hidden_from_a_reader_is_not_looked_at() -> None:
    """Styles have braces, and a comment is nobody's letter."""
    html = "<style>p{room:1}</style><!-- $<b>{room}</b> --><script>a[room]%room%</script><p>x</p>"
    content = Content("s", html=html)
    assert content.merge(FIELDS).html == html
    assert content.doubtful_marks(FIELDS) == ()
    assert visible(html, html=True) == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dear [first name]", ['"[first name]" in line 1, character 6', "${first_name}"]),
        ("%room%", ['"%room%"', "${Room}"]),
        ("{Room}", ['"{Room}"', "${Room}"]),
        ("[name]", ["${name}"]),
    ],
)
def test_a_mark_that_may_be_ordinary_text_is_told(text: str, said: list[str]) -> None:
    """It leaves as it is, and the sender is asked to look."""
    content = Content("s", text)
    assert content.merge(FIELDS).text == text
    (warning,) = content.doubtful_marks(FIELDS)
    assert all(words in warning for words in said)
    assert Content("s", "[nobody knows this]").doubtful_marks(FIELDS) == ()
    assert content.finished().finished().doubtful_marks(FIELDS) == ()


def test_a_value_may_hold_any_mark() -> None:
    """What must be read literally comes in as a value; nothing looks at it again."""
    merged = Content("s", "${sample} ${x}").merge({"sample": "{{x}}", "x": "${sample}"})
    assert merged.text == "{{x}} ${sample}"
    assert merged.merge({"sample": 1}) is merged
    email = Email(sender="o@example.com", recipients=Recipients("a@example.com"), content=merged)
    assert email.content is merged


@pytest.mark.parametrize(
    ("html", "value", "written"),
    [
        (
            '<a href="https://x.example/r?c=${v}">',
            "Kitchen & Bar",
            "https://x.example/r?c=Kitchen%20%26%20Bar",
        ),
        ("<a href='https://x.example/${v}/e'>", "Zoë?#1/2", "https://x.example/Zo%C3%AB%3F%231/2/e"),
        ("<a href=https://x.example/?${v}>", "a/b@c~d-e_f.g", "https://x.example/?a%2Fb%40c~d-e_f.g"),
        ('<a href="${v}">', "https://x.example/?a=1&b=2", "https://x.example/?a=1&amp;b=2"),
        ('<a href=" ${v}/x">', "https://x.example", " https://x.example/x"),
        ('<a href="https://${v}/x">', "a.example", "https://a.example/x"),
        ('<a href="//${v}/x">', "a.example", "//a.example/x"),
        ('<a href="//x.example/${v}">', "a b", "//x.example/a%20b"),
        ('<a href="page/${v}">', "a b", "page/a%20b"),
        ('<a href="mailto:${v}?subject=Hi">', "mia+x@x.example", "mailto:mia%2Bx@x.example?subject=Hi"),
        ('<a href="tel:${v}">', "+61 2", "tel:+61 2"),
        ('<a href="sms:1?body=${v}">', "a&b", "sms:1?body=a%26b"),
        ('<img alt="x" SRC = "https://x.example/${v}">', "a b", "https://x.example/a%20b"),
        ('<form action="https://x.example/#${v}">', '100% "sure"', "https://x.example/#100%25%20%22sure%22"),
        ('<a href="https://x.example/?a=${v}&amp;b=${v}">', "&", "https://x.example/?a=%26&amp;b=%26"),
        ('<a href="https://x.example/?a=${w|b c}">', "", "https://x.example/?a=b c"),
    ],
)
def test_a_value_in_a_link_is_percent_encoded(html: str, value: str, written: str) -> None:
    """A course called "Kitchen & Bar" arrives whole at the page that the link opens."""
    merged = Content("s", html=html).merge({"v": value}).html
    assert written in merged


@pytest.mark.parametrize(
    ("html", "written"),
    [
        ('<p title="${v}">https://x.example/${v}</p>', "a &amp; b"),
        ('<a data-href="https://x.example/${v}">', "a &amp; b"),
        ('<!-- <a href="https://x.example/${v}"> -->', "a &amp; b"),
    ],
)
def test_outside_a_link_a_value_is_escaped_only(html: str, written: str) -> None:
    """What people read stays readable."""
    assert Content("s", html=html).merge({"v": "a & b"}).html.count(written) == html.count("${v}")


def test_a_link_in_a_text_ends_at_a_space_a_quote_or_an_angle_bracket() -> None:
    """Only the value within the link is encoded; the subject holds no links."""
    content = Content(
        "http://x.example/${v}", '${v} (https://x.example/${v}) "HTTP://x/?${v}" <http://x/${v}>'
    )
    merged = content.merge({"v": "a b"})
    assert merged.text == 'a b (https://x.example/a%20b) "HTTP://x/?a%20b" <http://x/a%20b>'
    assert merged.subject == "http://x.example/a b"


def _email(content: Content, **headers: str) -> Email:
    return Email(
        sender="o@example.com",
        recipients=Recipients("a@example.com"),
        content=content,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    "content", [Content("${x}"), Content("s", "${x}"), Content("s", html="${x}"), Content("s", "{{name}}")]
)
def test_no_email_can_be_made_of_an_unmerged_content(content: Content) -> None:
    """Whatever way an email takes to a transport, ``${x}`` is not on it."""
    with pytest.raises(MergeError):
        _email(content)


def test_an_email_reads_what_needs_no_fields() -> None:
    """An escaped field is written as itself, a default is taken, and a plain content is shared."""
    email = _email(Content("A $${name}", "${room|any room}"))
    assert (email.content.subject, email.content.text) == ("A ${name}", "any room")
    assert b"A ${name}" in email.as_bytes()
    plain = Content("s", "x")
    assert _email(plain).content is plain


def test_header_values_are_merged_too() -> None:
    """A field in a header is as wrong as one in a text; a merged header is finished."""
    with pytest.raises(MergeError, match='the header X-Room asks for the field "room"'):
        _email(Content("s"), X_Room="${room}")
    assert dict(_email(Content("s"), X_Room="$${room} ${level|1}").headers) == {"X-Room": "${room} 1"}
    merged = HeaderFields({"X-Room": "${room}"}).merge({"room": "${x}"})
    assert merged.merge({}) is merged.finished() is merged
    email = Email(
        sender="o@example.com", recipients=Recipients("a@example.com"), content=Content("s"), headers=merged
    )
    assert dict(email.headers) == {"X-Room": "${x}"}
    with pytest.raises(MergeError, match="the header X-Room cannot carry"):
        HeaderFields({"X-Room": "${room}"}).merge({"room": "a\nb"})


_BRACES = [
    "$",
    "{",
    "}",
    "{{",
    "}}",
    "${room}",
    "$${",
    "room",
    "first_name",
    "&#36;",
    "&lt;",
    "&shy;",
    "\u200b",
]
_TAGS = ["<b>", "</b>", "<!--", "-->", "<style>", "</style>", "<p", "<a href='", "'>", '"', "|", " ", "\n"]
_PIECES = st.sampled_from([*_BRACES, *_TAGS])


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_no_reader_ever_sees_a_known_field(html: str) -> None:
    """Whatever is merged: in what a mail program shows, no field stands unfilled."""
    fields = {"room": "4", "first_name": "Mia"}
    try:
        merged = Content("s", html, html=f"<p>{html}").merge(fields)
    except MergeError:
        return
    if "$${" in html:  # what is written on purpose
        return
    message = message_from_bytes(_email(merged).as_bytes(), policy=policy.default)
    for part in message.walk():
        if not part.is_multipart():
            seen = visible(part.get_content(), html=part.get_content_type() == "text/html")
            assert re.search(r"\$\{\s*(?:room|first_name)\s*\}", seen) is None
