"""Reading one entry: a mailbox as it is typed.

One pass reads ``addr``, ``<addr>``, ``name <addr>`` and ``addr (comment)``. Anything else is an error that
says where and what to write instead; no text of the entry is skipped silently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vetmail_core.address.addr_spec import checked_address, unescaped
from vetmail_core.address.faults import Edit, Fault
from vetmail_core.address.mailbox import mailbox_of_checked
from vetmail_core.address.mistakes import Mistakes
from vetmail_core.address.names import CONTROL, INVISIBLE, checked_name, refuse_controls
from vetmail_core.address.nesting import outside_quotes
from vetmail_core.errors import AddressErrorCode as Code

if TYPE_CHECKING:
    from vetmail_core.address.mailbox import Mailbox
    from vetmail_core.address.nesting import Nesting
    from vetmail_core.address.rules import Rules

__all__ = ["read_entry"]

_BLANKS: Final = re.compile(r"[ \t]+")
_BARE: Final = re.compile(r'[^ \t"(\[]++')
"""A run of a bare address; whatever else may not stand in one, the rules for the address say better."""
_ANGLE: Final = re.compile(r'[^ \t"(\[<>]++')
"""The same between angle brackets."""
_COMMA: Final = re.compile("[,;\uff0c\uff1b]")
_SEPARATORS: Final = frozenset(",;\uff0c\uff1b")


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

    __slots__ = ("beside", "end", "nesting", "position", "rules", "start", "text")

    def __init__(self, nesting: Nesting, start: int, end: int, rules: Rules) -> None:
        self.nesting = nesting
        self.text = nesting.text
        self.start = start
        self.end = end
        self.rules = rules
        self.position = start
        self.beside = ""  # the name with the comments that stand beside it

    @property
    def mistakes(self) -> Mistakes:
        """The words for what is wrong; made when something is."""
        return Mistakes(self.text, self.start, self.end, self.rules.separator)

    def mailbox(self) -> Mailbox:
        """Read it all."""
        if CONTROL.search(self.text, self.start, self.end):
            try:
                refuse_controls(self.text[self.start : self.end])
            except Fault as fault:
                raise self.mistakes.line_break(fault.moved(self.start)) from None
        name, trouble = self._name()
        if self.position == self.end:
            return self._bare_mailbox()
        return self._angle_mailbox(self.position, name, trouble)

    # The name

    def _name(self) -> tuple[str, int | None]:
        """Read up to the top-level ``<``, or to the end: the name, and the first place it breaks."""
        text, end = self.text, self.end
        pieces: list[str] = []
        comments: list[tuple[int, str]] = []  # each with the number of pieces before it
        trouble: int | None = None
        gap = False
        lost = frozenset[str]()  # what may not separate any more: an @ stands before, in quotes or a comment
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
                comments.append((len(pieces), text[at : self.position]))
                if "@" in text[at : self.position]:
                    lost = _SEPARATORS
                continue
            if gap and pieces:
                pieces.append(" ")
            gap = False
            if character == '"':
                self.position = self._closing(at)
                pieces.append(unescaped(text[at + 1 : self.position - 1]))
                if "@" in pieces[-1]:
                    lost |= _SEPARATORS - {self.rules.separator}
                continue
            word = self.rules.word.match(text, at, end)
            if word is not None:
                comma = next((n for n, c in enumerate(word[0]) if c in lost), None) if lost else None
                if comma is not None and self._has_angle(word.end()):
                    raise self.mistakes.swallowed(at + comma)
                self.position = word.end()
                pieces.append(word[0])
                continue
            if trouble is None:
                trouble = at
            self.position = min(at + (2 if character == "\\" else 1), end)
        name = "".join(pieces)
        if comments and pieces:
            for number, comment in reversed(comments):
                pieces.insert(number, f" {comment} ")
            self.beside = _BLANKS.sub(" ", "".join(pieces)).strip(" ")
        return name, trouble

    def _has_angle(self, position: int) -> bool:
        """Whether what is read is a name: its address follows in angle brackets."""
        return self.text.find("<", position, self.end) >= 0

    def _own_address_as_name(self, trouble: int, angle: int, key: str) -> str:
        name = self.text[self.start : angle].strip(" \t")
        if name[:1] == name[-1:] == "'":  # as Outlook copies it
            name = name[1:-1]
        try:
            same = checked_address(name)[1] == key
        except Fault:
            same = False
        if same and self.rules.own_address:
            return name
        if same:
            raise self.mistakes.address_twice(angle)
        raise self.mistakes.in_name(trouble, angle)

    def _checked_name(self, name: str, start: int, end: int) -> str:
        try:
            return checked_name(name)
        except Fault as fault:
            if fault.code is Code.NAME_TOO_LONG:
                end = start + len(self.text[start:end].rstrip(" \t"))
            else:  # one character, which stands in the text as it stands in the name
                start = self.text.index(name[fault.start], start, end)
                end = start + 1
            edits: tuple[Edit, ...] = (Edit(start, end),) if fault.edits else ()
            if fault.code is Code.INVISIBLE_CHARACTER:
                unseen = INVISIBLE.finditer(self.text, self.start, self.end)
                edits = tuple(Edit(*one.span()) for one in unseen)
            raise Fault(
                fault.code, start, end, fault.what, fault.hint, edits=edits, otherwise=fault.otherwise
            ) from None

    # The address

    def _bare_mailbox(self) -> Mailbox:
        self.position = self.start
        self._skip_blanks_and_comments()
        first = self.position
        last = self._address_end(first, _BARE)
        self._refuse_other_form(first, last)
        address, key = self._checked(first, last)
        name = self._checked_name(self._trailing_comments(last), last, self.end)
        return mailbox_of_checked(address, key, name, name)

    def _angle_mailbox(self, angle: int, name: str, trouble: int | None) -> Mailbox:
        self.position = angle + 1
        self._skip_blanks_and_comments()
        first = self.position
        if self.text.startswith("@", first, self.end):
            raise self.mistakes.route(first)
        close = -1 if self.text.startswith('"', first) else self.text.find(">", first, self.end)
        if close >= 0 and "@" not in self.text[first:close] and self.text[first:close].strip(" \t"):
            raise self.mistakes.inside_angles(first, close)
        last = self._address_end(first, _ANGLE)
        commented = self.text.startswith("(", last, self.end)
        self.position = last
        self._skip_blanks_and_comments()
        behind = self.position
        if not self.text.startswith(">", behind, self.end):
            if behind == self.end or self.text[behind] == "<":
                raise self.mistakes.unclosed_angle(angle, behind)
            raise self.mistakes.text_behind(first, last, behind, commented=commented)
        self.position = behind + 1
        self._skip_blanks_and_comments()
        if name and (comments := self.text[behind + 1 : self.position].strip(" \t")):
            self.beside = f"{self.beside or name} {comments}"
        if self.position < self.end:
            if trouble is not None:
                raise self.mistakes.in_name(trouble, angle)
            raise self.mistakes.text_after(self.position)
        address, key = self._checked(first, last)
        if trouble is not None:
            name = self._own_address_as_name(trouble, angle, key)
        return mailbox_of_checked(address, key, self._checked_name(name, self.start, angle), self.beside)

    def _address_end(self, first: int, run: re.Pattern[str]) -> int:
        """Where the address that begins at ``first`` ends: at a blank, a comment, or what cannot be in it."""
        text, end = self.text, self.end
        position = first
        while position < end:
            if text[position] in '"[':
                position = self._closing(position)
                continue
            found = run.match(text, position, end)
            if found is None:
                break
            position = found.end()
        return position

    def _refuse_other_form(self, first: int, last: int) -> None:
        """Look for what is no bare address at all but something people write instead of one."""
        text, mistakes = self.text, self.mistakes
        outside = outside_quotes(text[first:last])
        at = outside.find("@")
        colon = outside.find(":")
        if colon >= 0 and (colon < at or at < 0):
            raise mistakes.colon(first, first + colon)
        if at >= 0:
            comma = _COMMA.search(outside, at)
            if comma is not None:
                raise mistakes.other_separator(first + comma.start())
        self.position = last
        self._skip_blanks_and_comments()
        if self.position < self.end:
            commented = text.startswith("(", last, self.end)
            if at < 0:
                raise mistakes.name_instead(first, self.position, commented=commented)
            raise mistakes.text_behind(first, last, self.position, commented=commented)
        if at < 0 and first < self.end and not text.startswith('"', first):
            raise mistakes.without_at(first)

    def _trailing_comments(self, last: int) -> str:
        """The text of the comments behind a bare address, which names it."""
        names: list[str] = []
        self.position = last
        while self.position < self.end:
            self._skip_blanks()
            at = self.position
            self.position = self._closing(at)
            inside = unescaped(self.text[at + 1 : self.position - 1])
            names.append(_BLANKS.sub(" ", inside).strip(" "))
        return " ".join(filter(None, names))

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
        raise self.mistakes.unclosed(at)
