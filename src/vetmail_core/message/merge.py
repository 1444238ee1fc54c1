"""Merge fields: ``${name}`` in a subject, a text or an HTML, and nothing else.

What it is for: one content, made personal for each of a million people; its templates are compiled once.
What it refuses: an unknown field, a field that is never closed, a line break in a value for the subject.
Its law: one pass. What a value holds is never looked at again, so ``${`` in a person's name stays text.

``$5`` and ``$x`` stay as they are; ``$${`` writes a literal ``${``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Final, final

import attrs

from vetmail_core.address.names import CONTROL
from vetmail_core.errors import MergeError
from vetmail_core.message.bodies import text_part
from vetmail_core.message.headers import character_name

__all__ = ["Template"]

_MARK: Final = re.compile(r"\$\$\{|\$\{([^{}\r\n]*)(\}?)")
_MOST_LISTED: Final = 30  # fields in an error sentence
_SUBTYPES: Final = {"text": "plain", "html": "html"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@final
@attrs.frozen(kw_only=True)
class Template:
    """One text with its merge fields found.

    Attributes:
        source: the text.
        pieces: the text cut up: constant text, with an empty piece where each field goes.
        slots: for each field, its index in ``pieces`` and its name.
        place: "subject", "text" or "html".
    """

    source: str = attrs.field(repr=False)
    pieces: tuple[str, ...] = attrs.field(repr=False)
    slots: tuple[tuple[int, str], ...]
    place: str
    _part: bytes | None = attrs.field(init=False, default=None, eq=False, repr=False)

    @property
    def untouched(self) -> bool:
        """Whether filling gives the source back."""
        return not self.slots and self.pieces[0] == self.source

    def part(self, text: str) -> bytes:
        """Write a text made by ``fill`` as a MIME part; once, where everybody gets the same."""
        if self.slots:
            return text_part(text, _SUBTYPES[self.place])
        part = self._part
        if part is None:
            part = text_part(text, _SUBTYPES[self.place])
            object.__setattr__(self, "_part", part)
        return part

    @classmethod
    def compile(cls, source: str, *, place: str) -> Template:
        """Find the fields of a text.

        Raises:
            MergeError: a ``${`` has no ``}`` on its line.
        """
        pieces: list[str] = []
        slots: list[tuple[int, str]] = []
        constant = ""
        end = 0
        for found in _MARK.finditer(source):
            constant += source[end : found.start()]
            end = found.end()
            if found.group(1) is None:
                constant += "${"
            elif not found.group(2):
                raise MergeError(
                    f'the {place} holds "${{" {_where(source, found.start())} without the "}}" that ends '
                    'a field name; close it, or write "$${" to show the characters "${" themselves',
                    place=place,
                )
            else:
                pieces += (constant, "")
                slots.append((len(pieces) - 1, found.group(1).strip()))
                constant = ""
        pieces.append(constant + source[end:])
        return cls(source=source, pieces=tuple(pieces), slots=tuple(slots), place=place)

    def fill(self, fields: Mapping[str, object]) -> str:
        """Put the values in: text as it is, None as nothing, anything else by ``str``; escaped in HTML.

        Raises:
            MergeError: a field is unknown, its value cannot stand here, or the fields are no mapping.
        """
        if not self.slots:
            return self.pieces[0]
        pieces = list(self.pieces)
        in_html = self.place == "html"
        for index, name in self.slots:
            try:
                value = fields[name]
            except KeyError:
                raise self._unknown(name, fields) from None
            except TypeError:
                if isinstance(fields, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
                    raise  # a fault of its own
                raise MergeError(
                    "the fields of a merge are a mapping of names to values, such as "
                    f'{{"first_name": "Ann"}}, but {type(fields).__name__} came',
                    field=name,
                    place=self.place,
                ) from None
            text = value if type(value) is str else "" if value is None else str(value)
            if not text.isprintable():
                self._check(name, text)
            pieces[index] = escape(text) if in_html else text
        return "".join(pieces)

    def _check(self, name: str, text: str) -> None:
        found = (CONTROL if self.place == "subject" else _SURROGATE).search(text)
        if found is not None:
            raise MergeError(
                f"the value of the field {name} holds {character_name(found.group())}, "
                f"which the {self.place} cannot carry ({self._place_of(name)}); correct the value",
                field=name,
                place=self.place,
            )

    def _place_of(self, name: str) -> str:
        marks = _MARK.finditer(self.source)
        return next(
            _where(self.source, mark.start())
            for mark in marks
            if mark.group(1) is not None and mark.group(1).strip() == name
        )

    def _unknown(self, name: str, fields: Mapping[str, object]) -> MergeError:
        from difflib import get_close_matches  # noqa: PLC0415 - needed for this sentence only

        known = sorted(str(field) for field in fields)
        near = get_close_matches(name, known, n=1)
        guess = f'did you mean "{near[0]}"? The fields are' if near else "the fields are"
        listed = ", ".join(known[:_MOST_LISTED]) or "none"
        more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
        return MergeError(
            f'the {self.place} asks for the field "{name}" {self._place_of(name)}, which was not given; '
            f"{guess}: {listed}{more}",
            field=name,
            place=self.place,
        )


def _where(source: str, offset: int) -> str:
    before = source[:offset]
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1) + 1
    return f"in line {line}, character {column}"
