"""A list of mailboxes, split at the configured separator alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vetmail_core.address import (
    AddressError,
    AddressErrorCode,
    AddressListError,
    CollectedMailboxes,
    Mailbox,
    collect_mailbox_list,
    format_mailbox_list,
    parse_mailbox_list,
    unique_mailboxes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Code = AddressErrorCode

ANNA = Mailbox("anna@example.com", "Anna Berg")
BOB = Mailbox("bob@example.com")
COMMA = Mailbox("jane@example.com", "Doe, Jane")
SEMICOLON = Mailbox("kim@example.com", "Lee; Kim")

ACCEPTED = [
    # input, separator, mailboxes
    ("", ";", ()),
    (" \r\n\t ", ",", ()),
    (";", ";", ()),
    (",, ,", ",", ()),
    ("bob@example.com", ";", (BOB,)),
    ("Anna Berg <anna@example.com>; bob@example.com", ";", (ANNA, BOB)),
    ("Anna Berg <anna@example.com>, bob@example.com", ",", (ANNA, BOB)),
    ("Anna Berg <anna@example.com>;bob@example.com;", ";", (ANNA, BOB)),
    (";; bob@example.com ; ;Anna Berg <anna@example.com>;;", ";", (BOB, ANNA)),
    ("bob@example.com;\r\n Anna Berg <anna@example.com>\r\n", ";", (BOB, ANNA)),
    ("\nbob@example.com\n,\nAnna Berg <anna@example.com>", ",", (BOB, ANNA)),
    ("bob@example.com; bob@example.com", ";", (BOB, BOB)),
    # the other separator, and the separator in quotes, comments and literals
    ("Doe, Jane <jane@example.com>; bob@example.com", ";", (COMMA, BOB)),
    ("Lee; Kim <kim@example.com>, bob@example.com", ",", (SEMICOLON, BOB)),
    ('"Doe, Jane" <jane@example.com>, bob@example.com', ",", (COMMA, BOB)),
    ('"Lee; Kim" <kim@example.com>; bob@example.com', ";", (SEMICOLON, BOB)),
    (r'"a\"; b" <bob@example.com>; bob@example.com', ";", (Mailbox("bob@example.com", 'a"; b'), BOB)),
    ("jane@example.com (Doe, Jane), bob@example.com", ",", (COMMA, BOB)),
    ("bob@example.com; kim@example.com (Lee; Kim)", ";", (BOB, SEMICOLON)),
    ("(a; (b; c)) bob@example.com; Anna Berg <anna@example.com>", ";", (BOB, ANNA)),
    ('"a;b"@example.com; bob@example.com', ";", (Mailbox('"a;b"@example.com'), BOB)),
    ("x@[192.0.2.1]; bob@example.com", ";", (Mailbox("x@[192.0.2.1]"), BOB)),
    # plain, but at a limit
    (f"{'a' * 64}@example.com; bob@example.com", ";", (Mailbox("a" * 64 + "@example.com"), BOB)),
    (f"{'a' * 1000} <a@example.com>; bob@example.com", ";", (Mailbox("a@example.com", "a" * 1000), BOB)),
]


@pytest.mark.parametrize(("text", "separator", "mailboxes"), ACCEPTED)
def test_only_the_configured_separator_splits(
    text: str, separator: str, mailboxes: tuple[Mailbox, ...]
) -> None:
    """Never inside quotes, comments or literals; empty entries are skipped, duplicates stay."""
    assert parse_mailbox_list(text, separator=separator) == mailboxes
    assert collect_mailbox_list(text, separator=separator) == CollectedMailboxes(mailboxes)


@pytest.mark.parametrize(("text", "separator", "mailboxes"), ACCEPTED)
def test_a_list_that_is_written_is_read_back_the_same(
    text: str, separator: str, mailboxes: tuple[Mailbox, ...]
) -> None:
    """The table serves the formatter too, with either separator."""
    assert parse_mailbox_list(text, separator=separator) == mailboxes
    for either in ";,":
        written = format_mailbox_list(mailboxes, separator=either)
        assert parse_mailbox_list(written, separator=either) == mailboxes


REFUSED = [
    # input, separator, (entry, code, the faulty piece) of each error, the good addresses
    ("bogus; bob@example.com", ";", [(1, Code.NO_ADDRESS, "bogus")], ["bob@example.com"]),
    ("a@example.com, b@example.com", ";", [(1, Code.OTHER_SEPARATOR, ",")], []),
    ("a@example.com; b@example.com", ",", [(1, Code.OTHER_SEPARATOR, ";")], []),
    ("a@example.com,", ";", [(1, Code.OTHER_SEPARATOR, ",")], []),
    ("<a@example.com>, Bob <b@example.com>", ";", [(1, Code.OTHER_SEPARATOR, ",")], []),
    ("a@example.com b@example.com", ";", [(1, Code.SEVERAL_ADDRESSES, "b@example.com")], []),
    (
        '"Smith, John <j@example.com>; bob@example.com',
        ";",
        [(1, Code.UNCLOSED_QUOTE, '"')],
        ["bob@example.com"],
    ),
    ("John <john@example.com; bob@example.com", ";", [(1, Code.UNCLOSED_ANGLE, "<")], ["bob@example.com"]),
    ("a@example.com (John; bob@example.com", ";", [(1, Code.UNCLOSED_COMMENT, "(")], ["bob@example.com"]),
    ("a@[192.0.2.1; bob@example.com", ";", [(1, Code.UNCLOSED_LITERAL, "[")], ["bob@example.com"]),
    (
        "a (b; c@example.com (d), e@example.com",
        ",",
        [(1, Code.UNCLOSED_COMMENT, "(")],
        ["e@example.com"],
    ),
    (
        "x; bob@example.com; y",
        ";",
        [(1, Code.NO_ADDRESS, "x"), (3, Code.NO_ADDRESS, "y")],
        ["bob@example.com"],
    ),
    (";;x;", ";", [(1, Code.NO_ADDRESS, "x")], []),
    ("Team: a@example.com, b@example.com;", ",", [(1, Code.GROUP, ":"), (2, Code.OTHER_SEPARATOR, ";")], []),
    ("Team: a@example.com;", ";", [(1, Code.GROUP, ":")], []),
    ("a@example.com\r\nb@example.com", ";", [(1, Code.CONTROL_CHARACTER, "\r")], []),
    ("Anna\n<a@example.com>; bob@example.com", ";", [(1, Code.CONTROL_CHARACTER, "\n")], ["bob@example.com"]),
    (r"a\; bob@example.com", ";", [(1, Code.NO_ADDRESS, "a\\")], ["bob@example.com"]),
    (r"a\b; bob@example.com", ";", [(1, Code.NO_ADDRESS, r"a\b")], ["bob@example.com"]),
    (
        r'a\"; b"; bob@example.com',
        ";",
        [(1, Code.UNCLOSED_QUOTE, '"'), (2, Code.UNCLOSED_QUOTE, '"')],
        ["bob@example.com"],
    ),
    ('bob@example.com; "Anna <a@example.com>', ";", [(2, Code.UNCLOSED_QUOTE, '"')], ["bob@example.com"]),
    ("bob@example.com; Anna (x", ";", [(2, Code.UNCLOSED_COMMENT, "(")], ["bob@example.com"]),
    (
        "(x)) a@example.com; bob@example.com",
        ";",
        [(1, Code.NAME_CHARACTER, ") a@example.com")],
        ["bob@example.com"],
    ),
    ("Team [A] <a@example.com>; bob@example.com", ";", [(1, Code.NAME_CHARACTER, "[")], ["bob@example.com"]),
    (
        'Team [A] "x; y" <a@example.com>; bob@example.com',
        ";",
        [(1, Code.NAME_CHARACTER, "[")],
        ["bob@example.com"],
    ),
    ("a@example.com\uff1bb@example.com", ";", [(1, Code.OTHER_SEPARATOR, "\uff1b")], []),
    (
        f"{'a' * 65}@example.com; bob@example.com",
        ";",
        [(1, Code.LOCAL_PART_TOO_LONG, "a" * 65)],
        ["bob@example.com"],
    ),
    (
        f"{'a' * 1001} <a@example.com>; bob@example.com",
        ";",
        [(1, Code.NAME_TOO_LONG, "a" * 1001)],
        ["bob@example.com"],
    ),
]


@pytest.mark.parametrize(("text", "separator", "errors", "good"), REFUSED)
def test_a_bad_entry_is_an_error_at_its_place_and_swallows_no_other(
    text: str, separator: str, errors: list[tuple[int, Code, str]], good: list[str]
) -> None:
    """Every bad entry is told with its number; the good ones are handed over beside them."""
    collected = collect_mailbox_list(text, separator=separator)
    found = [(error.entry, error.code, text[error.start : error.end]) for error in collected.errors]
    assert found == errors
    assert [mailbox.addr_spec for mailbox in collected.mailboxes] == good
    with pytest.raises(AddressListError) as caught:
        parse_mailbox_list(text, separator=separator)
    assert caught.value.mailboxes == collected.mailboxes
    assert [str(error) for error in caught.value.errors] == [str(error) for error in collected.errors]
    first = collected.errors[0]
    assert (caught.value.code, caught.value.entry, caught.value.start, caught.value.end) == (
        first.code,
        first.entry,
        first.start,
        first.end,
    )
    assert caught.value.hint == first.hint
    assert str(caught.value) == "; ".join(map(str, collected.errors))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a@example.com, b@example.com", 'write ";" between addresses'),
        ("a@example.com b@example.com", 'write ";" between addresses'),
        ("a@example.com, b <b@example.com>", 'write ";" between addresses'),
    ],
)
def test_the_hint_of_a_list_names_its_separator(text: str, hint: str) -> None:
    """What stands between two addresses instead is told together with what belongs there."""
    assert collect_mailbox_list(text).errors[0].hint == hint


@pytest.mark.parametrize(("bad", "ending"), [(5, "anna@example.com"), (6, "and 1 more"), (7, "and 2 more")])
def test_the_sentence_of_a_list_tells_five_errors(bad: int, ending: str) -> None:
    """Of more it tells the number."""
    with pytest.raises(AddressListError, match=r"^entry 1, .*; entry 5, character 9: ") as caught:
        parse_mailbox_list("x;" * bad)
    assert str(caught.value).count("entry") == 5
    assert str(caught.value).endswith(ending)


def test_a_list_with_very_many_errors_tells_the_first_and_counts_the_rest() -> None:
    """The sentence stays readable; every error is at hand."""
    with pytest.raises(AddressListError, match=r"entry 5, character 9: .*; and 1,995 more$") as caught:
        parse_mailbox_list("x;" * 2000)
    assert len(caught.value.errors) == 2000
    assert len(str(caught.value)) < 600


def test_a_list_of_more_than_64_kilobytes_is_refused_before_any_work() -> None:
    """One error, of the input and not of an entry."""
    assert collect_mailbox_list(";" * 65_536) == CollectedMailboxes()
    (error,) = collect_mailbox_list("a@example.com;" * 5000).errors
    assert (error.code, error.entry, error.start, error.end) == (Code.INPUT_TOO_LONG, None, 0, 70_000)
    assert "70,000 characters" in str(error)


@pytest.mark.parametrize("separator", [":", "", " ", ";;", "；", "\n"])
def test_a_separator_is_a_semicolon_or_a_comma(separator: str) -> None:
    """Anything else is a ValueError, whatever the text."""
    for text in ("", "a@example.com"):
        with pytest.raises(ValueError, match='";" or ","'):
            parse_mailbox_list(text, separator=separator)
        with pytest.raises(ValueError, match='";" or ","'):
            collect_mailbox_list(text, separator=separator)
    with pytest.raises(ValueError, match='";" or ","'):
        format_mailbox_list([], separator=separator)


def test_what_is_no_text_is_a_plain_type_error() -> None:
    """The sentence says what came."""
    nothing: str = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match="A list of mailboxes to read needs text, got NoneType"):
        parse_mailbox_list(nothing)


@pytest.mark.parametrize("given", ["a@example.com; b@example.com", BOB, None, 5], ids=type)
def test_several_mailboxes_are_not_one(given: Iterable[str]) -> None:
    """A text alone would come apart into its characters; the sentence says what to do instead."""
    for take in (format_mailbox_list, unique_mailboxes):
        with pytest.raises(TypeError, match=rf"got {type(given).__name__}\. .* parse_mailbox_list\(\)\.$"):
            take(given)


def test_a_list_is_written_with_the_names_in_quotes() -> None:
    """VETtrak's alias form; strings are read strictly first."""
    assert format_mailbox_list([ANNA, "bob@example.com"]) == '"Anna Berg" <anna@example.com>; bob@example.com'
    assert format_mailbox_list(iter([BOB, COMMA]), separator=",") == (
        'bob@example.com, "Doe, Jane" <jane@example.com>'
    )
    assert not format_mailbox_list([])
    with pytest.raises(AddressError):
        format_mailbox_list(["bogus"])


def test_each_address_is_kept_once_under_its_first_name() -> None:
    """Spellings of one address are one: capitals of the domain, A-labels; the local part is exact."""
    assert unique_mailboxes(
        [
            ANNA,
            "anna@EXAMPLE.com",
            "Other <anna@example.com>",
            "Anna@example.com",
            "x@bücher.example",
            "x@XN--BCHER-KVA.example",
            '"x"@bücher.example',
            "X <x@bücher.example>",
        ]
    ) == (ANNA, Mailbox("Anna@example.com"), Mailbox("x@bücher.example"))
    with pytest.raises(AddressError):
        unique_mailboxes(["bogus"])


def test_what_was_collected_is_kept_as_tuples() -> None:
    """Any iterable is taken."""
    collected = CollectedMailboxes(iter([ANNA]), iter([]))
    assert (collected.mailboxes, collected.errors) == ((ANNA,), ())
