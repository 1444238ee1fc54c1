"""What a reader would see of a template that is not a merge field but was meant as one.

A ``${first_name}`` with half of it in bold is not found as a field, and ``{{first_name}}`` is a field of
another program: both would go out to everybody as they are. So the text is looked at as a reader sees it,
once for a template. Which names are known is asked later, when there are fields.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import attrs

from vetmail_core.address.names import INVISIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIELD_LINE_END", "TOKEN", "Mark", "folded", "marks_in", "place_of", "visible"]

FIELD_LINE_END: Final = re.compile(r"[^\S\r\n]*(?:\r\n|[\r\n\v\f\x85\u2028\u2029])\s*")

TOKEN: Final = re.compile(
    r"<!--(?:.*?-->|.*\Z)"
    r"|<(?P<hidden>style|script)\b.*?(?:</(?P=hidden)\s*+>|\Z)"
    r"|(?P<tag></?[a-z](?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+(?:>|\Z))"
    r"|<[!?][^>]*+(?:>|\Z)",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
"""What a reader does not see of an HTML: comments, style, script, and tags (in the group ``tag``)."""

_ENTITY: Final = re.compile(r"&(?:#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]*+);?")
_SEPARATORS: Final = re.compile(r"[\s_\-]+")

# The marks of other programs' mail merges: Mustache and its like, Word's, and the one of Mailchimp.
_FOREIGN: Final = (
    re.compile(r"\{\{(?P<name>[^{}]{1,200})\}\}"),
    re.compile(r"\u00ab(?P<name>(?!\s)[^\u00ab\u00bb]{1,200}(?<!\s))\u00bb"),
    re.compile(r"<<(?P<name>(?!\s)[^<>]{1,200}(?<!\s))>>"),
    re.compile(r"\*\|(?P<name>[^|*]{1,200})\|\*"),
)
# These may be ordinary text as well: a placeholder on purpose, a share of a hundred, a set.
_DOUBTFUL: Final = (
    re.compile(r"\[(?P<name>(?!\s)[^\[\]]{1,200}(?<!\s))\]"),
    re.compile(r"%(?P<name>(?!\s)[^%]{1,200}(?<!\s))%"),
    re.compile(r"(?<![{$])\{(?P<name>(?!\s)[^{}]{1,200}(?<!\s))\}(?!\})"),
)
_SEEN_FIELD: Final = re.compile(r"\$\{(?P<name>[^{}|]{1,200})(?:\|[^{}]{0,200})?\}")


@attrs.frozen
class Mark:
    """Something that looks like a merge field.

    Attributes:
        spelling: as it is seen, "{{First Name}}".
        name: without case, spaces, ``_`` and ``-``, to be compared with `folded` names.
        where: its line and character.
        own: a ``${name}`` that is only seen, because tags, entities or invisible characters are within it.
        certain: it cannot be ordinary text when its name is the name of a field.
    """

    spelling: str
    name: str
    where: str
    own: bool = False
    certain: bool = True


def folded(name: str) -> str:
    """Give a name as names are compared: without case, spaces, ``_``, ``-`` and invisible characters."""
    return _SEPARATORS.sub("", INVISIBLE.sub("", name)).casefold()


def place_of(source: str, offset: int) -> str:
    """Say where an offset is, for people."""
    before = source[:offset]
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1) + 1
    return f"in line {line}, character {column}"


@attrs.frozen
class _Seen:
    """A text as a reader sees it, with the way back to its source."""

    text: str
    starts: list[int]
    offsets: list[int]

    def offset(self, position: int) -> int:
        piece = bisect_right(self.starts, position) - 1
        return self.offsets[piece] + position - self.starts[piece]


def visible(source: str, *, html: bool) -> str:
    """Give a text as a reader sees it: without tags, comments, style and script, entities decoded."""
    return _seen(source, html=html).text


def _seen(source: str, *, html: bool) -> _Seen:
    pieces: list[str] = []
    starts: list[int] = []
    offsets: list[int] = []
    length = 0
    for text, offset in _runs(source) if html else ((source, 0),):
        begin = 0
        for hidden in INVISIBLE.finditer(text):
            if hidden.start() > begin:
                pieces.append(text[begin : hidden.start()])
                starts.append(length)
                offsets.append(offset + begin)
                length += hidden.start() - begin
            begin = hidden.end()
        if begin < len(text):
            pieces.append(text[begin:])
            starts.append(length)
            offsets.append(offset + begin)
            length += len(text) - begin
    return _Seen("".join(pieces), starts, offsets)


def _runs(source: str) -> Iterator[tuple[str, int]]:
    """The visible runs of an HTML, each with where it begins; an entity is a run of its own."""
    begin = 0
    for token in TOKEN.finditer(source):
        yield from _decoded(source, begin, token.start())
        begin = token.end()
    yield from _decoded(source, begin, len(source))


def _decoded(source: str, begin: int, end: int) -> Iterator[tuple[str, int]]:
    for entity in _ENTITY.finditer(source, begin, end):
        if entity.start() > begin:
            yield source[begin : entity.start()], begin
        from html import unescape  # noqa: PLC0415 - only HTML has them

        yield unescape(entity.group()), entity.start()
        begin = entity.end()
    if begin < end:
        yield source[begin:end], begin


def marks_in(source: str, masked: str, *, html: bool) -> tuple[Mark, ...]:
    """Find what looks like a merge field and is not one.

    Args:
        source: the template.
        masked: the same with its fields, and ``$${``, written over by as many other characters.
        html: whether it is an HTML.

    Returns:
        Each once for each name and spelling; those that are certain first.
    """
    seen = _seen(masked, html=html)
    found: dict[tuple[str, str], Mark] = {}

    def take(patterns: tuple[re.Pattern[str], ...], text: str, *, at: _Seen | None, certain: bool) -> None:
        for pattern in patterns:
            for match in pattern.finditer(text):
                offset = match.start() if at is None else at.offset(match.start())
                own = pattern is _SEEN_FIELD
                mark = Mark(
                    match.group(), folded(match["name"]), place_of(source, offset), own=own, certain=certain
                )
                if mark.name:
                    found.setdefault((mark.spelling, mark.name), mark)

    if html:
        take(_FOREIGN, masked, at=None, certain=True)
    take((_SEEN_FIELD, *_FOREIGN), seen.text, at=seen, certain=True)
    take(_DOUBTFUL, seen.text, at=seen, certain=False)
    return tuple(found.values())
