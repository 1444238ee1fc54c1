"""What people write instead of a mailbox, and what to tell them.

What it is for: the faults of one entry, each with its place and the advice that mends it. What it refuses:
advice that could send the mail to somebody else. Its law: it is asked only when an entry is wrong already,
and decides nothing but the words.
"""

from __future__ import annotations

import re
from typing import Final

from vetmail_core.address.addr_spec import checked_address, without_at
from vetmail_core.address.faults import Fault, shown_character, shown_text
from vetmail_core.address.nesting import outside_quotes
from vetmail_core.errors import AddressErrorCode as Code

__all__ = ["Mistakes"]

_ONE_LIKE: Final = "write one like anna@example.com"
_NAME_FIRST: Final = "Anna Berg <anna@example.com>"
_PLAIN_NAME: Final = re.compile(r'[^"()<>@:\\\[\],;]*+')
"""A name that needs no quotes, wherever it stands."""
_REST_OF_DOMAIN: Final = re.compile(r"[A-Za-z0-9\-]*+\.[A-Za-z0-9.\-]*+")
_WRITTEN_OUT: Final = 40
"""The longest name that a hint writes out."""
_UNCLOSED: Final = {
    '"': (
        Code.UNCLOSED_QUOTE,
        "the quotation mark here is never closed",
        'add the closing " or delete this one',
    ),
    "(": (Code.UNCLOSED_COMMENT, 'the "(" here is never closed', 'add the ")" or put the name in quotes'),
    "[": (Code.UNCLOSED_LITERAL, 'the "[" here is never closed', 'add the "]"'),
}


class Mistakes:
    """The faults of one entry.

    Args:
        text: the whole input.
        start: the entry's first code point.
        end: behind its last.
        separator: the list's separator, "" when one mailbox alone is read.
    """

    __slots__ = ("end", "separator", "start", "text")

    def __init__(self, text: str, start: int, end: int, separator: str) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.separator = separator

    # In the name

    def in_name(self, at: int, angle: int) -> Fault:
        """A character before the ``<`` that may not stand there without quotes."""
        name = self.text[self.start : angle].strip(" \t")
        quoted = _in_quotes(name)
        match self.text[at]:
            case "@":
                comma = re.compile("[,;]").search(self.text, at, angle)
                if comma is not None:
                    return self.other_separator(comma.start())
                return Fault(
                    Code.ADDRESS_IN_NAME,
                    self.start,
                    self.start + len(name),
                    f'"{shown_text(name)}" has an @ but stands where the name should',
                    f"if it is the name, {quoted}",
                )
            case ":":
                return _group(at, f"list the addresses alone, or if it is part of the name, {quoted}")
            case character:
                return Fault(
                    Code.NAME_CHARACTER,
                    at,
                    at + 1,
                    f"{shown_character(character)} is not allowed in a name without quotes",
                    quoted,
                )

    def address_twice(self, angle: int) -> Fault:
        """The mailbox's own address stands in front of it as its name."""
        end = self.start + len(self.text[self.start : angle].rstrip(" \t"))
        return Fault(Code.ADDRESS_IN_NAME, self.start, end, "the address stands here twice", "write it once")

    def name_instead(self, first: int, behind: int, *, commented: bool) -> Fault:
        """Several words without ``<`` and ``>``, the first of them no address."""
        whole = self.text[first : self.end]
        outside = outside_quotes(whole)
        at = outside.find("@")
        if at < 0:
            return self.without_at(first)
        colon = outside.find(":", 0, at)
        if colon >= 0:
            return _group(first + colon)
        if commented:
            return self.text_behind(first, behind, behind, commented=True)
        blanks = len(whole[:at]) - len(whole[:at].rstrip(" \t"))
        if blanks:
            return Fault(
                Code.LOCAL_PART, first + at - blanks, first + at, "a blank stands before the @", "delete it"
            )
        name, _, address = whole.replace("\t", " ").rpartition(" ")
        name, address = name.strip(" ,;"), address.rstrip(">")
        written = f"like {_NAME_FIRST}"
        if name.isprintable() and len(whole) <= 2 * _WRITTEN_OUT and "@" not in name and _is_address(address):
            shown = name if _PLAIN_NAME.fullmatch(name) or '"' in name else f'"{name}"'
            written = f"{shown} <{address}>"
        hint = f"put the address in angle brackets, {written}"
        what = "a name stands before the address without < >"
        return Fault(Code.NAME_CHARACTER, first, self.end, what, hint)

    # In the address

    def without_at(self, first: int) -> Fault:
        """A text without an @ where an address could have one."""
        text = self.text[first : self.end]
        if "@" in text:
            what = f'"{shown_text(text)}" is not an address: its @ stands in quotes or brackets'
            return Fault(
                Code.NO_ADDRESS, first, self.end, what, f"write it without them, or like {_NAME_FIRST}"
            )
        hint = _ONE_LIKE
        if self.separator == ",":
            hint = f'{_ONE_LIKE}, or put a name that holds a comma in quotes, "Berg, Anna" <...>'
        return without_at(text, hint).moved(first)

    def colon(self, first: int, at: int) -> Fault:
        """A colon in front of the address, or instead of it."""
        if self.text[first:at].lower() == "mailto":
            what, hint = "a link stands where the address should", 'delete "mailto:"'
            return Fault(Code.GROUP, first, at + 1, what, hint)
        if self.text.startswith("://", at, self.end):
            what = "a web address stands where the e-mail address should"
            return Fault(Code.GROUP, first, at + 3, what, _ONE_LIKE)
        return _group(at)

    def route(self, first: int) -> Fault:
        """An @ right behind the ``<``."""
        colon = self.text.find(":", first, self.end)
        hint = "write the address alone, <anna@example.com>"
        if colon < 0:
            return Fault(Code.LOCAL_PART_EMPTY, first, self.end, "nothing stands before the @", hint)
        return Fault(Code.ROUTE, first, colon + 1, "a route stands before the address", hint)

    def unclosed(self, at: int) -> Fault:
        """A quotation mark, parenthesis or bracket without its partner."""
        code, what, hint = _UNCLOSED[self.text[at]]
        return Fault(code, at, at + 1, what, hint)

    def unclosed_angle(self, angle: int, behind: int) -> Fault:
        """A ``<`` without its ``>``: the entry ends, or the next ``<`` follows."""
        if behind == self.end:
            return Fault(
                Code.UNCLOSED_ANGLE,
                angle,
                angle + 1,
                'the "<" here is never closed',
                'add the ">" behind the address',
            )
        return Fault(Code.UNCLOSED_ANGLE, behind, behind + 1, 'a second "<" follows the first', "delete it")

    # Behind the address

    def text_behind(self, first: int, last: int, behind: int, *, commented: bool) -> Fault:
        """Text that follows an address within the same brackets, or a bare one."""
        if commented:
            return Fault(
                Code.TEXT_AFTER_COMMENT,
                behind,
                self.end,
                "text goes on behind a comment within the address",
                "delete the comment, with its parentheses",
            )
        if self.text[last - 1 : last] == "@" and first < last:
            what = "a blank stands where the domain should begin"
            return Fault(Code.DOMAIN_EMPTY, last, behind, what, "delete it")
        return self.text_after(behind)

    def text_after(self, at: int) -> Fault:
        """Text that follows a complete address."""
        if self.text[at] in ",;":
            return self.other_separator(at)
        rest = self.text[at : self.end]
        if "@" in rest:
            what = "a second address follows without anything between them"
            return Fault(Code.SEVERAL_ADDRESSES, at, self.end, what, self._how_to_separate())
        hint = f"delete it, or write the name first, {_NAME_FIRST}"
        if rest.startswith(">"):
            hint = "delete it"
        elif _REST_OF_DOMAIN.fullmatch(rest):
            hint = "delete the blank before it if it belongs to the address"
        what = f'"{shown_text(rest)}" follows a complete address'
        return Fault(Code.TEXT_AFTER_ADDRESS, at, self.end, what, hint)

    def other_separator(self, at: int) -> Fault:
        """A comma or semicolon behind an address, and it is not what separates here."""
        character, rest = self.text[at], self.text[at + 1 : self.end]
        if self.separator:
            what = f'"{character}" does not separate addresses here'
            hint = self._how_to_separate()
        else:
            what = f'"{character}" follows a complete address, and one mailbox alone is expected'
            hint = "delete it and what follows" if rest else "delete it"
        if rest[:1].isalnum() and "@" not in rest:
            hint = f'{hint}, or write "." if a dot was meant'
        return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, hint)

    def line_break(self, fault: Fault) -> Fault:
        """The fault of a control character, with the advice that a line end in a list calls for."""
        if not self.separator or self.text[fault.start] not in "\r\n":
            return fault
        hint = f'if it separates two addresses, write "{self.separator}" instead, else delete it'
        return Fault(fault.code, fault.start, fault.end, fault.what, hint)

    def _how_to_separate(self) -> str:
        return f'write "{self.separator}" between addresses' if self.separator else "write only one address"


def _in_quotes(name: str) -> str:
    """How to write a name in quotes: the name itself where that is short and clear."""
    if not name.isprintable() or len(name) > _WRITTEN_OUT or '"' in name or "\\" in name:
        return "put the name in quotes"
    return f'write "{name}" <...>'


def _is_address(text: str) -> bool:
    try:
        checked_address(text)
    except Fault:
        return False
    return True


def _group(colon: int, hint: str = "list the addresses alone") -> Fault:
    what = '":" makes a group of what follows, and groups cannot be used'
    return Fault(Code.GROUP, colon, colon + 1, what, hint)
