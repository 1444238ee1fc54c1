"""What holds for every mailbox and for every text."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from vetmail_core.address import (
    AddressError,
    Mailbox,
    collect_mailbox_list,
    format_mailbox_list,
    parse_mailbox,
    parse_mailbox_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SPECIALS = (
    "\"'`()<>[]@,;:\\. \t\r\n=?%-_+\u00a0\u200b\u200d\ufeff\u202e"
    "“”„‘’«»；，＠\u3002\u0301\x00\u2028\ud800\u037e"
)


def _mailbox_or_nothing(address: str, name: str) -> Mailbox | None:
    try:
        return Mailbox(address, name)
    except AddressError:
        return None


ATOMS = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
LOCAL_PARTS = st.one_of(
    st.lists(ATOMS, min_size=1, max_size=3).map(".".join),
    st.text("ab01 @.;,<>()[]:'=?%éß東\u0301", min_size=1, max_size=20).map(
        lambda inside: '"' + inside.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.text(r"ab\" ", min_size=1, max_size=12).map(
        lambda inside: '"' + inside.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.text("aéß東Ωя", min_size=1, max_size=8),
)
DOMAINS = st.one_of(
    st.sampled_from(
        [
            "example.com",
            "EXAMPLE.com",
            "localhost",
            "büro.local",
            "faß.de",
            "xn--bcher-kva.example",
            "日本.example",
        ]
    ),
    st.lists(st.text("abzé9-", min_size=1, max_size=10), min_size=1, max_size=4).map(".".join),
    st.sampled_from(["[192.0.2.1]", "[IPv6:2001:db8::1]"]),
)
NAMES = st.one_of(
    st.just(""),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text("ab. ,;:\"\\'()<>[]@=?_\té東\u200c👩", max_size=150),
    st.lists(st.sampled_from(["Anna", "=?utf-8?q?x?=", "Zoë", "=?", "A.", "x" * 30]), max_size=12).map(
        " ".join
    ),
)
MAILBOXES = st.builds(_mailbox_or_nothing, st.builds("{}@{}".format, LOCAL_PARTS, DOMAINS), NAMES).filter(
    bool
)
"""Mailboxes with the strangest parts that the constructor takes."""
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from(SPECIALS + "ab"), max_size=60),
    st.lists(
        st.sampled_from(
            [
                *'"()<>[]@,;:\\ ',
                "a@example.com",
                "Anna",
                "mailto:",
                "\r\n",
                "\t",
                '"Berg, Anna"',
                "(note)",
                "x@[192.0.2.1]",
                "“Anna”",
                "bücher.example",
                "=?utf-8?q?x?=",
                ".",
                "'",
            ]
        ),
        max_size=15,
    ).map("".join),
)
"""Texts out of whatever means something to a reader of addresses."""


@given(MAILBOXES)
def test_a_mailbox_that_is_written_is_read_back_the_same(mailbox: Mailbox) -> None:
    """Alone, strictly and leniently."""
    assert parse_mailbox(str(mailbox)) == mailbox
    assert parse_mailbox(str(mailbox), lenient=True) == mailbox
    assert Mailbox(mailbox.addr_spec, mailbox.display_name) == mailbox


@given(st.lists(MAILBOXES, max_size=4), st.sampled_from(";,"))
def test_a_list_that_is_written_is_read_back_the_same(mailboxes: list[Mailbox], separator: str) -> None:
    """With either separator, strictly and leniently."""
    written = format_mailbox_list(mailboxes, separator=separator)
    assert parse_mailbox_list(written, separator=separator) == tuple(mailboxes)
    assert parse_mailbox_list(written, separator=separator, lenient=True) == tuple(mailboxes)


@given(mailbox=MAILBOXES)
def test_a_header_is_read_back_as_the_same_mailbox(
    read_header: Callable[[str], tuple[str, str]], mailbox: Mailbox
) -> None:
    """By a reader written from RFC 5322 and RFC 2047; ASCII, unless the message travels with SMTPUTF8."""
    if not mailbox.needs_smtputf8:
        header = mailbox.header()
        assert header.isascii()
        name, address = read_header(header)
        assert Mailbox(address, name) == mailbox
    name, address = read_header(mailbox.header(smtputf8=True))
    assert Mailbox(address, name) == mailbox


@given(MAILBOXES)
def test_no_mailbox_holds_a_control_character(mailbox: Mailbox) -> None:
    """Nor does what is written of it, but for the folds of a header."""
    for text in (mailbox.addr_spec, mailbox.display_name, str(mailbox), mailbox.address_key):
        assert not CONTROLS.search(text)
        assert unicodedata.is_normalized("NFC", text)
    unfolded = mailbox.header(smtputf8=True).replace("\r\n ", " ")
    assert not CONTROLS.search(unfolded)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_constructor_takes_it_or_says_why_not(address: str, name: str) -> None:
    """It raises nothing but AddressError."""
    for given_address in (address, f"a@{address}", f'"{address}"@example.com'):
        mailbox = _mailbox_or_nothing(given_address, name)
        assert mailbox is None or parse_mailbox(str(mailbox)) == mailbox


def _check_error(error: AddressError, text: str, *, entries: int | None) -> None:
    assert error.text == text
    if entries is None:
        assert error.entry is None
    else:
        assert error.entry is not None
        assert 1 <= error.entry <= entries
    assert 0 <= error.start <= error.end <= len(text)
    assert str(error).isprintable()


@given(text=TEXTS, lenient=st.booleans())
@example(text="\ud800", lenient=True)
@example(text="mailto:%00@example.com", lenient=True)
def test_any_text_is_a_mailbox_or_an_address_error(*, text: str, lenient: bool) -> None:
    """The error's place lies within the text; the mailbox is read back the same."""
    try:
        mailbox = parse_mailbox(text, lenient=lenient)
    except AddressError as error:
        _check_error(error, text, entries=None)
    else:
        assert parse_mailbox(str(mailbox)) == mailbox


@given(text=TEXTS, separator=st.sampled_from(";,"), lenient=st.booleans())
def test_any_text_is_a_list_or_its_errors(*, text: str, separator: str, lenient: bool) -> None:
    """Each error is of an entry, in order, and within the text."""
    collected = collect_mailbox_list(text, separator=separator, lenient=lenient)
    count = len(collected.errors) + len(collected.mailboxes)
    for error in collected.errors:
        _check_error(error, text, entries=count)
    places = [(error.entry or 0, error.start) for error in collected.errors]
    assert places == sorted(places)
    assert len({error.entry for error in collected.errors}) == len(places)
    for mailbox in collected.mailboxes:
        assert parse_mailbox(str(mailbox)) == mailbox


@given(TEXTS)
@example("“Anna” <a@example.com>")
@example("\u00a0Anna <a@example.com>")
@example("a@example.com.")
def test_what_is_read_strictly_is_read_leniently_as_the_same_address(text: str) -> None:
    """Only a name's own typographic quotes and unseen ends may go."""
    try:
        strict = parse_mailbox(text)
    except AddressError:
        return
    lenient = parse_mailbox(text, lenient=True)
    assert lenient.addr_spec == strict.addr_spec
    if not re.search("[“”„‟«»‘’‚‛‹›\u00a0]", text):
        assert lenient == strict


@given(
    st.builds(
        "{}@{}".format,
        st.text("aZ09!#$%&'*+/=?^_`{|}~-.", max_size=70),
        st.text("aZ09-._", max_size=70),
    )
)
@example("a@example.com")
@example("a..b@example.com")
@example("a@example")
@example("a@1.example")
@example("a@example.1")
@example("a@ab--c.example")
@example("a@" + "b" * 64 + ".example")
@example("a" * 65 + "@example.com")
def test_the_fast_path_and_email_validator_agree(address: str) -> None:
    """On every plain ASCII address; what ours alone refuses, its rules name."""
    ours = _mailbox_or_nothing(address, "") is not None
    try:
        validate_email(
            address,
            allow_quoted_local=True,
            allow_domain_literal=True,
            strict=True,
            test_environment=True,
            globally_deliverable=False,
            check_deliverability=False,
        )
    except EmailNotValidError:
        theirs = False
    else:
        theirs = True
    local, _, domain = address.rpartition("@")
    stricter = re.search(r"=\?.+\?=", local) or domain.rpartition(".")[2].isdigit()
    if stricter:
        assert not ours
    elif re.search(r"(?i)(^|\.)(local|localhost|invalid|onion|arpa)$", domain):
        assert ours or not theirs
    else:
        assert ours == theirs
