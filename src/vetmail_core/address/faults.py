"""What is wrong with a piece of text, before it is known which input the piece stands in.

The rules for addresses and names look at one piece of text; only the reader of the whole input knows where
that piece is. A fault carries what is wrong to that reader and becomes the sentence that people see, with
positions counted from 1 in the whole input. An invisible character is shown by its name.
"""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

from vetmail_core.errors import AddressError, AddressErrorCode, wrong_type

__all__ = ["LINE_ENDS", "Edit", "Fault", "as_text", "shown_character", "shown_text"]

_WINDOW: Final = 48
"""How many characters of an input a sentence shows at most."""

LINE_ENDS: Final = "\n\r\v\f\x85\u2028\u2029"
"""Whatever ends a line; people see no difference."""

_CONTROL_NAMES: Final = {
    "\x00": "NULL",
    "\t": "TAB",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
}
"""The controls people meet; Unicode gives controls no names of their own."""


class Edit(NamedTuple):
    """A piece of text to be replaced, as a hint says.

    Attributes:
        start: its first code point.
        end: the offset behind its last.
        text: what goes in its place.
    """

    start: int
    end: int
    text: str = ""


class Fault(Exception):  # noqa: N818 - a part of the package, raised as the AddressError it becomes
    """A rule was broken at a place within a piece of text; never leaves the package.

    Attributes:
        code: which rule.
        start: first code point of the faulty part, counted in the piece.
        end: the offset behind its last code point.
        what: the sentence without its place, "two dots in a row before the @".
        hint: what to do instead, "" when there is nothing better to say.
        edits: what the hint would change, counted in the piece; none where it is for a person to decide.
        otherwise: the hint where the changed text would be wrong too.
    """

    def __init__(
        self,
        code: AddressErrorCode,
        start: int,
        end: int,
        what: str,
        hint: str = "",
        *,
        edits: tuple[Edit, ...] = (),
        otherwise: str = "check the address",
    ) -> None:
        super().__init__(what)
        self.code = code
        self.start = start
        self.end = end
        self.what = what
        self.hint = hint
        self.edits = edits
        self.otherwise = otherwise

    @classmethod
    def deleting(
        cls, code: AddressErrorCode, start: int, end: int, what: str, hint: str = "delete it"
    ) -> Fault:
        """The fault of a piece that is to be deleted."""
        return cls(code, start, end, what, hint, edits=(Edit(start, end),))

    def moved(self, distance: int) -> Fault:
        """The same fault, counted from a start that lies ``distance`` code points earlier."""
        edits = tuple(Edit(one.start + distance, one.end + distance, one.text) for one in self.edits)
        return Fault(
            self.code,
            self.start + distance,
            self.end + distance,
            self.what,
            self.hint,
            edits=edits,
            otherwise=self.otherwise,
        )

    def as_error(
        self,
        text: str,
        *,
        entry: int | None = None,
        part: str = "",
        advice: tuple[str, str | None] | None = None,
    ) -> AddressError:
        """Make the error people see.

        Args:
            text: the whole input, in which this fault's offsets count.
            entry: 1-based index of the entry when the input is a list.
            part: what the input is when it is not the whole mailbox, "display name".
            advice: the hint and the text with it applied, where they were tested; else the hint is not to
                speak of a repair.
        """
        hint, suggestion = (self.otherwise if self.edits else self.hint, None) if advice is None else advice
        place = f"character {self.start + 1}"
        if part:
            place = f"{part}, {place}"
        if entry is not None:
            place = f"entry {entry}, {place}"
        message = f"{place}: {self.what}"
        if hint:
            message = f"{message}; {hint}"
        return AddressError(
            message,
            code=self.code,
            text=text,
            start=self.start,
            end=self.end,
            entry=entry,
            hint=hint,
            suggestion=suggestion,
        )


def as_text(given: object, what: str) -> str:
    """What was given, if it is text; a plain string even where a host's own kind of string came.

    Raises:
        TypeError: it is not text.
    """
    if type(given) is str:
        return given
    if isinstance(given, str):
        return str.__str__(given)
    raise wrong_type(what, "text", given)


def shown_character(character: str) -> str:
    """A character as people can see it: in quotes, or by number and name when it is invisible."""
    if character == '"':
        return 'the quotation mark (")'
    if character.isprintable() and not character.isspace() and not unicodedata.combining(character):
        return f'"{character}"'
    if character == " ":
        return "a space"
    name = _CONTROL_NAMES.get(character) or unicodedata.name(character, "")
    if not name:
        name = "LONE SURROGATE" if "\ud800" <= character <= "\udfff" else "CONTROL CHARACTER"
        if unicodedata.category(character) not in {"Cc", "Cs"}:
            name = "UNNAMED CHARACTER"
    return f"U+{ord(character):04X} {name}"


def shown_text(text: str) -> str:
    """A piece of input fit for a sentence: cut to a window, invisible characters by number."""
    cut = text if len(text) <= _WINDOW else f"{text[: _WINDOW - 1]}…"
    return "".join(
        c if c == " " or (c.isprintable() and not c.isspace()) else f"<U+{ord(c):04X}>" for c in cut
    )
