"""One mailbox, as it is typed."""

from __future__ import annotations

import pytest

from vetmail_core.address import AddressError, AddressErrorCode, Mailbox, parse_mailbox

Code = AddressErrorCode

ACCEPTED = [
    # input, display name, addr-spec
    ("anna@example.com", "", "anna@example.com"),
    (" \tanna@example.com ", "", "anna@example.com"),
    ("<anna@example.com>", "", "anna@example.com"),
    ("< anna@example.com >", "", "anna@example.com"),
    ("Anna Berg <anna@example.com>", "Anna Berg", "anna@example.com"),
    ("Anna Berg<anna@example.com>", "Anna Berg", "anna@example.com"),
    ("Anna \t  Berg  <anna@example.com>", "Anna Berg", "anna@example.com"),
    ('"Anna  Berg" <anna@example.com>', "Anna  Berg", "anna@example.com"),
    ('" padded " <anna@example.com>', " padded ", "anna@example.com"),
    ('"Berg, Anna" <anna@example.com>', "Berg, Anna", "anna@example.com"),
    (r'"A \"B\" \\ C" <anna@example.com>', r'A "B" \ C', "anna@example.com"),
    ('"Anna" Berg <anna@example.com>', "Anna Berg", "anna@example.com"),
    ("A. Berg <anna@example.com>", "A. Berg", "anna@example.com"),
    ("O'Brien <anna@example.com>", "O'Brien", "anna@example.com"),
    ("Zoë Müller <zoe@example.com>", "Zoë Müller", "zoe@example.com"),
    ("می\u200cخواهم <zoe@example.com>", "می\u200cخواهم", "zoe@example.com"),
    ("👩\u200d🏫 Kim <kim@example.com>", "👩\u200d🏫 Kim", "kim@example.com"),
    ("Zoe\u0308 <zoe@example.com>", "Zoë", "zoe@example.com"),
    ('"" <anna@example.com>', "", "anna@example.com"),
    ('"ceo@bank.example" <evil@example.com>', "ceo@bank.example", "evil@example.com"),
    ("=?utf-8?q?x?= <anna@example.com>", "=?utf-8?q?x?=", "anna@example.com"),
    # comments
    ("anna@example.com (Anna Berg)", "Anna Berg", "anna@example.com"),
    ("anna@example.com(Anna)", "Anna", "anna@example.com"),
    ("anna@example.com (Anna) (Berg)", "Anna Berg", "anna@example.com"),
    (r"anna@example.com (a \) b)", "a ) b", "anna@example.com"),
    ("anna@example.com ()", "", "anna@example.com"),
    ("(note) anna@example.com", "", "anna@example.com"),
    ("Anna (note) Berg <anna@example.com>", "Anna Berg", "anna@example.com"),
    ("Anna <anna@example.com> (note (nested))", "Anna", "anna@example.com"),
    ("Anna <anna@example.com (note)>", "Anna", "anna@example.com"),
    ("Anna <(note) anna@example.com>", "Anna", "anna@example.com"),
    ("Zoë(note)Berg <zoe@example.com>", "Zoë Berg", "zoe@example.com"),
    ("(note) Zoë <zoe@example.com>", "Zoë", "zoe@example.com"),
    ('Zoë"Berg" <zoe@example.com>', "ZoëBerg", "zoe@example.com"),
    # local parts
    ("a+b.c@example.com", "", "a+b.c@example.com"),
    ("!#$%&'*+/=?^_`{|}~-@example.com", "", "!#$%&'*+/=?^_`{|}~-@example.com"),
    ("50%40@example.com", "", "50%40@example.com"),
    ("=?=@example.com", "", "=?=@example.com"),
    ('"anna"@example.com', "", "anna@example.com"),
    ('"anna berg"@example.com', "", '"anna berg"@example.com'),
    ('"a@evil.example x"@good.example', "", '"a@evil.example x"@good.example'),
    ('"a> RCPT TO:<x@evil"@good.example', "", '"a> RCPT TO:<x@evil"@good.example'),
    (r'"a\"b"@example.com', "", r'"a\"b"@example.com'),
    (r'"a\b"@example.com', "", "ab@example.com"),
    ('Anna <"anna berg"@example.com>', "Anna", '"anna berg"@example.com'),
    ("jörg@example.com", "", "jörg@example.com"),
    ("jo\u0308rg@example.com", "", "jörg@example.com"),
    ("a" * 64 + "@example.com", "", "a" * 64 + "@example.com"),
    # domains
    ("anna@localhost", "", "anna@localhost"),
    ("anna@server.local", "", "anna@server.local"),
    ("anna@büro.local", "", "anna@büro.local"),
    ("anna@Example.COM", "", "anna@Example.COM"),
    ("anna@bücher.example", "", "anna@bücher.example"),
    ("x@bücher\u3002example", "", "x@bücher.example"),
    ("x@bücher", "", "x@bücher"),
    ("x@xn--bcher-kva.example", "", "x@bücher.example"),
    ("anna@3com.com", "", "anna@3com.com"),
    ("anna@[192.0.2.1]", "", "anna@[192.0.2.1]"),
    ("anna@[IPv6:2001:db8::1]", "", "anna@[IPv6:2001:db8::1]"),
    ("Anna <anna@[192.0.2.1]>", "Anna", "anna@[192.0.2.1]"),
    ("anna@" + "a" * 63 + ".com", "", "anna@" + "a" * 63 + ".com"),
]


@pytest.mark.parametrize(("text", "name", "address"), ACCEPTED)
def test_what_people_type_is_read_as_they_mean_it(text: str, name: str, address: str) -> None:
    """Blanks, quotes and comments go; the name and the address stay."""
    mailbox = parse_mailbox(text)
    assert (mailbox.display_name, mailbox.addr_spec) == (name, address)


@pytest.mark.parametrize(("text", "name", "address"), ACCEPTED)
def test_what_is_written_is_read_back_the_same(text: str, name: str, address: str) -> None:
    """The table serves the formatter too: parse_mailbox(str(m)) == m."""
    mailbox = Mailbox(address, name)
    assert parse_mailbox(str(mailbox)) == mailbox == parse_mailbox(text)


LONG_DOMAIN = ".".join(["a" * 61] * 4)

REFUSED = [
    # input, code, the faulty piece
    ("", Code.EMPTY, ""),
    ("   ", Code.EMPTY, ""),
    ("Anna", Code.NO_ADDRESS, "Anna"),
    ("Anna Berg", Code.NO_ADDRESS, "Anna Berg"),
    ("Anna Berg anna@example.com", Code.NAME_CHARACTER, "Anna Berg anna@example.com"),
    ("anna@example.com is it", Code.TEXT_AFTER_ADDRESS, "is it"),
    ("Anna <anna@example.com> Berg", Code.TEXT_AFTER_ADDRESS, "Berg"),
    ("Anna (x) Berg", Code.NO_ADDRESS, "Anna (x) Berg"),
    ("Anna x@ y", Code.NAME_CHARACTER, "Anna x@ y"),
    # separators and several
    ("a@example.com, b@example.com", Code.OTHER_SEPARATOR, ","),
    ("a@example.com;", Code.OTHER_SEPARATOR, ";"),
    ("Anna <a@example.com>, b@example.com", Code.OTHER_SEPARATOR, ","),
    ("a@example.com b@example.com", Code.SEVERAL_ADDRESSES, "b@example.com"),
    ("Anna <a@example.com> b@example.com", Code.SEVERAL_ADDRESSES, "b@example.com"),
    ("<a@example.com b@example.com>", Code.SEVERAL_ADDRESSES, "b@example.com>"),
    ("<a@example.com b>", Code.TEXT_AFTER_ADDRESS, "b>"),
    ("Berg, Anna <a@example.com>", Code.NAME_CHARACTER, ","),
    # names
    ("ceo@bank.example <evil@example.com>", Code.ADDRESS_IN_NAME, "ceo@bank.example"),
    ("me@example.com <me@example.com>", Code.ADDRESS_IN_NAME, "me@example.com"),
    ("a@example.com, b <b@example.com>", Code.OTHER_SEPARATOR, ","),
    ("Team [A] <a@example.com>", Code.NAME_CHARACTER, "["),
    (r"An\na <a@example.com>", Code.NAME_CHARACTER, "\\"),
    (r"An\<na <a@example.com>", Code.NAME_CHARACTER, "\\"),
    ("Anna@<a@example.com>", Code.ADDRESS_IN_NAME, "Anna@"),
    ("'a@example.com' <a@example.com>", Code.ADDRESS_IN_NAME, "'a@example.com'"),
    ('"A" \\B <a@example.com>', Code.NAME_CHARACTER, "\\"),
    ("Anna ) <a@example.com>", Code.NAME_CHARACTER, ")"),
    ("Anna > <a@example.com>", Code.NAME_CHARACTER, ">"),
    ("Anna > <a@example.com> x", Code.NAME_CHARACTER, ">"),
    ("An\u200bna [x] <a@example.com>", Code.NAME_CHARACTER, "["),
    ("An\u200bna anna@example.com", Code.NAME_CHARACTER, "An\u200bna anna@example.com"),
    ("An\u200bna <a@example.com>", Code.INVISIBLE_CHARACTER, "\u200b"),
    ("A\u00adB <a@example.com>", Code.INVISIBLE_CHARACTER, "\u00ad"),
    ("a@example.com (A\u202eB)", Code.INVISIBLE_CHARACTER, "\u202e"),
    ("\u0301Anna <a@example.com>", Code.NAME_START, "\u0301"),
    ("A" * 1001 + " <a@example.com>", Code.NAME_TOO_LONG, "A" * 1001),
    # groups, routes, links
    ("Team: a@example.com;", Code.GROUP, ":"),
    ("Team: <a@example.com>", Code.GROUP, ":"),
    ("Team:;", Code.GROUP, ":"),
    (":a@example.com", Code.GROUP, ":"),
    ("a@example.com:b", Code.DOMAIN, ":"),
    ("@relay.example:a@example.com", Code.LOCAL_PART_EMPTY, "@"),
    ("@example.com Anna", Code.TEXT_AFTER_ADDRESS, "Anna"),
    ("Team One: a@example.com;", Code.GROUP, ":"),
    ("https://example.com", Code.GROUP, "https://"),
    ("mailto:anna@example.com", Code.GROUP, "mailto:"),
    ("<@relay.example:a@example.com>", Code.ROUTE, "@relay.example:"),
    ("<@example.com>", Code.LOCAL_PART_EMPTY, "@example.com>"),
    # what does not close
    ('"Anna <a@example.com>', Code.UNCLOSED_QUOTE, '"'),
    ('Anna <"a@example.com>', Code.UNCLOSED_QUOTE, '"'),
    ("a@example.com (Anna", Code.UNCLOSED_COMMENT, "("),
    ("Anna (B <a@example.com>", Code.UNCLOSED_COMMENT, "("),
    ("Anna <a@example.com", Code.UNCLOSED_ANGLE, "<"),
    ("Anna <a@example.com (x)", Code.UNCLOSED_ANGLE, "<"),
    ("<<a@example.com>>", Code.UNCLOSED_ANGLE, "<"),
    ("Anna <", Code.UNCLOSED_ANGLE, "<"),
    ("Anna <>", Code.EMPTY, ""),
    ("a@[192.0.2.1", Code.UNCLOSED_LITERAL, "["),
    # comments inside
    ("user@good.example(x)evil.example", Code.TEXT_AFTER_COMMENT, "evil.example"),
    ("user(x)name@good.example", Code.TEXT_AFTER_COMMENT, "name@good.example"),
    ("user(x)@good.example", Code.TEXT_AFTER_COMMENT, "@good.example"),
    ("Anna (x) anna@example.com", Code.NAME_CHARACTER, "Anna (x) anna@example.com"),
    ("anna @example.com", Code.LOCAL_PART, " "),
    ("anna@ example.com", Code.DOMAIN_EMPTY, " "),
    ("[" * 30, Code.NO_ADDRESS, "[" * 30),
    ("test@(x)example.com", Code.TEXT_AFTER_COMMENT, "example.com"),
    ("<a@example.com(x)y>", Code.TEXT_AFTER_COMMENT, "y>"),
    # local parts
    ("@example.com", Code.LOCAL_PART_EMPTY, "@"),
    ("Anna Berg @example.com", Code.LOCAL_PART, " "),
    ('""@example.com', Code.LOCAL_PART_EMPTY, '""'),
    (".a@example.com", Code.LOCAL_PART, "."),
    ("a.@example.com", Code.LOCAL_PART, "."),
    ("a..b@example.com", Code.LOCAL_PART, ".."),
    ("..a@example.com", Code.LOCAL_PART, ".."),
    ("a\\b@example.com", Code.LOCAL_PART, "\\"),
    ("jo\u0308rg\\b@example.com", Code.LOCAL_PART, "\\"),
    ('a"b"@example.com', Code.LOCAL_PART, '"'),
    ('"a"b@example.com', Code.LOCAL_PART, "b"),
    ('"a"', Code.NO_ADDRESS, ""),
    ("=?utf-8?q?a?=@example.com", Code.LOCAL_PART_ENCODED_WORD, "=?utf-8?q?a?="),
    ("a" * 65 + "@example.com", Code.LOCAL_PART_TOO_LONG, "a" * 65),
    ("é" * 33 + "@example.com", Code.LOCAL_PART_TOO_LONG, "é" * 33),
    ("a\u2005b@example.com", Code.LOCAL_PART, "\u2005"),
    ("é'a\ue000b@example.com", Code.LOCAL_PART, "\ue000"),
    # domains
    ("anna@", Code.DOMAIN_EMPTY, ""),
    ("anna@@example.com", Code.DOMAIN, "@"),
    ("anna@.example.com", Code.DOMAIN, "."),
    ("anna@example.com.", Code.DOMAIN, "."),
    ("anna@example..com", Code.DOMAIN, ".."),
    ("anna@-example.com", Code.DOMAIN, "-"),
    ("anna@example-.com", Code.DOMAIN, "-"),
    ("anna@ex_ample.com", Code.DOMAIN, "_"),
    ("anna@ab--cd.com", Code.DOMAIN, "ab--cd"),
    ("anna@mail.ab--cd.com", Code.DOMAIN, "ab--cd"),
    ("anna@mail.-a.com", Code.DOMAIN, "-"),
    ("anna@10.0.0.7", Code.DOMAIN, "10.0.0.7"),
    ("anna@example.1", Code.DOMAIN, "example.1"),
    ("anna@999.0.0.7", Code.DOMAIN, "999.0.0.7"),
    ("'anna@example.com'", Code.DOMAIN, "'"),
    ("anna@exam\u2005ple.com", Code.DOMAIN, "\u2005"),
    ("anna@\u0301example.com", Code.DOMAIN, "\u0301"),
    ("anna@xn--a.com", Code.DOMAIN, "xn--a.com"),
    ("anna@exa\u200bmple.com", Code.INVISIBLE_CHARACTER, "\u200b"),
    ("anna\uff20example.com", Code.NO_ADDRESS, "\uff20"),
    ("anna@" + "a" * 64 + ".com", Code.DOMAIN_LABEL_TOO_LONG, "a" * 64),
    ("anna@mail." + "é" * 58 + ".com", Code.DOMAIN_LABEL_TOO_LONG, "é" * 58),
    (f"a@{LONG_DOMAIN}.aaaaa", Code.ADDRESS_TOO_LONG, f"a@{LONG_DOMAIN}.aaaaa"),
    (f"anna@{LONG_DOMAIN}.aaaaaa", Code.DOMAIN_TOO_LONG, f"{LONG_DOMAIN}.aaaaaa"),
    ("anna@" + "ü." * 130 + "com", Code.DOMAIN_TOO_LONG, "ü." * 130 + "com"),
    (f"annaaaaa@{LONG_DOMAIN}", Code.ADDRESS_TOO_LONG, f"annaaaaa@{LONG_DOMAIN}"),
    ("a@" + "b" * 3000, Code.ADDRESS_TOO_LONG, "a@" + "b" * 3000),
    ("anna@[10.0.0.700]", Code.DOMAIN_LITERAL, "[10.0.0.700]"),
    ("anna@[IPv6:1::2::3]", Code.DOMAIN_LITERAL, "[IPv6:1::2::3]"),
    ("anna@[IPv6:fe80::1%eth0]", Code.DOMAIN_LITERAL, "[IPv6:fe80::1%eth0]"),
    ("anna@[2001:db8::1]", Code.DOMAIN_LITERAL, "[2001:db8::1]"),
    ("anna@[IPv7:2001:db8::1]", Code.DOMAIN_LITERAL, "[IPv7:2001:db8::1]"),
    ("anna@[server]", Code.DOMAIN_LITERAL, "[server]"),
    ("anna@[192.0.2.1]x", Code.TEXT_AFTER_ADDRESS, "x"),
    # controls
    ("an\x00na@example.com", Code.CONTROL_CHARACTER, "\x00"),
    ("anna@example.com\r\n", Code.CONTROL_CHARACTER, "\r"),
    ('"A\r\nBcc: x@y" <a@example.com>', Code.CONTROL_CHARACTER, "\r"),
    ("Anna\u2028 <a@example.com>", Code.CONTROL_CHARACTER, "\u2028"),
    ("Anna\ud800 <a@example.com>", Code.CONTROL_CHARACTER, "\ud800"),
    ("a@example.com (\x07)", Code.CONTROL_CHARACTER, "\x07"),
    ("An\x85na <a@example.com>", Code.CONTROL_CHARACTER, "\x85"),
    ("x" * 65_537, Code.INPUT_TOO_LONG, "x" * 65_537),
]


@pytest.mark.parametrize(("text", "code", "piece"), REFUSED)
def test_what_cannot_be_one_mailbox_is_refused_at_its_place(text: str, code: Code, piece: str) -> None:
    """Code, place, no entry; the sentence names the place, counted from 1, and shows nothing invisible."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text)
    error = caught.value
    assert (error.code, error.text[error.start : error.end]) == (code, piece)
    assert error.text == text
    assert error.entry is None
    assert f"character {error.start + 1}: " in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 330


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Smith, John <j@example.com>", 'write "Smith, John" <...>'),
        ("Anna Berg anna@example.com", "put the address in angle brackets, Anna Berg <anna@example.com>"),
        ("anna@10.0.0.7", "write [10.0.0.7] for an IP address"),
        ("mailto:anna@example.com", 'delete "mailto:"'),
        ("'anna@example.com' <anna@example.com>", "write it once"),
        ("a@example.com b@example.com", "write only one address"),
        ('Say "hi" [x] <a@example.com>', "put the name in quotes"),
        (r"An\na <a@example.com>", "put the name in quotes"),
        ("x" * 39 + "[ <a@example.com>", f'write "{"x" * 39}[" <...>'),
        ("x" * 40 + "[ <a@example.com>", "put the name in quotes"),
        ('"Anna" anna@example.com', 'put the address in angle brackets, "Anna" <anna@example.com>'),
        (
            "x" * 63 + " anna@example.com",
            f"put the address in angle brackets, {'x' * 63} <anna@example.com>",
        ),
        (
            "x" * 64 + " anna@example.com",
            "put the address in angle brackets, like Anna Berg <anna@example.com>",
        ),
        ("[x] anna@example.com", 'put the address in angle brackets, "[x]" <anna@example.com>'),
        ("anna@example.com;", "delete it"),
        ("anna@example.com,bob", "check the domain"),
        ("anna@example.com, bob", "delete it and what follows"),
        ("anna@example.com,bob@example.com", "write only one address"),
        ("anna@exa'mple.com", "a domain has letters, digits, hyphens and dots"),
        ("anna@example.1", "check the ending"),
        ("anna@10.0.7", "check the ending"),
        ("anna@10.0.0.255", "write [10.0.0.255] for an IP address"),
        ("anna@10.0.0.256", "check the ending"),
        ("a\u2005b@example.com", "delete it"),
        ("anna@ten.0.0.7", "check the ending"),
    ],
)
def test_a_hint_says_what_to_write_instead(text: str, hint: str) -> None:
    """It stands in the sentence too."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text)
    assert caught.value.hint == hint
    assert str(caught.value).endswith(f"; {hint}")
