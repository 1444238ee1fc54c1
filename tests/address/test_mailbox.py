"""A mailbox as a value: what it refuses, how it compares, and what it is in a header."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import attrs
import pytest

from vetmail_core.address import AddressError, AddressErrorCode, Mailbox, parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

Code = AddressErrorCode


def test_a_mailbox_is_an_address_and_a_name() -> None:
    """Both as they are written, and what follows from them."""
    anna = Mailbox("anna@Example.com", "Anna Berg")
    assert (anna.addr_spec, anna.display_name) == ("anna@Example.com", "Anna Berg")
    assert (anna.local_part, anna.domain, anna.ascii_domain) == ("anna", "Example.com", "Example.com")
    assert anna.address_key == "anna@example.com"
    assert not anna.needs_smtputf8
    assert str(anna) == '"Anna Berg" <anna@Example.com>'
    assert repr(anna) == "Mailbox(addr_spec='anna@Example.com', display_name='Anna Berg')"
    assert str(Mailbox("anna@example.com")) == "anna@example.com"


def test_a_mailbox_does_not_change() -> None:
    """Another one is made with evolve, checked like the first."""
    anna = Mailbox("anna@example.com", "Anna")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        anna.display_name = "Bob"  # type: ignore[misc]
    assert attrs.evolve(anna, display_name="Anna Berg") == Mailbox("anna@example.com", "Anna Berg")
    with pytest.raises(AddressError):
        attrs.evolve(anna, addr_spec="anna")


@pytest.mark.parametrize("mailbox", [Mailbox("anna@example.com"), Mailbox("jörg@bücher.example", "Jörg")])
def test_a_mailbox_survives_copying_and_pickling(mailbox: Mailbox) -> None:
    """With its key, for worker processes."""
    for other in (copy.copy(mailbox), copy.deepcopy(mailbox), pickle.loads(pickle.dumps(mailbox))):  # noqa: S301 - our own bytes
        assert other == mailbox
        assert hash(other) == hash(mailbox)
        assert other.address_key == mailbox.address_key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("anna@example.com", "anna@EXAMPLE.com", True),
        ("anna@example.com", "Anna@example.com", False),
        ("anna@bücher.example", "anna@xn--bcher-kva.example", True),
        ("anna@bücher.example", "anna@BÜCHER.example", True),
        ("anna@faß.example", "anna@fass.example", False),
        ("anna@x\u3002example", "anna@x.example", True),
        ('"anna"@example.com', "anna@example.com", True),
        ('"an\\na"@example.com', "anna@example.com", True),
        ("jo\u0308rg@example.com", "jörg@example.com", True),
        ("a@[IPv6:2001:DB8:0::1]", "a@[ipv6:2001:db8::1]", True),
        ("a@[IPv6:2001:db8::1]", "a@[IPv6:1001:db8::1]", False),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one: str, other: str, *, same: bool) -> None:
    """The exact local part, and the domain in lower-case A-labels."""
    assert (Mailbox(one).address_key == Mailbox(other, "Name").address_key) is same


@pytest.mark.parametrize(
    ("address", "ascii_domain", "smtputf8"),
    [
        ("a@bücher.example", "xn--bcher-kva.example", False),
        ("a@faß.de", "xn--fa-hia.de", False),
        ("a@µ.example.com", "xn--xxa.example.com", False),
        ("a@ｅxample．com", "example.com", False),
        ("a@büro.local", "xn--bro-hoa.local", False),
        ("jörg@example.com", "example.com", True),
        ("a@[192.0.2.1]", "[192.0.2.1]", False),
    ],
)
def test_the_wire_gets_a_labels(address: str, ascii_domain: str, *, smtputf8: bool) -> None:
    """IDNA 2008 after UTS 46, not transitional; only a local part makes a server need SMTPUTF8."""
    mailbox = Mailbox(address)
    assert mailbox.ascii_domain == ascii_domain
    assert mailbox.needs_smtputf8 is smtputf8


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("a@i❤.example", Code.DOMAIN),
        ("a@example.\u0661", Code.DOMAIN),
        ("a@x.\uff11", Code.DOMAIN),
        ("a@a\u200db.example", Code.DOMAIN),
        ("a@yy\uff0d\uff0d0.example", Code.DOMAIN),
        ("a@xn--0.example", Code.DOMAIN),
        ("a@XN--.example", Code.DOMAIN),
        ("a@x\u2024example", Code.DOMAIN),
        ("a@x.example\u3002", Code.DOMAIN),
        ("\u0338a@example.com", Code.LOCAL_PART),
        ("a\u037eb@example.com", Code.LOCAL_PART),
        ('"a\tb"@example.com', Code.LOCAL_PART),
        ("a b@example.com", Code.LOCAL_PART),
        ("<anna@example.com>", Code.LOCAL_PART),
        ('"anna', Code.UNCLOSED_QUOTE),
        ("", Code.EMPTY),
        ("anna", Code.NO_ADDRESS),
        ("a@[192.0.2.1", Code.UNCLOSED_LITERAL),
        ("a@[192.0.2.1]x", Code.TEXT_AFTER_ADDRESS),
        ("a@example.com\n", Code.CONTROL_CHARACTER),
    ],
)
def test_an_address_that_cannot_be_used_is_no_mailbox(address: str, code: Code) -> None:
    """The constructor takes the address alone: nothing is stripped, no comment dropped."""
    with pytest.raises(AddressError) as caught:
        Mailbox(address)
    assert caught.value.code == code
    assert caught.value.text == address


@pytest.mark.parametrize(
    ("name", "code", "start"),
    [
        ("A\r\nBcc: x@y", Code.CONTROL_CHARACTER, 1),
        ("A\x00", Code.CONTROL_CHARACTER, 1),
        ("\x7f", Code.CONTROL_CHARACTER, 0),
        ("Zo\x85", Code.CONTROL_CHARACTER, 2),
        ("Zo\u2029", Code.CONTROL_CHARACTER, 2),
        ("\udcff", Code.CONTROL_CHARACTER, 0),
        ("A\u200bB", Code.INVISIBLE_CHARACTER, 1),
        ("\ufeffA", Code.INVISIBLE_CHARACTER, 0),
        ("A\u2066B", Code.INVISIBLE_CHARACTER, 1),
        ("A\U000e0041", Code.INVISIBLE_CHARACTER, 1),
        ("\u0301A", Code.NAME_START, 0),
        ("A" * 1001, Code.NAME_TOO_LONG, 1000),
    ],
)
def test_a_name_that_could_carry_something_else_is_refused(name: str, code: Code, start: int) -> None:
    """In code as in typed text; the sentence says that it is about the name."""
    with pytest.raises(AddressError) as caught:
        Mailbox("a@example.com", name)
    assert (caught.value.code, caught.value.text, caught.value.start) == (code, name, start)
    assert str(caught.value).startswith(f"display name, character {start + 1}: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "A" * 1000,
        "می\u200cخواهم",
        "👩\u200d🏫",
        "\u2065",
        "\U000e0fff",
        "\ufffe",
        "A\tB",
        "日本",
    ],
)
def test_a_name_of_any_letters_is_kept(name: str) -> None:
    """Persian and emoji joiners, tabs, blanks, and code points that Unicode has yet to assign."""
    mailbox = Mailbox("a@example.com", name)
    assert mailbox.display_name == name
    assert parse_mailbox(str(mailbox)) == mailbox


def test_what_is_no_text_is_a_plain_type_error() -> None:
    """The sentence says which of the two, and what came."""
    nothing: str = None  # type: ignore[assignment]
    octets: str = b"a@example.com"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="The address of a mailbox needs text, got bytes"):
        Mailbox(octets)
    with pytest.raises(TypeError, match="The display name of a mailbox needs text, got NoneType"):
        Mailbox("a@example.com", nothing)
    with pytest.raises(TypeError, match="A mailbox to read needs text, got NoneType"):
        parse_mailbox(nothing)


def test_a_hosts_own_kind_of_string_becomes_a_plain_one() -> None:
    """So that a mailbox pickles and compares without the host."""

    class Marked(str):
        __slots__ = ()

    mailbox = Mailbox(Marked("a@example.com"), Marked("Anna"))
    assert (type(mailbox.addr_spec), type(mailbox.display_name)) == (str, str)
    assert mailbox == parse_mailbox(Marked("Anna <a@example.com>"))


U_DOMAIN = ".".join(["ü" * 20] * 5)

LIMITS = [
    # the longest that is taken, the shortest that is not
    ("a" * 64 + "@example.com", "a" * 65 + "@example.com", Code.LOCAL_PART_TOO_LONG),
    ("é" * 32 + "@example.com", "é" * 32 + "a@example.com", Code.LOCAL_PART_TOO_LONG),
    ("e\u0301" * 32 + "@example.com", "e\u0301" * 33 + "@example.com", Code.LOCAL_PART_TOO_LONG),
    ('"' + "a b" * 20 + 'ab"@example.com', '"' + "a b" * 20 + 'abc"@example.com', Code.LOCAL_PART_TOO_LONG),
    ("a@" + "b" * 63 + ".example", "a@" + "b" * 64 + ".example", Code.DOMAIN_LABEL_TOO_LONG),
    ("a@x." + "é" * 57 + ".example", "a@x." + "é" * 58 + ".example", Code.DOMAIN_LABEL_TOO_LONG),
    (
        "a@" + ".".join(["b" * 61] * 4) + ".bbb",
        "a@" + ".".join(["b" * 61] * 4) + ".bbbbbb",
        Code.DOMAIN_TOO_LONG,
    ),
    (
        "aaaaaa@" + ".".join(["b" * 61] * 4),
        "aaaaaaa@" + ".".join(["b" * 61] * 4),
        Code.ADDRESS_TOO_LONG,
    ),
    ("a" * 45 + f"@{U_DOMAIN}", "a" * 50 + f"@{U_DOMAIN}", Code.ADDRESS_TOO_LONG),
]


@pytest.mark.parametrize(("longest", "longer", "code"), LIMITS)
def test_limits_count_octets_after_nfc(longest: str, longer: str, code: Code) -> None:
    """RFC 5321 section 4.5.3.1, of the written form and of the one with A-labels."""
    assert parse_mailbox(longest).addr_spec
    with pytest.raises(AddressError) as caught:
        parse_mailbox(longer)
    assert caught.value.code == code


def test_a_domain_is_measured_after_composing_it() -> None:
    """Decomposed letters do not count twice."""
    domain = ".".join(["e\u0301" * 30, "e\u0301" * 30, "e\u0301" * 30, "e\u0301" * 30, "example"])
    assert len(domain) > 253 - 10
    assert Mailbox(f"a@{domain}").domain == domain.replace("e\u0301", "é")


@pytest.mark.parametrize(
    ("name", "address", "warnings"),
    [
        ("Anna Berg", "a@example.com", ()),
        ("", "a@example.com", ()),
        ("Анна Berg", "a@example.com", ()),
        ("東京 Anna", "a@example.com", ()),
        ("a@example.com", "a@example.com", ()),
        ("A@EXAMPLE.com.", "a@example.com", ()),
        (
            "ceo@bank.example",
            "a@example.com",
            ('the name holds another address, "ceo@bank.example", than the mailbox itself',),
        ),
        (
            "a@example.com or b@example.com",
            "a@example.com",
            ('the name holds another address, "b@example.com", than the mailbox itself',),
        ),
        (
            "ceo@bank.example, cfo@bank.example",
            "a@example.com",
            ('the name holds another address, "ceo@bank.example", than the mailbox itself',),
        ),
        (
            "\u0420aypal \u0410nna",
            "a@example.com",
            ('the name\'s word "\u0420aypal" mixes Latin and Cyrillic letters',),
        ),
        (
            "\u0420aypal",
            "a@example.com",
            ('the name\'s word "\u0420aypal" mixes Latin and Cyrillic letters',),
        ),
        (
            "a\u200d@bank.example",
            "a@example.com",
            ('the name holds another address, "a<U+200D>@bank.example", than the mailbox itself',),
        ),
        (
            "Anna\uff1c",
            "a@example.com",
            ('the name holds the full-width "\uff1c", which separates nothing',),
        ),
        (
            "ceo\uff20bank",
            "a@example.com",
            ('the name holds the full-width "\uff20", which separates nothing',),
        ),
    ],
)
def test_what_is_allowed_but_odd_is_a_warning(name: str, address: str, warnings: tuple[str, ...]) -> None:
    """Another address in the name, letters of scripts that are mistaken for one another, full-width signs."""
    assert Mailbox(address, name).warnings == warnings


HEADERS = [
    # name, address, header
    ("", "anna@example.com", "anna@example.com"),
    ("", "anna@bücher.example", "anna@xn--bcher-kva.example"),
    ("Anna Berg", "anna@example.com", "Anna Berg <anna@example.com>"),
    ("Anna Berg", "anna@bücher.example", "Anna Berg <anna@xn--bcher-kva.example>"),
    ("O'Brien", "a@example.com", "O'Brien <a@example.com>"),
    ("Berg, Anna", "a@example.com", '"Berg, Anna" <a@example.com>'),
    ("A. Berg", "a@example.com", '"A. Berg" <a@example.com>'),
    ("Anna  Berg", "a@example.com", '"Anna  Berg" <a@example.com>'),
    (" padded ", "a@example.com", '" padded " <a@example.com>'),
    ("A\tB", "a@example.com", '"A\tB" <a@example.com>'),
    ('A "B" \\ C', "a@example.com", r'"A \"B\" \\ C" <a@example.com>'),
    ("a@b", "a@example.com", '"a@b" <a@example.com>'),
    ("=?utf-8?q?x?=", "a@example.com", "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <a@example.com>"),
    ("Zoë", "a@example.com", "=?utf-8?q?Zo=C3=AB?= <a@example.com>"),
    ("Zoë A. Berg", "a@example.com", "=?utf-8?b?Wm/DqyBBLiBCZXJn?= <a@example.com>"),
    ("Zoë Anna Berg", "a@example.com", "=?utf-8?q?Zo=C3=AB_Anna_Berg?= <a@example.com>"),
    ("東京", "a@example.com", "=?utf-8?b?5p2x5Lqs?= <a@example.com>"),
    ("Öö Berge", "a@example.com", "=?utf-8?b?w5bDtiBCZXJnZQ==?= <a@example.com>"),
    ("Anna", '"a b"@example.com', 'Anna <"a b"@example.com>'),
]


@pytest.mark.parametrize(("name", "address", "header"), HEADERS)
def test_a_header_says_the_name_so_that_every_reader_gets_it_back(
    name: str, address: str, header: str, read_header: Callable[[str], tuple[str, str]]
) -> None:
    """Quoted where it must be, else encoded words, B or Q, the shorter; the domain in A-labels."""
    mailbox = Mailbox(address, name)
    assert mailbox.header() == header
    read_name, read_address = read_header(header)
    assert Mailbox(read_address, read_name) == mailbox


def test_with_smtputf8_a_header_may_stay_utf8(read_header: Callable[[str], tuple[str, str]]) -> None:
    """The name and the local part; the domain stays in A-labels."""
    mailbox = Mailbox("jörg@bücher.example", "Jörg Ä")
    assert mailbox.header(smtputf8=True) == '"Jörg Ä" <jörg@xn--bcher-kva.example>'
    assert Mailbox("jörg@example.com").header(smtputf8=True) == "jörg@example.com"
    long = Mailbox("jörg@example.com", "ä" * 500)
    name, address = read_header(long.header(smtputf8=True))
    assert Mailbox(address, name) == long


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    """The error shows the place of the first such letter."""
    with pytest.raises(AddressError, match="goes out as ASCII") as caught:
        Mailbox("jörg@example.com", "Jörg").header()
    error = caught.value
    assert (error.code, error.text, error.start, error.end) == (
        Code.NEEDS_SMTPUTF8,
        "jörg@example.com",
        1,
        4,
    )


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "Anna Berg " * 20 + "end",
        "Zoë Berg " * 20 + "end",
        "東京" * 60,
        "👩\u200d🏫" * 30,
        "word" * 50,
        "double  blank " * 10,
        ("Berg, Anna; " * 12).strip(),
        "x" * 60 + " y",
        "=?utf-8?q?x?= " * 12 + "end",
        "a" * 1000,
        '"' * 100,
        "ä" + "x" * 998,
    ],
)
def test_a_long_name_is_folded_and_reads_the_same(
    name: str, read_header: Callable[[str], tuple[str, str]], *, utf8: bool
) -> None:
    """At 78 octets, the field's name included, words of 75 at most, never within a code point."""
    mailbox = Mailbox("anna@example.com", name)
    header = mailbox.header(smtputf8=utf8)
    lines = ("Reply-To: " + header).split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 78
    assert read_header(header) == (name, "anna@example.com")


def _address(length: int) -> str:
    """An address of that many characters."""
    return "a" * (length - 12) + "@example.com"


A = "anna@example.com"

FOLDED = [
    # name, address, whether UTF-8 may stay, header; "Reply-To: " fits before it, and a comma behind a fold
    ("Anna", _address(61), False, f"Anna <{_address(61)}>"),
    ("Anna", _address(62), False, f"Anna\r\n <{_address(62)}>"),
    ("ä", _address(60), True, f'"ä" <{_address(60)}>'),
    ("ä", _address(61), True, f'"ä"\r\n <{_address(61)}>'),
    ("ä", _address(46), False, f"=?utf-8?b?w6Q=?= <{_address(46)}>"),
    ("ä", _address(47), False, f"=?utf-8?b?w6Q=?=\r\n <{_address(47)}>"),
    ("ä" * 30, A, False, f"=?utf-8?b?{'w6TDpMOk' * 6}w6Q=?=\r\n =?utf-8?b?{'w6TDpMOk' * 3}w6TDpA==?= <{A}>"),
    # the first word on the first line, the last on the last with the address
    ("x" * 68 + " y", A, False, f"{'x' * 68}\r\n y <{A}>"),
    ("x" * 67 + " y", A, False, f"{'x' * 67}\r\n y <{A}>"),
    ("x" * 66 + " y", A, False, f"{'x' * 66} y\r\n <{A}>"),
    ("x" * 69 + " y", A, False, f"=?utf-8?q?{'x' * 54}?=\r\n =?utf-8?q?{'x' * 15}_y?= <{A}>"),
    ("xx " * 30 + "y", A, False, f"{'xx ' * 22}xx\r\n {'xx ' * 7}y <{A}>"),
    ("x " * 35 + "y" * 75 + " z", A, False, f"{'x ' * 33}x\r\n x {'y' * 75}\r\n z <{A}>"),
    ("x " * 34 + "y" * 76 + " z", A, False, f"{'x ' * 33}x\r\n {'y' * 76}\r\n z <{A}>"),
    ("x " * 34 + "y" * 77, A, False, f"{'x ' * 33}x\r\n {'y' * 77}\r\n <{A}>"),
    (
        "x " * 34 + "y" * 78,
        A,
        False,
        f"=?utf-8?q?{'x_' * 27}?=\r\n =?utf-8?q?{'x_' * 7}{'y' * 49}?=\r\n =?utf-8?q?{'y' * 29}?= <{A}>",
    ),
    ("x" * 67 + " " + "y" * 57, A, False, f"{'x' * 67}\r\n {'y' * 57} <{A}>"),
    ("x" * 67 + " " + "y" * 58, A, False, f"{'x' * 67}\r\n {'y' * 58}\r\n <{A}>"),
    ("ää " * 16 + "ä", A, True, f'"{"ää " * 12}ää\r\n {"ää " * 3}ä" <{A}>'),
    # blanks that a fold could run into
    ("Anna  Berg", _address(70), False, f'"Anna  Berg"\r\n <{_address(70)}>'),
    ("x  " * 21 + "xxx", A, False, f'"{"x  " * 21}xxx"\r\n <{A}>'),
    ("x  " * 21 + "xxxx", A, False, f"=?utf-8?q?{'x__' * 18}?=\r\n =?utf-8?q?{'x__' * 3}xxxx?= <{A}>"),
    ("x" * 65 + "\tyy", A, False, f"=?utf-8?q?{'x' * 54}?=\r\n =?utf-8?q?{'x' * 11}=09yy?= <{A}>"),
    (" " + "x" * 68, A, False, f"=?utf-8?q?_{'x' * 53}?=\r\n =?utf-8?q?{'x' * 15}?= <{A}>"),
    ("x" * 67 + " ", A, False, f"=?utf-8?q?{'x' * 54}?=\r\n =?utf-8?q?{'x' * 13}_?= <{A}>"),
]


@pytest.mark.parametrize(("name", "address", "utf8", "header"), FOLDED)
def test_a_line_is_folded_where_it_is_full(name: str, address: str, header: str, *, utf8: bool) -> None:
    """Not before: 78 octets are the most, and 76 with an encoded word; an address is never broken."""
    assert Mailbox(address, name).header(smtputf8=utf8) == header
    for line in f"Reply-To: {header}".split("\r\n"):
        assert len(line.encode()) <= (76 if "=?" in line else 78)


@pytest.mark.parametrize("name", [" ", "   ", "\t", "\u00a0", "\u3000 "])
def test_a_name_of_spaces_is_no_name(name: str) -> None:
    """Nobody would see it; the address stands alone."""
    assert Mailbox("a@example.com", name).display_name == ""
    assert parse_mailbox(f'"{name}" <a@example.com>').display_name == ""
