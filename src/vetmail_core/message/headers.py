"""Header values: what may stand in one, and how it is written.

A reader who unfolds and decodes a line gets exactly the value that was given. Control characters are
refused, and so are headers that the email itself decides, Bcc above all.

Lines are folded at 78 characters where there is a blank to fold at and never reach 998 (RFC 5322, section
2.1.1). What ASCII cannot say is written in UTF-8 encoded words (RFC 2047), B or Q, whichever is shorter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, final

import attrs

from vetmail_core.address.encoded_words import WORD_LINE, encoded_words
from vetmail_core.address.names import CONTROL
from vetmail_core.errors import MessageError, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SOFT_LIMIT",
    "HeaderFields",
    "character_name",
    "check_field",
    "check_text",
    "fold_words",
    "text_header",
]

SOFT_LIMIT: Final = 78
"""Characters of a header line, the line end not counted (RFC 5322, section 2.1.1)."""
_HARD_LIMIT: Final = 998
_NAME_LIMIT: Final = 50  # so that a line has room for it and a word of one character (24)

_FINISHED: Final = True
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BLANKS: Final = re.compile(r"(?<![ \t])(?=[ \t])")  # before each run of blanks: a place to fold

_DECIDED: Final = {
    "bcc": "give the address to the email's recipients as bcc; it then stays out of the message",
    "cc": "give the address to the email's recipients as cc",
    "date": "give it as the email's date, or leave it to the transport",
    "from": "give it as the email's sender",
    "message-id": "give it as the email's message_id",
    "mime-version": "the message writes it itself",
    "received": "servers write it on the way",
    "reply-to": "give it as the email's reply_to",
    "return-path": "servers write it on the way",
    "subject": "give it as the content's subject",
    "to": "give the address to the email's recipients as to",
}
_DECIDED_PREFIXES: Final = {
    "content-": "the message writes it from the content",
    "resent-": "it belongs to mail that is sent on by a mail program",
}
# Structured values (RFC 2369, 8058, 3834, 5322): an encoded word would not be read in them.
_STRUCTURED: Final = frozenset(
    {
        "auto-submitted",
        "disposition-notification-to",
        "errors-to",
        "in-reply-to",
        "mail-followup-to",
        "mail-reply-to",
        "precedence",
        "references",
        "return-receipt-to",
        "sender",
    }
)
_STRUCTURED_PREFIXES: Final = ("list-",)


def check_text(value: str, *, place: str) -> None:
    """Refuse what no header may carry.

    Args:
        value: the text of a subject, header or file name.
        place: how to call it in the error, "the subject".

    Raises:
        MessageError: a line break, another control character or a lone surrogate is in it.
    """
    if value.isprintable():
        return
    found = CONTROL.search(value)
    if found is not None:
        raise MessageError(
            f"{place} holds {character_name(found.group())} at character {found.start() + 1}, "
            "and a header is one line of readable text; take it out"
        )


def character_name(character: str) -> str:
    """Name a character that must not be shown raw, such as a line break."""
    names = {"\r": "a line break (carriage return)", "\n": "a line break", "\0": "a NUL character"}
    code = ord(character)
    kind = "half of a surrogate pair" if 0xD800 <= code <= 0xDFFF else "the control character"  # noqa: PLR2004 - the surrogates' range
    return names.get(character, f"{kind} U+{code:04X}")


def text_header(name: str, value: str) -> str:
    """Write an unstructured header such as Subject.

    Args:
        name: the header's name.
        value: its text, already checked.

    Returns:
        One or more lines with their CRLF, ASCII only.
    """
    if len(name) + len(value) + 2 <= SOFT_LIMIT and value.isascii() and value.isprintable():
        if value[:1] != " " and value[-1:] != " " and "=?" not in value:
            return f"{name}: {value}\r\n" if value else f"{name}:\r\n"
    elif _is_plain(value):
        folded = fold_words(f"{name}: {value}", first=len(name) + 2)
        if max(map(len, folded.split("\r\n"))) <= SOFT_LIMIT:
            return folded + "\r\n"
    return f"{name}: {encoded_words(value, first_room=WORD_LINE - len(name) - 2)}\r\n"


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip(" ") and "=?" not in value


def fold_words(line: str, *, first: int = 0) -> str:
    """Fold a header line before blanks so that its lines stay within 78 characters where they can.

    Args:
        line: the whole header, name and all, without line ends.
        first: characters that stay on the first line. A line end right behind the colon is lawful, but
            some readers then take the blank behind it for the value's own.

    Returns:
        The same characters with CRLF put in before some blanks.
    """
    if len(line) <= SOFT_LIMIT:
        return line
    lines: list[str] = []
    current, *pieces = _BLANKS.split(line[first:])
    current = line[:first] + current
    for piece in pieces:
        if len(current) + len(piece) <= SOFT_LIMIT:
            current += piece
        else:
            lines.append(current)
            current = piece
    lines.append(current)
    return "\r\n".join(lines)


def _refusal(name: str) -> str | None:
    lowered = name.lower()
    of_prefix = (why for prefix, why in _DECIDED_PREFIXES.items() if lowered.startswith(prefix))
    return _DECIDED.get(lowered) or next(of_prefix, None)


def _custom_header(name: str, value: str) -> str:
    lowered = name.lower()
    structured = lowered in _STRUCTURED or lowered.startswith(_STRUCTURED_PREFIXES)
    if _is_plain(value):
        folded = fold_words(f"{name}: {value}" if value else f"{name}:", first=len(name) + 2)
        if max(map(len, folded.split("\r\n"))) <= _HARD_LIMIT:
            return folded + "\r\n"
        if structured:
            raise MessageError(
                f"the header {name} holds more than {_HARD_LIMIT} characters without a blank, "
                "which no server has to accept; shorten it"
            )
    elif structured:
        raise MessageError(
            f"the header {name} is read by programs: plain ASCII text without blanks at its ends was "
            "expected; write a web address in its encoded form"
        )
    return text_header(name, value)


def _checked_fields(fields: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(fields, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - hosts are not all typed
        raise wrong_type(
            "headers=",
            'a mapping of names to values, such as {"Auto-Submitted": "auto-generated"}',
            fields,
            error=MessageError,
        )
    kept = dict(fields)
    seen: set[str] = set()
    for name, value in kept.items():
        check_field(name, value)
        if name.lower() in seen:
            raise MessageError(f"the header {name} is given twice; give it once")
        seen.add(name.lower())
    return kept


def _written(fields: HeaderFields) -> str:
    return "".join([_custom_header(name, value) for name, value in fields.items()])


def header_line(name: str, value: str) -> str:
    """Check one of a caller's headers, whose name has been checked, and write it.

    Returns:
        One or more lines with their CRLF.

    Raises:
        MessageError: the value holds a line break or another control character, or is not valid here.
    """
    if (
        value.isascii()
        and value.isprintable()
        and "=?" not in value
        and len(name) + len(value) < SOFT_LIMIT - 1
    ):
        if value[:1] not in {" ", ""} and value[-1:] != " ":
            return f"{name}: {value}\r\n"
    else:
        check_text(value, place=f"the header {name}")
    return _custom_header(name, value)


def _has_no_field(fields: HeaderFields) -> bool:
    return not any("${" in value for value in fields.values())


@final
@attrs.frozen(eq=False, repr=False)
class HeaderFields(Mapping[str, str]):
    """A caller's own headers, checked and written once; read-only.

    Handing the same ``HeaderFields`` to many emails costs the check and the writing once. Compares equal
    to any mapping with the same items.

    Args:
        fields: name -> value, in the order in which they shall stand.

    Attributes:
        lines: the header lines as they go on the wire, each with its CRLF.

    Raises:
        MessageError: a name is not a header name, is one the email writes itself (Bcc, To, Content-Type ...)
            or stands twice; a value holds a line break or another control character.
    """

    _fields: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=_checked_fields)
    lines: str = attrs.field(init=False, default=attrs.Factory(_written, takes_self=True))
    _finished: bool = attrs.field(init=False, default=attrs.Factory(_has_no_field, takes_self=True))

    def merge(self, fields: Mapping[str, object]) -> HeaderFields:
        """Put a person's values in the place of ``${name}`` in each value, as `Content.merge` does.

        Returns:
            The headers with their values; finished, whatever the values hold.

        Raises:
            MergeError: a field is unknown, or its value is not valid in a header.
            MessageError: the merged value is not valid in its header.
        """
        if self._finished:
            return self
        from vetmail_core.message.merge import Template  # noqa: PLC0415 - which itself needs this file

        values = {
            name: Template.compile(value, place=f"header {name}").fill(fields)
            for name, value in self._fields.items()
        }
        return HeaderFields(values).finished()

    def finished(self) -> HeaderFields:
        """Give the same headers with every ``${`` in them as text, for what was merged before."""
        if self._finished:
            return self
        made = HeaderFields(self._fields)
        object.__setattr__(made, "_finished", True)
        return made

    @classmethod
    def of_lines(cls, fields: dict[str, str], lines: str) -> HeaderFields:
        """Join headers that are checked and written already, each by `header_line`.

        Args:
            fields: name -> value; no longer the caller's.
            lines: the same as they go on the wire.
        """
        made = object.__new__(cls)
        put = object.__setattr__
        put(made, "_fields", fields)
        put(made, "lines", lines)
        put(made, "_finished", _FINISHED)
        return made

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        return hash(frozenset(self._fields.items()))

    def __repr__(self) -> str:
        return repr(dict(self._fields))


def check_field(name: object, value: object) -> None:
    """Refuse a header that no caller may set.

    Raises:
        MessageError: the name is not a header name, or is one that the email writes itself; the value is not
            text, or holds a line break or another control character.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or len(name) > _NAME_LIMIT:
        raise MessageError(
            f"{name!a} is not a header name: letters, digits and hyphens were expected, {_NAME_LIMIT} at most"
        )
    advice = _refusal(name)
    if advice is not None:
        raise MessageError(f"the header {name} is not the caller's to set: {advice}")
    if not isinstance(value, str):
        raise wrong_type(f"the header {name}", "text", value, error=MessageError)
    check_text(value, place=f"the header {name}")
