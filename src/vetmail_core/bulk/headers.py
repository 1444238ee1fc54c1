"""Further headers of a plan's emails, and the way out of a mailing (RFC 2369, RFC 8058).

A value in a link to unsubscribe is percent-encoded, so nothing that a record holds can change where the link
leads. The link stands on one line whatever its length: programs read it, and some do not unfold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import attrs

from vetmail_core.bulk.personal import who
from vetmail_core.errors import MergeError, MessageError, wrong_type
from vetmail_core.message.headers import HeaderFields, check_field, check_text, header_line
from vetmail_core.message.merge import Template
from vetmail_core.people import merge_fields

if TYPE_CHECKING:
    from vetmail_core.people import Person

__all__ = ["PlanHeaders"]

_Made = TypeVar("_Made")
_LIST_UNSUBSCRIBE: Final = "List-Unsubscribe"
_POST: Final = "List-Unsubscribe-Post"
_ONE_CLICK: Final = "List-Unsubscribe=One-Click"
_LONGEST_URI: Final = 900  # octets, so that its line stays below the 998 of RFC 5322
_SCHEME: Final = re.compile(r"(https)://[^/?#]|mailto:[^?]", re.IGNORECASE | re.ASCII)
_FIELD: Final = re.compile(r"\$\{([^{}|]*)(?:\|([^{}]*))?\}")
_NOT_IN_A_URI: Final = re.compile(r'[^!-~]|[<>"\\^`{|}]')  # RFC 3986, section 2
_PERCENT: Final = str.maketrans(
    {character: quote(character, safe="") for character in map(chr, range(0x80))}  # quote() at half the time
)
_NO_FIELDS: Final[Mapping[str, object]] = {}


@attrs.frozen
class PlanHeaders:
    """What a plan's emails carry beside the headers that every email has.

    Args:
        headers: name -> value for all, or a function that gives it for a person. Merge fields go in.
        unsubscribe: an https or mailto URI, or a function that gives a person's; "" for none. Merge fields go
            in, percent-encoded.

    Raises:
        MessageError: a header or URI that no email may carry.
        TypeError: neither of these.
    """

    headers: Mapping[str, str] | Callable[[Person], Mapping[str, str]] = attrs.field(factory=dict[str, str])
    unsubscribe: str | Callable[[Person], str] = ""

    def __attrs_post_init__(self) -> None:
        if isinstance(self.headers, Mapping):
            _Headers.of(self.headers, beside=bool(self.unsubscribe))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - a function might be a mapping too
        elif not callable(self.headers):
            raise wrong_type(
                "headers=",
                "a mapping of names to values",
                self.headers,
                'Write headers={"X-Course": "${course}"}, or give a function.',
            )
        if isinstance(self.unsubscribe, str):
            _Link.of(self.unsubscribe)
        elif not callable(self.unsubscribe):
            raise wrong_type(
                "unsubscribe=",
                "a URI as text",
                self.unsubscribe,
                'Write unsubscribe="https://example.com/leave?who=${address}", or give a function.',
            )

    def for_one_email(self) -> HeaderFields:
        """Give the headers of one email to everybody.

        Raises:
            MergeError: they are a function's or hold a merge field, so they differ from person to person.
        """
        headers, unsubscribe = self.headers, self.unsubscribe
        if isinstance(headers, Mapping) and isinstance(unsubscribe, str):
            own = _Headers.of(headers, beside=bool(unsubscribe))  # pyright: ignore[reportUnknownArgumentType] - a function might be a mapping too
            link = _Link.of(unsubscribe)
            if not (own.asks or link.slots):
                return _joined(own, link, _NO_FIELDS)
        raise MergeError(
            "One email to everybody needs the same headers and unsubscribe link for everybody, got ones that"
            " differ from person to person. Leave them out, or send the plan itself."
        )

    def for_everybody(self) -> Callable[[Person], HeaderFields]:
        """Make the function that gives the headers of a person's email.

        Returns:
            A function. It raises MergeError for a field that is unknown, and MessageError for a value or URI
            that is not valid; both name the person.
        """
        headers, unsubscribe, beside = self.headers, self.unsubscribe, bool(self.unsubscribe)
        for_all = _Headers.of(headers, beside=beside) if isinstance(headers, Mapping) else None  # pyright: ignore[reportUnknownArgumentType] - a function might be a mapping too
        link_for_all = _Link.of(unsubscribe) if isinstance(unsubscribe, str) else None
        if for_all is not None and link_for_all is not None and not (for_all.asks or link_for_all.slots):
            same = _joined(for_all, link_for_all, _NO_FIELDS)
            return lambda _: same

        def of(person: Person) -> HeaderFields:
            own = for_all or _Headers.of(_own_headers(headers, person), beside=beside)  # pyright: ignore[reportUnknownArgumentType] - a function might be a mapping too
            link = link_for_all or _Link.of(_own_link(unsubscribe, person))
            return _joined(own, link, merge_fields(person) if own.asks or link.slots else _NO_FIELDS)

        return lambda person: _naming(person, of)


def _own_headers(
    headers: Mapping[str, str] | Callable[[Person], Mapping[str, str]], person: Person
) -> Mapping[str, str]:
    given = headers if isinstance(headers, Mapping) else headers(person)  # pyright: ignore[reportUnknownVariableType] - a function might be a mapping too
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise TypeError(
            f"The function headers= must return a mapping of names to values, got {type(given).__name__}. "
            "Return {} for a person who has no headers."
        )
    return given  # pyright: ignore[reportUnknownVariableType] - a function might be a mapping too


def _own_link(unsubscribe: str | Callable[[Person], str], person: Person) -> str:
    given = unsubscribe if isinstance(unsubscribe, str) else unsubscribe(person)
    if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise TypeError(
            f'The function unsubscribe= must return a URI as text, got {type(given).__name__}. Return "" for '
            "a person without one."
        )
    return given


def _naming(person: Person, make: Callable[[Person], _Made]) -> _Made:
    try:
        return make(person)
    except MergeError as error:
        sentence = f"the email for {who(person)} cannot be made: {error}"
        raise MergeError(sentence, field=error.field, place=error.place) from error
    except MessageError as error:
        raise MessageError(f"the email for {who(person)} cannot be made: {error}") from error
    except Exception as error:
        error.add_note(f"This happened while the email for {who(person)} was made.")
        raise


def _joined(headers: _Headers, link: _Link, fields: Mapping[str, object]) -> HeaderFields:
    values, lines = headers.filled(fields)
    if link.pieces:
        uri = link.filled(fields)
        values[_LIST_UNSUBSCRIBE] = f"<{uri}>"
        if link.one_click:
            values[_POST] = _ONE_CLICK
            lines = f"{lines}{_LIST_UNSUBSCRIBE}: <{uri}>\r\n{_POST}: {_ONE_CLICK}\r\n"
        else:
            lines = f"{lines}{_LIST_UNSUBSCRIBE}: <{uri}>\r\n"
    return HeaderFields.of_lines(values, lines)


@attrs.frozen
class _Headers:
    """Headers with their merge fields found."""

    parts: tuple[tuple[str, str, Template | None], ...]
    asks: bool

    @classmethod
    def of(cls, headers: Mapping[str, str], *, beside: bool) -> _Headers:
        """Check names and values, and find the fields.

        Args:
            headers: name -> value.
            beside: a link to unsubscribe is given as well.
        """
        parts: list[tuple[str, str, Template | None]] = []
        seen = {_LIST_UNSUBSCRIBE.lower(), _POST.lower()} if beside else set[str]()
        for name, value in headers.items():
            check_field(name, value)
            if name.lower() in seen:
                by = "headers= and by unsubscribe=" if beside else "two spellings of its name"
                raise MessageError(f"the header {name} is given twice, by {by}; give it once")
            seen.add(name.lower())
            # Most values of a host's function are finished, and need no template.
            template = Template.compile(value, place=f"header {name}") if "${" in value else None
            parts.append((name, value, template))
        return cls(tuple(parts), any(template is not None and template.slots for *_, template in parts))

    def filled(self, fields: Mapping[str, object]) -> tuple[dict[str, str], str]:
        """Put the values in, and write the lines."""
        values: dict[str, str] = {}
        lines = ""
        for name, source, template in self.parts:
            try:
                value = source if template is None else template.fill(fields)
            except MergeError as error:
                if error.field not in fields:
                    raise
                # The field is known and its value is not valid: a matter of the header.
                raise MessageError(f"the header {name} cannot be written: {error}") from error
            values[name] = value
            lines += header_line(name, value)
        return values, lines


@attrs.frozen
class _Link:
    """A URI to unsubscribe by, with its merge fields found.

    Attributes:
        pieces: the URI cut up, with an empty piece where each field goes.
        slots: for each field, its index in the pieces, its name and its default.
        one_click: it is an https URI, which a mail program may call by itself (RFC 8058).
    """

    pieces: tuple[str, ...]
    slots: tuple[tuple[int, str, str | None], ...]
    one_click: bool

    @classmethod
    def of(cls, text: str) -> _Link:
        """Check a URI, and find its fields; "" is no link."""
        if not text:
            return cls((), (), one_click=False)
        check_text(text, place=f"the header {_LIST_UNSUBSCRIBE}")
        scheme = _SCHEME.match(text)
        if scheme is None:
            raise MessageError(
                f"the header {_LIST_UNSUBSCRIBE} needs an https or mailto URI, got {text[:80]!r}; write "
                'unsubscribe="https://example.com/leave?who=${address}"'
            )
        pieces: list[str] = []
        slots: list[tuple[int, str, str | None]] = []
        end = 0
        for field in _FIELD.finditer(text):
            pieces += (text[end : field.start()], "")
            slots.append((len(pieces) - 1, field[1].strip(), field[2]))
            end = field.end()
        pieces.append(text[end:])
        for piece in pieces:
            wrong = _NOT_IN_A_URI.search(piece)
            if wrong is not None:
                raise MessageError(
                    f"the header {_LIST_UNSUBSCRIBE} needs a URI, and {wrong[0]!r} is not part of one; "
                    f'write "{quote(wrong[0], safe="")}" instead, or give the value by a merge field'
                )
        return cls(tuple(pieces), tuple(slots), one_click=scheme[1] is not None)

    def filled(self, fields: Mapping[str, object]) -> str:
        """Put the values in, percent-encoded as UTF-8 but for the unreserved characters of RFC 3986."""
        pieces = list(self.pieces)
        for index, name, default in self.slots:
            value = fields.get(name)
            text = "" if value is None else str(value)
            if not text or text.isspace():
                if name not in fields and default is None:
                    raise MergeError(
                        f'the header {_LIST_UNSUBSCRIBE} asks for the field "{name}", which was not given; '
                        f"the fields are: {', '.join(sorted(map(str, fields))) or 'none'}",
                        field=name,
                        place=f"header {_LIST_UNSUBSCRIBE}",
                    )
                text = text if default is None else default
            if not text.isprintable():
                check_text(text, place=f"the field {name} in the header {_LIST_UNSUBSCRIBE}")
            pieces[index] = text.translate(_PERCENT) if text.isascii() else quote(text, safe="")
        uri = "".join(pieces)
        if len(uri) > _LONGEST_URI:
            raise MessageError(
                f"the header {_LIST_UNSUBSCRIBE} holds a URI of {len(uri)} octets and may have "
                f"{_LONGEST_URI}; shorten it, such as by a token instead of a name"
            )
        return uri
