"""Merge fields: ``${name}`` and ``${name|default}`` in a subject, a text, an HTML or a header value.

One content is made personal for each of a million people; its templates are compiled once. The law: one pass.
What a value holds is never looked at again, so ``${`` in a person's name stays text.

``$5`` and ``$x`` stay as they are; ``$${`` writes a literal ``${``. A default is the template's own text and
goes in as it is written, where the field is unknown, empty or blank. In a link a value is percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, final

import attrs

from vetmail_core.address.names import CONTROL
from vetmail_core.errors import MergeError
from vetmail_core.message.bodies import text_part
from vetmail_core.message.headers import character_name
from vetmail_core.message.links import LINK_ATTRIBUTES, TEXT_LINK, encoder_in_link
from vetmail_core.message.marks import FIELD_LINE_END, TOKEN, Mark, folded, marks_in, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["STANDARD_FIELDS", "Template", "nearest_field"]

STANDARD_FIELDS: Final = ("name", "first_name", "last_name", "address")
"""The fields that every person may have."""

_MARK_IN_LINE: Final = re.compile(r"\$\$\{|\$\{([^{}\r\n]*)(\}?)")
_MARK: Final = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_MASK: Final = "\ufffc"  # stands for a character of a field, where links and marks are looked for
_MOST_LISTED: Final = 30  # fields in an error sentence
_LONGEST_SHOWN: Final = 80  # characters of a field's name in an error sentence
_SUBTYPES: Final = {"text": "plain", "html": "html"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@final
@attrs.frozen(kw_only=True)
class Template:
    """One text with its merge fields found.

    Attributes:
        source: the text.
        pieces: the text cut up: constant text, with an empty piece where each field goes.
        slots: for each field, its index in ``pieces``, its name, its default (None for none), and what is
            done to a value before it goes in (None for nothing).
        places: for each field, its offset in the source.
        marks: what looks like a merge field and is not one.
        place: "subject", "text", "html" or the name of another single line, "the header X-Course".
        untouched: filling gives the source back.
    """

    source: str = attrs.field(repr=False)
    pieces: tuple[str, ...] = attrs.field(repr=False)
    slots: tuple[tuple[int, str, str | None, Callable[[str], str] | None], ...] = attrs.field(repr=False)
    places: tuple[int, ...] = attrs.field(repr=False)
    marks: tuple[Mark, ...]
    place: str
    untouched: bool
    _part: bytes | None = attrs.field(init=False, default=None, eq=False, repr=False)

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
    def compile(cls, source: str, *, place: str, link: bool = False) -> Template:
        """Find the fields of a text.

        Args:
            source: the text.
            place: what it is, see the class.
            link: the whole text is one link.

        Raises:
            MergeError: a ``${`` is not closed by ``}``, in one line at the latest where lines have no end.
        """
        html = place == "html"
        mark = _MARK if place in _SUBTYPES else _MARK_IN_LINE
        found = list(mark.finditer(source))
        masked = mark.sub(lambda one: _MASK * len(one.group()), source) if found else source
        encode = _encoders(masked, place=place, link=link) if found else None
        pieces: list[str] = []
        slots: list[tuple[int, str, str | None, Callable[[str], str] | None]] = []
        places: list[int] = []
        constant = ""
        end = 0
        for one in found:
            constant += source[end : one.start()]
            end = one.end()
            if one.group(1) is None:
                constant += "${"
            elif not one.group(2):
                raise MergeError(
                    f'the {place} holds "${{" {place_of(source, one.start())} without the "}}" that ends '
                    'a field name; close it, or write "$${" to show the characters "${" themselves',
                    place=place,
                )
            else:
                pieces += (constant, "")
                name, bar, default = one.group(1).partition("|")
                slots.append(
                    (
                        len(pieces) - 1,
                        _read(name, html=html),
                        default.strip() if bar else None,
                        None if encode is None else encode(one.start()),
                    )
                )
                places.append(one.start())
                constant = ""
        pieces.append(constant + source[end:])
        return cls(
            source=source,
            pieces=tuple(pieces),
            slots=tuple(slots),
            places=tuple(places),
            marks=marks_in(source, masked, html=html),
            place=place,
            untouched=not found,
        )

    def fill(self, fields: Mapping[str, object]) -> str:
        """Put the values in: text as it is, None as nothing, anything else by ``str``; escaped in HTML.

        Raises:
            MergeError: a field is unknown, its value is not valid here, or the fields are no mapping.
        """
        if not self.slots:
            return self.pieces[0]
        pieces = list(self.pieces)
        for index, name, default, encode in self.slots:
            try:
                value = fields[name]
            except KeyError:
                if default is None:
                    raise self._unknown(name, fields) from None
                value = None
            except TypeError:
                if isinstance(fields, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
                    raise  # a fault of its own
                raise MergeError(
                    "the fields of a merge need a mapping of names to values, such as "
                    f'{{"first_name": "Ann"}}, got {type(fields).__name__}',
                    field=name,
                    place=self.place,
                ) from None
            text = value if type(value) is str else "" if value is None else str(value)
            if default is not None and not text.strip():
                pieces[index] = default
                continue
            if not text.isprintable():
                self._check(name, text)
            pieces[index] = text if encode is None else encode(text)
        return "".join(pieces)

    def refuse_marks(self, known: Mapping[str, str]) -> None:
        """Refuse what would be read as an unfilled merge field.

        Args:
            known: folded name -> the field's name.

        Raises:
            MergeError: a mark that cannot be ordinary text has the name of a field.
        """
        for mark in self.marks:
            field = known.get(mark.name) if mark.certain else None
            if field is None:
                continue
            why = (
                "which would not be filled in: a tag, an entity or an invisible character stands within it"
                if mark.own
                else "which is another program's merge field"
            )
            raise MergeError(
                f'the {self.place} shows "{mark.spelling}" {mark.where}, {why}; write ${{{field}}}',
                field=field,
                place=self.place,
            )

    def doubtful_marks(self, known: Mapping[str, str]) -> Iterable[str]:
        """Say, in a sentence each, what may have been meant as a merge field.

        Args:
            known: folded name -> the field's name.
        """
        for mark in self.marks:
            field = None if mark.certain else known.get(mark.name)
            if field is not None:
                yield (
                    f'the {self.place} shows "{mark.spelling}" {mark.where}, which is not filled in; write '
                    f"${{{field}}} if the field is meant"
                )

    def _check(self, name: str, text: str) -> None:
        found = (_SURROGATE if self.place in _SUBTYPES else CONTROL).search(text)
        if found is not None:
            raise MergeError(
                f"the value of the field {name} holds {character_name(found.group())}, "
                f"which the {self.place} cannot carry ({self.place_of(name)}); correct the value",
                field=name,
                place=self.place,
            )

    def place_of(self, name: str) -> str:
        """Say where a field is asked for first: "in line 1, character 4"."""
        return next(
            place_of(self.source, offset)
            for (_, slot, _, _), offset in zip(self.slots, self.places, strict=True)
            if slot == name
        )

    def _unknown(self, name: str, fields: Mapping[str, object]) -> MergeError:
        return MergeError(
            f'the {self.place} asks for the field "{name[:_LONGEST_SHOWN]}" {self.place_of(name)}, which was '
            f"not given; {nearest_field(name, fields)}",
            field=name,
            place=self.place,
        )


def nearest_field(name: str, fields: Iterable[str]) -> str:
    """Say which field was probably meant, and which there are."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed for this sentence only

    known = sorted(str(field) for field in fields)
    alike = {folded(field): field for field in known}.get(folded(name))
    near = [alike] if alike is not None else get_close_matches(name, known, n=1)
    guess = f'did you mean "{near[0]}"? The fields are' if near else "the fields are"
    listed = ", ".join(known[:_MOST_LISTED]) or "none"
    more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    return f"{guess}: {listed}{more}"


def _read(name: str, *, html: bool) -> str:
    """A field's name as a reader would read it."""
    if html:
        from html import unescape  # noqa: PLC0415 - only HTML has such names

        name = unescape(name).replace("\xa0", " ")
    return FIELD_LINE_END.sub(" ", name).strip()


def _escaped(value: str) -> str:
    from html import escape  # noqa: PLC0415 - only for HTML

    return escape(value)


def _encoders(masked: str, *, place: str, link: bool) -> Callable[[int], Callable[[str], str] | None]:
    """Give the function that says, for a field's offset, what is done to its value."""
    plain = _escaped if place == "html" else None
    links = [(0, len(masked))] if link else [*_links(masked, place)]

    def encoder(offset: int) -> Callable[[str], str] | None:
        begin = next((begin for begin, end in links if begin <= offset < end), None)
        return plain if begin is None else encoder_in_link(masked[begin:offset]) or plain

    return encoder


def _links(masked: str, place: str) -> Iterable[tuple[int, int]]:
    """Where the links of a text begin and end."""
    if place != "html":
        if place != "subject":
            yield from (found.span() for found in TEXT_LINK.finditer(masked))
        return
    for token in TOKEN.finditer(masked):
        if token["tag"] is not None:
            for found in LINK_ATTRIBUTES.finditer(masked, token.start(), token.end()):
                yield found.span(found.lastgroup or 0)
