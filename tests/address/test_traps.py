"""The texts that parsers are known to read wrongly, each with the right outcome."""

from __future__ import annotations

from email import policy
from typing import Any

import pytest

from vetmail_core.address import (
    AddressError,
    AddressErrorCode,
    Mailbox,
    collect_mailbox_list,
    format_mailbox_list,
    parse_mailbox,
    parse_mailbox_list,
)

Code = AddressErrorCode

READ = [
    # input, name, address as it is written
    ('"a@evil.example x"@good.example', "", '"a@evil.example x"@good.example'),
    ('"a> RCPT TO:<x@evil"@good.example', "", '"a> RCPT TO:<x@evil"@good.example'),
    ('"ceo@bank.com" <evil@x.com>', "ceo@bank.com", "evil@x.com"),
    ('"Anna  Berg" <a@x.com>', "Anna  Berg", "a@x.com"),
    ('" padded " <a@x.com>', " padded ", "a@x.com"),
    ("Zoë Müller <z@x.com>", "Zoë Müller", "z@x.com"),
    ("A. Berg <z@x.com>", "A. Berg", "z@x.com"),
    ("می\u200cخواهم <z@x.com>", "می\u200cخواهم", "z@x.com"),
    ("👩\u200d👩\u200d👧 <z@x.com>", "👩\u200d👩\u200d👧", "z@x.com"),
    ("=?utf-8?q?x?= <z@x.com>", "=?utf-8?q?x?=", "z@x.com"),
    ("x@bücher\u3002example", "", "x@bücher.example"),
    ("50%40x@example.com", "", "50%40x@example.com"),
]

REFUSED = [
    # input, the faulty piece, name and address of the lenient reading, if it is repaired
    ("a@x.com b@y.com", "b@y.com", None),
    ("user@good-corp.com(x)evil.com", "evil.com", None),
    ('"A\r\nBcc: x@y" <a@b.c>', "\r", None),
    ("A\r\nBcc: x@y <a@b.c>", "\r", None),
    ("a@b.c\r\nBcc: x@y", "\r", None),
    ('"a\r\n"@b.c', "\r", None),
    ("a@b.c\x00", "\x00", None),
    ("A\u2028 <a@b.c>", "\u2028", None),
    ("A\x85 <a@b.c>", "\x85", None),
    ("ceo@bank.com <evil@x.com>", "ceo@bank.com", None),
    ("me@x.com <me@x.com>", "me@x.com", ("me@x.com", "me@x.com")),
    ("'j@x.com'", "'", ("", "j@x.com")),
    ("mailto:j@x.com?bcc=e@z.com", "mailto:", None),
    ("anna@[10.0.0.700]", "[10.0.0.700]", None),
    ("=?utf-8?q?a=40evil.example?=@x.com", "=?utf-8?q?a=40evil.example?=", None),
    ("An\u202ena <a@x.com>", "\u202e", None),
]

LISTS = [
    # input, separator, good mailboxes, (entry, faulty piece), how many are read leniently, if all are
    (
        "Smith, John <j@x.com>; Doe, Jane <jane@x.com>",
        ";",
        [("Smith, John", "j@x.com"), ("Doe, Jane", "jane@x.com")],
        [],
        2,
    ),
    ("bogus; Anna <a@x.com>", ";", [("Anna", "a@x.com")], [(1, "bogus")], None),
    ("a@x.com, b@y.com", ";", [], [(1, ",")], 2),
    ('"Smith, John <j@x.com>; b@y.com', ";", [("", "b@y.com")], [(1, '"')], None),
    ("John <john@x.com; b@y.com", ";", [("", "b@y.com")], [(1, "<")], None),
    ("a@x.com b@y.com", ";", [], [(1, "b@y.com")], None),
    ("Smith, John <j@x.com>, b@y.com", ",", [("John", "j@x.com"), ("", "b@y.com")], [(1, "Smith")], 2),
    ("a@x.com;\r\n b@y.com\r\n", ";", [("", "a@x.com"), ("", "b@y.com")], [], 2),
    ("a@x.com\r\nb@y.com", ";", [], [(1, "\r")], 2),
]


@pytest.mark.parametrize(("text", "name", "address"), READ)
def test_a_trap_is_read_rightly_and_written_back(text: str, name: str, address: str) -> None:
    """Strictly and leniently, alone and in lists with either separator."""
    mailbox = parse_mailbox(text)
    assert (mailbox.display_name, mailbox.addr_spec) == (name, address)
    assert parse_mailbox(text, lenient=True) == mailbox == parse_mailbox(str(mailbox))
    for separator in ";,":
        written = format_mailbox_list([mailbox, "b@y.com"], separator=separator)
        assert parse_mailbox_list(written, separator=separator) == (mailbox, Mailbox("b@y.com"))


@pytest.mark.parametrize(("text", "piece", "repaired"), REFUSED)
def test_a_trap_is_refused_at_its_place(text: str, piece: str, repaired: tuple[str, str] | None) -> None:
    """And repaired only where that cannot change who gets the mail."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text)
    assert text[caught.value.start : caught.value.end] == piece
    if repaired is None:
        with pytest.raises(AddressError):
            parse_mailbox(text, lenient=True)
    else:
        mailbox = parse_mailbox(text, lenient=True)
        assert (mailbox.display_name, mailbox.addr_spec) == repaired


@pytest.mark.parametrize(("text", "separator", "good", "bad", "lenient"), LISTS)
def test_a_trap_in_a_list_touches_its_own_entry_alone(
    text: str, separator: str, good: list[tuple[str, str]], bad: list[tuple[int, str]], lenient: int | None
) -> None:
    """The others are read, and each error has its entry and place."""
    collected = collect_mailbox_list(text, separator=separator)
    assert [(mailbox.display_name, mailbox.addr_spec) for mailbox in collected.mailboxes] == good
    assert [(error.entry, text[error.start : error.end]) for error in collected.errors] == bad
    repaired = collect_mailbox_list(text, separator=separator, lenient=True)
    assert (len(repaired.mailboxes) if not repaired.errors else None) == lenient


@pytest.mark.parametrize("control", ["\r", "\n", "\r\n ", "\x00", "\x0b", "\x7f", "\x9b", "\u2028", "\ud800"])
def test_no_control_character_gets_in_by_any_door(control: str) -> None:
    """Neither the parser, nor the constructor, nor a formatter that is handed strings."""
    for text in (
        f'"A{control}B" <a@b.c>',
        f"A{control}B <a@b.c>",
        f"a@b.c (A{control}B)",
        f"a{control}a@b.c",
    ):
        for lenient in (False, True):
            with pytest.raises(AddressError) as caught:
                parse_mailbox(text, lenient=lenient)
            assert caught.value.code is Code.CONTROL_CHARACTER
        with pytest.raises(AddressError):
            format_mailbox_list([text])
    for address, name in ((f"a{control}@b.c", ""), (f"a@b{control}.c", ""), ("a@b.c", f"A{control}B")):
        with pytest.raises(AddressError) as caught:
            Mailbox(address, name)
        assert caught.value.code is Code.CONTROL_CHARACTER


@pytest.mark.parametrize(
    "name",
    [
        "Anna Berg",
        "Berg, Anna",
        'A "B" \\ C',
        "a@b.example",
        "<x>",
        "(x)",
        "A. B",
        "Zoë",
        "東京",
        "Team: [A]",
        "👩",
    ],
)
def test_the_standard_library_reads_a_header_as_the_same_mailbox(name: str) -> None:
    """A second reader, that knows nothing of this one; folding has to be undone by it."""
    for mailbox in (Mailbox("anna@example.com", name), Mailbox('"a b"@bücher.example', name)):
        parsed: Any = policy.default.header_factory("To", mailbox.header().replace("\r\n", ""))
        (found,) = parsed.addresses
        assert not parsed.defects
        assert Mailbox(found.addr_spec, found.display_name) == mailbox
