"""What is allowed in a mailbox but is often a slip."""

from __future__ import annotations

import copy
import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetmail_core.address import Mailbox, parse_mailbox
from vetmail_core.address.slips import LARGE_DOMAINS, OTHER_DOMAINS, is_one_slip, nearest_domain

REAL = [
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.co.uk",
    "hotmail.fr",
    "hotmail.de",
    "hotmail.it",
    "hotmail.es",
    "hotmail.ca",
    "hotmail.com.au",
    "outlook.com",
    "outlook.com.au",
    "outlook.fr",
    "outlook.de",
    "outlook.jp",
    "live.com",
    "live.com.au",
    "live.co.uk",
    "live.nl",
    "live.ca",
    "msn.com",
    "yahoo.com",
    "yahoo.com.au",
    "yahoo.co.uk",
    "yahoo.co.nz",
    "yahoo.ca",
    "yahoo.fr",
    "yahoo.de",
    "yahoo.in",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.com.br",
    "ymail.com",
    "rocketmail.com",
    "aol.com",
    "aim.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "mail.com",
    "email.com",
    "fastmail.com",
    "fastmail.fm",
    "protonmail.com",
    "proton.me",
    "pm.me",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "orange.fr",
    "free.fr",
    "laposte.net",
    "libero.it",
    "bigpond.com",
    "bigpond.net.au",
    "optusnet.com.au",
    "iinet.net.au",
    "westnet.com.au",
    "tpg.com.au",
    "dodo.com.au",
    "ozemail.com.au",
    "xtra.co.nz",
    "zoho.com",
    "yandex.ru",
    "yandex.com",
    "mail.ru",
    "qq.com",
    "163.com",
    "hushmail.com",
    "comcast.net",
    "verizon.net",
    "att.net",
    "sbcglobal.net",
    "cox.net",
]


@pytest.mark.parametrize("domain", REAL)
def test_a_real_provider_is_no_slip(domain: str) -> None:
    """Nobody is asked about an address that is right."""
    assert len(REAL) > 60
    assert parse_mailbox(f"anna@{domain}").warnings == ()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("GMIAL.com", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yaho.com", "yahoo.com"),
        ("icluod.com", "icloud.com"),
        ("bigpnd.com", "bigpond.com"),
        ("yahoo.com.au", None),
        ("yahoo.com.an", "yahoo.com.au"),
        ("mail.com", None),
        ("email.com", None),
        ("riverside.example", None),
        ("gma.com", None),
    ],
)
def test_a_domain_one_slip_from_a_large_provider_is_told(typed: str, meant: str | None) -> None:
    """One letter more, less or other, or two that changed places."""
    assert nearest_domain(typed) == meant
    warnings = parse_mailbox(f"anna@{typed}").warnings
    assert len(warnings) == (meant is not None)
    assert all(str(meant) in warning for warning in warnings)


def test_the_lists_of_domains_agree() -> None:
    """A domain of the one list is never a slip for the other."""
    assert not OTHER_DOMAINS.intersection(LARGE_DOMAINS)
    assert all(nearest_domain(domain) is None for domain in (*LARGE_DOMAINS, *OTHER_DOMAINS))


@given(st.text(string.ascii_lowercase, min_size=1, max_size=6), st.data())
def test_one_slip_is_one_letter_or_two_changed_places(text: str, data: st.DataObject) -> None:
    """For any text and any place."""
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    for slip in (
        text[:at] + letter + text[at:],
        text[:at] + text[at + 1 :],
        text[:at] + letter + text[at + 1 :],
        text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
    ):
        assert is_one_slip(slip, text) is (slip != text)
    assert not is_one_slip(f"{text}.{text}", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anna@gmail", "has no dot"),
        ("anna@localhost", ""),
        ("anna@[192.0.2.1]", ""),
        ("anna@bigpond.con", "ends in .con"),
        ("'zoe@example.com", "begins with '"),
        ("zoe`@example.com", "ends with `"),
        ("'zoe'@example.com", ""),
        ("o'brien@example.com", ""),
        ("z\u0430e@example.com", "Latin and Cyrillic"),
        ("anna@ex\u0430mple.com", "Latin and Cyrillic"),
        ("\u0430\u043d\u043d\u0430@example.com", ""),
        ("\u2764@example.com", "is a symbol"),
        ("\u201cRiverside\u201d <o@example.com>", "quotation marks \u201c\u201d are part of the name"),
        ("\u2018Riverside\u2019 <o@example.com>", "quotation marks"),
        ("\u201eHang\u201c <o@example.com>", "quotation marks"),
        ("\u00abHang\u00bb <o@example.com>", "quotation marks"),
        ("'Riverside' <o@example.com>", "quotation marks"),
        ("O'Brien <o@example.com>", ""),
        ('"=?utf-8?Q?B=C3=A4r?=" <o@example.com>', "encoded word"),
        ("1. <o@example.com>", "has no letter"),
        ("\u2022 <o@example.com>", "has no letter"),
        ("\u5c71\u7530 <o@example.com>", ""),
        ("Ryan & Sons (RTO 1234) <o@example.com>", 'write "Ryan & Sons (RTO 1234)" <o@example.com>'),
        ("(RTO 1) Ryan <o@example.com>", 'write "(RTO 1) Ryan" <o@example.com>'),
        ("Ryan <o@example.com> (RTO 1)", 'write "Ryan (RTO 1)" <o@example.com>'),
        ('"A \\"B\\"" (x) <o@example.com>', 'write "A \\"B\\" (x)" <o@example.com>'),
        (f"Ryan ({'x' * 60}) <o@example.com>", "put the whole name in quotes"),
        ("Bob (bob@example.org) <o@example.com>", "holds another address, which gets nothing"),
        ("o@example.com (Office)", ""),
        ("(x) <o@example.com>", ""),
    ],
)
def test_what_is_often_a_slip_is_one_warning(text: str, said: str) -> None:
    """It is allowed, and told in one sentence."""
    mailbox = parse_mailbox(text)
    assert len(mailbox.warnings) == bool(said)
    assert all(said in warning for warning in mailbox.warnings)


def test_a_dropped_comment_is_outside_equality_and_travels() -> None:
    """Two mailboxes are the same however they were typed; a copy tells the same."""
    typed = parse_mailbox("Ryan (RTO 1) <o@example.com>")
    assert typed == Mailbox("o@example.com", "Ryan")
    assert hash(typed) == hash(Mailbox("o@example.com", "Ryan"))
    assert pickle.loads(pickle.dumps(typed)).warnings == typed.warnings  # noqa: S301 - our own bytes
    assert copy.deepcopy(typed).warnings == typed.warnings


def test_the_quoted_form_that_a_warning_gives_keeps_the_comment() -> None:
    """Following it works."""
    (warning,) = parse_mailbox("Ryan & Sons (RTO 1234) <o@example.com>").warnings
    written = warning.partition("write ")[2].partition(" if it")[0]
    assert parse_mailbox(written) == Mailbox("o@example.com", "Ryan & Sons (RTO 1234)")
