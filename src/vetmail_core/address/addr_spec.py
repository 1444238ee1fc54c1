"""The rules for the address itself: ``local-part@domain``.

What it is for: deciding whether a typed addr-spec can be used, and bringing it to one written form.
What it refuses: blanks, comments, routes, empty and over-long parts, a local part that readers would
decode, a bare IP address. Its law: an address that passes, passes again unchanged.

A plain ASCII address is settled here. Everything else, IDNA above all, is settled by email-validator
after our own checks have had their say, because they know the place and the octets.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from vetmail_core.address.faults import Fault, shown_character, shown_text
from vetmail_core.address.names import INVISIBLE, refuse_controls
from vetmail_core.errors import AddressErrorCode as Code

__all__ = [
    "ASCII_ATOM",
    "PLAIN_ADDRESS",
    "QUOTED",
    "checked_address",
    "in_quotes",
    "plain_key",
    "unescaped",
    "without_at",
]

ASCII_ATOM: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
"""The inside of a character class: RFC 5322 section 3.2.3, atext."""

PLAIN_ADDRESS: Final = (
    rf"[{ASCII_ATOM}]++(?:\.[{ASCII_ATOM}]++)*+"
    r"@[A-Za-z0-9]++(?:[.\-][A-Za-z0-9]++)*+(?<![0-9])"
)
"""ASCII dot-atom @ letters, digits, single hyphens and dots, ending in a letter. Possessive: it never
tries a second way, so it is linear."""

_PLAIN_LENGTH: Final = 64
"""Octets below which a plain address keeps every limit, whatever the lengths of its parts."""

QUOTED: Final = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
"""A quoted string, its inside as group 1."""

_PLAIN: Final = re.compile(PLAIN_ADDRESS)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_DOT_ATOM: Final = re.compile(rf"[{ASCII_ATOM}\u0080-\U0010ffff]++(?:\.[{ASCII_ATOM}\u0080-\U0010ffff]++)*+")
_NOT_ATOM: Final = re.compile(rf"[^{ASCII_ATOM}.\u0080-\U0010ffff]")
_NOT_HOST: Final = re.compile(r"[^A-Za-z0-9.\-\u0080-\U0010ffff]")
_RESERVED_LABEL: Final = re.compile(r"(?!xn)..--", re.IGNORECASE)
_WIDE_AT: Final = re.compile("[\uff20\ufe6b]")
_QUOTATION_MARKS: Final = "'`\"\u2018\u2019\u201c\u201d\u00bb"
_IPV4_SHAPE: Final = re.compile(r"[0-9.]+")

_LOCAL_OCTETS: Final = 64  # RFC 5321 section 4.5.3.1.1
_LABEL_OCTETS: Final = 63  # RFC 1035 section 2.3.4
_DOMAIN_OCTETS: Final = 253  # the same, less the two octets of the wire form's root
_ADDRESS_OCTETS: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_LOOKED_AT: Final = 2000
"""Code points; whatever is longer cannot shrink to 254 octets and is refused before any work."""

_DOTS: Final = {ord(dot): "." for dot in "\u3002\uff0e\uff61"}
"""The other full stops that UTS 46 reads as the dot between labels."""

_SPECIAL_USE: Final = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
"""Last labels that email-validator refuses in every setting; offices use ``.local``."""


def checked_address(address: str) -> tuple[str, str]:
    """Bring an addr-spec to its written form.

    Args:
        address: without blanks or comments around it.

    Returns:
        The address as it is written (NFC, quotes only where they must be, a domain in U-labels) and its
        key: exact local part, domain as lower-case A-labels.

    Raises:
        Fault: counted within ``address``.
    """
    if len(address) > _LOOKED_AT:
        raise Fault(
            Code.ADDRESS_TOO_LONG,
            0,
            len(address),
            f"the address has {len(address):,} characters, and {_ADDRESS_OCTETS} is the most",
        )
    key = plain_key(address) if _PLAIN.fullmatch(address) else ""
    if key:
        return address, key
    refuse_controls(address)
    found = INVISIBLE.search(address)
    if found is not None:
        raise Fault(
            Code.INVISIBLE_CHARACTER,
            found.start(),
            found.end(),
            f"{shown_character(found[0])} cannot be seen and may not stand in an address",
            "delete it",
        )
    raw_local, at, raw_domain = _split(address)
    local = _checked_local(raw_local)
    try:
        domain, ascii_domain, key_domain = _checked_domain(raw_domain)
    except Fault as fault:
        raise fault.moved(at + 1) from None
    for form in (domain, ascii_domain):
        octets = len(f"{local}@{form}".encode())
        if octets > _ADDRESS_OCTETS:
            raise Fault(
                Code.ADDRESS_TOO_LONG,
                0,
                len(address),
                f"the address {_of_size(octets, address)}, and {_ADDRESS_OCTETS} is the most",
            )
    return f"{local}@{domain}", f"{local}@{key_domain}"


def plain_key(address: str) -> str:
    """The key of an address that matches `PLAIN_ADDRESS` and stands as typed; "" when the rules must look."""
    if len(address) > _PLAIN_LENGTH or "=?" in address:
        return ""
    if address.islower():
        return address
    local, _, domain = address.partition("@")
    return f"{local}@{domain.lower()}"


def _split(address: str) -> tuple[str, int, str]:
    """Local part as typed, the offset of the @, domain as typed."""
    if not address:
        raise Fault(Code.EMPTY, 0, 0, "an address is missing here", "write one like anna@example.com")
    if address.startswith('"'):
        quoted = QUOTED.match(address)
        if quoted is None:
            raise Fault(
                Code.UNCLOSED_QUOTE,
                0,
                1,
                "the quotation mark here is never closed",
                'add the closing " or delete this one',
            )
        at = quoted.end()
        if at == len(address) and "@" in quoted[1]:
            raise Fault(Code.NO_ADDRESS, 0, at, "the address stands in quotation marks", "delete them")
        if address[at : at + 1] != "@":
            code = Code.NO_ADDRESS if at == len(address) else Code.LOCAL_PART
            raise Fault(
                code,
                at,
                min(at + 1, len(address)),
                "an @ has to follow the closing quotation mark",
                'write the whole part before the @ in quotes, "anna berg"@example.com',
            )
        return quoted[0], at, address[at + 1 :]
    at = address.find("@")
    if at < 0:
        raise without_at(address)
    return address[:at], at, address[at + 1 :]


def without_at(text: str, hint: str = "write one like anna@example.com") -> Fault:
    """The fault of a text that should be an address and has no @."""
    wide = _WIDE_AT.search(text)
    if wide is not None:
        what = f"the wide {shown_character(wide[0])}, U+{ord(wide[0]):04X}, is not the @ of an address"
        return Fault(Code.NO_ADDRESS, wide.start(), wide.end(), what, "write @")
    what = f'"{shown_text(text)}" is not an address: it has no @'
    return Fault(Code.NO_ADDRESS, 0, len(text), what, hint)


def _checked_local(raw: str) -> str:
    """The part before the @, quoted only where it must be."""
    quoted = raw.startswith('"')
    text = unicodedata.normalize("NFC", unescaped(raw[1:-1]) if quoted else raw)
    if not text:
        raise Fault(
            Code.LOCAL_PART_EMPTY,
            0,
            max(len(raw), 1),
            "nothing stands before the @",
            "write one like anna@example.com",
        )
    first, last = text.find("=?"), text.rfind("?=")
    if 0 <= first < last - 1:
        raise Fault(
            Code.LOCAL_PART_ENCODED_WORD,
            0,
            len(raw),
            f'"{shown_text(text)}" before the @ is an encoded word, which mail programs read as another text',
            "write the part before the @ in plain letters",
        )
    if not quoted:
        _refuse_bad_dots(raw, "before the @", Code.LOCAL_PART)
        bad = _NOT_ATOM.search(raw) or _NOT_ATOM.search(text)
        if bad is not None:
            raise Fault(
                Code.LOCAL_PART,
                bad.start(),
                bad.end(),
                f"{shown_character(bad[0])} may not stand before the @ without quotes",
                "delete it" if bad[0].isspace() else "check the address",
            )
    written = text if _DOT_ATOM.fullmatch(text) else in_quotes(text)
    octets = len(written.encode())
    if octets > _LOCAL_OCTETS:
        raise Fault(
            Code.LOCAL_PART_TOO_LONG,
            0,
            len(raw),
            f"the part before the @ {_of_size(octets, written)}, and {_LOCAL_OCTETS} is the most",
        )
    if quoted or not text.isascii():
        _ask_email_validator(f"{written}@example.com", raw, Code.LOCAL_PART, "before the @")
    return written


def unescaped(inside: str) -> str:
    """The text that a quoted string's inside, or a comment's, stands for."""
    return _ESCAPE.sub(r"\1", inside) if "\\" in inside else inside


def _of_size(octets: int, text: str) -> str:
    """How long something is, in the unit people count in; the limits are octets."""
    if text.isascii():
        return f"has {octets} characters"
    return f"takes {octets} bytes, since letters beyond A to Z take more than one"


def in_quotes(text: str) -> str:
    """A quoted string (RFC 5322 section 3.2.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _refuse_bad_dots(text: str, where: str, code: Code) -> None:
    double = text.find("..")
    if double >= 0:
        raise Fault(code, double, double + 2, f"two dots in a row {where}", "delete one of them")
    if text.startswith("."):
        raise Fault(code, 0, 1, f"a dot at the start of the part {where}", "delete it")
    if text.endswith("."):
        raise Fault(code, len(text) - 1, len(text), f"a dot at the end of the part {where}", "delete it")


def _checked_domain(raw: str) -> tuple[str, str, str]:
    """The domain as written, as A-labels, and as it stands in the key."""
    if not raw:
        raise Fault(
            Code.DOMAIN_EMPTY, 0, 0, "nothing stands behind the @", "write the domain, such as example.com"
        )
    if raw.startswith("["):
        return raw, raw, _checked_literal(raw)
    dotted = raw.translate(_DOTS)
    bad = _NOT_HOST.search(dotted)
    if bad is not None:
        what = f"{shown_character(bad[0])} may not stand behind the @"
        hint = "a domain has letters, digits, hyphens and dots"
        if bad[0] == "@":
            what, hint = "a second @ stands behind the first", "an address has only one"
        elif bad[0] in _QUOTATION_MARKS and bad.end() == len(dotted):
            hint = "write the address without quotation marks"
        elif bad[0] == ">":
            hint = "delete it"
        raise Fault(Code.DOMAIN, bad.start(), bad.end(), what, hint)
    _refuse_bad_dots(dotted, "behind the @", Code.DOMAIN)
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
        hint = f"write [{ascii_domain}] for an IP address" if _is_ipv4(ascii_domain) else "check the ending"
        raise Fault(
            Code.DOMAIN, 0, len(raw), f'"{shown_text(raw)}" ends in a number, which no domain does', hint
        )
    return domain, ascii_domain, ascii_domain.lower()


def _domain_too_long(raw: str, octets: int) -> Fault:
    what = f"the domain {_of_size(octets, raw)}, and {_DOMAIN_OCTETS} is the most"
    return Fault(Code.DOMAIN_TOO_LONG, 0, len(raw), what)


def _label_too_long(start: int, end: int, octets: int, typed: str) -> Fault:
    what = f"the domain part here {_of_size(octets, typed)}, and {_LABEL_OCTETS} is the most"
    return Fault(Code.DOMAIN_LABEL_TOO_LONG, start, end, what)


def _refuse_bad_labels(ascii_domain: str, typed: str) -> None:
    """Look at each label between two dots; ``typed`` has the same dots and gives the places."""
    start = 0
    for label, typed_label in zip(ascii_domain.split("."), typed.split("."), strict=False):
        end = start + len(typed_label)
        if len(label) > _LABEL_OCTETS:
            raise _label_too_long(start, end, len(label), typed_label)
        if label.startswith("-"):
            raise Fault(Code.DOMAIN, start, start + 1, "a hyphen at the start of a domain part", "delete it")
        if label.endswith("-"):
            raise Fault(Code.DOMAIN, end - 1, end, "a hyphen at the end of a domain part", "delete it")
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
    found = _ask_email_validator(f"a@{dotted}{suffix}", raw, Code.DOMAIN, "behind the @")
    domain, ascii_domain = found
    return domain.removesuffix(suffix), ascii_domain.removesuffix(suffix)


def _ask_email_validator(address: str, raw: str, code: Code, where: str) -> tuple[str, str]:
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
        odd = category[0] in ("CZSP" if where == "behind the @" else "CZ") and character not in " .-"
        if odd or (offset == 0 and category[0] == "M"):
            hint = "delete it" if category[0] in "CMZ" else "check the address"
            return Fault(
                code, offset, offset + 1, f"{shown_character(character)} may not stand {where}", hint
            )
    if code is Code.DOMAIN:
        start = 0
        for label in raw.translate(_DOTS).split("."):
            octets = len("xn--") + len(unicodedata.normalize("NFC", label).lower().encode("punycode"))
            if octets > _LABEL_OCTETS and not label.isascii():
                return _label_too_long(start, start + len(label), octets, label)
            start += len(label) + 1
    return Fault(code, 0, len(raw), f'"{shown_text(raw)}" may not stand {where}', "check the address")


def _checked_literal(raw: str) -> str:
    """Check ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321 section 4.1.3); one spelling for the key."""
    import ipaddress  # noqa: PLC0415 - hardly any address has a literal

    if not raw.endswith("]"):
        close = raw.find("]")
        if close < 0:
            raise Fault(Code.UNCLOSED_LITERAL, 0, 1, 'the "[" here is never closed', 'add the closing "]"')
        raise Fault(Code.TEXT_AFTER_ADDRESS, close + 1, len(raw), 'text follows the closing "]"', "delete it")
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
