"""The rules for the domain, and those that both sides of the @ share.

A domain may be a name in any script or an IP address in brackets. Reading a written domain again changes
nothing.

A domain of plain ASCII is settled here, all others by email-validator after our own checks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from vetmail_core.address.faults import Edit, Fault, shown_character, shown_text
from vetmail_core.errors import AddressErrorCode as Code

__all__ = ["ask_email_validator", "checked_domain", "of_size", "refuse_bad_dots"]

_NOT_HOST: Final = re.compile(r"[\x00-,/:-@\[-`{-\x7f]")  # in ASCII, all but letters, digits, - and .
_RESERVED_LABEL: Final = re.compile(r"(?!xn)..--", re.IGNORECASE | re.ASCII)
_QUOTATION_MARKS: Final = "'`\"\u2018\u2019\u201c\u201d\u00bb"
_IPV4_SHAPE: Final = re.compile(r"[0-9.]+")

_LABEL_OCTETS: Final = 63  # RFC 1035 section 2.3.4
_DOMAIN_OCTETS: Final = 253  # the same, less the two octets of the wire form's root

_DOTS: Final = {ord(dot): "." for dot in "\u3002\uff0e\uff61"}
"""The other full stops that UTS 46 reads as the dot between labels."""

_SPECIAL_USE: Final = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
"""Last labels that email-validator refuses in every setting; offices use ``.local``."""


def of_size(octets: int, text: str) -> str:
    """How long something is, in the unit people count in; the limits are octets."""
    if text.isascii():
        return f"has {octets} characters"
    return f"takes {octets} bytes, since letters beyond A to Z take more than one"


def refuse_bad_dots(text: str, where: str, code: Code) -> None:
    """Look at the dots of one side of the @.

    Raises:
        Fault: within ``text``.
    """
    double = text.find("..")
    if double >= 0:
        edits = (Edit(double, double + 1),)
        what = f"two dots in a row {where}"
        raise Fault(code, double, double + 2, what, "delete one of them", edits=edits)
    if text.startswith("."):
        raise Fault.deleting(code, 0, 1, f"a dot at the start of the part {where}")
    if text.endswith("."):
        raise Fault.deleting(code, len(text) - 1, len(text), f"a dot at the end of the part {where}")


def checked_domain(raw: str) -> tuple[str, str, str]:
    """Bring a domain to its written form.

    Args:
        raw: as typed, without blanks around it.

    Returns:
        The domain as it is written, as A-labels, and as it stands in the key.

    Raises:
        Fault: within ``raw``.
    """
    if not raw:
        raise Fault(
            Code.DOMAIN_EMPTY, 0, 0, "there is no domain after the @", "write the domain, such as example.com"
        )
    if raw.startswith("["):
        return raw, raw, _checked_literal(raw)
    dotted = raw.translate(_DOTS)
    bad = _NOT_HOST.search(dotted)
    if bad is not None:
        what = f"{shown_character(bad[0])} is not allowed after the @"
        hint = "a domain has letters, digits, hyphens and dots"
        edits: tuple[Edit, ...] = ()
        if bad[0] == "@":
            what, hint = "a second @ stands behind the first", "an address has only one"
        elif bad[0] in _QUOTATION_MARKS and bad.end() == len(dotted):
            hint = "check the quotation marks"
        elif bad[0] == ">":
            hint, edits = "delete it", (Edit(bad.start(), bad.end()),)
        raise Fault(Code.DOMAIN, bad.start(), bad.end(), what, hint, edits=edits)
    refuse_bad_dots(dotted, "after the @", Code.DOMAIN)
    plain = dotted.isascii() and "xn--" not in dotted.lower()
    domain = ascii_domain = dotted
    if not plain:
        composed = unicodedata.normalize("NFC", dotted)
        if len(composed) > _DOMAIN_OCTETS:  # A-labels never have fewer characters
            raise _domain_too_long(raw, len(composed))
        domain, ascii_domain = _international(composed, raw)
    _refuse_bad_labels(ascii_domain, dotted)
    if len(ascii_domain) > _DOMAIN_OCTETS:
        raise _domain_too_long(raw, len(ascii_domain))
    if ascii_domain.rpartition(".")[2].isdigit():
        what = f'"{shown_text(raw)}" ends in a number, which no domain does'
        if _is_ipv4(ascii_domain):
            hint, edits = (
                f"write [{ascii_domain}] for an IP address",
                (Edit(0, len(raw), f"[{ascii_domain}]"),),
            )
            raise Fault(Code.DOMAIN, 0, len(raw), what, hint, edits=edits)
        raise Fault(Code.DOMAIN, 0, len(raw), what, "check the ending")
    return domain, ascii_domain, ascii_domain.lower()


def _domain_too_long(raw: str, octets: int) -> Fault:
    what = f"the domain {of_size(octets, raw)}; at most {_DOMAIN_OCTETS} are allowed"
    return Fault(Code.DOMAIN_TOO_LONG, 0, len(raw), what)


def _label_too_long(start: int, end: int, octets: int, typed: str) -> Fault:
    what = f"the domain part here {of_size(octets, typed)}; at most {_LABEL_OCTETS} are allowed"
    return Fault(Code.DOMAIN_LABEL_TOO_LONG, start, end, what)


def _refuse_bad_labels(ascii_domain: str, typed: str) -> None:
    """Look at each label between two dots; ``typed`` has the same dots and gives the places."""
    start = 0
    for label, typed_label in zip(ascii_domain.split("."), typed.split("."), strict=False):
        end = start + len(typed_label)
        if len(label) > _LABEL_OCTETS:
            raise _label_too_long(start, end, len(label), typed_label)
        if label.startswith("-"):
            raise Fault.deleting(Code.DOMAIN, start, start + 1, "a hyphen at the start of a domain part")
        if label.endswith("-"):
            raise Fault.deleting(Code.DOMAIN, end - 1, end, "a hyphen at the end of a domain part")
        if _RESERVED_LABEL.match(label):
            raise Fault(
                Code.DOMAIN,
                start,
                end,
                f'"{shown_text(typed_label)}" has two hyphens where only "xn--" may have them',
                "check the domain",
            )
        start = end + 1


def _international(dotted: str, raw: str) -> tuple[str, str]:
    """The domain in U-labels and in A-labels, by email-validator (IDNA 2008 after UTS 46)."""
    top = unicodedata.normalize("NFKC", dotted.rpartition(".")[2]).casefold()
    suffix = ".com" if top in _SPECIAL_USE else ""
    found = ask_email_validator(f"a@{dotted}{suffix}", raw, Code.DOMAIN, "after the @")
    domain, ascii_domain = found
    return domain.removesuffix(suffix), ascii_domain.removesuffix(suffix)


def ask_email_validator(address: str, raw: str, code: Code, where: str) -> tuple[str, str]:
    """Let email-validator judge an address; give its domain in U- and in A-labels.

    Raises:
        Fault: within ``raw``, the piece as it was typed.
    """
    # Late, because it is heavy and a plain address never comes here.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - see above

    try:
        found = validate_email(
            address,
            allow_quoted_local=True,
            allow_domain_literal=True,
            strict=True,
            test_environment=True,
            globally_deliverable=False,
            check_deliverability=False,
        )
    except EmailNotValidError:
        raise _suspect(raw, code, where) from None
    return found.domain, found.ascii_domain


def _suspect(raw: str, code: Code, where: str) -> Fault:
    """The fault of a piece that was refused without a place: of the character most likely at fault."""
    for offset, character in enumerate(raw):
        category = unicodedata.category(character)
        odd = category[0] in ("CZSP" if where == "after the @" else "CZ") and character not in " .-"
        if odd or (offset == 0 and category[0] == "M"):
            what = f"{shown_character(character)} is not allowed {where}"
            if category[0] in "CMZ":
                return Fault.deleting(code, offset, offset + 1, what)
            return Fault(code, offset, offset + 1, what, "check the address")
    if code is Code.DOMAIN:
        start = 0
        for label in raw.translate(_DOTS).split("."):
            octets = len("xn--") + len(unicodedata.normalize("NFC", label).lower().encode("punycode"))
            if octets > _LABEL_OCTETS and not label.isascii():
                return _label_too_long(start, start + len(label), octets, label)
            start += len(label) + 1
    return Fault(code, 0, len(raw), f'"{shown_text(raw)}" is not allowed {where}', "check the address")


def _checked_literal(raw: str) -> str:
    """Check ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321 section 4.1.3); one spelling for the key."""
    import ipaddress  # noqa: PLC0415 - hardly any address has a literal

    if not raw.endswith("]"):
        close = raw.find("]")
        if close < 0:
            raise Fault(Code.UNCLOSED_LITERAL, 0, 1, 'the "[" here is never closed', "check the brackets")
        raise Fault.deleting(Code.TEXT_AFTER_ADDRESS, close + 1, len(raw), 'text follows the closing "]"')
    inside = raw[1:-1]
    try:
        if _IPV4_SHAPE.fullmatch(inside):
            return f"[{ipaddress.IPv4Address(inside)}]"
        if inside[:5].lower() == "ipv6:" and "%" not in inside:
            return f"[ipv6:{ipaddress.IPv6Address(inside[5:]).compressed}]"
    except ValueError:
        pass
    raise Fault(
        Code.DOMAIN_LITERAL,
        0,
        len(raw),
        f'"{shown_text(raw)}" holds no valid IP address',
        "write one like [192.0.2.1] or [IPv6:2001:db8::1]",
    )


def _is_ipv4(domain: str) -> bool:
    numbers = domain.split(".")
    return len(numbers) == 4 and all(n.isdigit() and int(n) < 256 for n in numbers)  # noqa: PLR2004 - IPv4
