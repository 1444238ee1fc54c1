"""Pasted text: repairs on request, and only those that cannot change who gets the mail."""

from __future__ import annotations

import pytest

from vetmail_core.address import (
    AddressError,
    AddressErrorCode,
    collect_mailbox_list,
    parse_mailbox,
    parse_mailbox_list,
)

Code = AddressErrorCode

ONE = [
    # input, display name, addr-spec; none of them is read so strictly
    ("\u00a0anna@example.com\u00a0", "", "anna@example.com"),
    ("\u200banna@example.com\ufeff", "", "anna@example.com"),
    ("\u202aanna@example.com\u202c", "", "anna@example.com"),
    ("\u2067Anna <anna@example.com>\u2069", "Anna", "anna@example.com"),
    ("\r\nanna@example.com\r\n", "", "anna@example.com"),
    ("'anna@example.com'", "", "anna@example.com"),
    ("`anna@example.com'", "", "anna@example.com"),
    ('"anna@example.com"', "", "anna@example.com"),
    ("“anna@example.com”", "", "anna@example.com"),
    ("‘anna@example.com’", "", "anna@example.com"),
    ("„anna@example.com“", "", "anna@example.com"),
    ("«anna@example.com»", "", "anna@example.com"),
    ("“'anna@example.com'”", "", "anna@example.com"),
    ('"Anna Berg <anna@example.com>"', "Anna Berg", "anna@example.com"),
    ("'Berg, Anna <anna@example.com>'", "Berg, Anna", "anna@example.com"),
    ("mailto:anna@example.com", "", "anna@example.com"),
    ("MAILTO:anna%40example.com", "", "anna@example.com"),
    ("Anna <mailto:anna@example.com>", "Anna", "anna@example.com"),
    ("mailto:%22anna%20berg%22@example.com", "", '"anna berg"@example.com'),
    ("mailto:j%C3%B6rg@example.com", "", "jörg@example.com"),
    ("mailto:<anna@example.com>", "", "anna@example.com"),
    ("'anna@example.com' <anna@example.com>", "anna@example.com", "anna@example.com"),
    ("<<anna@example.com>>", "", "anna@example.com"),
    ("Anna <<anna@example.com>>", "Anna", "anna@example.com"),
    ("anna@example.com.", "", "anna@example.com"),
    ("<anna@example.com.>", "", "anna@example.com"),
    ("anna@example.com <anna@example.com>", "anna@example.com", "anna@example.com"),
    ("anna@EXAMPLE.com <anna@example.com>", "anna@EXAMPLE.com", "anna@example.com"),
    ("Team [A]: Anna <anna@example.com>", "Team [A]: Anna", "anna@example.com"),
    ("Berg, Anna <anna@example.com>", "Berg, Anna", "anna@example.com"),
]


@pytest.mark.parametrize(("text", "name", "address"), ONE)
def test_a_repair_gives_the_mailbox_that_was_meant(text: str, name: str, address: str) -> None:
    """On request; strictly, the same text is an error."""
    mailbox = parse_mailbox(text, lenient=True)
    assert (mailbox.display_name, mailbox.addr_spec) == (name, address)
    with pytest.raises(AddressError):
        parse_mailbox(text)
    assert parse_mailbox_list(text, lenient=True) == (mailbox,)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("“Anna Berg” <anna@example.com>", "Anna Berg"),
        ("„Anna Berg“ <anna@example.com>", "Anna Berg"),
        ("«Anna Berg» <anna@example.com>", "Anna Berg"),
        ("‘Anna Berg’ <anna@example.com>", "Anna Berg"),
        ("“Berg, Anna”<anna@example.com>", "Berg, Anna"),
        # no pair, or more than one
        ("“Anna” “Berg” <anna@example.com>", "“Anna” “Berg”"),
        ("“Anna Berg <anna@example.com>", "“Anna Berg"),
        ("Anna “Berg” <anna@example.com>", "Anna “Berg”"),
        ("“” <anna@example.com>", ""),
        ("“ <anna@example.com>", "“"),
        # what the strict reading knows already is left alone
        ('"<mailto:a?b" <anna@example.com>', "<mailto:a?b"),
        ('"a <<b" <anna@example.com>', "a <<b"),
        ("'Anna' <anna@example.com>", "Anna"),
        ('"“Anna”" <anna@example.com>', "“Anna”"),
        ("Anna Berg <anna@example.com>", "Anna Berg"),
    ],
)
def test_typographic_quotes_around_a_name_are_quotes(text: str, name: str) -> None:
    """A word processor made them; within a name they are its own."""
    assert parse_mailbox(text, lenient=True).display_name == name


REFUSED = [
    # input, code
    ("", Code.EMPTY),
    ("“", Code.NO_ADDRESS),
    ("\u200b\u00a0", Code.EMPTY),
    ("Anna <anna@example.com", Code.UNCLOSED_ANGLE),
    ("<<anna@example.com>", Code.UNCLOSED_ANGLE),
    ("a@example.com b@example.com", Code.SEVERAL_ADDRESSES),
    ("<a@example.com> <b@example.com>", Code.SEVERAL_ADDRESSES),
    ("Anna <a@example.com> Berg", Code.TEXT_AFTER_ADDRESS),
    ("anna\uff20example.com", Code.NO_ADDRESS),
    ("ceo@bank.example <evil@example.com>", Code.ADDRESS_IN_NAME),
    ("Anna@example.com <anna@example.com>", Code.ADDRESS_IN_NAME),
    ("Anna x@y <anna@example.com>", Code.ADDRESS_IN_NAME),
    ("'ceo@bank.example' <evil@example.com>", Code.ADDRESS_IN_NAME),
    ("mailto:<anna@example.com?bcc=b@example.com>", Code.MAILTO_QUERY),
    ("mailto:<a?b@example.com>", Code.MAILTO_QUERY),
    ("An\u202ena <anna@example.com>", Code.INVISIBLE_CHARACTER),
    ("anna@exam\u200bple.com", Code.INVISIBLE_CHARACTER),
    ("Anna\nBerg <anna@example.com>", Code.CONTROL_CHARACTER),
    ("a@example.com\rb@example.com", Code.CONTROL_CHARACTER),
    ("an\x00na@example.com", Code.CONTROL_CHARACTER),
    ("anna@example.com..", Code.DOMAIN),
    ("mailto:a@example.com?bcc=b@example.com", Code.MAILTO_QUERY),
    ("<mailto:a@example.com?subject=x>", Code.MAILTO_QUERY),
    ("mailto:Anna%20%3Ca@example.com%3E", Code.MAILTO_QUERY),
    ("mailto:%ff@example.com", Code.MAILTO_QUERY),
    ("mailto:a@example.com%2Cb@example.com", Code.MAILTO_QUERY),
    ("mailto:", Code.MAILTO_QUERY),
    ("mailto:a%0D%0A@example.com", Code.CONTROL_CHARACTER),
    ("mailto:a%3Fb@example.com?", Code.MAILTO_QUERY),
    ("'Anna'", Code.NO_ADDRESS),
    ("''", Code.NO_ADDRESS),
    (r"A\B <anna@example.com>", Code.NAME_CHARACTER),
    ('"a <<b" <anna@example.com>>', Code.TEXT_AFTER_ADDRESS),
    ("<<anna@example.com>x", Code.UNCLOSED_ANGLE),
    ("mailto:anna@example.com>", Code.MAILTO_QUERY),
    ("<mailto:anna@example.com", Code.UNCLOSED_ANGLE),
    ("Anna <mailto:anna@exa..mple.com>", Code.DOMAIN),
    ("user@good.example(x)evil.example", Code.TEXT_AFTER_COMMENT),
]


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_what_could_change_who_gets_the_mail_stays_an_error(text: str, code: Code) -> None:
    """With its place within the input."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text, lenient=True)
    assert caught.value.code == code
    assert 0 <= caught.value.start <= caught.value.end <= len(text)
    assert caught.value.text == text


@pytest.mark.parametrize(
    "text",
    ['<"<mailto:a?b>"@example.com>', '<"a<<b>>"@example.com>', '"a@b."@example.com', "é?b@example.com"],
)
def test_what_needs_no_repair_gets_none(text: str) -> None:
    """In quotes a link, doubled brackets and a final dot are text; "?" may be part of an address."""
    assert parse_mailbox(text, lenient=True) == parse_mailbox(text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("Anna <mailto:anna@exa..mple.com>", ".."),
        ("mailto:anna@exa_mple.com", "_"),
        # what percent signs stand for has no place of its own in the input: the link is shown
        ("Anna <mailto:anna%2e%2eberg@example.com>", "mailto:anna%2e%2eberg@example.com"),
        ("\u00a0“Anna” <<anna@exa_mple.com>>", "_"),
        ("👩\u200d🏫 <anna@exa_mple.com.>", "_"),
        ('"mailto:<anna@exa_mple.com>"', "_"),
    ],
)
def test_a_repair_keeps_every_place(text: str, piece: str) -> None:
    """The error shows the piece of the input, not of the repaired text."""
    for read in (parse_mailbox, parse_mailbox_list):
        with pytest.raises(AddressError) as caught:
            read(text, lenient=True)
        assert text[caught.value.start : caught.value.end] == piece


LISTS = [
    # input, separator, mailboxes as they are written, how many errors
    (
        "a@example.com\nb@example.com\r\nc@example.com",
        ";",
        ["a@example.com", "b@example.com", "c@example.com"],
    ),
    ("a@example.com\tb@example.com", ";", ["a@example.com", "b@example.com"]),
    ("a@example.com, b@example.com", ";", ["a@example.com", "b@example.com"]),
    ("a@example.com; b@example.com", ",", ["a@example.com", "b@example.com"]),
    ("a@example.com；b@example.com，c@example.com", ";", ["a@example.com", "b@example.com", "c@example.com"]),
    ("a@example.com,", ";", ["a@example.com"]),
    ("a@example.com,;\n;b@example.com", ";", ["a@example.com", "b@example.com"]),
    (
        "Doe, Jane <a@example.com>, Lee, Kim <b@example.com>",
        ",",
        ['"Doe, Jane" <a@example.com>', '"Lee, Kim" <b@example.com>'],
    ),
    (
        "Doe, Jane <a@example.com>; Lee, Kim <b@example.com>",
        ";",
        ['"Doe, Jane" <a@example.com>', '"Lee, Kim" <b@example.com>'],
    ),
    (
        "Doe, Jane <a@example.com>, Lee, Kim <b@example.com>",
        ";",
        ['"Doe, Jane" <a@example.com>', '"Lee, Kim" <b@example.com>'],
    ),
    ("Lee; Kim <a@example.com>", ",", ['"Lee; Kim" <a@example.com>']),
    ('"x@y, z" <a@example.com>, b@example.com', ",", ['"x@y, z" <a@example.com>', "b@example.com"]),
    ('"Doe, Jane <a@example.com>", b@example.com', ",", ['"Doe, Jane" <a@example.com>', "b@example.com"]),
    ('"a@example.com","b@example.com"', ",", ["a@example.com", "b@example.com"]),
    ('\u00a0"a@example.com"\u00a0,"b@example.com"', ",", ["a@example.com", "b@example.com"]),
    ('"a@example.com" \r\n"b@example.com"', ";", ["a@example.com", "b@example.com"]),
    ("“a@example.com”, “b@example.com”", ",", ["a@example.com", "b@example.com"]),
    ('Doe "x@y", Jane <a@example.com>', ",", ['"Doe x@y, Jane" <a@example.com>']),
    ('"Doe", Jane <a@example.com>', ",", ['"Doe, Jane" <a@example.com>']),
    ("“Doe; Jane” <a@example.com>; b@example.com", ";", ['"Doe; Jane" <a@example.com>', "b@example.com"]),
    ("a@example.com (x, y), b@example.com", ",", ['"x, y" <a@example.com>', "b@example.com"]),
    ("a@[192.0.2.1], b@example.com", ",", ["a@[192.0.2.1]", "b@example.com"]),
    ('"a,b"@example.com, b@example.com', ",", ['"a,b"@example.com', "b@example.com"]),
    ("", ";", []),
    (" \n;\u200b;", ";", []),
]


@pytest.mark.parametrize(("text", "separator", "written"), LISTS)
def test_a_pasted_list_splits_once_an_entry_has_its_at_sign(
    text: str, separator: str, written: list[str]
) -> None:
    """At line ends, tabs and either separator, full-width too; before the @ they belong to the name."""
    assert [str(m) for m in parse_mailbox_list(text, separator=separator, lenient=True)] == written


BAD_LISTS = [
    # input, separator, codes of the errors, good mailboxes as they are written
    ("bogus; Anna <a@example.com>", ";", [Code.NO_ADDRESS], ['"Anna" <a@example.com>']),
    ('"Smith, John <j@example.com>; b@example.com', ";", [Code.UNCLOSED_QUOTE], ["b@example.com"]),
    ("John <j@example.com; b@example.com", ";", [Code.UNCLOSED_ANGLE], ["b@example.com"]),
    ("a (b@example.com; c@example.com", ";", [Code.UNCLOSED_COMMENT], ["c@example.com"]),
    (
        "mailto:a@example.com?bcc=x; b@example.com",
        ";",
        [Code.MAILTO_QUERY],
        ["b@example.com"],
    ),
    ("(x@y), a@example.com", ",", [Code.NAME_CHARACTER], []),
    ("a@example.com, Berg", ",", [Code.NO_ADDRESS], ["a@example.com"]),
    (r"a\; b@example.com; c@example.com", ";", [Code.NAME_CHARACTER], ["c@example.com"]),
    ("“Doe\n; Jane” <a@example.com>", ";", [Code.NO_ADDRESS], ['"Jane”" <a@example.com>']),
]


@pytest.mark.parametrize(("text", "separator", "codes", "good"), BAD_LISTS)
def test_a_bad_pasted_entry_swallows_no_other(
    text: str, separator: str, codes: list[Code], good: list[str]
) -> None:
    """Its number, its code and a place within the input."""
    collected = collect_mailbox_list(text, separator=separator, lenient=True)
    assert [error.code for error in collected.errors] == codes
    assert [str(mailbox) for mailbox in collected.mailboxes] == good
    for error in collected.errors:
        assert error.entry is not None
        assert 0 <= error.start <= error.end <= len(text)
