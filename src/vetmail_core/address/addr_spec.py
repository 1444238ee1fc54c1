"""The rules for the address itself: ``local-part@domain``.

Reading a written address again changes nothing.

A plain ASCII address is settled here. Everything else, IDNA above all, is settled by email-validator
after our own checks have had their say, because they know the place and the octets.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from vetmail_core.address.domain import ask_email_validator, checked_domain, of_size, refuse_bad_dots
from vetmail_core.address.faults import Edit, Fault, shown_character, shown_text
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
# What no atom holds, by name: a class that reaches to the last code point compiles a hundred times as long.
_SPECIALS: Final = r"\x00-\x20\"(),:;<>@\[\\\]\x7f"
_DOT_ATOM: Final = re.compile(rf"[^.{_SPECIALS}]++(?:\.[^.{_SPECIALS}]++)*+")
_NOT_ATOM: Final = re.compile(rf"[{_SPECIALS}]")
_WIDE_AT: Final = re.compile("[\uff20\ufe6b]")

_SIGN: Final = re.compile(rf"[{ASCII_ATOM}]")
_MEANT: Final = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035\uff07", "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2024\u3002\uff61", "."),
    "\u2017": "_",
    "\u203f": "_",
}
"""Signs that word processors put in the place of ASCII's -> what was meant."""

_LOCAL_OCTETS: Final = 64  # RFC 5321 section 4.5.3.1.1
_ADDRESS_OCTETS: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_LOOKED_AT: Final = 2000
"""Code points; whatever is longer cannot shrink to 254 octets and is refused before any work."""


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
            f"the address has {len(address):,} characters; at most {_ADDRESS_OCTETS} are allowed",
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
            f"{shown_character(found[0])} cannot be seen and is not allowed in an address",
            "delete it",
            edits=tuple(Edit(*one.span()) for one in INVISIBLE.finditer(address)),
        )
    raw_local, at, raw_domain = _split(address)
    local = _checked_local(raw_local)
    try:
        domain, ascii_domain, key_domain = checked_domain(raw_domain)
    except Fault as fault:
        raise fault.moved(at + 1) from None
    for form in (domain, ascii_domain):
        octets = len(f"{local}@{form}".encode())
        if octets > _ADDRESS_OCTETS:
            raise Fault(
                Code.ADDRESS_TOO_LONG,
                0,
                len(address),
                f"the address {of_size(octets, address)}; at most {_ADDRESS_OCTETS} are allowed",
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
                "delete it",
                edits=(Edit(0, 1),),
                otherwise="check the quotation marks",
            )
        at = quoted.end()
        if at == len(address) and "@" in quoted[1]:
            edits = (Edit(0, 1), Edit(at - 1, at))
            what = "the address stands in quotation marks"
            raise Fault(Code.NO_ADDRESS, 0, at, what, "delete them", edits=edits)
        if address[at : at + 1] != "@":
            code = Code.NO_ADDRESS if at == len(address) else Code.LOCAL_PART
            raise Fault(
                code,
                at,
                min(at + 1, len(address)),
                "an @ has to follow the closing quotation mark",
                "check the part before the @",
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
        edits = (Edit(wide.start(), wide.end(), "@"),)
        return Fault(Code.NO_ADDRESS, wide.start(), wide.end(), what, "write @", edits=edits)
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
            "there is nothing before the @",
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
        refuse_bad_dots(raw, "before the @", Code.LOCAL_PART)
        bad = _NOT_ATOM.search(raw) or _NOT_ATOM.search(text)
        if bad is not None:
            raise Fault(
                Code.LOCAL_PART,
                bad.start(),
                bad.end(),
                f"{shown_character(bad[0])} is not allowed before the @ without quotes",
                "delete it" if bad[0].isspace() else "check the address",
                edits=(Edit(bad.start(), bad.end()),) if bad[0].isspace() else (),
            )
    if not text.isascii():
        _refuse_signs(raw)
    written = text if _DOT_ATOM.fullmatch(text) else in_quotes(text)
    octets = len(written.encode())
    if octets > _LOCAL_OCTETS:
        raise Fault(
            Code.LOCAL_PART_TOO_LONG,
            0,
            len(raw),
            f"the part before the @ {of_size(octets, written)}; at most {_LOCAL_OCTETS} are allowed",
        )
    if quoted or not text.isascii():
        ask_email_validator(f"{written}@example.com", raw, Code.LOCAL_PART, "before the @")
    return written


def _refuse_signs(local: str) -> None:
    """Refuse what is no letter, mark, digit or symbol of any script; most are signs of ASCII typed wrongly.

    Raises:
        Fault: at the first, within ``local``.
    """
    faults = [fault for n, character in enumerate(local) if (fault := _sign(n, character)) is not None]
    if faults:
        first = faults[0]
        edits = tuple(edit for fault in faults for edit in fault.edits) if first.edits else ()
        raise Fault(first.code, first.start, first.end, first.what, first.hint, edits=edits)


def _sign(offset: int, character: str) -> Fault | None:
    """The fault of one character beyond ASCII before the @, None when it may stand there."""
    if character.isascii() or unicodedata.normalize("NFC", character) != character:
        return None
    kind = unicodedata.category(character)
    plain = unicodedata.normalize("NFKC", character)
    if kind[0] not in "PZ" and plain == character and character != "\ufffd":
        return None
    if kind[0] == "Z":
        what = f"{shown_character(character)} is not allowed before the @ without quotes"
        return Fault.deleting(Code.LOCAL_PART, offset, offset + 1, what)
    hint = "check the address"
    edits: tuple[Edit, ...] = ()
    meant = _MEANT.get(character) or plain
    if character in "\uff0c\uff1b":
        hint = "two addresses may stand here; write each alone"
    elif len(meant) == 1 and (meant in ".@" or _SIGN.fullmatch(meant)):
        hint, edits = f"write {meant}", (Edit(offset, offset + 1, meant),)
    what = f"{shown_character(character)}, U+{ord(character):04X}, is not allowed before the @"
    return Fault(Code.LOCAL_PART, offset, offset + 1, what, hint, edits=edits)


def unescaped(inside: str) -> str:
    """The text that a quoted string's inside, or a comment's, stands for."""
    return _ESCAPE.sub(r"\1", inside) if "\\" in inside else inside


def in_quotes(text: str) -> str:
    """A quoted string (RFC 5322 section 3.2.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
