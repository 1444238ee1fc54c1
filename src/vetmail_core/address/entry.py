"""Reading one entry: a mailbox as it is typed.

What it is for: ``addr``, ``<addr>``, ``name <addr>`` and ``addr (comment)``, read by one pass over the
entry. What it refuses: everything else, each with the place and what to write instead; groups, routes
and text behind the address among them. Its law: a fault lies within the entry, and no text of the
entry is passed over in silence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.address.addr_spec import QUOTED, checked_address, unescaped
from vetmail_core.address.faults import Fault, shown_character, shown_text
from vetmail_core.address.mailbox import mailbox_of_checked
from vetmail_core.address.names import CONTROL, INVISIBLE, checked_name, refuse_controls
from vetmail_core.errors import AddressErrorCode as Code

if TYPE_CHECKING:
    from vetmail_core.address.mailbox import Mailbox
    from vetmail_core.address.nesting import Nesting
    from vetmail_core.address.rules import Rules

__all__ = ["read_entry"]

_BLANKS: Final = re.compile(r"[ \t]+")
_BARE: Final = re.compile(r'[^ \t"(\[]++|\[')
"""A run of a bare address; whatever else may not stand in one, the rules for the address say better."""
_ANGLE: Final = re.compile(r'[^ \t"(\[<>]++|\[')
"""The same between angle brackets."""
_COMMA: Final = re.compile("[,;\uff0c\uff1b]")
_QUOTED_PIECES: Final = re.compile(rf"{QUOTED.pattern}|\[[^\[\]]*+\]", re.DOTALL)
_UNCLOSED: Final = {
    '"': (Code.UNCLOSED_QUOTE, "the quotation mark here is never closed", 'add the closing "'),
    "(": (Code.UNCLOSED_COMMENT, 'the "(" here is never closed', 'add the ")", or put the name in quotes'),
    "[": (Code.UNCLOSED_LITERAL, 'the "[" here is never closed', 'add the "]"'),
}


def read_entry(nesting: Nesting, start: int, end: int, rules: Rules) -> Mailbox:
    """Read the mailbox between two offsets of an input.

    Args:
        nesting: of the whole input.
        start: the entry's first code point; no blank.
        end: behind its last; no blank before it.
        rules: what is allowed in the name.

    Raises:
        Fault: counted in the whole input.
    """
    return _Reader(nesting, start, end, rules).mailbox()


class _Reader:
    """One pass over one entry."""

    __slots__ = ("end", "nesting", "position", "rules", "start", "text")

    def __init__(self, nesting: Nesting, start: int, end: int, rules: Rules) -> None:
        self.nesting = nesting
        self.text = nesting.text
        self.start = start
        self.end = end
        self.rules = rules
        self.position = start

    def mailbox(self) -> Mailbox:
        """Read it all."""
        if CONTROL.search(self.text, self.start, self.end):
            try:
                refuse_controls(self.text[self.start : self.end])
            except Fault as fault:
                raise fault.moved(self.start) from None
        name, trouble = self._name()
        if self.position == self.end:
            return self._bare_mailbox()
        return self._angle_mailbox(self.position, name, trouble)

    # The name

    def _name(self) -> tuple[str, int | None]:
        """Read up to the top-level ``<``, or to the end: the name, and the first place it breaks."""
        text, end = self.text, self.end
        pieces: list[str] = []
        trouble: int | None = None
        gap = False
        while self.position < end:
            at = self.position
            character = text[at]
            if character == "<":
                break
            if character in " \t":
                gap = True
                self._skip_blanks()
                continue
            if character == "(":
                gap = True
                self.position = self._closing(at)
                continue
            if gap and pieces:
                pieces.append(" ")
            gap = False
            if character == '"':
                self.position = self._closing(at)
                pieces.append(unescaped(text[at + 1 : self.position - 1]))
                continue
            word = self.rules.word.match(text, at, end)
            if word is not None:
                self.position = word.end()
                pieces.append(word[0])
                continue
            if trouble is None:
                trouble = at
            self.position = min(at + (2 if character == "\\" else 1), end)
        return "".join(pieces), trouble

    def _own_address_as_name(self, trouble: int, angle: int, key: str) -> str:
        name = self.text[self.start : angle].strip(" \t")
        if self.rules.own_address:
            try:
                if checked_address(name)[1] == key:
                    return name
            except Fault:
                pass
        raise self._name_fault(trouble, angle)

    def _checked_name(self, name: str, start: int, end: int) -> str:
        if not name:
            return ""
        found = INVISIBLE.search(self.text, start, end)
        try:
            return checked_name(name)
        except Fault as fault:
            if found is not None:
                start, end = found.span()
            raise Fault(fault.code, start, end, fault.what, fault.hint) from None

    def _name_fault(self, at: int, angle: int) -> Fault:
        character = self.text[at]
        name = self.text[self.start : angle].strip(" \t")
        quoted = (
            f'write "{shown_text(name)}" <...>'
            if '"' not in name and "\\" not in name
            else "put the name in quotes"
        )
        match character:
            case "@":
                for other in ",;":
                    comma = self.text.find(other, at, angle)
                    if comma >= 0:
                        return self._other_separator(comma)
                return Fault(
                    Code.ADDRESS_IN_NAME,
                    self.start,
                    self.start + len(name),
                    f'"{shown_text(name)}" looks like an address but stands where the name should',
                    f"if it is the name, {quoted}",
                )
            case ":":
                return Fault(
                    Code.GROUP,
                    at,
                    at + 1,
                    '":" makes a group of what follows, and groups are not taken',
                    f"list the addresses alone, or if it is part of the name, {quoted}",
                )
            case _:
                return Fault(
                    Code.NAME_CHARACTER,
                    at,
                    at + 1,
                    f"{shown_character(character)} is not allowed in a name without quotes",
                    quoted,
                )

    # The address

    def _bare_mailbox(self) -> Mailbox:
        self.position = self.start
        self._skip_blanks_and_comments()
        first = self.position
        last = self._address_end(first, _BARE)
        self._refuse_other_form(first, last)
        address, key = self._checked(first, last)
        name, start = self._trailing_comments(last)
        return mailbox_of_checked(address, key, self._checked_name(name, start, self.end))

    def _angle_mailbox(self, angle: int, name: str, trouble: int | None) -> Mailbox:
        self.position = angle + 1
        self._skip_blanks()
        first = self.position
        if self.text.startswith("@", first, self.end):
            colon = self.text.find(":", first, self.end)
            end = self.end if colon < 0 else colon + 1
            what = "a route stands before the address" if colon >= 0 else "nothing stands before the @"
            code = Code.ROUTE if colon >= 0 else Code.LOCAL_PART_EMPTY
            raise Fault(code, first, end, what, "write the address alone, <anna@example.com>")
        last = self._address_end(first, _ANGLE)
        commented = self.text.startswith("(", last, self.end)
        self.position = last
        self._skip_blanks_and_comments()
        behind = self.position
        if not self.text.startswith(">", behind, self.end):
            if behind == self.end:
                raise Fault(
                    Code.UNCLOSED_ANGLE, angle, angle + 1, 'the "<" here is never closed', 'add the ">"'
                )
            if self.text[behind] == "<":
                raise Fault(
                    Code.UNCLOSED_ANGLE, behind, behind + 1, 'a second "<" follows the first', "delete it"
                )
            raise self._text_behind(first, last, behind, commented=commented)
        self.position = behind + 1
        self._skip_blanks_and_comments()
        if self.position < self.end:
            if trouble is not None:
                raise self._name_fault(trouble, angle)
            raise self._text_after(self.position)
        address, key = self._checked(first, last)
        if trouble is not None:
            name = self._own_address_as_name(trouble, angle, key)
        return mailbox_of_checked(address, key, self._checked_name(name, self.start, angle))

    def _address_end(self, first: int, run: re.Pattern[str]) -> int:
        """Where the address that begins at ``first`` ends: at a blank, a comment, or what cannot be in it."""
        text, end = self.text, self.end
        position = first
        while position < end:
            character = text[position]
            if character == '"' or (character == "[" and text[position - 1 : position] == "@"):
                position = self._closing(position)
                continue
            found = run.match(text, position, end)
            if found is None:
                break
            position = found.end()
        return position

    def _refuse_other_form(self, first: int, last: int) -> None:
        """Look for what is no bare address at all but something people write instead of one."""
        text = self.text
        piece = text[first:last]
        outside = _QUOTED_PIECES.sub(lambda found: "x" * len(found[0]), piece)
        at = outside.find("@")
        colon = outside.find(":")
        if colon >= 0 and (colon < at or at < 0):
            if piece[:colon].lower() == "mailto":
                raise Fault(
                    Code.GROUP,
                    first,
                    first + colon + 1,
                    "a link stands where the address should",
                    'delete "mailto:"',
                )
            raise _group(first + colon)
        if at >= 0:
            comma = _COMMA.search(outside, at)
            if comma is not None:
                raise self._other_separator(first + comma.start())
        self.position = last
        self._skip_blanks_and_comments()
        if self.position == self.end:
            return
        if at < 0:
            whole = text[first : self.end]
            if "@" in whole and text.startswith("(", last):
                raise self._text_behind(first, last, self.position, commented=True)
            if "@" in whole:
                words = whole.split()
                name = shown_text(" ".join(words[:-1]))
                hint = f"put the address in angle brackets, {name} <{shown_text(words[-1])}>"
                if not words[-1].strip("@").count("@"):
                    hint = "write one like anna@example.com"
                raise Fault(
                    Code.NAME_CHARACTER, first, self.end, "a name stands before the address without < >", hint
                )
            raise Fault(
                Code.NO_ADDRESS,
                first,
                self.end,
                f'"{shown_text(whole)}" is not an address: it has no @',
                "write one like anna@example.com",
            )
        raise self._text_behind(first, last, self.position, commented=text.startswith("(", last, self.end))

    def _text_behind(self, first: int, last: int, behind: int, *, commented: bool) -> Fault:
        """The fault of text that follows an address within the same brackets or entry."""
        if commented:
            return Fault(
                Code.TEXT_AFTER_COMMENT,
                behind,
                self.end,
                "text goes on behind a comment within the address",
                "delete the comment, with its parentheses",
            )
        if self.text[last - 1 : last] == "@" and first < last:
            return Fault(
                Code.DOMAIN_EMPTY, last, behind, "a blank stands where the domain should begin", "delete it"
            )
        if "@" in self.text[behind : self.end] and "@" in self.text[first:last]:
            return Fault(
                Code.SEVERAL_ADDRESSES,
                behind,
                self.end,
                "a second address follows without anything between them",
                self._how_to_separate(),
            )
        return self._text_after(behind)

    def _text_after(self, at: int) -> Fault:
        """The fault of text that follows a complete address."""
        if self.text[at] in ",;":
            return self._other_separator(at)
        rest = self.text[at : self.end]
        if "@" in rest:
            what, hint = "a second address follows without anything between them", self._how_to_separate()
            return Fault(Code.SEVERAL_ADDRESSES, at, self.end, what, hint)
        what = f'"{shown_text(rest)}" follows a complete address'
        return Fault(Code.TEXT_AFTER_ADDRESS, at, self.end, what, "delete it, or put it before the <")

    def _other_separator(self, at: int) -> Fault:
        character = self.text[at]
        if not self.rules.separator:
            what, hint = (
                f'"{character}" follows a complete address, and one mailbox alone is expected',
                "delete the rest",
            )
        else:
            what = f'"{character}" does not separate addresses here'
            hint = f'write "{self.rules.separator}" between addresses'
        return Fault(Code.OTHER_SEPARATOR, at, at + 1, what, hint)

    def _how_to_separate(self) -> str:
        separator = self.rules.separator
        return f'write "{separator}" between addresses' if separator else "write one address alone"

    def _trailing_comments(self, last: int) -> tuple[str, int]:
        """The text of the comments behind a bare address, which names it, and where it begins."""
        names: list[str] = []
        self.position = last
        while self.position < self.end:
            self._skip_blanks()
            at = self.position
            self.position = self._closing(at)
            inside = unescaped(self.text[at + 1 : self.position - 1])
            names.append(_BLANKS.sub(" ", inside).strip(" "))
        return " ".join(filter(None, names)), last

    def _checked(self, first: int, last: int) -> tuple[str, str]:
        try:
            return checked_address(self.text[first:last])
        except Fault as fault:
            raise fault.moved(first) from None

    # Moving on

    def _skip_blanks(self) -> None:
        found = _BLANKS.match(self.text, self.position, self.end)
        if found is not None:
            self.position = found.end()

    def _skip_blanks_and_comments(self) -> None:
        self._skip_blanks()
        while self.text.startswith("(", self.position, self.end):
            self.position = self._closing(self.position)
            self._skip_blanks()

    def _closing(self, at: int) -> int:
        """The offset behind the quote, comment or literal that opens at ``at``.

        Raises:
            Fault: it does not close within the entry.
        """
        closing = self.nesting.closing(at)
        if closing is not None and closing <= self.end:
            return closing
        code, what, hint = _UNCLOSED[self.text[at]]
        raise Fault(code, at, at + 1, what, hint)


def _group(colon: int) -> Fault:
    what, hint = '":" makes a group of what follows, and groups are not taken', "list the addresses alone"
    return Fault(Code.GROUP, colon, colon + 1, what, hint)
