"""Header values."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vetmail_core.errors import MessageError
from vetmail_core.message import HeaderFields
from vetmail_core.message.headers import check_text, fold_words, text_header

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    Read = Callable[[bytes], EmailMessage]

READABLE = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))


@pytest.mark.parametrize(
    "character",
    [
        "\r",
        "\n",
        "\0",
        "\x0b",
        "\x1c",
        "\x1f",
        "\x7f",
        "\x85",
        "\x9f",
        "\u2028",
        "\u2029",
        "\ud800",
        chr(0xDFFF),
    ],
)
def test_control_characters_are_refused(character: str) -> None:
    """Whatever some reader might take for a line end, or no charset can write, stays out."""
    with pytest.raises(MessageError, match=r"the subject holds .* at character 3, and a header is one line"):
        check_text(f"ab{character}c", place="the subject")


@pytest.mark.parametrize("text", ["", "plain", "tab\there", "Zoë", "\U0001f600", "\u200b\u202e", "\xa0"])
def test_readable_text_is_welcome(text: str) -> None:
    """Any language, emoji, the tab and invisible characters that belong to scripts."""
    check_text(text, place="the subject")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Class moved", "Subject: Class moved\r\n"),
        ("", "Subject:\r\n"),
        ("Zoë", "Subject: =?utf-8?q?Zo=C3=AB?=\r\n"),
        ("Your class moved \U0001f3eb", "Subject: =?utf-8?b?WW91ciBjbGFzcyBtb3ZlZCDwn4+r?=\r\n"),
        ("пожалуйста", "Subject: =?utf-8?b?0L/QvtC20LDQu9GD0LnRgdGC0LA=?=\r\n"),
        (" padded ", "Subject: =?utf-8?q?_padded_?=\r\n"),
        ("=?utf-8?q?x?=", "Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\r\n"),
        ("a\tb", "Subject: =?utf-8?b?YQli?=\r\n"),
        ("two  blanks", "Subject: two  blanks\r\n"),
        ("word " * 20 + "end", "Subject:" + " word" * 14 + "\r\n" + " word" * 6 + " end\r\n"),
        (" x", "Subject: =?utf-8?q?_x?=\r\n"),
        ("x ", "Subject: =?utf-8?q?x_?=\r\n"),
        ("x" * 60 + " " + "y" * 8, "Subject: " + "x" * 60 + " " + "y" * 8 + "\r\n"),
        ("x" * 60 + " " + "y" * 9, "Subject: " + "x" * 60 + "\r\n " + "y" * 9 + "\r\n"),
        ("x" * 69, "Subject: " + "x" * 69 + "\r\n"),
        ("x" * 70, "Subject: =?utf-8?q?" + "x" * 55 + "?=\r\n =?utf-8?q?" + "x" * 15 + "?=\r\n"),
        ("x" * 78, "Subject: =?utf-8?q?" + "x" * 55 + "?=\r\n =?utf-8?q?" + "x" * 23 + "?=\r\n"),
    ],
)
def test_a_subject_is_written_plain_folded_or_in_encoded_words(value: str, written: str) -> None:
    """Plain where it can be, folded at 78, else UTF-8 words in B or Q, whichever is shorter."""
    assert text_header("Subject", value) == written


@given(
    st.text(READABLE | st.just("\t"), max_size=300), st.sampled_from(["Subject", "X-Test", "X-" + "n" * 48])
)
@example("é" * 300, "Subject")
@example("\U0001f468‍\U0001f469‍\U0001f467 " * 30, "Subject")
@example("x" * 5000, "Subject")
@example("a" + " " * 200 + "b", "Subject")
@example("=?", "Subject")
@example("a =?b?= c", "Subject")
def test_any_text_comes_back_from_its_header(read: Read, value: str, name: str) -> None:
    """The standard library reads every subject back, from ASCII lines of at most 78 characters."""
    written = text_header(name, value)
    assert written.isascii()
    assert written.endswith("\r\n")
    lines = written.removesuffix("\r\n").split("\r\n")
    assert max(map(len, lines)) <= 78
    assert all(line[0] in " \t" and line.strip() for line in lines[1:])
    assert str(read(written.encode() + b"\r\n")[name]) == value


@pytest.mark.parametrize(
    ("line", "folded"),
    [
        ("To: a", "To: a"),
        ("X: " + "a" * 90, "X:\r\n " + "a" * 90),
        ("X: " + "a" * 40 + "   " + "b" * 40, "X: " + "a" * 40 + "\r\n   " + "b" * 40),
    ],
)
def test_folding_puts_line_ends_before_blanks_and_changes_nothing_else(line: str, folded: str) -> None:
    """Unfolding gives the same characters, double blanks included."""
    assert fold_words(line) == folded
    assert folded.replace("\r\n", "") == line


@pytest.mark.parametrize(
    "name",
    [
        "Bcc",
        "bcc",
        "BCC",
        "To",
        "Cc",
        "From",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "content-transfer-encoding",
        "Content-Anything",
        "Resent-Bcc",
        "Resent-To",
        "Received",
        "Return-Path",
    ],
)
def test_headers_that_the_email_writes_are_not_the_callers(name: str) -> None:
    """Bcc above all: it would be read by everybody."""
    with pytest.raises(MessageError, match=f"the header {name} is not the caller's to set: "):
        HeaderFields({name: "eve@example.com"})


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X-É", "X\r\nBcc", "X\n", "X" * 51, None, 5])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """A header cannot be smuggled in by its name."""
    with pytest.raises(MessageError, match="is not a header name: letters, digits and hyphens were expected"):
        HeaderFields({name: "x"})


@pytest.mark.parametrize("value", ["x\r\nBcc: eve@example.com", "x\n y", "x\0", "x\x85y", "\udcff"])
def test_a_value_that_breaks_its_line_is_refused(value: str) -> None:
    """A header cannot be smuggled in by a value."""
    with pytest.raises(MessageError, match="the header X-Test holds") as caught:
        HeaderFields({"X-Test": value})
    assert "eve" not in str(caught.value)


def test_a_value_is_text() -> None:
    """A number is not written for the caller."""
    with pytest.raises(MessageError, match="the header X-Count needs text, got int"):
        HeaderFields({"X-Count": 5})  # type: ignore[dict-item]  # the mistake under test


def test_a_header_stands_once() -> None:
    """Two spellings of one name are one header too many."""
    with pytest.raises(MessageError, match="the header x-test is given twice"):
        HeaderFields({"X-Test": "1", "x-test": "2"})


URL = "<https://example.com/" + "u" * 200 + ">"


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("Auto-Submitted", "auto-generated", "Auto-Submitted: auto-generated\r\n"),
        (
            "List-Unsubscribe",
            f"{URL}, <mailto:out@example.com>",
            f"List-Unsubscribe: {URL},\r\n <mailto:out@example.com>\r\n",
        ),
        (
            "List-Unsubscribe-Post",
            "List-Unsubscribe=One-Click",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        ),
        ("X-Class", "Küche", "X-Class: =?utf-8?b?S8O8Y2hl?=\r\n"),
        ("X-Empty", "", "X-Empty:\r\n"),
        ("X" * 50, "1", "X" * 50 + ": 1\r\n"),
        ("List-Help", "h" * 987, "List-Help: " + "h" * 987 + "\r\n"),
        ("X-Tab", "a\tb", "X-Tab: =?utf-8?b?YQli?=\r\n"),
        ("X-Token", "t" * 500, "X-Token: " + "t" * 500 + "\r\n"),
    ],
)
def test_the_callers_headers_are_written_for_their_readers(name: str, value: str, lines: str) -> None:
    """Programs read these: ASCII words are never encoded, only folded."""
    assert HeaderFields({name: value}).lines == lines


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("<https://example.com/é>", "the header List-Unsubscribe is read by programs: plain ASCII"),
        (" <https://example.com/>", "the header List-Unsubscribe is read by programs: plain ASCII"),
        ("<https://example.com/>,\t<mailto:out@example.com>", "is read by programs: plain ASCII"),
        ("u" * 981, "more than 998 characters without a blank"),
    ],
)
def test_a_structured_header_that_no_program_could_read_is_refused(value: str, said: str) -> None:
    """An encoded word means nothing in a list of addresses, so the caller is told."""
    with pytest.raises(MessageError, match=said):
        HeaderFields({"List-Unsubscribe": value})


@pytest.mark.parametrize("name", ["Disposition-Notification-To", "Return-Receipt-To", "errors-to", "Sender"])
def test_a_header_of_addresses_is_ascii(name: str) -> None:
    """An encoded word around an address would hide it from the program that is to answer."""
    assert HeaderFields({name: "Zoe <zoe@example.com>"}).lines == f"{name}: Zoe <zoe@example.com>\r\n"
    with pytest.raises(MessageError, match=f"the header {name} is read by programs"):
        HeaderFields({name: "Zoë <zoe@example.com>"})


def test_an_endless_word_in_free_text_is_encoded() -> None:
    """No line is ever longer than 998 octets."""
    assert max(map(len, HeaderFields({"X-Test": "t" * 5000}).lines.split("\r\n"))) <= 78


def test_header_fields_are_a_read_only_mapping() -> None:
    """They read and compare as the mapping they came from, and can be kept in sets."""
    fields = HeaderFields({"X-A": "1", "X-B": "2"})
    assert fields == {"X-A": "1", "X-B": "2"}
    assert fields == HeaderFields(fields)
    assert fields != HeaderFields()
    assert list(fields) == ["X-A", "X-B"]
    assert (fields["X-A"], len(fields), repr(fields)) == ("1", 2, "{'X-A': '1', 'X-B': '2'}")
    assert len({fields, HeaderFields({"X-B": "2", "X-A": "1"})}) == 1
    assert pickle.loads(pickle.dumps(fields)) == fields  # noqa: S301 - our own bytes
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        fields.lines = ""  # type: ignore[misc]  # the mistake under test


def test_the_mapping_given_can_change_without_harm() -> None:
    """What was checked is what is kept."""
    given_mapping = {"X-A": "1"}
    fields = HeaderFields(given_mapping)
    given_mapping["Bcc"] = "eve@example.com"
    assert fields == {"X-A": "1"}
