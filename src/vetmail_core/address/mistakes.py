"""What people write instead of a mailbox, and what to tell them.

Asked only when an entry is already known to be wrong, this module chooses the words. It gives no advice
that could send the mail to somebody else.
"""

from __future__ import annotations

import re
from typing import Final

from vetmail_core.address.addr_spec import checked_address, without_at
from vetmail_core.address.faults import LINE_ENDS, Edit, Fault, shown_character, shown_text
from vetmail_core.address.nesting import outside_quotes
from vetmail_core.errors import AddressErrorCode as Code

__all__ = ["Mistakes"]

_ONE_LIKE: Final = "write one like anna@example.com"
_NAME_FIRST: Final = "Anna Berg <anna@example.com>"
_PLAIN_NAME: Final = re.compile(r'[^"()<>@:\\\[\],;]*+')
"""A name that needs no quotes, wherever it stands."""
_REST_OF_DOMAIN: Final = re.compile(r"[A-Za-z0-9\-]*+\.[A-Za-z0-9.\-]*+")
_EACH_ALONE: Final = "write each address alone"
_WRITTEN_OUT: Final = 40
"""The longest name that a hint writes out."""
_UNCLOSED: Final = {
    '"': (
        Code.UNCLOSED_QUOTE,
        "the quotation mark here is never closed",
        "delete it",
        "check the quotation marks",
    ),
    "(": (
        Code.UNCLOSED_COMMENT,
        'the "(" here is never closed',
        'add the ")" at the end',
        "check the brackets",
    ),
    "[": (Code.UNCLOSED_LITERAL, 'the "[" here is never closed', 'add the "]"', "check the brackets"),
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
                    "check which address is meant",
                )
            case ":":
                return _group(at)
            case character:
                first = self.text.index(name, self.start)
                edits = (Edit(first, first, '"'), Edit(first + len(name), first + len(name), '"'))
                return Fault(
                    Code.NAME_CHARACTER,
                    at,
                    at + 1,
                    f"{shown_character(character)} is not allowed in a name without quotes",
                    quoted,
                    edits=edits,
                    otherwise="write the name in plain letters",
                )

    def swallowed(self, at: int) -> Fault:
        """A separator in a name, behind quotes or a comment that hold an address, which would be lost."""
        what = f'"{self.text[at]}" does not separate addresses here, and the one before it would be lost'
        edits = (Edit(at, at + 1, self.separator),) if self.separator else ()
        hint = f'write "{self.separator}" between addresses' if self.separator else "write only one address"
        return Fault(
            Code.OTHER_SEPARATOR,
            at,
            at + 1,
            what,
            hint,
            edits=edits,
            otherwise=f"write each like {_NAME_FIRST}",
        )

    def address_twice(self, angle: int) -> Fault:
        """The mailbox's own address stands in front of it as its name."""
        end = self.start + len(self.text[self.start : angle].rstrip(" \t"))
        what = "the address stands here twice"
        edits = (Edit(self.start, end),)
        return Fault(Code.ADDRESS_IN_NAME, self.start, end, what, "write it once", edits=edits)

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
            what = "there is a space before the @"
            return Fault.deleting(Code.LOCAL_PART, first + at - blanks, first + at, what)
        name, _, address = whole.replace("\t", " ").rpartition(" ")
        name, address = name.strip(" ,;"), address.rstrip(">")
        what = "a name stands before the address without < >"
        otherwise = f"write one like {_NAME_FIRST}"
        if not name.isprintable() or "@" in name or not _is_address(address):
            return Fault(Code.NAME_CHARACTER, first, self.end, what, otherwise)
        shown = name if _PLAIN_NAME.fullmatch(name) or '"' in name else f'"{name}"'
        written = f"{shown} <{address}>"
        hint = written if len(whole) <= 2 * _WRITTEN_OUT else f"like {_NAME_FIRST}"
        return Fault(
            Code.NAME_CHARACTER,
            first,
            self.end,
            what,
            f"put the address in angle brackets, {hint}",
            edits=(Edit(first, self.end, written),),
            otherwise=otherwise,
        )

    # In the address

    def without_at(self, first: int) -> Fault:
        """A text without an @ where an address could have one."""
        text = self.text[first : self.end]
        if "@" in text:
            what = f'"{shown_text(text)}" is not an address: its @ stands in quotes or brackets'
            return Fault(Code.NO_ADDRESS, first, self.end, what, f"write one like {_NAME_FIRST}")
        hint = _ONE_LIKE
        if self.separator == ",":
            hint = f'{_ONE_LIKE}, and a name with a comma like "Berg, Anna" <...>'
        return without_at(text, hint).moved(first)

    def colon(self, first: int, at: int) -> Fault:
        """A colon in front of the address, or instead of it."""
        if self.text[first:at].lower() == "mailto":
            what = "a link stands where the address should"
            return Fault.deleting(Code.GROUP, first, at + 1, what, 'delete "mailto:"')
        if self.text.startswith("://", at, self.end):
            what = "a web address stands where the e-mail address should"
            return Fault(Code.GROUP, first, at + 3, what, _ONE_LIKE)
        return _group(at)

    def route(self, first: int) -> Fault:
        """An @ right behind the ``<``."""
        colon = self.text.find(":", first, self.end)
        hint = "write the address alone, <anna@example.com>"
        if colon < 0:
            return Fault(Code.LOCAL_PART_EMPTY, first, self.end, "there is nothing before the @", hint)
        what = "a route stands before the address"
        return Fault.deleting(Code.ROUTE, first, colon + 1, what, "write the address alone")

    def inside_angles(self, first: int, close: int) -> Fault:
        """Something else than an address between ``<`` and ``>``."""
        inside = self.text[first:close]
        if inside.lower().startswith("/o="):
            what = f'"{shown_text(inside)}" is an address of Exchange, which no other mail system knows'
            return Fault(
                Code.NO_ADDRESS, first, close, what, "ask for the Internet address, the one with an @"
            )
        return without_at(inside).moved(first)

    def unclosed(self, at: int) -> Fault:
        """A quotation mark, parenthesis or bracket without its partner."""
        code, what, hint, otherwise = _UNCLOSED[self.text[at]]
        closing = {"(": ")", "[": "]"}.get(self.text[at])
        edits = (Edit(at, at + 1),) if closing is None else (Edit(self.end, self.end, closing),)
        return Fault(code, at, at + 1, what, hint, edits=edits, otherwise=otherwise)

    def unclosed_angle(self, angle: int, behind: int) -> Fault:
        """A ``<`` without its ``>``: the entry ends, or the next ``<`` follows."""
        if behind == self.end:
            return Fault(
                Code.UNCLOSED_ANGLE,
                angle,
                angle + 1,
                'the "<" here is never closed',
                'add the ">" after the address',
                edits=(Edit(self.end, self.end, ">"),),
                otherwise=f"write one like {_NAME_FIRST}",
            )
        return Fault.deleting(Code.UNCLOSED_ANGLE, behind, behind + 1, 'a second "<" follows the first')

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
                edits=(Edit(last, behind),),
            )
        if self.text[last - 1 : last] == "@" and first < last:
            what = "there is a space where the domain should begin"
            return Fault.deleting(Code.DOMAIN_EMPTY, last, behind, what)
        return self.text_after(behind)

    def text_after(self, at: int) -> Fault:
        """Text that follows a complete address."""
        if self.text[at] in ",;":
            return self.other_separator(at)
        rest = self.text[at : self.end]
        if "@" in rest:
            what = "a second address follows without anything between them"
            edits = (Edit(at, at, f"{self.separator} "),) if self.separator else ()
            hint = self._how_to_separate()
            return Fault(Code.SEVERAL_ADDRESSES, at, self.end, what, hint, edits=edits, otherwise=_EACH_ALONE)
        what = f'"{shown_text(rest)}" follows a complete address'
        if _REST_OF_DOMAIN.fullmatch(rest):
            return Fault(Code.TEXT_AFTER_ADDRESS, at, self.end, what, "check the address")
        return Fault.deleting(Code.TEXT_AFTER_ADDRESS, at, self.end, what)

    def other_separator(self, at: int) -> Fault:
        """A comma or semicolon behind an address, and it is not what separates here."""
        character, rest = self.text[at], self.text[at + 1 : self.end]
        otherwise = "check the domain" if rest[:1].isalnum() and "@" not in rest else _EACH_ALONE
        if self.separator:
            what = f'"{character}" does not separate addresses here'
            edits = (Edit(at, at + 1, self.separator),)
            hint = self._how_to_separate()
            return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, hint, edits=edits, otherwise=otherwise)
        what = f'"{character}" follows a complete address, and one mailbox alone is expected'
        if "@" in rest:
            return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, "write only one address")
        if rest[:1].isalnum():
            return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, otherwise)
        hint = "delete it and what follows" if rest else "delete it"
        edits = (Edit(at, self.end),)
        return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, hint, edits=edits, otherwise=otherwise)

    def line_break(self, fault: Fault) -> Fault:
        """The fault of a control character, with the advice that a line end in a list calls for."""
        if self.text[fault.start] not in LINE_ENDS or not (
            "@" in self.text[self.start : fault.start] and "@" in self.text[fault.end : self.end]
        ):
            return fault
        what = "a line end stands here, and two addresses stand on either side of it"
        if not self.separator:
            return Fault(fault.code, fault.start, fault.end, what, "write only one address")
        edits = (Edit(fault.start, fault.end, f"{self.separator} "),)
        hint = f'write "{self.separator}" between addresses'
        return Fault(fault.code, fault.start, fault.end, what, hint, edits=edits, otherwise=_EACH_ALONE)

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
