"""What is allowed in an address but is often a slip: a domain near a large provider's, mixed scripts.

The two lists of domains are data. A near miss that is a provider of its own, such as mail.com, is no slip.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LARGE_DOMAINS",
    "OTHER_DOMAINS",
    "address_warnings",
    "is_one_slip",
    "nearest_domain",
    "scripts_of",
]

LARGE_DOMAINS: Final = (
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.com.au",
    "hotmail.co.uk",
    "outlook.com",
    "outlook.com.au",
    "live.com",
    "live.com.au",
    "yahoo.com",
    "yahoo.com.au",
    "yahoo.co.uk",
    "yahoo.co.nz",
    "icloud.com",
    "bigpond.com",
    "bigpond.com.au",
    "bigpond.net.au",
    "optusnet.com.au",
    "iinet.net.au",
    "westnet.com.au",
    "internode.on.net",
    "ozemail.com.au",
    "dodo.com.au",
    "tpg.com.au",
    "protonmail.com",
    "xtra.co.nz",
    "rocketmail.com",
    "comcast.net",
)
"""The mail domains of large providers, those of Australia and New Zealand first."""

OTHER_DOMAINS: Final = frozenset(
    (
        "cloud.com",
        "dmail.com",
        "email.com",
        "five.com",
        "fmail.com",
        "gmail.co.uk",
        "hive.com",
        "hmail.com",
        "hotmail.co.il",
        "hotmail.co.jp",
        "hotmail.co.nz",
        "hotmail.co.th",
        "hotmail.co.za",
        "hotmail.com.ar",
        "hotmail.com.br",
        "ipg.com.au",
        "life.com",
        "line.com",
        "live.co.uk",
        "live.co.za",
        "live.com.ar",
        "live.com.mx",
        "live.com.my",
        "live.com.pt",
        "live.com.sg",
        "love.com",
        "mail.com",
        "olive.com",
        "outlook.com.ar",
        "outlook.com.br",
        "tmail.com",
        "vmail.com",
        "yahoo.co.id",
        "yahoo.co.in",
        "yahoo.co.jp",
        "yahoo.co.kr",
        "yahoo.co.th",
        "yahoo.co.za",
        "yahoo.com.ar",
        "yahoo.com.br",
        "yahoo.com.hk",
        "yahoo.com.mx",
        "yahoo.com.my",
        "yahoo.com.ph",
        "yahoo.com.sg",
        "yahoo.com.tr",
        "yahoo.com.tw",
        "yahoo.com.vn",
        "ymail.com",
        "zmail.com",
    )
)
"""Domains of others that are one slip away from one of those, or look so."""

_SHORTEST: Final = 8  # characters; so many short domains are real that nothing can be said of them
_LONGEST: Final = max(map(len, LARGE_DOMAINS)) + 1
_LARGE: Final = frozenset(LARGE_DOMAINS)
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
"""The scripts whose letters are mistaken for one another."""


def scripts_of(word: str) -> tuple[str, ...]:
    """The scripts of a word, of those whose letters are mistaken for one another."""
    if word.isascii():
        return ()
    names = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return tuple(script for script in _SCRIPTS if script in names)


def is_one_slip(typed: str, meant: str) -> bool:
    """True if one letter more, less or other, or two that are swapped, make one text of the other."""
    if typed == meant or abs(len(typed) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    left, right = typed[start:], meant[start:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )


def nearest_domain(domain: str) -> str | None:
    """The large provider's domain that was meant; None when there is no telling."""
    typed = domain.lower()
    if typed in _LARGE or typed in OTHER_DOMAINS or not _SHORTEST <= len(typed) <= _LONGEST:
        return None
    return next((large for large in LARGE_DOMAINS if is_one_slip(typed, large)), None)


def address_warnings(address: str) -> Iterator[str]:
    """Say what is often a slip.

    Args:
        address: in its written form.
    """
    local, _, domain = address.rpartition("@")
    if domain not in _LARGE:
        yield from _domain_warnings(domain)
    if local[:1] in "'`" and local[-1:] not in "'`":
        yield f"the address begins with {local[:1]}, which may be a quotation mark"
    elif local[-1:] in "'`" and local[:1] not in "'`":
        yield f"the part before the @ ends with {local[-1:]}, which may be a quotation mark"
    if address.isascii():
        return
    symbol = next((c for c in local if not c.isascii() and unicodedata.category(c).startswith("S")), None)
    if symbol is not None:
        yield f'"{symbol}" before the @ is a symbol, which few mail systems take'
    for part in (local, *domain.split(".")):
        scripts = scripts_of(part)
        if len(scripts) > 1:
            mixed = " and ".join(script.capitalize() for script in scripts)
            yield f'"{part}" in the address mixes {mixed} letters'


def _domain_warnings(domain: str) -> Iterator[str]:
    if domain.startswith("["):
        return
    if "." not in domain:
        if domain.lower() != "localhost":
            yield f'the domain "{domain}" has no dot, so it is known only within one network'
        return
    if domain[-4:].lower() == ".con":
        yield f'the domain "{domain}" ends in .con; .com may be meant'
        return
    near = nearest_domain(domain)
    if near is not None:
        yield f'the domain "{domain}" is one letter away from {near}'
