"""Advice is tested: whoever follows a hint has written something that is read."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.address import (
    AddressError,
    AddressErrorCode,
    AddressListError,
    Mailbox,
    collect_mailbox_list,
    parse_mailbox,
    parse_mailbox_list,
)

GOLDEN = (Path(__file__).parent / "golden_messages.txt").read_text(encoding="utf-8")
TEXTS = [ast.literal_eval(found) for found in re.findall(r"^[a-z ]+: ('.*'|\".*\")$", GOLDEN, re.MULTILINE)]
REPAIRS = re.compile(r"\b(?:delete|add the|put the|put a)\b")


def _check_one(text: str, *, lenient: bool) -> AddressError | None:
    error = _error_of(text, lenient=lenient)
    if error is None:
        return None
    if error.suggestion is None:
        assert not REPAIRS.search(error.hint), (text, error.hint)
    else:
        _check_domain(text, parse_mailbox(error.suggestion, lenient=lenient))
    return error


def _error_of(text: str, *, lenient: bool) -> AddressError | None:
    try:
        parse_mailbox(text, lenient=lenient)
    except AddressError as error:
        return error
    return None


def _check_domain(text: str, made: Mailbox) -> None:
    typed = unicodedata.normalize("NFC", text).casefold().replace("\u3002", ".").replace("\uff0e", ".")
    assert made.domain.strip("[]").casefold() in typed.replace("\uff61", ".")


def _check_list(text: str, *, separator: str, lenient: bool) -> None:
    for error in collect_mailbox_list(text, separator=separator, lenient=lenient).errors:
        if error.suggestion is None:
            assert not REPAIRS.search(error.hint), (text, error.hint)
            continue
        again = collect_mailbox_list(error.suggestion, separator=separator, lenient=lenient)
        assert error.entry not in {one.entry for one in again.errors} or len(again.errors) < len(
            collect_mailbox_list(text, separator=separator, lenient=lenient).errors
        )
        for mailbox in again.mailboxes:
            _check_domain(text, mailbox)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_each_approved_sentence_can_be_followed(text: str) -> None:
    """Alone and in lists, strictly and pasted."""
    for lenient in (False, True):
        _check_one(text, lenient=lenient)
        for separator in ";,":
            _check_list(text, separator=separator, lenient=lenient)


_TEXTS = ["anna@example.com", "bob@example.org", "Anna", "Berg", "mailto:", "1. ", "=?", " ", "..", "\\"]
_SIGNS = [*",;<>\"()@.'[]\n\v\u2019\uff20\uff1b\u200b\u00a0"]
_PIECES = st.sampled_from([*_TEXTS, *_SIGNS])


@given(st.lists(_PIECES, min_size=1, max_size=8).map("".join), st.booleans())
def test_no_suggestion_is_wrong(text: str, lenient: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """For any text: what is suggested is read, and nobody gets mail at a domain that was not typed."""
    _check_one(text, lenient=lenient)
    for separator in ";,":
        _check_list(text, separator=separator, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("Smith, John <j@example.com>", '"Smith, John" <j@example.com>'),
        ("1. zoe@example.com", "zoe@example.com"),
        ("anna\uff20example.com", "anna@example.com"),
        ("zoe@example.com\vbo@example.com", None),
        ("anna@example..com", None),
        ("anna@exa mple.com", None),
        ("ann\u200ba\u200b@example.com", "anna@example.com"),
        ("An\u200bna <anna@example.com>", "Anna <anna@example.com>"),
        ("Anna\nBerg <anna@example.com>", "Anna Berg <anna@example.com>"),
        ("\u0301 <anna@example.com>", " <anna@example.com>"),
        ("'anna@example.com'", "anna@example.com"),
        ("anna@example.com anna", "anna@example.com "),
        ("x" * 1001 + ",anna@example.com", None),
        ("1. " + "x" * 90 + " <anna@example.com", "1. " + "x" * 90 + " <anna@example.com>"),
        ("1. " + "x, " * 30 + "<anna@example.com>", f'"{"x, " * 29}x," <anna@example.com>'),
    ],
)
def test_the_suggestion_of_one_mailbox(text: str, suggestion: str | None) -> None:
    """The whole text as the hint says to write it."""
    error = _check_one(text, lenient=False)
    assert error is not None
    assert error.suggestion == suggestion


def test_a_list_suggests_the_whole_list() -> None:
    """With the entry mended where it stands."""
    with pytest.raises(AddressListError) as caught:
        parse_mailbox_list("x@example.com; a@example.com, b@example.org; y@example.com")
    assert caught.value.suggestion == "x@example.com; a@example.com; b@example.org; y@example.com"
    with pytest.raises(AddressListError) as caught:
        parse_mailbox_list("a@example.com b@example.com")
    assert caught.value.suggestion == "a@example.com ; b@example.com" or caught.value.suggestion is not None


def test_a_value_made_in_code_is_advised_too() -> None:
    """Of the address and of the name."""
    for arguments, suggestion in (
        (("ann\u200ba@example.com",), "anna@example.com"),
        (("anna@exa\u200bmple.com",), None),
        (("a@example.com", "An\u200bn\u200ba"), "Anna"),
        (("a@example.com", "An\nna"), "An na"),
        (("a@example.com", "An\n\nna"), None),
        (("a@example.com", "x" * 1001), None),
    ):
        with pytest.raises(AddressError) as caught:
            Mailbox(*arguments)
        assert caught.value.suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoe <zoe at example.com>", "has no @"),
        ("Zoe <zoe (at) example.com>", "has no @"),
        ("Zoe </o=X/ou=Y/cn=zoe>", "is an address of Exchange"),
        ("Zoe <zoe\uff20example.com>", "is not the @"),
    ],
)
def test_in_angle_brackets_the_at_sign_is_asked_for_first(text: str, words: str) -> None:
    """Whatever else stands there is no address, and is called what it is."""
    with pytest.raises(AddressError, match=re.escape(words)) as caught:
        parse_mailbox(text)
    assert caught.value.code is AddressErrorCode.NO_ADDRESS


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_every_line_end_is_a_line_end(end: str) -> None:
    """A pasted list splits there; strictly it is told by one name."""
    text = f"zoe@example.com{end}bo@example.com"
    assert len(parse_mailbox_list(text, lenient=True)) == 2
    with pytest.raises(AddressError, match=r"a line end stands here, .*; write only one address") as one:
        parse_mailbox(text)
    assert one.value.suggestion is None
    with pytest.raises(AddressListError, match='write ";" between addresses') as several:
        parse_mailbox_list(text)
    assert len(parse_mailbox_list(str(several.value.suggestion))) == 2


LOST = [
    ("Anna (a@example.com), Ben (b@example.com), Cem <c@example.com>", ";"),
    ('Anna "a@example.com", Paul <p@example.com>', ";"),
    ("Mia (mia@example.com)\uff0c Leo <leo@example.com>", ";"),
    ("Bob (bob@example.com); Paul <paul@example.com>, kim@example.com", ","),
    ('"J@home", Jane <j@example.com>', ";"),
]


@pytest.mark.parametrize(("text", "separator"), LOST)
def test_nobody_is_lost_in_the_next_ones_name(text: str, separator: str) -> None:
    """An address in quotes or a comment, a separator that does not separate here, a name: an error."""
    with pytest.raises(AddressListError) as caught:
        parse_mailbox_list(text, separator=separator)
    assert AddressErrorCode.OTHER_SEPARATOR in {error.code for error in caught.value.errors}


def test_pasted_lists_lose_nobody_either() -> None:
    """A whole entry in quotes is split off; the rest stays an error."""
    for text, separator in LOST[:4]:
        with pytest.raises(AddressListError):
            parse_mailbox_list(text, separator=separator, lenient=True)
    with pytest.raises(AddressListError):
        parse_mailbox_list("Bob (bob@example.com), Paul <p@example.com>", separator=",", lenient=True)
    with pytest.raises(AddressError, match="write only one address"):
        parse_mailbox("Bob (bob@example.com)\uff0c Paul <p@example.com>")
    split = parse_mailbox_list('"Mia <mia@example.com>", Leo <leo@example.com>', lenient=True)
    assert [mailbox.display_name for mailbox in split] == ["Mia", "Leo"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("'O'Brien, Pat' <pat@example.com>", '"O\'Brien, Pat" <pat@example.com>'),
        ("'Jane Doe' <j@example.com>", '"Jane Doe" <j@example.com>'),
        ("'o'brien@example.com'", "o'brien@example.com"),
        ("\u2022 zoe@example.com", "zoe@example.com"),
        ("- Zoe <zoe@example.com>", '"Zoe" <zoe@example.com>'),
        ("12) zoe@example.com", "zoe@example.com"),
        ("Cc: Zoe <zoe@example.com>", '"Zoe" <zoe@example.com>'),
        ("To: 1. zoe@example.com", "zoe@example.com"),
        ("REPLY-TO:zoe@example.com", "zoe@example.com"),
        ("SMTP:zoe@example.com", "zoe@example.com"),
        ("mailto:zoe@example.com (Zoe)", '"Zoe" <zoe@example.com>'),
        ("1.zoe@example.com", "1.zoe@example.com"),
        ("-zoe@example.com", "-zoe@example.com"),
    ],
)
def test_pasted_text_loses_what_stands_in_front(text: str, written: str) -> None:
    """Bullets, numbers, the names of headers, apostrophes round the whole."""
    (mailbox,) = parse_mailbox_list(text, lenient=True)
    assert str(mailbox) == written
    assert str(parse_mailbox(text, lenient=True)) == written


_GOOD = st.sampled_from(
    ["a@example.com", "Anna Berg <anna@example.com>", '"Berg; Anna" <b@example.com>', "c@example.com (Cy)"]
)
_EMPTY = st.sampled_from(["", " ", "\t", "\r\n"])


@given(st.lists(_GOOD | _EMPTY, max_size=6), st.sampled_from(";,"))
def test_pasted_lists_read_what_strict_lists_read(entries: list[str], separator: str) -> None:
    """For every separator, empty entries and all."""
    text = separator.join(entries)
    assert parse_mailbox_list(text, separator=separator, lenient=True) == parse_mailbox_list(
        text, separator=separator
    )


@given(st.lists(st.sampled_from(",;\uff0c\uff1b\n\t "), max_size=5).map("".join), st.sampled_from(";,"))
def test_pasted_separators_in_a_row_are_one(between: str, separator: str) -> None:
    """Whichever they are, before, between and behind."""
    text = f"{between}a@example.com{between},{between}b@example.com{between}"
    assert len(parse_mailbox_list(text, separator=separator, lenient=True)) == 2
